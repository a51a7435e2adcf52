"""Learning the closure of a chain, as pure functions that a job calls one after the other:

    fits = static_fits(chain, moments, thetas)                      maximum entropy at every time (closure.static)
    prior = from_rules(chain, processes, fits)                      what the rules alone say; or `nothing(fits)`
    lesson = Lesson.of(chain, prior, thetas, moments, fits)
    penalty = chosen(lesson)                                        by cross-validation on the training starts alone
    elements = refine(lesson, warm_start(lesson, penalty), penalty, iterations=30)
    model = ReducedModel(chain, elements)

Everything here is in float64: enable it in JAX first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from guldberg.closure import refinement, regression
from guldberg.closure.chain import Chain
from guldberg.closure.events import Process
from guldberg.closure.fem import CubicElements
from guldberg.closure.graphical import Feature, Unit
from guldberg.closure.perceptron import Perceptron
from guldberg.closure.polynomial import Polynomial
from guldberg.closure.projection import Projection
from guldberg.closure.refinement import Refined, Trajectories, cross_entropy
from guldberg.closure.regression import Motion, Normal, Solved
from guldberg.closure.rhs import AbstractLinearFamily, AbstractRightHandSide, rollout
from guldberg.closure.static import static_fits as static_fits

CELL = 0.75  # of the finite elements, in units of theta
MARGIN = 0.5  # cells beyond the static fits
DEGREE = 5  # of polynomials
UNITS = 200  # of networks
SPREAD = 0.3  # around them, within which the rules are consulted
CONSULTED = 12_000  # points there
LENGTH = 0.56  # of theta, over which a difference to the prior may change: |F / LENGTH^2|^2 is added to |F''|^2
PENALTY, FACTOR = 10.0, 10.0**0.5  # per start: the first that is tried, and from one to the next
TRIES = 6  # penalties at most
FOLDS = 4
JUDGED = 32  # times in a trajectory, evenly in the logarithm of time: every doubling of time counts alike
SHARE = 0.01  # of the penalty of the least-squares problem, in the refinement, whose unit is nats


FAMILIES: Mapping[str, Callable[[Float[np.ndarray, "points k"]], AbstractLinearFamily]] = {
    "elements": partial(CubicElements.covering, cell=CELL, margin=MARGIN),
    "polynomial": partial(Polynomial.covering, degree=DEGREE),
    "network": partial(Perceptron.covering, units=UNITS),
}


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What is learned from: static fits for the warm start, moments for the refinement, a prior for both."""

    ensemble: Chain
    prior: AbstractLinearFamily
    fits: Float[np.ndarray, "starts times k"]
    truth: Trajectories
    entropy: Float[np.ndarray, "starts times"]  # of the static fits: no model of this class gets below
    equations: tuple[Normal, ...]  # of each fold
    stiffness: Float[np.ndarray, "dofs dofs"]  # what a unit penalty adds

    @classmethod
    def of(
        cls,
        ensemble: Chain,
        prior: AbstractLinearFamily,
        thetas: Float[np.ndarray, "starts k"],
        moments: Float[np.ndarray, "starts times k"],
        fits: Float[np.ndarray, "starts times k"],
    ) -> Lesson:
        """`thetas` are the start distributions, `moments` and `fits` are at times 0, 1, 2, ... in steps."""
        times = np.unique(np.geomspace(1, moments.shape[1] - 1, JUDGED).round().astype(int))
        truth = Trajectories(jnp.asarray(thetas), jnp.asarray(moments[:, times]), tuple(times.tolist()))
        path = regression.motion(fits)
        weights = _weights(ensemble, path)
        equations = tuple(
            regression.normal(prior, *(_flat(x[fold::FOLDS]) for x in (path.thetas, path.changes, weights)))
            for fold in range(FOLDS)
        )
        prior_weight = 1 / LENGTH**4 if np.any(np.asarray(prior.coefficients)) else 0.0
        stiffness = prior.roughness() + prior_weight * prior.mass()
        entropy = _static_entropy(ensemble, jnp.asarray(fits[:, times]), truth.moments)
        return cls(ensemble, prior, fits, truth, np.asarray(entropy), equations, stiffness)

    @property
    def starts(self) -> int:
        return len(self.fits)

    def training(self, fold: int) -> Int[np.ndarray, "starts"]:
        """The starts that `fold` does not hold out."""
        return np.flatnonzero(np.arange(self.starts) % FOLDS != fold)


