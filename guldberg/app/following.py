"""`guldberg next RUN`: what to measure next, as a table to fill in, a picture and facts for programs."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure

from guldberg.app import jobs, options, runs, words
from guldberg.app.checkpoints import write_whole
from guldberg.app.style import COLOURS, DASHES, plain, styled
from guldberg.app.tables import write_experiments
from guldberg.discover import following, proposal
from guldberg.discover.proposal import Aim, Limits, Model, Proposed, Question
from guldberg.discover.result import Discovered
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run

TABLE, FACTS, PICTURE = "next.csv", "next.json", "next.png"
SMOOTH = 100  # points of a curve
LETTERS = 13  # of a legend, per inch


@dataclasses.dataclass(frozen=True)
class Plan:
    """The experiments proposed, and what each is to answer."""

    found: Discovered
    limits: Limits
    experiments: tuple[Proposed, ...]
    asked: tuple[Question, ...]  # before each experiment, those before it done


def after(run: Path) -> Discovered:
    """What the run in the folder `run` found, as far as it got. InputError where that is no discovery."""
    found, spec, _ = runs.reached(run, jobs.KINDS)
    if spec.job != "discover":
        raise InputError("a next experiment follows from a discovery; this is a run of another job", file=str(run))
    return found


def plan(found: Discovered, typed: Mapping[str, Any], seed: int) -> Plan:
    """Propose experiments. InputError where an option cannot be met, or the fit leaves no such question."""
    given = limits(found, typed)
    try:
        asked = following.question(found, cast(Aim | None, typed.get("aim")))
    except ValueError as error:
        raise InputError(str(error)) from error
    if asked.aim == "mechanism" and len(asked.models) == 1:
        raise InputError("no rival is left to tell apart: --aim worst or all sharpens the constants", file="--aim")
    chosen, before = [], []
    for n in range(typed.get("experiments", 1)):
        before.append(asked)
        chosen.append(proposal.propose(asked, given, seed=seed + n))
        asked = proposal.following(asked, given, chosen[-1])
    return Plan(found, given, tuple(chosen), tuple(before))


def limits(found: Discovered, typed: Mapping[str, Any]) -> Limits:
    """Those of the experiments so far, changed where the user says so."""
    given = following.limits(found)
    low, high = given.low.copy(), given.high.copy()
    for text in typed.get("limits", ()):
        for name, ends in _ranges(text, found.species).items():
            low[found.species.index(name)], high[found.species.index(name)] = ends
    first, last = given.first, given.last
    if "times" in typed:
        first, last = options.span("--times", typed["times"])
        if last == 0:
            raise InputError("expected a last time above 0", file="--times")
        first = first or proposal.EARLIEST * last
    points = typed.get("points", given.points)
    return dataclasses.replace(given, low=low, high=high, first=min(first, last), last=last, points=max(points, 2))


def _ranges(text: str, species: Sequence[str]) -> dict[str, tuple[float, float]]:
    """ "A=0:1, B=0.5": between which amounts a species may start; one number holds it."""
    out = {}
    for part in text.split(","):
        name, equals, ends = (piece.strip() for piece in part.partition("="))
        if not equals or name not in species:
            raise InputError(
                f"expected SPECIES=LOW:HIGH of {', '.join(species)}, got {part.strip()!r}", file="--limits"
            )
        out[name] = options.span("--limits", ends if ":" in ends else f"{ends}:{ends}")
    return out


def write(run: Path, made: Plan) -> list[Path]:
    """The table to fill in, the picture and the facts, into the folder of the run."""
    out = [run / TABLE, run / PICTURE, run / FACTS]
    write_experiments(table(made), out[0])
    picture(made).savefig(out[1], dpi=150)
    write_whole(out[2], json.dumps(facts(made), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")
    return out


def table(made: Plan) -> Experiments:
    """Initial amounts as proposed, and empty cells for what will be measured."""
    data, rows = made.found.data, []
    for n, one in enumerate(made.experiments, 1):
        values = np.full((len(one.times), len(data.species)), np.nan)
        values[0] = _rounded(one.initial)
        sd = np.full(values.shape, np.nan)
        if made.limits.exact:
            sd[0] = 0.0
        rows.append(Run(f"next {n}", one.times, values, sd))
    return dataclasses.replace(data, runs=tuple(rows), notes=())


def _rounded(amounts: np.ndarray) -> np.ndarray:
    return np.array([float(f"{x:.3g}") for x in amounts])


def facts(made: Plan) -> dict[str, Any]:
    """For programs."""
    pairs = zip(made.experiments, made.asked, strict=True)
    return {
        "margin": made.asked[0].margin,
        "experiments": [_experiment(made.found, one, asked) for one, asked in pairs],
    }


def _experiment(found: Discovered, one: Proposed, asked: Question) -> dict[str, Any]:
    rivals = zip(following.rivals(found), one.separations, strict=True)
    constants = zip(_names(found), _spread(asked.models[0]), one.sd.tolist(), strict=True)
    return {
        "aim": asked.aim,
        "initial": dict(zip(found.species, _rounded(one.initial).tolist(), strict=True)),
        "times": one.times.tolist(),
        "rivals": [{"with": r.gained, "without": r.lost, "expected_rise_of_chi2": D} for r, D in rivals],
        "constants": [
            {"equation": name, "relative_sd_before": before, "relative_sd_after": after}
            for name, before, after in constants
        ],
    }


def _names(found: Discovered) -> list[str]:
    return [name for step in found.steps for name in step.equations(found.species)]


def _spread(model: Model) -> list[float | None]:
    """Standard deviations of ln k so far; None where the data say next to nothing."""
    size = np.maximum(np.diag(model.information), 1e-12)
    scale = np.sqrt(np.outer(size, size))
    values, vectors = np.linalg.eigh(model.information / scale)
    variance = (vectors**2 / np.maximum(values, 1e-12)).sum(axis=1) / size
    return [float(x) if x < 10 else None for x in np.sqrt(variance)]


def summary(made: Plan) -> str:
    """For the terminal."""
    pairs = enumerate(zip(made.experiments, made.asked, strict=True), 1)
    told = ["\n".join(_told(made.found, n, one, asked)) for n, (one, asked) in pairs]
    doubt = "No mechanism fits these data, and the proposal rests on one that does not."
    return "\n\n".join([*([] if made.found.fit.fits else [doubt]), *told])


def _told(found: Discovered, n: int, one: Proposed, asked: Question) -> Iterator[str]:
    amounts = ", ".join(f"{name} = {x:g}" for name, x in zip(found.species, _rounded(one.initial), strict=True))
    yield f"Experiment {n}: start from {amounts}"
    yield f"  samples at {', '.join(f'{t:g}' for t in one.times)} {found.data.time_unit}".rstrip()
    if asked.aim == "mechanism":
        for rival, D in zip(following.rivals(found), one.separations, strict=True):
            verdict = "settles it" if asked.margin < D else "may settle it" if asked.margin < 2 * D else "too little"
            yield f"  rival {words.rival(rival)}: chi2 is expected to rise by {D:.3g}, {verdict}"
        return
    worst = int(np.argmax(one.sd))
    sd = _spread(asked.models[0])[worst]
    was = "undetermined" if sd is None else f"+-{196 * sd:.2g} %"
    yield f"  the least known constant after it, of {_names(found)[worst]}: +-{196 * one.sd[worst]:.2g} %, {was} now"


@styled
def picture(made: Plan) -> Figure:
    """What each mechanism in the running predicts; ticks at the samples, a band of two standard deviations."""
    seen = np.flatnonzero(np.isfinite(made.limits.sd))
    width = max(min(3.2 * len(seen), 12.0), 6.0)
    names = [textwrap.fill(name, round(LETTERS * width)) for name in _labels(made)]
    lines = sum(name.count("\n") + 1 for name in names)
    figure = Figure(figsize=(width, 0.7 + 2.4 * len(made.experiments) + 0.2 * lines))
    panels = figure.subplots(len(made.experiments), len(seen), squeeze=False)
    smooth = dataclasses.replace(made.limits, points=SMOOTH)
    for row, one, asked in zip(panels, made.experiments, made.asked, strict=True):
        curves = [following.predicted(model, smooth, one.initial) for model in asked.models]
        for axes, s in zip(row, seen, strict=True):
            _panel(axes, made, one, smooth.pool, [curve[:, s] for curve in curves], int(s))
        row[0].set_ylabel("concentration")
    for axes in panels[-1]:
        axes.set_xlabel(f"time{f' [{plain(made.found.data.time_unit)}]' if made.found.data.time_unit else ''}")
    figure.legend(panels[0, 0].get_lines()[: len(names)], names, loc="outside lower left")
    return figure


def _labels(made: Plan) -> list[str]:
    """Of the curves of a panel."""
    others = [words.rival(rival) for rival in following.rivals(made.found)]
    return [plain(name) for name in ["the mechanism found", *others][: len(made.asked[0].models)]]


def _panel(axes: Any, made: Plan, one: Proposed, pool: np.ndarray, curves: list[np.ndarray], s: int) -> None:
    sd = made.limits.sd[s]
    axes.fill_between(pool, curves[0] - 2 * sd, curves[0] + 2 * sd, color=COLOURS[0], alpha=0.15, lw=0)
    for n, curve in enumerate(curves):
        axes.plot(pool, curve, DASHES[n % len(DASHES)], color=COLOURS[n % len(COLOURS)], lw=1.3)
    axes.plot(one.times, np.interp(one.times, pool, curves[0]), "|", color=COLOURS[0], ms=9)
    axes.set_title(plain(words.pretty(made.found.species[s])))
