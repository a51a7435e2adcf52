"""All that a reader is shown of a design: the job's result, how it looks, and how it stood the checks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from guldberg.app import checkpoints, codec
from guldberg.app.design import film as films
from guldberg.app.design.film import Film
from guldberg.design import trials
from guldberg.design.prune import Pruned, Pruning, Tried
from guldberg.design.result import Designed
from guldberg.design.trials import Trial
from guldberg.design.verify import Verdict, Verification, brief, look, standard
from guldberg.learn import fit

Result = TypeVar("Result")
VERIFICATION, PRUNING, SHORTER = "verification", "pruning", "pruned"  # the folders in a run


@dataclasses.dataclass(frozen=True)
class Shorter:
    """The pruned design."""

    designed: Designed
    tried: tuple[Tried, ...]
    verdict: Verdict
    fluxes: Float[np.ndarray, "ways reactions"]


@dataclasses.dataclass(frozen=True)
class Shown:
    """A design with what was simulated of it."""

    designed: Designed
    film: Film
    verdict: Verdict  # of as many runs as were made: without checks if only those every result shows
    fluxes: Float[np.ndarray, "ways reactions"]  # forward and reverse, means over cells and some times up to T
    pruned: Shorter | None = None


def first_look(designed: Designed, folder: Path | None, seed: int) -> Shown:
    """Simulate what every result shows. With a folder, the runs are kept there, for `verify` to go on from."""
    job = Verification(designed, look(designed))
    runs: list[object] = []
    verdict = fit.run(job, seed, on_step=lambda state, metrics: runs.append(state))
    if folder is not None:
        place = folder / VERIFICATION
        place.mkdir(exist_ok=True)
        checkpoints.save(place / "checkpoints", len(runs), 0.0, codec.encode(runs[-1], job.state_types))
    film = films.film(designed)
    return Shown(designed, film, Verdict(verdict.trials, ()), trials.fluxes(designed, seed))


def beside(folder: Path, designed: Designed, seed: int) -> Shown:
    """What a run keeps beside its result; what is missing or damaged is simulated again."""
    verdict = _kept(folder / VERIFICATION, Verification(designed, standard(designed)))
    try:
        film = films.load(folder / "fields.nc", designed)
    except (OSError, ValueError, KeyError):
        film = None
    if film is None or verdict is None and not (verdict := _looked(folder, designed)):
        return first_look(designed, None, seed)
    return Shown(designed, film, verdict, trials.fluxes(designed, seed), shorter(folder, designed, seed))


def shorter(folder: Path, designed: Designed, seed: int) -> Shorter | None:
    """The pruned design, once it was found and verified."""
    pruned: Pruned | None = _kept(folder / PRUNING, Pruning(designed))
    if pruned is None:
        return None
    verdict = _kept(folder / SHORTER, Verification(pruned.designed, brief(pruned.designed)))
    if verdict is None:
        return None
    return Shorter(pruned.designed, pruned.tried, verdict, trials.fluxes(pruned.designed, seed))


def _kept(place: Path, job: fit.Job[Any, Result]) -> Result | None:
    """The result of a further job if it was done."""
    saved = checkpoints.load(place / "checkpoints", job.state_types, lambda note: None)
    return None if saved is None or not job.done(saved.state) else job.result(saved.state)


def _looked(folder: Path, designed: Designed) -> Verdict | None:
    """The runs that every result shows, without checks, while the others are not there."""
    job = Verification(designed, standard(designed))
    saved = checkpoints.load(folder / VERIFICATION / "checkpoints", job.state_types, lambda note: None)
    if saved is None or len(saved.state.trials) < len(look(designed)):
        return None
    return Verdict(job.result(saved.state).trials, ())


def reference(shown: Shown) -> Trial:
    """The design as designed."""
    return shown.verdict.trials["as designed"]
