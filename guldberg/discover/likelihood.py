"""The unknowns of a known mechanism by maximum likelihood, wherever they stand: in rates, amounts, readings or noise.

    -ln L(x) = sum ln(sqrt(2 pi) s) + r^2 / 2,   r = (y(c(t); x) - m) / s

m is measured and y read off the concentrations c(t); rate constants, initial amounts, y and s are functions of x. The
information J^T J + 2 (d ln s)^T (d ln s) of normal errors gives the steps (Fisher scoring, damped like Marquardt's).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from guldberg import stiff
from guldberg.discover import intervals
from guldberg.discover.result import Estimate

Unknowns = Float[np.ndarray, "unknowns"]

RTOL = 1e-7
STEPS, TRIALS = 200, 12
GAIN = 1e-6  # of -ln L: a step that promises less ends a fit
LONGEST = 0.2  # a step, as a part of the range of an unknown
RISE = 1.92  # of -ln L at the end of a 95 % interval
REFITS = 10  # per end of an interval
CLOSE = 0.05


class Start(NamedTuple):
    """Constants and initial amounts of one condition, with their derivatives by the unknowns."""

    k: Float[np.ndarray, "reactions"]
    k_by: Float[np.ndarray, "reactions unknowns"]
    c0: Float[np.ndarray, "species"]
    c0_by: Float[np.ndarray, "species unknowns"]


class Readings(NamedTuple):
    """What the instruments would show in one condition beside what they showed, point by point."""

    at: Int[np.ndarray, "points"]  # which of the condition's times
    misfit: Float[np.ndarray, "points"]  # y - m
    misfit_by: Float[np.ndarray, "points unknowns"]  # with the concentrations held
    misfit_by_c: Float[np.ndarray, "points species"]
    sd: Float[np.ndarray, "points"]
    sd_by: Float[np.ndarray, "points unknowns"]
    sd_by_c: Float[np.ndarray, "points species"]


@dataclasses.dataclass(frozen=True)
class Condition:
    """One experiment: its times, the first being the start, and what it makes of the unknowns."""

    name: str
    times: Float[np.ndarray, "times"]
    start: Callable[[Unknowns], Start]
    read: Callable[[Unknowns, Float[np.ndarray, "times species"]], Readings]


@dataclasses.dataclass(frozen=True)
class Point:
    """-ln L with its gradient and the information on x."""

    x: Unknowns
    value: float
    gradient: Unknowns
    information: Float[np.ndarray, "unknowns unknowns"]

    def step(self, damping: float, held: Bool[np.ndarray, "unknowns"]) -> Unknowns:
        """Downhill; held unknowns stay."""
        diagonal = np.diag(self.information)
        A = self.information + damping * np.diag(np.maximum(diagonal, 1e-8 * diagonal.max(initial=0.0) + 1e-300))
        A[held], A[:, held] = 0.0, 0.0
        A[held, held] = 1.0
        return -np.linalg.solve(A, np.where(held, 0.0, self.gradient))


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """A known mechanism under some conditions; `low` and `high` bound the unknowns."""

    reactions: stiff.Directed
    conditions: tuple[Condition, ...]
    low: Unknowns
    high: Unknowns
    constant: float = 0.0  # of -ln L, where not the readings but functions of them are normal

    def solved(self, x: Unknowns, *, sensitivities: bool = True) -> tuple[list[Start], stiff.Solution]:
        """Every condition at its times."""
        starts = [condition.start(x) for condition in self.conditions]
        c0 = np.array([start.c0 for start in starts])
        largest = c0.max(axis=0, initial=0.0)
        return starts, stiff.solve(
            self.reactions,
            np.array([start.k for start in starts]),
            c0,
            [condition.times for condition in self.conditions],
            rtol=RTOL,
            atol=1e-3 * RTOL * np.where(largest > 0, largest, largest.max() or 1.0),
            sensitivities=sensitivities,
        )

    def readings(self, x: Unknowns) -> list[Readings] | None:
        """Of every condition; None where a solve fails or a reading is no number."""
        _, solution = self.solved(x, sensitivities=False)
        if (solution.status < 0).any():
            return None
        tables = np.split(solution.values, self._ends())
        found = [condition.read(x, c) for condition, c in zip(self.conditions, tables, strict=True)]
        return found if all(np.isfinite(r.misfit).all() and (r.sd > 0).all() for r in found) else None

    def value(self, x: Unknowns) -> float:
        """-ln L; infinite where `readings` are None."""
        found = self.readings(x)
        return np.inf if found is None else self.constant + sum(_terms(r.misfit / r.sd, r.sd) for r in found)

    def at(self, x: Unknowns) -> Point | None:
        """None where a solve fails or a reading is no number."""
        starts, solution = self.solved(x)
        if (solution.status < 0).any():
            return None
        value, gradient, information = self.constant, np.zeros(len(x)), np.zeros((len(x), len(x)))
        tables = (np.split(part, self._ends()) for part in solution[:3])
        for condition, start, c, by_k, by_c0 in zip(self.conditions, starts, *tables, strict=True):
            found = condition.read(x, c)
            c_by = by_k @ start.k_by + by_c0 @ start.c0_by
            r = found.misfit / found.sd
            slope = found.sd_by + np.einsum("ps,psu->pu", found.sd_by_c, c_by[found.at])
            J = (found.misfit_by + np.einsum("ps,psu->pu", found.misfit_by_c, c_by[found.at])) / found.sd[:, None]
            log_sd = slope / found.sd[:, None]
            value += _terms(r, found.sd)
            gradient += J.T @ r + log_sd.T @ (1 - r**2)
            information += J.T @ J + 2 * log_sd.T @ log_sd
        finite = np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(information).all()
        return Point(x, float(value), gradient, information) if finite else None

    def _ends(self) -> Int[np.ndarray, "conditions-1"]:
        return np.cumsum([len(condition.times) for condition in self.conditions])[:-1]


def _terms(r: Float[np.ndarray, "points"], sd: Float[np.ndarray, "points"]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float((np.log(np.sqrt(2 * np.pi) * sd) + r**2 / 2).sum())


def minimise(problem: Likelihood, x: Unknowns, held: Bool[np.ndarray, "unknowns"] | None = None) -> Point | None:
    """The lowest -ln L downhill of x within the bounds; `held` unknowns stay. None where x itself has no value."""
    held = np.zeros(len(x), bool) if held is None else held
    here, damping = problem.at(np.clip(x, problem.low, problem.high)), 1e-2
    for _ in range(STEPS if here is not None else 0):
        assert here is not None
        there, damping = _lower(problem, here, damping, held)
        if there is None:
            break
        gain, here = here.value - there.value, there
        if gain < GAIN and damping < 1:
            break
    return here


def _lower(problem: Likelihood, here: Point, damping: float, held: np.ndarray) -> tuple[Point | None, float]:
    """(a lower point, damping for the next step); None where no step promises anything."""
    uphill_out = ((here.x <= problem.low) & (here.gradient > 0)) | ((here.x >= problem.high) & (here.gradient < 0))
    longest = LONGEST * (problem.high - problem.low)
    for _ in range(TRIALS):
        step = np.clip(here.step(damping, held | uphill_out), -longest, longest)
        x = np.clip(here.x + step, problem.low, problem.high)
        step = x - here.x
        expected = -float(here.gradient @ step + step @ here.information @ step / 2)
        if abs(expected) < GAIN * min(1.0, 1 / damping):
            break
        there = problem.at(x)
        if there is not None and there.value < here.value:
            kept = (here.value - there.value) / max(expected, 1e-300)
            return there, float(np.clip(damping * (1 / 5 if kept > 0.7 else 1 / 2 if kept > 0.3 else 2.0), 1e-9, 1e9))
        damping *= 5
    return None, damping


def interval(problem: Likelihood, best: Point, index: int) -> tuple[Estimate, Point]:
    """The 95 % interval of unknown `index` by the profile likelihood, None at a bound; and a lower point, if one was
    met on the way (else `best`)."""
    ends, lowest = [], best
    for side in (-1, 1):
        end, met = _end(problem, best, index, side)
        ends.append(end)
        lowest = met if met.value < lowest.value else lowest
    return Estimate(float(best.x[index]), ends[0], ends[1]), lowest


def _end(problem: Likelihood, best: Point, index: int, side: int) -> tuple[float | None, Point]:
    """Where the profile has risen by RISE, or None where the bound comes first."""
    reach = float(abs((problem.high if side > 0 else problem.low)[index] - best.x[index]))
    spread = float(np.sqrt(2 * RISE * max(np.linalg.pinv(best.information, hermitian=True)[index, index], 0.0)))
    step, inside, low, previous, lowest = min(spread or reach, reach), 0.0, 0.0, best, best
    outside: tuple[float, float] | None = None
    for _ in range(REFITS):
        if reach == 0 or step <= 0:
            return None, lowest
        there = _held_at(problem, previous, index, best.x[index] + side * step)
        height = np.inf if there is None else max(there.value - best.value, 0.0)
        lowest = there if there is not None and there.value < lowest.value else lowest
        if abs(height - RISE) < CLOSE * RISE:
            return float(best.x[index] + side * step), lowest
        if height > RISE:
            outside = step, height
        elif step >= reach:
            return None, lowest
        else:
            inside, low, previous = step, height, there or previous
        step = min(intervals.crossing(inside, low, outside, RISE), reach)
    return (None if outside is None else float(best.x[index] + side * step)), lowest


def _held_at(problem: Likelihood, previous: Point, index: int, value: float) -> Point | None:
    held = np.arange(len(previous.x)) == index
    return minimise(problem, np.where(held, value, previous.x), held)
