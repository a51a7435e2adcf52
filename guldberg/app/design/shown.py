"""All that a reader is shown of a design: the job's result, how it looks, and how it stood the checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from guldberg.app import checkpoints, codec
from guldberg.app.design import film as films
from guldberg.app.design.film import Film
from guldberg.design.result import Designed
from guldberg.design.trials import Trial
from guldberg.design.verify import Verdict, Verification, look, standard
from guldberg.learn import fit

VERIFICATION = "verification"  # the folder in a run


@dataclasses.dataclass(frozen=True)
class Shown:
    """A design with what was simulated of it."""

    designed: Designed
    film: Film
    verdict: Verdict  # of as many runs as were made: without checks if only those every result shows
    fluxes: Float[np.ndarray, "ways reactions"]  # forward and reverse, means over cells and the times of the film to T


def first_look(designed: Designed, folder: Path | None, seed: int) -> Shown:
    """Simulate what every result shows. With a folder, the runs are kept there, for `verify` to go on from."""
    job = Verification(designed, look(designed))
    runs: list[object] = []
    verdict = fit.run(job, seed, on_step=lambda state, metrics: runs.append(state))
    if folder is not None:
        place = folder / VERIFICATION
        place.mkdir(exist_ok=True)
        checkpoints.save(place / "checkpoints", len(runs), 0.0, codec.encode(runs[-1], job.state_types))
    return _shown(designed, films.film(designed, seed), Verdict(verdict.trials, ()))


def beside(folder: Path, designed: Designed, seed: int) -> Shown:
    """What a run keeps beside its result; what is missing or damaged is simulated again."""
    job = Verification(designed, standard(designed))
    saved = checkpoints.load(folder / VERIFICATION / "checkpoints", job.state_types, lambda note: None)
    try:
        film = films.load(folder / "fields.nc", designed)
    except (OSError, ValueError, KeyError):
        film = None
    if saved is None or film is None:
        return first_look(designed, None, seed)
    verdict = job.result(saved.state)
    return _shown(designed, film, verdict if job.done(saved.state) else Verdict(verdict.trials, ()))


def _shown(designed: Designed, film: Film, verdict: Verdict) -> Shown:
    return Shown(designed, film, verdict, fluxes(designed, film))


def fluxes(designed: Designed, film: Film) -> Float[np.ndarray, "ways reactions"]:
    """Mean forward and reverse fluxes over cells and times up to T; concentration per second."""
    system = designed.system
    mean: Callable = jax.jit(
        lambda c: jnp.stack(system.network.fluxes(c, system.temperature)).mean(tuple(range(2, c.ndim + 1)))
    )
    states = film.states[: film.shown : 4]
    return np.mean([np.asarray(mean(jnp.asarray(c)), float) for c in states], axis=0)


def reference(shown: Shown) -> Trial:
    """The design as designed."""
    return shown.verdict.trials["as designed"]
