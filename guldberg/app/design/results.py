"""The files of a finished design, and its summary for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg.app import facts
from guldberg.app.checkpoints import write_whole
from guldberg.app.design import film as films
from guldberg.app.design import report, words
from guldberg.app.design.shown import Shorter, Shown, first_look, reference
from guldberg.app.spec import Spec
from guldberg.design.result import Designed
from guldberg.design.trials import Trial
from guldberg.design.verify import Finding, Verdict
from guldberg.network import ReactionNetwork

PIXELS = 256  # of the longer side of film.gif, about
NULLS = {"diffusion_only": "diffusion only", "reactions_off": "reactions off"}


def write(folder: Path, found: Designed, spec: Spec, seconds: float) -> None:
    """Every file of a finished design; `result.json` last, since it is the sign that the run is finished."""
    write_whole(folder / "network.crn", words.crn(found).encode())
    shown = first_look(found, folder, spec.seed)
    films.save(folder / "fields.nc", films.dataset(found, shown.film, spec))
    colours = films.principal(shown.film.states).colours[: shown.film.shown]
    write_whole(folder / "film.gif", films.gif(colours, pixels=PIXELS))
    publish(folder, shown, spec, seconds)


def publish(folder: Path, shown: Shown, spec: Spec, seconds: float) -> None:
    """The page and `result.json`, each replaced in one step."""
    if shown.pruned is not None:
        less = shown.pruned.designed
        write_whole(folder / "pruned.crn", words.crn(less).encode())
        films.save(folder / "pruned.nc", films.dataset(less, films.beginning(less), spec))
    write_whole(folder / "report.html", report.page(shown, spec, seconds).encode())
    write_whole(folder / "result.json", facts.written(as_json(shown, spec, seconds)))


def as_json(shown: Shown, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    found, verdict = shown.designed, shown.verdict
    trials = verdict.trials
    table: dict[str, Any] = {
        "behaviour": found.behaviour,
        "species": list(found.network.species),
        "grid": {"shape": list(found.grid.shape), "spacing": list(found.grid.spacing)},
        "horizon": found.horizon,
        "loss": found.loss,
        "updates": found.updates,
        "metrics": over_time(reference(shown)),
        "nulls": {name: over_time(trials[control]) for name, control in NULLS.items() if control in trials},
        "reactions": reactions(found.network, shown.fluxes),
        "diffusivity": dict(zip(found.network.species, np.asarray(found.system.diffusivity).tolist(), strict=True)),
    }
    if verdict.checks:
        table["verdict"] = judged(verdict)
        others = {name: trial for name, trial in trials.items() if name not in NULLS.values() and name != "as designed"}
        table["controls"] = {name: over_time(trial) | draws(trial) for name, trial in others.items()}
    if shown.pruned is not None:
        table["pruned"] = shorter(shown.pruned)
    return facts.as_json(spec, seconds, found.warnings, table)


def over_time(trial: Trial) -> dict[str, Any]:
    """Times in seconds, and each figure at them: means over the draws that are not void."""
    means = {name: trial.valid(name).mean(axis=0).tolist() if not trial.void.all() else [] for name in trial.figures}
    return {"time": trial.times.tolist(), **means}


def draws(trial: Trial) -> dict[str, Any]:
    """How the draws of a control differ."""
    sds = {name: trial.valid(name).std(axis=0).tolist() for name in trial.figures} if not trial.void.all() else {}
    return {"draws": len(trial.void), "void": int(trial.void.sum()), "step": float(trial.dt[0]), "sd": sds}


def judged(verdict: Verdict) -> dict[str, Any]:
    """Whether it passed, and each check."""
    return {"passed": verdict.passed, "checks": [check(finding) for finding in verdict.checks]}


def check(finding: Finding) -> dict[str, Any]:
    """One line of the verdict."""
    named = {"name": finding.name, "figure": finding.figure, "limit": finding.limit, "passed": finding.passed}
    return named | {"meaning": finding.meaning}


def reactions(network: ReactionNetwork, fluxes: Float[np.ndarray, "ways reactions"]) -> list[Mapping[str, Any]]:
    """All reactions, the one with the largest flux first."""
    rows = zip(network.equations(), *words.both_ways(network).tolist(), *fluxes.tolist(), strict=True)
    keys = ("equation", "forward", "reverse", "forward_flux", "reverse_flux")
    return [dict(zip(keys, row, strict=True)) for row in sorted(rows, key=lambda row: -max(row[3:]))]


def shorter(pruned: Shorter) -> dict[str, Any]:
    """The pruned network, its figures and its verdict."""
    return {
        "reactions": reactions(pruned.designed.network, pruned.fluxes),
        "metrics": over_time(pruned.verdict.trials["as designed"]),
        "verdict": judged(pruned.verdict),
        "tried": [vars(tried) for tried in pruned.tried],
    }


def summary(found: Designed) -> str:
    """For the terminal: what was asked, what came out, what to read first."""
    return words.summary(found)
