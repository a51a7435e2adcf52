"""Fitting the constants of a set of reactions through the stiff ODE, by Levenberg-Marquardt on ln k."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover.library import Library
from guldberg.discover.problem import Linear, Problem, linearise, natural

LOWEST, HIGHEST = -14.0, 22.0  # ln k in units of `natural`
LARGEST_FACTOR = 7.0  # |ln phi|
LONGEST_STEP = 2.5  # of ln k in one iteration
LONGEST_REACH = 32.0  # how far a step may be lengthened along a valley
TRIALS = 12  # of damping per iteration
HOPE = 10.0  # how much more than the last expected gain a search may still bring
DECREMENT = 1e-3  # stop: expected gain of the next step, in units of the noise variance


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A point of the search: constants of a set of library reactions, factors and initial amounts."""

    active: Int[np.ndarray, "_"]  # indices into the library
    k: Float[np.ndarray, "_"]
    phi: Float[np.ndarray, "_"]
    c0: Float[np.ndarray, "runs species"]
    chi2: float
    hessian: Float[np.ndarray, "parameters parameters"]  # of chi2 / 2 in (ln k, ln phi), initial amounts eliminated
    solves: int = 0
    failed: int = 0

    def dense(self, size: int) -> Float[np.ndarray, "reactions"]:
        """Constants over the whole library, zero where a reaction is absent."""
        k = np.zeros(size)
        k[self.active] = self.k
        return k


def fit(
    problem: Problem,
    library: Library,
    active: Int[np.ndarray, "_"],
    k: Float[np.ndarray, "_"],
    *,
    phi: np.ndarray | None = None,
    c0: np.ndarray | None = None,
    frozen: Int[np.ndarray, "_"] | None = None,
    iterations: int = 40,
    decrement: float = DECREMENT,
    damping: float = 1e-3,
    target: float = np.inf,
) -> Fitted | None:
    """Minimise chi2 over the constants of `active` from `k`; None if not even the start can be integrated.

    `frozen` are positions in (ln k, ln phi) that stay where they are: what a profile likelihood needs. The search is
    given up, where it stands, once ten times the expected gain would still not bring chi2 to `target`.
    """
    phi = np.ones(len(problem.groups)) if phi is None else phi
    chosen = library.take(active)
    unit = np.log(natural(problem, chosen))
    low = np.append(unit + LOWEST, np.full(len(phi), -LARGEST_FACTOR))
    high = np.append(unit + HIGHEST, np.full(len(phi), LARGEST_FACTOR))
    theta = np.clip(np.log(np.concatenate([k, phi])), low, high)
    moving = np.ones(len(theta), bool)
    moving[np.array([], int) if frozen is None else frozen] = False
    count = _Count()
    here = _look(problem, chosen, theta, problem.initial.copy() if c0 is None else c0, count)
    if here is None:
        return None
    reach, last = 1.0, np.zeros(len(theta))
    for iteration in range(iterations):
        noise = max(min(here.chi2 / problem.points, 1.0), 1e-30)
        blocked = ~moving | ((theta <= low) & (here.g > 0)) | ((theta >= high) & (here.g < 0))
        reach = min(2 * reach, LONGEST_REACH) if _same_direction(here.step(damping, blocked), last) else 1.0
        there, damping, reach = _descend(
            problem, chosen, here, damping, reach, blocked, (low, high), decrement * noise, count
        )
        if there is None:
            break
        gain, last = here.chi2 - there.chi2, there.theta - here.theta
        here, damping = there, max(damping / 6, 1e-9)
        hopeless = iteration >= 4 and here.chi2 - HOPE * max(gain, here.expected(damping, blocked)) > target
        if hopeless or gain < decrement * noise:
            break
    return here.fitted(active, count, len(problem.times))


class _Count:
    """Integrations asked for, and those that failed."""

    solves = 0
    failed = 0


