"""Fitting the constants of a set of reactions through the stiff ODE, by Levenberg-Marquardt on ln k."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover import balance
from guldberg.discover.library import Library
from guldberg.discover.problem import Linear, Problem, linearise, natural, residuals_at

LOWEST, HIGHEST = -14.0, 22.0  # ln k in units of `natural`
LARGEST_FACTOR = 7.0  # |ln phi| of a factor on all rates
LARGEST_RATIO = 40.0  # |ln r| of a constant between the coldest and the hottest run
LONGEST_STEP = 2.5  # of ln k in one iteration
PROBE = 0.25  # part of a step over which its curvature is measured
TRIALS = 12  # of damping per iteration
HOPE = 10.0  # how much more than the last gain a search may still bring
TIGHT = 1e-4  # standard deviation of the logarithm that detailed balance makes zero
KNOWN = 1e30  # in the Hessian: of a factor that is held
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

    def parameters(self, problem: Problem) -> int:
        """How many numbers were fitted: constants, factors and initial amounts."""
        return len(self.k) + len(self.phi) + int(problem.free.sum())

    def dense(self, size: int) -> Float[np.ndarray, "reactions"]:
        """Constants over the whole library, zero where a reaction is absent."""
        k = np.zeros(size)
        k[self.active] = self.k
        return k

    def log_ratios(self, problem: Problem) -> Float[np.ndarray, "active powers"]:
        """How each reaction follows the temperature: (ln r, ln q) of `warmth`, one row each."""
        return np.log(self.phi[len(problem.groups) :]).reshape(len(self.active), problem.warmth.shape[1])

    def factors_of(self, problem: Problem, chosen: Int[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
        """phi for another set of reactions: those that are new to it follow the temperature like the median one."""
        common, own = np.split(self.phi, [len(problem.groups)])
        own = own.reshape(len(self.active), problem.warmth.shape[1])
        typical = np.median(own, axis=0) if len(own) else np.ones(own.shape[1])
        where = {int(i): row for i, row in zip(self.active, own, strict=True)}
        return np.concatenate([common, *(where.get(int(i), typical) for i in chosen)])


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
    given up, where it stands, once ten times the last gain would still not bring chi2 to `target`.
    """
    work = _Work(problem, library.take(active), *_bounds(problem, library, active))
    phi = np.ones(len(work.low) - len(active)) if phi is None else phi
    theta = np.clip(np.log(np.concatenate([k, phi])), work.low, work.high)
    work.frozen[np.array([], int) if frozen is None else frozen] = True
    here = work.look(theta, problem.initial.copy() if c0 is None else c0)
    if here is None:
        return None
    curved = False
    for iteration in range(iterations):
        least = decrement * max(min(here.chi2 / problem.points, 1.0), 1e-30)
        there, damping, curved = _descend(work, here, damping, curved, least)
        if there is None:
            break
        gain = here.chi2 - there.chi2
        here = there
        hopeless = iteration >= 4 and here.chi2 - HOPE * gain > target
        if hopeless or gain < least:
            break
    return work.fitted(here, active)


def largest_factors(problem: Problem, active: Int[np.ndarray, "_"]) -> Float[np.ndarray, "factors"]:
    """The bound on |ln phi|, zero where the factor is held at one; it also tells how many factors there are."""
    powers = problem.warmth.shape[1]
    own = np.full((len(active), powers), LARGEST_RATIO)
    if powers > 1:
        own[[int(i) not in problem.bent for i in active], 1] = 0.0
    return np.append(np.full(len(problem.groups), LARGEST_FACTOR), own)


