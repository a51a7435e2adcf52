"""Runs of a design under a control, and what was seen of them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from guldberg import structure
from guldberg.design import controls
from guldberg.design.controls import AbstractControl, AsDesigned, Subject
from guldberg.design.criteria import BEHAVIOURS, Criteria, criteria
from guldberg.design.measure import Judge
from guldberg.design.model import Model
from guldberg.design.result import Designed
from guldberg.drive import AbstractDrive, AbstractNoisyDrive, FlowReactor
from guldberg.rollout import rollout
from guldberg.stepper import AbstractStepper
from guldberg.system import ReactionDiffusion

LONG = 1000.0  # seconds that a design is followed, at least
LONGER = 10  # or this many times its horizon
SAMPLES = 49  # times up to T, and half as many beyond
LARGEST = 2**25  # values kept of one run: 128 MB in single precision
OUTSIDE = 1e-4  # share of all values of all steps that may be negative; more and a run is void
PER_DRAW = ("dt", "fastest", "largest", "outside", "imbalance")


@dataclasses.dataclass(frozen=True)
class Trial:
    """All runs of one control, at the same times."""

    control: str
    times: Float[np.ndarray, "times"]  # seconds
    figures: Mapping[str, Float[np.ndarray, "draws times"]]
    dt: Float[np.ndarray, "draws"]  # the steps of the run, seconds
    fastest: Float[np.ndarray, "draws"]  # largest |dc/dt| at any of the times
    largest: Float[np.ndarray, "draws"]  # largest concentration at any of the times
    outside: Float[np.ndarray, "draws"]  # share of the values after all steps that were negative or not finite
    imbalance: Float[np.ndarray, "draws"]  # relative error of the conserved totals; NaN: nothing is conserved

    @property
    def void(self) -> Bool[np.ndarray, "draws"]:
        """Runs that blew up: figures that are not finite, or values outside their bounds."""
        finite = np.all([np.isfinite(x).all(axis=1) for x in self.figures.values()], axis=0)
        return ~finite | (self.outside > OUTSIDE)

    def valid(self, figure: str) -> Float[np.ndarray, "draws times"]:
        """The figure in the runs that are not void."""
        return self.figures[figure][~self.void]

    def at(self, figure: str, time: float) -> Float[np.ndarray, "draws"]:
        """The figure in the valid runs at the time nearest to `time`."""
        return self.valid(figure)[:, int(np.argmin(np.abs(self.times - time)))]


def times(designed: Designed) -> Float[np.ndarray, "times"]:
    """When a design is looked at: evenly up to T, then by equal factors to 10 T or 1000 s, and at 10, 32, 100, 320 and
    1000 s; whole steps of the optimisation."""
    T, early = designed.horizon, even(designed)
    beyond = np.geomspace(T, max(LONGER * T, LONG), len(early) // 2 + 1)
    return _whole(designed, [*early, *beyond, 10, 32, 100, 320, LONG, LONGER * T])


def even(designed: Designed) -> Float[np.ndarray, "times"]:
    """Those of `times` that are evenly spaced from 0 to T: fewer where a state is large."""
    count = max(3, min(SAMPLES, LARGEST // (2 * designed.c0.size)))
    return _whole(designed, np.linspace(0, designed.horizon, count))


def _whole(designed: Designed, ts: ArrayLike) -> Float[np.ndarray, "times"]:
    return np.unique(np.round(np.asarray(ts) / designed.dt)) * designed.dt


class Course(NamedTuple):
    """Where a design goes."""

    times: Float[np.ndarray, "times"]
    states: Float[Array, "times species *grid"]
    outside: Array  # how many values the steps left negative or not finite


@functools.lru_cache(maxsize=1)
def course(designed: Designed) -> Course:
    """The first draw of a design as designed, at all times that it is looked at. Followed once: what it is judged by,
    what is shown of it and what it is compared with are the same run."""
    subject, ts = controls.as_designed(designed, jax.random.fold_in(jax.random.key(designed.seed), 0)), times(designed)
    return Course(ts, *_followed(subject, np.round(ts / subject.dt).astype(int)))


def reference(designed: Designed) -> Trial:
    """What was seen on that course."""
    return run(designed, AsDesigned(), designed.seed, 0)


def run(designed: Designed, control: AbstractControl, seed: int, draw: int, longer: int = 1) -> Trial:
    """One draw of a control, in steps so many times longer than it asks for."""
    # One key for the same draw of all controls: a design that starts from random bits starts from the same ones.
    subject = control(designed, jax.random.fold_in(jax.random.key(seed), draw))
    subject = dataclasses.replace(subject, dt=longer * subject.dt)
    ts = times(designed)
    ts = ts[ts <= subject.until * (1 + 1e-9)]
    saves = np.round(ts / subject.dt).astype(int)
    last, known = int(saves[-1]), isinstance(control, AsDesigned) and (seed, draw) == (designed.seed, 0)
    seen, outside = course(designed)[1:] if known else _followed(subject, saves)
    figures = _judged(designed, subject, seen)
    rates = _fastest(_still(subject.system), seen)
    return Trial(
        control.name,
        ts,
        {name: np.asarray(x, float)[None] for name, x in figures.items()},
        np.array([subject.dt]),
        np.asarray(rates, float).max(keepdims=True),
        np.asarray(seen, float).max().reshape(1),
        np.array([float(outside) / (subject.c0.size * max(last, 1))]),
        np.array([imbalance(subject, ts, np.asarray(seen, float))]),
    )


def states(designed: Designed, ts: Float[np.ndarray, "times"], seed: int) -> Float[np.ndarray, "times species *grid"]:
    """What the design looks like at `ts`, whole steps of the optimisation: the first draw of it as designed."""
    subject = controls.as_designed(designed, jax.random.fold_in(jax.random.key(seed), 0))
    saves = np.round(ts / subject.dt).astype(int)
    return np.asarray(_followed(subject, saves)[0])


def fluxes(designed: Designed, seed: int) -> Float[np.ndarray, "ways reactions"]:
    """Mean forward and reverse fluxes over cells and five times up to T; concentration per second."""
    ts = np.round(np.linspace(0, designed.horizon, 5) / designed.dt) * designed.dt
    return np.asarray(_mean_fluxes(designed.system, jnp.asarray(states(designed, np.unique(ts), seed))), float)


def _followed(subject: Subject, saves: Int[np.ndarray, "times"]) -> tuple[Float[Array, "times species *grid"], Array]:
    key = subject.noise if isinstance(subject.system.drive, AbstractNoisyDrive) else None
    last, dt, stepper = int(saves[-1]), subject.dt, subject.stepper
    return _simulated(subject.system, subject.c0, jnp.asarray(saves), key, last, dt, stepper)


@eqx.filter_jit
def _simulated(
    system: ReactionDiffusion,
    c0: Array,
    saves: Array,
    key: Array | None,
    last: int,
    dt: float,
    stepper: AbstractStepper,
) -> tuple[Float[Array, "times species *grid"], Array]:
    seen = rollout(system, c0, steps=last, dt=dt, stepper=stepper, saves=saves, key=key)
    return seen.values, seen.out_of_bounds.astype(float).sum()


def _still(system: ReactionDiffusion) -> ReactionDiffusion:
    """Without a drive that fluctuates: |dc/dt| is then that of reactions and diffusion."""
    noisy = isinstance(system.drive, AbstractNoisyDrive)
    return eqx.tree_at(lambda s: s.drive, system, None) if noisy else system


def _judged(designed: Designed, subject: Subject, states: Array) -> Mapping[str, Float[Array, "times"]]:
    """The recipe's own judge, of states as it knows them: those of the design's grid, unless it reads the system's."""
    medium = subject.system
    if not wanted(designed).per_cell:
        states = controls.on_own_grid(subject, states, designed.grid.shape)
        medium = eqx.tree_at(lambda s: s.grid, medium, designed.grid)
    model = Model(medium, designed.start, designed.decoder)
    z = jnp.asarray(subject.z)
    return _figures(designed.recipe.judge, model, z, states)