def from_rules(
    ensemble: Chain,
    processes: Sequence[Process],
    fits: Float[np.ndarray, "starts times k"],
    *,
    rhs: str = "elements",
    consulted: int = CONSULTED,
) -> AbstractLinearFamily:
    """The projection closure in a family of `FAMILIES`, over the region of the static fits; no data in it but that."""
    blank = nothing(fits, rhs=rhs)
    points = _flat(fits)
    rng = np.random.default_rng(0)
    near = points[rng.integers(len(points), size=consulted)] + SPREAD * rng.normal(size=(consulted, points.shape[1]))
    inside = ~np.asarray(jax.vmap(blank.outside)(jnp.asarray(near)))
    return regression.approximate(blank, Projection(ensemble, processes), near[inside])


def nothing(fits: Float[np.ndarray, "starts times k"], *, rhs: str = "elements") -> AbstractLinearFamily:
    """F = 0 in a family of `FAMILIES`: everything is to be learned from data."""
    return FAMILIES[rhs](_flat(fits))


def warm_start(lesson: Lesson, penalty: float, *, without: int | None = None) -> Solved:
    """One linear least-squares problem: F at the static fits against how these move, smooth relative to the prior.
    `without`: a fold whose starts are left out."""
    kept = [equations for fold, equations in enumerate(lesson.equations) if fold != without]
    total = sum(kept[1:], kept[0])
    share = len(kept) / len(lesson.equations)
    prior = np.asarray(lesson.prior.coefficients)
    return regression.solve(total, lesson.stiffness, penalty * share * lesson.starts, prior)


def refine(lesson: Lesson, warm: Solved, penalty: float, *, iterations: int, without: int | None = None) -> Refined:
    """L-BFGS on the relative entropy of whole rollouts from the true start distributions, eq. (28) at the times
    judged; `without` as in `warm_start`. Call it again with what it returns to go on."""
    starts = np.arange(lesson.starts) if without is None else lesson.training(without)
    return refinement.refine(
        lesson.ensemble,
        lesson.prior.having(jnp.asarray(warm.coefficients)),
        lesson.truth.of(starts),
        factors=warm.factors,
        roughness=lesson.stiffness,
        penalty=SHARE * penalty * len(starts),
        prior=np.asarray(lesson.prior.coefficients),
        iterations=iterations,
    )


def held_out(lesson: Lesson, penalty: float, fold: int, *, iterations: int = 15) -> float:
    """The mean excess entropy (nats per lattice, `excess`) on the starts of `fold` of what the others teach."""
    warm = warm_start(lesson, penalty, without=fold)
    learned = refine(lesson, warm, penalty, iterations=iterations, without=fold)
    starts = np.flatnonzero(np.arange(lesson.starts) % FOLDS == fold)
    return float(excess(lesson, lesson.prior.having(jnp.asarray(learned.coefficients)), starts).mean())


def further(tried: Mapping[float, float], first: float = PENALTY) -> float | None:
    """The next penalty to try, given the errors of others: downhill in steps of `FACTOR`; None at the bottom."""
    best = min(tried, key=lambda penalty: tried[penalty], default=first)
    near = [penalty for penalty in (best, best / FACTOR, best * FACTOR) if not _among(penalty, tried)]
    return near[0] if near and len(tried) < TRIES else None


def _among(penalty: float, tried: Mapping[float, float]) -> bool:
    return bool(np.isclose(list(tried), penalty).any())


def chosen(lesson: Lesson, *, first: float = PENALTY, folds: int = 1) -> float:
    """The penalty that serves starts best that it was not learned from."""
    tried: dict[float, float] = {}
    while (penalty := further(tried, first)) is not None:
        tried[penalty] = float(np.mean([held_out(lesson, penalty, fold) for fold in range(folds)]))
    return min(tried, key=lambda penalty: tried[penalty])


