"""The measurements as a least-squares problem of rate constants, initial amounts and unknown factors.

    chi2(ln k, ln phi, c0) = sum (c(t; phi k, c0) - y)^2 / sd^2

The initial amounts of each run are eliminated from its own block, so that what remains is as small as the number of
constants. Initial amounts are non-negative: one at zero whose gradient points below is held there (active set).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from guldberg import stiff
from guldberg.discover.library import Library
from guldberg.discover.warmth import warmth
from guldberg.experiments import Experiments, Run

HUGE = 1e100  # no concentration, nor a derivative of one, but of a solution on its way to infinity


class Readings(NamedTuple):
    """What an instrument shows where it shows no species: above . c / below . c, or the sum above . c itself."""

    above: Float[np.ndarray, "readings species"]
    below: Float[np.ndarray, "readings species"]  # a row of zeros: nothing to divide by

    def of(self, solution: stiff.Solution) -> stiff.Solution:
        """The readings, and their derivatives by the rule of quotients, in place of the concentrations."""
        divisor = np.where(self.below.any(axis=1), solution.values @ self.below.T, 1.0)
        values = solution.values @ self.above.T / divisor

        def slope(by: np.ndarray) -> np.ndarray:
            down = values[..., None] * np.einsum("rs,tsp->trp", self.below, by)
            return (np.einsum("rs,tsp->trp", self.above, by) - down) / divisor[..., None]

        return solution._replace(values=values, by_k=slope(solution.by_k), by_initial=slope(solution.by_initial))


@dataclasses.dataclass(frozen=True)
class Problem:
    """The measurements in the form a fit reads: all runs one below the other."""

    times: list[Float[np.ndarray, "_"]]
    offsets: Int[np.ndarray, "_"]  # rows of run e: offsets[e]:offsets[e + 1]
    values: Float[np.ndarray, "times species"]  # 0 where not measured
    weights: Float[np.ndarray, "times species"]  # 1 / sd; 0 where not measured or exact
    initial: Float[np.ndarray, "runs species"]  # exact, or where the fit starts
    free: Bool[np.ndarray, "runs species"]  # initial amounts to be fitted
    group: Int[np.ndarray, "runs"]  # index of the unknown factor on the rates of a run; -1: none
    groups: tuple[str, ...]
    inflow: Float[np.ndarray, "runs species"]  # of a flow reactor: concentration per time
    outflow: Float[np.ndarray, "runs"]  # per time
    warmth: Float[np.ndarray, "runs powers"]  # exponents of each reaction's own factors; no column at one temperature
    scale: Float[np.ndarray, "species"]  # size of each concentration
    span: float  # longest run
    rtol: float
    bent: frozenset[int] = frozenset()  # reactions of the library whose Arrhenius line is bent: with a free exponent b
    balanced: bool = False  # detailed balance is known to hold
    readings: Readings | None = None  # columns of `values` and `weights` where they are no species
    equal: tuple[tuple[int, int], ...] = ()  # reactions of a known mechanism that share one constant
    known: tuple[int, ...] = ()  # those whose constant is known

    @property
    def points(self) -> int:
        """Number of measurements."""
        return int((self.weights > 0).sum())

    @property
    def atol(self) -> Float[np.ndarray, "species"]:
        """Absolute tolerance of the integration."""
        return 1e-3 * self.rtol * self.scale

    def some(self, runs: Int[np.ndarray, "_"]) -> Problem:
        """The same measurements of some of the runs."""
        rows = np.concatenate([np.arange(*self.offsets[e : e + 2].tolist()) for e in runs])
        times = [self.times[e] for e in runs]
        return dataclasses.replace(
            self,
            times=times,
            offsets=np.concatenate([[0], np.cumsum([len(t) for t in times])]),
            values=self.values[rows],
            weights=self.weights[rows],
            initial=self.initial[runs],
            free=self.free[runs],
            group=self.group[runs],
            warmth=self.warmth[runs],
            inflow=self.inflow[runs],
            outflow=self.outflow[runs],
        )

    def shown(self, solution: stiff.Solution) -> stiff.Solution:
        """What the instrument shows of it."""
        return solution if self.readings is None else self.readings.of(solution)

    def reweighted(self, factor: Float[np.ndarray, "species"]) -> Problem:
        """The same with every standard deviation of a species multiplied by its factor."""
        return dataclasses.replace(self, weights=self.weights / factor)


def prepare(
    data: Experiments, sd: Float[np.ndarray, "species"], *, bent: frozenset[int] = frozenset(), balanced: bool = False
) -> Problem:
    """`sd` is the noise of each species where the table gives none."""
    values = np.vstack([run.values for run in data.runs])
    given = np.vstack([run.sd for run in data.runs])
    noise = np.where(np.isnan(given), sd, given)
    seen = np.isfinite(values) & (noise > 0)
    weights = np.where(seen, 1.0 / np.where(seen, noise, 1.0), 0.0)
    scale = _scale(values)
    groups = tuple(dict.fromkeys(run.scale for run in data.runs if run.scale is not None))
    relative, warm = np.where(seen, noise / scale, np.inf).min(), warmth(data)
    return Problem(
        times=[run.times for run in data.runs],
        offsets=np.concatenate([[0], np.cumsum([len(run.times) for run in data.runs])]),
        values=np.where(np.isfinite(values), values, 0.0),
        weights=weights,
        initial=np.array([_start(run, sd) for run in data.runs]),
        free=~np.array([run.exact for run in data.runs]),
        group=np.array([-1 if run.scale is None else groups.index(run.scale) for run in data.runs]),
        groups=groups,
        inflow=np.array([run.inflow for run in data.runs]),
        outflow=np.array([run.flow for run in data.runs]),
        warmth=np.zeros((len(data.runs), 0)) if warm is None else warm.columns(curved=bool(bent)),
        scale=scale,
        span=max(float(np.ptp(run.times)) for run in data.runs),
        rtol=float(np.clip(1e-2 * relative, 1e-9, 1e-4)),
        bent=bent,
        balanced=balanced,
    )


def _scale(values: Float[np.ndarray, "times species"]) -> Float[np.ndarray, "species"]:
    """Largest concentration of each species; of all species for one never measured or always zero."""
    size = np.nan_to_num(np.abs(values), nan=0.0).max(axis=0)
    return np.where(size > 0, size, size.max() or 1.0)


def _start(run: Run, sd: Float[np.ndarray, "species"]) -> Float[np.ndarray, "species"]:
    """First measured value of each species in a run, or 0 for one never measured there.

    A noisy value is kept a little above zero: from zero itself an autocatalyst never starts.
    """
    seen = np.isfinite(run.values)
    first = np.take_along_axis(run.values, seen.argmax(axis=0)[None], axis=0)[0]
    floor = np.where(run.exact, 0.0, 0.1 * np.nan_to_num(sd))
    return np.where(seen.any(axis=0), np.maximum(np.nan_to_num(first), floor), 0.0)


def natural(problem: Problem, library: Library) -> Float[np.ndarray, "reactions"]:
    """The constant that turns the scarcest species involved over once in the longest run: the unit of every bound."""
    touched = np.where(library.net != 0, problem.scale, np.inf).min(axis=1)
    return touched / (problem.span * np.prod(problem.scale**library.reactants, axis=1))


@dataclasses.dataclass(frozen=True)
class Linear:
    """The trajectories linearised: residual r and Jacobians, weighted, initial amounts projected out."""

    raw: Float[np.ndarray, "points"]  # residuals as they are
    residual: Float[np.ndarray, "points"]  # and without their part in the initial amounts
    by_k: Float[np.ndarray, "points reactions"]  # d r / dk
    by_phi: Float[np.ndarray, "points factors"]  # d r / d ln phi
    chi2: float
    initial_gain: float  # what the best initial amounts alone would take off chi2, to first order
    steps: list[tuple[np.ndarray, np.ndarray]]  # per run: free columns, and what recovers their step


def linearise(problem: Problem, library: Library, k: np.ndarray, phi: np.ndarray, c0: np.ndarray) -> Linear | None:
    """Residuals and exact Jacobians at a point; None if a run could not be integrated."""
    factor, initials = factors(problem, phi), np.flatnonzero(problem.free.any(axis=0))
    solution = integrate(problem, library, k, phi, c0, initials=initials)
    if not _solved(solution):
        return None
    solution = problem.shown(solution)
    residual = (solution.values - problem.values) * problem.weights
    blocks = [_block(problem, e, k, factor[e], c0[e], initials, solution, residual) for e in range(len(problem.times))]
    r, by_k, by_phi, steps = (list(part) for part in zip(*blocks, strict=True))
    r, chi2 = np.concatenate(r), float((residual**2).sum())
    raw = residual[problem.weights > 0]
    return Linear(raw, r, np.vstack(by_k), np.vstack(by_phi), chi2, max(chi2 - float(r @ r), 0.0), steps)


def _solved(solution: stiff.Solution) -> bool:
    """Whether every run reached its end, and with numbers whose squares can be summed."""
    sizes = (np.abs(part).max(initial=0.0) for part in (solution.values, solution.by_k, solution.by_initial))
    return not (solution.status < 0).any() and all(size < HUGE for size in sizes)


def integrate(
    problem: Problem,
    library: Library,
    k: np.ndarray,
    phi: np.ndarray,
    c0: np.ndarray,
    *,
    times: list[np.ndarray] | None = None,
    initials: Int[np.ndarray, "_"] | None = None,
) -> stiff.Solution:
    """Every run at its measured times (or at `times`); sensitivities only where `initials` says to which amounts."""
    solution = stiff.solve(
        _directed(library.reactants.tobytes(), library.products.tobytes(), c0.shape[1], bool(problem.outflow.any())),
        np.hstack([factors(problem, phi) * k, *_driven(problem)]),
        c0,
        problem.times if times is None else times,
        rtol=problem.rtol,
        atol=problem.atol,
        sensitivities=initials is not None,
        initials=initials,
    )
    return solution._replace(by_k=solution.by_k[:, :, : len(k)])


def _driven(problem: Problem) -> list[Float[np.ndarray, "runs species"]]:
    """Constants of A -> 0 and 0 -> A for every species, known for each run, where any is a flow reactor."""
    if not problem.outflow.any():
        return []
    return [np.repeat(problem.outflow[:, None], problem.inflow.shape[1], axis=1), problem.inflow]


@functools.lru_cache(maxsize=64)
def _directed(reactants: bytes, products: bytes, species: int, flows: bool) -> stiff.Directed:
    """The kernels' form of a set of reactions, which a fit integrates tens of times; a flow's exchange comes last."""
    left, right = (np.frombuffer(side, int).reshape(-1, species) for side in (reactants, products))
    one, none = np.eye(species, dtype=int), np.zeros((species, species), int)
    extra = ([one, none], [none, one]) if flows else ([], [])
    return stiff.directed(np.vstack([left, *extra[0]]), np.vstack([right, *extra[1]]))


def factors(problem: Problem, phi: np.ndarray) -> Float[np.ndarray, "runs #reactions"]:
    """What multiplies the constants in each run: its group's factor, and each reaction's own r^x at its temperature.

    `phi` holds one factor per group, then those of each reaction in turn.
    """
    common, own = np.split(np.log(phi), [len(problem.groups)])
    powers = problem.warmth.shape[1]
    warm = problem.warmth @ own.reshape(-1, powers).T if powers else np.zeros((len(problem.warmth), 1))
    return np.exp(np.append(common, 0.0)[problem.group][:, None] + warm)


def _block(problem, e, k, factor, c0, initials, solution, residual):
    """One run: rows with a weight, its initial amounts projected out of residual and Jacobians."""
    rows = slice(problem.offsets[e], problem.offsets[e + 1])
    weights = problem.weights[rows]
    seen = weights > 0
    by_k = (solution.by_k[rows] * weights[..., None])[seen] * factor
    by_phi = by_factors(problem, e, by_k * k)
    r = residual[rows][seen]
    by_c = (solution.by_initial[rows] * weights[..., None])[seen]
    held = (c0[initials] <= 0) & (by_c.T @ r > 0)
    columns = np.flatnonzero(problem.free[e][initials] & ~held)
    stacked = np.column_stack([r, by_phi, by_k])
    projected, recover = _project(by_c[:, columns], stacked, problem.scale[initials[columns]])
    split = 1 + by_phi.shape[1]
    return projected[:, 0], projected[:, split:], projected[:, 1:split], (initials[columns], recover)


def by_factors(problem: Problem, e: int, by_log_k: np.ndarray) -> Float[np.ndarray, "points factors"]:
    """d r / d ln phi: a factor on all rates moves every ln k_i, a reaction's own moves its ln k by x."""
    common = np.zeros((len(by_log_k), len(problem.groups)))
    if problem.group[e] >= 0:
        common[:, problem.group[e]] = by_log_k.sum(axis=1)
    return np.hstack([common, (by_log_k[:, :, None] * problem.warmth[e]).reshape(len(by_log_k), -1)])