# Compiled once for all runs of one shape: traced anew for each, they would cost more than the simulation.


@eqx.filter_jit
def _figures(judge: Judge, model: Model, z: Array, states: Array) -> Mapping[str, Float[Array, "times"]]:
    return jax.lax.map(lambda c: judge(model, z, states[0], c), states)


@eqx.filter_jit
def _fastest(system: ReactionDiffusion, states: Array) -> Float[Array, "times"]:
    return jax.lax.map(lambda c: jnp.abs(system(0.0, c)).max(), states)


@eqx.filter_jit
def _mean_fluxes(system: ReactionDiffusion, states: Array) -> Float[Array, "ways reactions"]:
    def mean(c: Float[Array, "species *grid"]) -> Float[Array, "ways reactions"]:
        both = jnp.stack(system.network.fluxes(c, system.temperature))
        return both.mean(tuple(range(2, both.ndim)))

    return jax.lax.map(mean, states).mean(0)


def imbalance(subject: Subject, ts: Float[np.ndarray, "times"], states: Float[np.ndarray, "times ..."]) -> float:
    """The largest relative error of the totals that reactions conserve: those change by what the flow brings only,
    W(t) = W(x) + (W(0) - W(x)) exp(-f t). NaN where nothing is conserved or the totals do not follow from that."""
    laws, flow = (
        structure.conservation_laws(subject.system.network),
        _uniform_flow(len(subject.c0), subject.system.drive),
    )
    if not len(laws) or flow is None or not controls.closed(subject.system.grid):
        return math.nan
    rate, feed = flow
    fed = laws @ feed
    totals = states.mean(tuple(range(2, states.ndim))) @ laws.T  # times, laws
    expected = fed + (totals[0] - fed) * np.exp(-rate * ts)[:, None]
    return float(np.abs(totals - expected).max() / np.abs(expected).max())


def _uniform_flow(species: int, drive: AbstractDrive | None) -> tuple[float, Float[np.ndarray, "species"]] | None:
    """(f, x) of a flow that is the same everywhere; (0, 0) without any."""
    if drive is None:
        return 0.0, np.zeros(species)
    return (
        (float(drive.rate), np.asarray(drive.feed, float))
        if type(drive) is FlowReactor and not drive.rate.ndim
        else None
    )


def joined(before: Trial, more: Trial) -> Trial:
    """The draws of both."""
    arrays = {n: np.concatenate([getattr(before, n), getattr(more, n)]) for n in PER_DRAW}
    figures = {name: np.concatenate([x, more.figures[name]]) for name, x in before.figures.items()}
    return dataclasses.replace(before, figures=figures, **arrays)


def wanted(designed: Designed) -> Criteria:
    """What the behaviour of this design must come to."""
    return criteria(designed.behaviour, () if designed.behaviour in BEHAVIOURS else _names(designed))


def _names(designed: Designed) -> tuple[str, ...]:
    """Of the figures that the judge of this design tells; nothing is simulated."""
    model, c0 = Model(designed.system, designed.start, designed.decoder), jnp.asarray(designed.c0)
    return tuple(eqx.filter_eval_shape(designed.recipe.judge, model, jnp.asarray(designed.z), c0, c0))