def excess(
    lesson: Lesson, rhs: AbstractRightHandSide, starts: Int[np.ndarray, "chosen"]
) -> Float[np.ndarray, "chosen times"]:
    """Relative entropy of the truth to the rollout, less that to the static fits: what the closure costs, in nats per
    lattice. A perfect one is left with the noise of the moments, k / (2 lattices) on average."""
    crossed = _crossed(lesson.ensemble, rhs, lesson.truth.of(starts))
    return np.nan_to_num(np.asarray(crossed), nan=np.inf) - lesson.entropy[starts]


class ReducedModel(eqx.Module):
    """theta(t + 1) = theta(t) + F(theta(t)), Ernst et al. eq. (27) in steps of the lattice, and the chain that theta
    stands for: rolled out like any other map, with moments and whole lattices at any time."""

    ensemble: Chain
    rhs: AbstractRightHandSide

    def simulate(self, theta: Float[Array, "k"], steps: int) -> Float[Array, "times k"]:
        """theta at steps 0, 1, ..., `steps`."""
        return rollout(self.rhs, jnp.asarray(theta), steps)

    def moments(self, thetas: Float[Array, "*batch k"], order: int = 4) -> Float[Array, "*batch order"]:
        """Mean numbers of 1, 2, ..., `order` consecutive sites taken by the first species."""
        return in_a_row(self.ensemble, thetas, order)

    def sample(self, theta: Float[Array, "k"], *, key: PRNGKeyArray) -> Int[Array, "sites"]:
        """One lattice, an exact draw."""
        return self.ensemble.sample(jnp.asarray(theta), key=key)

    def outside(self, thetas: Float[Array, "times k"]) -> Bool[Array, "times"]:
        """Where a trajectory is beyond the region that F was learned in: what it says there is a guess."""
        return jax.vmap(self.rhs.outside)(thetas)


def in_a_row(ensemble: Chain, thetas: Float[Array, "*batch k"], order: int) -> Float[Array, "*batch order"]:
    """Mean numbers of 1, 2, ..., `order` consecutive sites taken by the first species."""
    unit = Unit(ensemble.energy.species()[0])
    runs: list[Feature] = [unit[0]]
    for i in range(1, order):
        runs.append(runs[-1] * unit[i])
    more = {f"{i + 1} in a row": run for i, run in enumerate(runs)}
    observed = Chain(ensemble.energy.also(more), ensemble.length, periodic=ensemble.periodic)
    flat = observed.pad(jnp.asarray(thetas).reshape(-1, thetas.shape[-1]))
    return _last_moments(observed, flat, order).reshape(*thetas.shape[:-1], order)


@eqx.filter_jit
def _last_moments(observed: Chain, thetas: Float[Array, "points k"], order: int) -> Float[Array, "points order"]:
    return jax.vmap(observed.moments)(thetas)[:, -order:]


@eqx.filter_jit
def _crossed(ensemble: Chain, rhs: AbstractRightHandSide, truth: Trajectories) -> Float[Array, "starts times"]:
    return cross_entropy(ensemble, rhs, truth)


@eqx.filter_jit
def _covariances(ensemble: Chain, thetas: Float[Array, "starts times k"]) -> Float[Array, "starts times k k"]:
    return jax.vmap(jax.vmap(ensemble.covariance))(thetas)


@eqx.filter_jit
def _static_entropy(
    ensemble: Chain, fits: Float[Array, "starts times k"], moments: Float[Array, "starts times k"]
) -> Float[Array, "starts times"]:
    return jax.vmap(jax.vmap(ensemble.log_partition))(fits) - jnp.sum(fits * moments, axis=-1)


def _weights(ensemble: Chain, path: Motion) -> Float[np.ndarray, "starts times k"]:
    """The diagonal of the Fisher matrix, times the fits that a change rests on, over the time: ten changes late in a
    trajectory say as much as one early."""
    covariance = _covariances(ensemble, jnp.asarray(path.thetas))
    time = 1 + np.arange(path.thetas.shape[1])
    return np.einsum("stkk,t->stk", np.asarray(covariance), 10 * path.spans / time)


def _flat(x: Float[np.ndarray, "starts times k"]) -> Float[np.ndarray, "points k"]:
    return x.reshape(-1, x.shape[-1])