@dataclasses.dataclass(frozen=True)
class _Point:
    """A point of the fit with its normal equations H step = -g in theta = (ln k, ln phi)."""

    theta: np.ndarray
    c0: np.ndarray
    linear: Linear
    H: np.ndarray
    g: np.ndarray

    @property
    def chi2(self) -> float:
        return self.linear.chi2

    def step(self, damping: float, blocked: np.ndarray) -> np.ndarray:
        """Marquardt's damped step, no component longer than LONGEST_STEP."""
        diagonal = np.maximum(np.diag(self.H), 1e-8 * np.diag(self.H).max(initial=0.0) + 1e-300)
        A = self.H + damping * np.diag(diagonal)
        A[blocked], A[:, blocked] = 0.0, 0.0
        A[blocked, blocked] = 1.0
        step = -np.linalg.solve(A, np.where(blocked, 0.0, self.g))
        return np.clip(step, -LONGEST_STEP, LONGEST_STEP)

    def expected(self, damping: float, blocked: np.ndarray) -> float:
        """Fall of chi2 by the quadratic model, initial amounts included; infinite for a step that was cut short."""
        step = self.step(damping, blocked)
        if (np.abs(step) >= LONGEST_STEP).any():
            return np.inf
        return -float(2 * self.g @ step + step @ self.H @ step) + self.linear.initial_gain

    def fitted(self, active: np.ndarray, count: _Count, runs: int) -> Fitted:
        m = len(active)
        k, phi = np.exp(self.theta[:m]), np.exp(self.theta[m:])
        return Fitted(np.asarray(active), k, phi, self.c0, self.chi2, self.H, count.solves * runs, count.failed * runs)


def _look(problem: Problem, chosen: Library, theta: np.ndarray, c0: np.ndarray, count: _Count) -> _Point | None:
    k, phi = np.split(np.exp(theta), [len(chosen.net)])
    here = linearise(problem, chosen, k, phi, c0)
    count.solves += 1
    if here is None:
        count.failed += 1
        return None
    J = np.hstack([here.by_k * k, here.by_phi])
    return _Point(theta, c0, here, J.T @ J, J.T @ here.residual)


def _same_direction(step: np.ndarray, last: np.ndarray) -> bool:
    """Whether two steps go the same way: then the valley is long, and the next step may be longer."""
    size = np.linalg.norm(step) * np.linalg.norm(last)
    return bool(size > 0 and step @ last > 0.8 * size)


def _descend(
    problem: Problem,
    chosen: Library,
    here: _Point,
    damping: float,
    reach: float,
    blocked: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    least: float,
    count: _Count,
) -> tuple[_Point | None, float, float]:
    """(a lower point, damping, reach); None if the model promises less than `least` or no step goes down.

    `reach` > 1 lengthens the step first: the constants of a fast equilibrium grow by equal amounts, not equal factors.
    """
    for _ in range(TRIALS):
        if here.expected(damping, blocked) < least * (1e-3 if damping > 1 else 1.0):
            return None, damping, reach
        step = np.clip(reach * here.step(damping, blocked), -LONGEST_STEP, LONGEST_STEP)
        theta = np.clip(here.theta + step, *bounds)
        c0 = _move_initial(here, theta, len(chosen.net), damping)
        there = _look(problem, chosen, theta, c0, count)
        if there is not None and there.chi2 < here.chi2:
            return there, damping, reach
        if reach > 1:
            reach = 1.0
        else:
            damping *= 5
    return None, damping, reach


def _move_initial(here: _Point, theta: np.ndarray, m: int, damping: float) -> np.ndarray:
    """Initial amounts that are best, to first order, once the constants have moved; damped, and not below zero."""
    moves = np.concatenate([[1.0], theta[m:] - here.theta[m:], np.exp(theta[:m]) - np.exp(here.theta[:m])])
    moved = here.c0.copy()
    for e, (columns, recover) in enumerate(here.linear.steps):
        moved[e, columns] = np.maximum(here.c0[e, columns] - recover @ moves / (1.0 + damping), 0.0)
    return moved
