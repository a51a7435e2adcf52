"""A PEtab problem as a run: `guldberg discover PROBLEM.yaml`, and what it writes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from markupsafe import Markup

from guldberg import text
from guldberg.app import facts, words
from guldberg.app.checkpoints import write_whole
from guldberg.app.pages import PAGES, Picture
from guldberg.app.petab import plot, reading
from guldberg.app.petab.conditions import SCALES
from guldberg.app.petab.reading import Problem
from guldberg.app.runs import Kind
from guldberg.app.spec import Spec
from guldberg.app.style import svg
from guldberg.discover.estimation import Estimated, Estimation, State
from guldberg.discover.result import Estimate
from guldberg.errors import InputError
from guldberg.learn.fit import Metrics
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant

STARTS = 20


class Answer(NamedTuple):
    """What was asked, and what came out."""

    problem: Problem
    found: Estimated
    nominal: float | None  # -ln L at the nominal parameters, where the problem has some

    def estimates(self) -> list[tuple[str, Estimate]]:
        """Of each unknown, off its scale."""
        return [
            (name, _off(SCALES[scale][1], estimate))
            for name, scale, estimate in zip(
                self.problem.unknowns, self.problem.settings[0].pool.scales, self.found.estimates, strict=False
            )
        ]

    def warnings(self) -> list[str]:
        """What a reader must know."""
        values, told = self.found.values, list(self.problem.notes)
        if failed := sum(not np.isfinite(value) for value in values):
            told.append(f"{failed} of {len(values)} starts could not be integrated")
        if self.found.reached < 2:
            told.append(
                f"{self.found.reached} of {len(values)} starts reached the best point: it may not be the lowest"
            )
        if self.nominal is not None and self.nominal < self.found.best.value - 0.1:
            told.append(f"the nominal parameters fit better, -ln L {self.nominal:.3f}: more --starts may find them")
        return told

    def network(self) -> tuple[str, ReactionNetwork]:
        """The first condition and the network in it."""
        model, setting, condition = self.problem.model, self.problem.settings[0], self.problem.likelihood.conditions[0]
        k = setting.start(self.found.best.x).k
        left, right = jnp.asarray(model.reactants), jnp.asarray(model.products)
        return condition.name, ReactionNetwork(left, right, Constant.of(k), None, model.species)


@dataclasses.dataclass(frozen=True)
class Asked:
    """The job: the search for the unknowns of `problem`, whose result knows their names."""

    problem: Problem
    search: Estimation
    state_types = Estimation.state_types

    def init(self, seed: int) -> State:
        return self.search.init(seed)

    def step(self, state: State) -> tuple[State, Metrics]:
        return self.search.step(state)

    def done(self, state: State) -> bool:
        return self.search.done(state)

    def result(self, state: State) -> Answer:
        found, x = self.search.result(state), self.problem.nominal
        return Answer(self.problem, found, None if x is None else self.problem.likelihood.value(x))


def asked(options: Mapping[str, Any], inputs: Sequence[Path]) -> Asked:
    """The job of a problem, the first of `inputs`. InputError where it or an option cannot be used."""
    if strange := [f"--{name.replace('_', '-')}" for name in options if name != "starts"]:
        raise InputError(f"{', '.join(strange)}: not with a problem in PEtab's form, which says what is known")
    problem = reading.read(inputs[0])
    if not problem.unknowns:
        raise InputError("no parameter is to be estimated", file=str(inputs[0]))
    return Asked(problem, Estimation(problem.likelihood, options.get("starts", STARTS)))


def write(folder: Path, answer: Answer, spec: Spec, seconds: float) -> None:
    """Every file; `result.json` last, since it is the sign that the run is finished."""
    condition, network = answer.network()
    write_whole(folder / "network.crn", f"# constants in the condition {condition}\n{text.format(network)}\n".encode())
    write_whole(folder / "report.html", page(answer, spec, seconds).encode())
    write_whole(folder / "result.json", facts.written(as_json(answer, spec, seconds)))


def as_json(answer: Answer, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`."""
    bounds = zip(answer.problem.likelihood.low, answer.problem.likelihood.high, strict=True)
    scales = answer.problem.settings[0].pool.scales
    parameters = [
        {"id": name, **vars(k), "verdict": k.verdict, "scale": scale, "bounds": [SCALES[scale][1](x) for x in pair]}
        for (name, k), scale, pair in zip(answer.estimates(), scales, bounds, strict=True)
    ]
    starts = {"values": [value if np.isfinite(value) else None for value in answer.found.values]}
    table = {
        "objective": answer.found.best.value,
        "nominal_objective": answer.nominal,
        "parameters": parameters,
        "starts": starts | {"reached": answer.found.reached},
        "conditions": [condition.name for condition in answer.problem.likelihood.conditions],
        "species": list(answer.problem.model.species),
    }
    return facts.as_json(spec, seconds, answer.warnings(), table)


def page(answer: Answer, spec: Spec, seconds: float) -> str:
    """Data and fit, the unknowns, what the starts came to."""
    drawn = {
        "fit": (
            plot.fit(answer.problem, answer.found.best.x),
            "Measured, and the fit at the same times; one panel for each observable, one colour for each condition.",
        ),
        "starts": (plot.starts(answer.found), "−ln L of every start, best first, above that of the best."),
    }
    return PAGES.get_template("petab.html").render(
        name=answer.problem.name,
        answer=answer,
        spec=spec,
        seconds=seconds,
        version=importlib.metadata.version("guldberg"),
        rows=_rows(answer),
        warnings=answer.warnings(),
        network=text.format(answer.network()[1]),
        pictures={name: Picture(Markup(svg(figure, name)), caption) for name, (figure, caption) in drawn.items()},
    )


def summary(answer: Answer) -> str:
    """For the terminal."""
    found, nominal = answer.found, answer.nominal
    beside = "" if nominal is None else f"; at the nominal parameters {nominal:.3f}"
    rows = [(name, value, f"({interval})", verdict) for name, value, interval, verdict, _ in _rows(answer)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    table = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [f"  {warning}" for warning in answer.warnings()]
    return "\n".join(
        [
            f"-ln L {found.best.value:.3f}, reached by {found.reached} of {len(found.values)} starts{beside}",
            "",
            *table,
            *(["", "Notes:", *notes] if notes else []),
        ]
    )


def _rows(answer: Answer) -> list[tuple[str, str, str, str, str]]:
    return [(name, words.value(k), words.interval(k), words.verdict(k), k.verdict) for name, k in answer.estimates()]


def _off(plain: Any, k: Estimate) -> Estimate:
    """An estimate off its scale."""
    low, high = (None if end is None else float(plain(end)) for end in (k.low, k.high))
    return Estimate(float(plain(k.value)), low, high)


KIND = Kind(asked, write, page, summary)
