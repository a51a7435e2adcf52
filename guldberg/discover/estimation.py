"""The unknowns of a known mechanism from many random starts, then their intervals one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.discover import likelihood
from guldberg.discover.likelihood import Likelihood, Point, Unknowns
from guldberg.discover.result import Estimate
from guldberg.learn.fit import Metrics

SAME = 0.1  # of -ln L: starts that end so close have found the same
BETTER, RESTARTS = 0.02, 5  # a profile that meets a point lower by so much begins anew from there, so many times


@dataclasses.dataclass(frozen=True)
class Found:
    """Where one start ended; infinite where it could not be integrated."""

    x: Unknowns
    value: float


@dataclasses.dataclass(frozen=True)
class State:
    """How far it is."""

    starts: Float[np.ndarray, "starts unknowns"]
    found: tuple[Found, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    restarts: int = 0

    @property
    def best(self) -> Found:
        """The lowest so far."""
        return min(self.found, key=lambda one: one.value)


@dataclasses.dataclass(frozen=True)
class Estimated:
    """The best point, what each start came to, and the 95 % interval of each unknown, None at a bound of the search."""

    best: Found
    values: tuple[float, ...]  # of -ln L, of each start in its order
    estimates: tuple[Estimate, ...]

    @property
    def reached(self) -> int:
        """How many starts ended at the best point."""
        return sum(value < self.best.value + SAME for value in self.values)


@dataclasses.dataclass(frozen=True)
class Estimation:
    """The job: `learn.fit.run(Estimation(likelihood), seed)`. Starts are uniform between the bounds."""

    likelihood: Likelihood
    starts: int = 20
    state_types = (State, Found, Estimate)

    def init(self, seed: int) -> State:
        low, high = self.likelihood.low, self.likelihood.high
        return State(np.random.default_rng(seed).uniform(low, high, (self.starts, len(low))))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One more start, or one more interval."""
        after = self._started(state) if len(state.found) < self.starts else self._profiled(state)
        searching = len(after.found) < self.starts
        words = f"start {len(after.found) + 1} of {self.starts}" if searching else "95 % intervals"
        done = (len(after.found), self.starts) if searching else (len(after.estimates), len(self.likelihood.low))
        progress = 0.5 * done[0] / done[1] + (0.0 if searching else 0.5)
        return after, {"stage": words, "progress": progress, "-ln L": after.best.value}

    def done(self, state: State) -> bool:
        """Whether every unknown has its interval."""
        return len(state.found) >= self.starts and len(state.estimates) == len(self.likelihood.low)

    def result(self, state: State) -> Estimated:
        """ValueError before the first start has ended, ArithmeticError where none could be integrated."""
        if not state.found or not np.isfinite(state.best.value):
            told = "no start could be integrated: check the units and bounds of the parameters"
            raise (ArithmeticError if len(state.found) >= self.starts else ValueError)(told)
        values = tuple(one.value for one in state.found[: self.starts])
        return Estimated(state.best, values, state.estimates)

    def _started(self, state: State) -> State:
        x = state.starts[len(state.found)]
        there = likelihood.minimise(self.likelihood, x)
        found = Found(x, np.inf) if there is None else _of(there)
        return dataclasses.replace(state, found=(*state.found, found))

    def _profiled(self, state: State) -> State:
        best = self.likelihood.at(state.best.x)
        if best is None:
            raise ArithmeticError("no start could be integrated: check the units and bounds of the parameters")
        estimate, lower = likelihood.interval(self.likelihood, best, len(state.estimates))
        if lower.value < best.value - BETTER and state.restarts < RESTARTS:
            again = likelihood.minimise(self.likelihood, lower.x) or lower
            return dataclasses.replace(
                state, found=(*state.found, _of(again)), estimates=(), restarts=state.restarts + 1
            )
        return dataclasses.replace(state, estimates=(*state.estimates, estimate))


def _of(point: Point) -> Found:
    return Found(point.x, point.value)
