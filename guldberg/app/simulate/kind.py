"""A simulation as a run: what a member of a sweep is."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from markupsafe import Markup

from guldberg import text
from guldberg.app import exchange, facts
from guldberg.app import options as read
from guldberg.app.checkpoints import write_whole
from guldberg.app.pages import PAGES, Picture
from guldberg.app.runs import Kind
from guldberg.app.simulate import asked, methods
from guldberg.app.simulate.asked import Asked, Simulated
from guldberg.app.spec import Spec
from guldberg.app.style import svg

COMMON = {"end", "points", "first", "method", "initial", "initials", "temperature", "start"}


class Followed(NamedTuple):
    """What was asked and what came out, with what was said on the way."""

    asked: Asked
    done: Simulated
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Simulation:
    """A job without steps: all of it follows from the network, the options and the seed, which is its State."""

    model: text.Model
    options: Mapping[str, Any]
    initials: str | None
    pictures: tuple[str, ...]
    notes: tuple[str, ...]
    state_types = ()

    def init(self, seed: int) -> int:
        return seed

    def done(self, state: int) -> bool:
        return True

    def step(self, state: int) -> NoReturn:
        raise AssertionError("a job without steps")

    def result(self, state: int) -> Followed:
        notes, typed = list(self.notes), self.options
        names, states = read.states(self.model, typed.get("initial", ()), self.initials)
        times = asked.times(typed["end"], typed["points"], typed.get("first"))
        wanted = Asked(self.model.network, names, states, times, typed.get("temperature"), state)
        own = {name: value for name, value in typed.items() if name not in COMMON}
        own |= {"start": self.pictures} if self.pictures else {}
        done = methods.run(typed["method"], wanted, own, notes.append)
        if done.failure:
            raise RuntimeError(f"{done.failure}. {done.why}")
        return Followed(wanted, done, tuple(notes))


def simulation(options: Mapping[str, Any], inputs: Sequence[Path]) -> Simulation:
    """The inputs are the network, the table of initial states if the options name one, and the pictures that they
    start from, in their order. InputError where one of them cannot be read."""
    notes: list[str] = []
    model = read.network(str(inputs[0]), io.BytesIO(), notes.append)
    rest = [str(path) for path in inputs[1:]]
    initials = rest.pop(0) if "initials" in options else None
    starts = options.get("start", ())
    pictures = tuple(f"{one.partition('=')[0]}={path}" for one, path in zip(starts, rest, strict=True))
    read.kelvin(options.get("temperature"), model)
    read.states(model, options.get("initial", ()), initials)
    asked.times(options["end"], options["points"], options.get("first"))
    return Simulation(model, options, initials, pictures, tuple(notes))


def sources(network: Path, options: Mapping[str, Any]) -> list[Path]:
    """The files that a simulation needs, as `simulation` takes them."""
    starts = [Path(one.partition("=")[2].strip()) for one in options.get("start", ())]
    return [network, *([Path(options["initials"])] if "initials" in options else []), *starts]


def write(folder: Path, found: Followed, spec: Spec, seconds: float) -> None:
    """Every file of a simulation; `result.json` last, since it is the sign that the run is finished."""
    network, done = found.asked.network, found.done
    write_whole(folder / "network.crn", text.format(network).encode() + b"\n")
    exchange.write(folder / "trajectories.nc", done.table, done.dataset.assign_attrs(facts.attributes(spec, network)))
    write_whole(folder / "report.html", page(found, spec, seconds).encode())
    write_whole(folder / "result.json", facts.written(as_json(found, spec, seconds)))


def as_json(found: Followed, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: the last concentration of each species in each experiment, for stochastic ones the mean."""
    table = found.done.table
    last = {run.name: dict(zip(table.species, run.values[-1].tolist(), strict=True)) for run in table.runs}
    method, times = spec.options["method"], found.asked.times.tolist()
    return facts.as_json(
        spec, seconds, found.notes, {"method": method, "species": list(table.species), "times": times, "final": last}
    )


def page(found: Followed, spec: Spec, seconds: float) -> str:
    """The picture, the last concentrations, the network and what it takes to repeat it."""
    table = found.done.table
    return PAGES.get_template("simulation.html").render(
        found=found,
        spec=spec,
        seconds=seconds,
        picture=Picture(Markup(svg(found.done.figure(), "curves")), "Concentrations as time passes."),
        last=[(run.name, [f"{x:.6g}" for x in run.values[-1]]) for run in table.runs],
        species=table.species,
        network=str(found.asked.network),
    )


def summary(found: Followed) -> str:
    """For the terminal."""
    count, species = len(found.done.table.runs), len(found.done.table.species)
    return f"{count} experiment(s), {len(found.asked.times)} times, {species} species"


KIND = Kind(simulation, write, page, summary)