def _bounds(problem: Problem, library: Library, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of theta = (ln k, ln phi)."""
    unit, widest = np.log(natural(problem, library.take(active))), largest_factors(problem, active)
    return np.append(unit + LOWEST, -widest), np.append(unit + HIGHEST, widest)


@dataclasses.dataclass(frozen=True)
class _Point:
    """A point of the fit with its normal equations H step = -g in theta = (ln k, ln phi)."""

    theta: np.ndarray
    c0: np.ndarray
    linear: Linear
    chi2: float
    J: np.ndarray
    H: np.ndarray
    g: np.ndarray

    def step(self, damping: float, blocked: np.ndarray) -> np.ndarray:
        """Marquardt's damped step, no component longer than LONGEST_STEP."""
        return np.clip(self.solve(self.g, damping, blocked), -LONGEST_STEP, LONGEST_STEP)

    def solve(self, g: np.ndarray, damping: float, blocked: np.ndarray) -> np.ndarray:
        """-(H + damping diag J^T J)^-1 g, blocked components zero."""
        diagonal = (self.J**2).sum(axis=0)
        diagonal = np.maximum(diagonal, 1e-8 * diagonal.max(initial=0.0) + 1e-300)
        A = self.H + damping * np.diag(diagonal)
        A[blocked], A[:, blocked] = 0.0, 0.0
        A[blocked, blocked] = 1.0
        return -np.linalg.solve(A, np.where(blocked, 0.0, g))

    def expected(self, damping: float, blocked: np.ndarray) -> float:
        """Fall of chi2 by the quadratic model, initial amounts included; infinite for a step that was cut short."""
        step = self.step(damping, blocked)
        if (np.abs(step) >= LONGEST_STEP).any():
            return np.inf
        return -float(2 * self.g @ step + step @ self.H @ step) + self.linear.initial_gain


class _Work:
    """What one fit works on, and how often it integrated."""

    def __init__(self, problem: Problem, chosen: Library, low: np.ndarray, high: np.ndarray) -> None:
        self.problem, self.chosen, self.low, self.high = problem, chosen, low, high
        self.held = low == high
        self.held[list(problem.known)] = True
        self.frozen = self.held.copy()
        self.ties = balance.conditions(problem, chosen) / TIGHT
        self.solves, self.failed = 0, 0

    def blocked(self, here: _Point) -> np.ndarray:
        """Components that stay: frozen, or at a bound with the gradient pointing out."""
        at_low, at_high = here.theta <= self.low, here.theta >= self.high
        return self.frozen | (at_low & (here.g > 0)) | (at_high & (here.g < 0))

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """k and phi."""
        k, phi = np.split(np.exp(theta), [len(self.chosen.net)])
        return k, phi

    def look(self, theta: np.ndarray, c0: np.ndarray) -> _Point | None:
        """The normal equations at a point; conditions on theta count as measurements of high precision."""
        k, phi = self.split(theta)
        here = linearise(self.problem, self.chosen, k, phi, c0)
        self.solves += 1
        if here is None:
            self.failed += 1
            return None
        J, tension = np.hstack([here.by_k * k, here.by_phi]), self.ties @ theta
        H, g = J.T @ J + self.ties.T @ self.ties, J.T @ here.residual + self.ties.T @ tension
        return _Point(theta, c0, here, here.chi2 + float(tension @ tension), J, H, g)

    def fitted(self, here: _Point, active: np.ndarray) -> Fitted:
        H = here.H + np.diag(np.where(self.held, KNOWN, 0.0))
        runs = len(self.problem.times)
        k, phi = self.split(here.theta)
        return Fitted(np.asarray(active), k, phi, here.c0, here.chi2, H, self.solves * runs, self.failed * runs)


def _descend(
    work: _Work, here: _Point, damping: float, curved: bool, least: float
) -> tuple[_Point | None, float, bool]:
    """(a lower point, damping for the next step, whether the valley bends); None if no step promises `least`."""
    blocked = work.blocked(here)
    for _ in range(TRIALS):
        expected = here.expected(damping, blocked)
        if expected < least * (1e-3 if damping > 1 else 1.0):
            break
        step = here.step(damping, blocked)
        if curved:
            step = step + _acceleration(work, here, step, damping, blocked)
        theta = np.clip(here.theta + np.clip(step, -LONGEST_STEP, LONGEST_STEP), work.low, work.high)
        there = work.look(theta, _move_initial(here, theta, len(work.chosen.net), damping))
        if there is not None and there.chi2 < here.chi2:
            kept = (here.chi2 - there.chi2) / expected
            factor = 1 / 6 if kept > 0.7 or expected == np.inf else 1 / 2 if kept > 0.3 else 2.0
            return there, max(damping * factor, 1e-9), curved or kept < 0.5
        damping, curved = 5 * damping, True
    return None, damping, curved


def _acceleration(work: _Work, here: _Point, step: np.ndarray, damping: float, blocked: np.ndarray) -> np.ndarray:
    """Geodesic acceleration (Transtrum and Sethna 2012): half the second-order correction that follows a bent valley.

        a = -1/2 H^-1 J^T r'',  r'' = second derivative of the residuals along the step

    Zero where it would be longer than the step: then the step itself is too long.
    """
    ahead = []
    for side in (-1, 1):
        theta = here.theta + side * PROBE * step
        k, phi = work.split(theta)
        moved = _move_initial(here, theta, len(k), damping, side * PROBE)
        ahead.append(residuals_at(work.problem, work.chosen, k, phi, moved))
    work.solves += 1
    if ahead[0] is None or ahead[1] is None:
        return np.zeros_like(step)
    second = (ahead[0] + ahead[1] - 2 * here.linear.raw) / PROBE**2
    a = 0.5 * here.solve(here.J.T @ second, damping, blocked)
    return a if np.linalg.norm(a) < np.linalg.norm(step) else np.zeros_like(step)


def _move_initial(here: _Point, theta: np.ndarray, m: int, damping: float, part: float = 1.0) -> np.ndarray:
    """Initial amounts that are best, to first order, once the constants have moved; damped, and not below zero.

    `part` of the move that the present residuals ask for is made.
    """
    moves = np.concatenate([[part], theta[m:] - here.theta[m:], np.exp(theta[:m]) - np.exp(here.theta[:m])])
    moved = here.c0.copy()
    for e, (columns, recover) in enumerate(here.linear.steps):
        moved[e, columns] = np.maximum(here.c0[e, columns] - recover @ moves / (1.0 + damping), 0.0)
    return moved