def _project(A: np.ndarray, B: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B without its part in the columns of A, least-squares coefficients of B on A); a tiny ridge keeps A regular."""
    if A.shape[1] == 0:
        return B, np.zeros((0, B.shape[1]))
    size = np.maximum(np.linalg.norm(A, axis=0), 1e-6 / scale)
    Q, R = np.linalg.qr(np.vstack([A / size, 1e-7 * np.eye(A.shape[1])]))
    Q = Q[: len(A)]
    inner = Q.T @ B
    return B - Q @ inner, np.linalg.solve(R, inner) / size[:, None]


def residuals_at(
    problem: Problem, library: Library, k: np.ndarray, phi: np.ndarray, c0: np.ndarray
) -> Float[np.ndarray, "points"] | None:
    """Weighted residuals in the order of `Linear.residual`, nothing projected out; None if a run failed."""
    solution = integrate(problem, library, k, phi, c0)
    if not _solved(solution):
        return None
    return ((problem.shown(solution).values - problem.values) * problem.weights)[problem.weights > 0]


def chi2_at(problem: Problem, library: Library, k: np.ndarray, phi: np.ndarray, c0: np.ndarray) -> float:
    """chi2 without derivatives; infinite if a run could not be integrated."""
    r = residuals_at(problem, library, k, phi, c0)
    return np.inf if r is None else float(r @ r)


def throughput(
    problem: Problem, library: Library, k: np.ndarray, phi: np.ndarray, c0: np.ndarray
) -> Float[np.ndarray, "reactions"]:
    """Norm over the data of N_i integral k_i prod c^nu dt, in units of the noise: what passed through each reaction.

    The integral takes the rate at the end of each interval: what a reaction goes on to pass, not its first burst.
    """
    factor, solution = factors(problem, phi), integrate(problem, library, k, phi, c0)
    total = np.zeros(len(k))
    for e, times in enumerate(problem.times):
        rows = slice(problem.offsets[e], problem.offsets[e + 1])
        rate = factor[e] * k * np.prod(solution.values[rows, None, :] ** library.reactants, axis=2)
        passed = np.cumsum(rate[1:] * np.diff(times)[:, None], axis=0)
        total += (passed**2 * (problem.weights[rows][1:] ** 2 @ library.net.T**2)).sum(axis=0)
    return np.sqrt(total)
