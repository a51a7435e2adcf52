"""Checks: what runs say for or against a design, one question each. Another one is a class with one method."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float

from guldberg.design.result import Designed
from guldberg.design.trials import LONG, LONGER, OUTSIDE, Trial, wanted

LEAP = 0.5  # of the largest concentration, in one step of the optimisation
BALANCE = 1e-3  # relative error of conserved totals
NULL_FROM = 100.0  # seconds: before, doing nothing at all looks as good


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found. It passed if `figure` does not exceed `limit`, or, where more is better, reaches it."""

    name: str
    figure: float
    limit: float
    passed: bool
    meaning: str  # in words, for a reader


def judged_until(designed: Designed) -> float:
    """A passing event is judged up to T, what is to last also at 1000 s."""
    return max(designed.horizon, LONG) if math.isfinite(wanted(designed).fades) else designed.horizon


class AbstractCheck(eqx.Module):
    """Runs -> findings; none where the runs it reads are not there."""

    @abc.abstractmethod
    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        """One finding for each figure that is looked at."""


class Shown(AbstractCheck):
    """Does it do what was asked, at T?"""

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        found = []
        for name, kept in wanted(designed).kept.items():
            value = _mean(trials["as designed"], name, designed.horizon)
            if kept.least is not None:
                found.append(_at_least(f"{name} at T", value, kept.least, f"the {name} at the horizon T"))
            if kept.factor is not None:
                found.append(_at_most(f"{name} at T", _factor(value), kept.factor, f"{name} as a factor from 1"))
        return found


class Lasting(AbstractCheck):
    """Is it still there ten times later?"""

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        needed, trial, later = wanted(designed), trials["as designed"], LONGER * designed.horizon
        if math.isinf(needed.fades):
            return []
        first, *others = needed.kept
        before, after = _mean(trial, first, designed.horizon), _mean(trial, first, later)
        lost = (before - after) / (abs(before) if needed.kept[first].relative else 1.0)
        found = [_at_most(f"{first} lost by 10 T", lost, needed.fades, f"what is lost between T and {later:g} s")]
        for name in others:
            if (factor := needed.kept[name].factor) is not None:
                figure = _factor(_mean(trial, name, later))
                found.append(_at_most(f"{name} at 10 T", figure, factor, f"{name} as a factor from 1, at {later:g} s"))
        return found


class Same(AbstractCheck):
    """Does more accuracy change anything? It must not: else the behaviour is made by the steps or by the grid."""

    control: str = eqx.field(static=True)
    until: float = eqx.field(static=True)
    steps: bool = eqx.field(static=True)  # whether it is the steps that are finer, and not the place

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        if self.control not in trials:
            return []
        trial, reference, found = trials[self.control], trials["as designed"], []
        for name, kept in wanted(designed).kept.items():
            seen = trial.times <= self.until
            same = [x.figures[name][: len(trial.fastest), : len(trial.times)] for x in (trial, reference)]
            a, b = (x.mean(axis=0)[seen] for x in same)
            change = math.inf if trial.void.any() else max(map(kept.moved, a.tolist(), b.tolist()))
            limit = kept.steps if self.steps else kept.place
            meaning = f"largest {'relative ' if kept.relative else ''}change of the {name} at any time"
            found.append(_at_most(f"{self.control}: {name}", change, limit, meaning))
        return found


class Tolerant(AbstractCheck):
    """How much of the first figure does noise cost, in the worst of the draws, at T and at a later time?"""

    control: str = eqx.field(static=True)
    until: float = eqx.field(static=True)

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        if self.control not in trials:
            return []
        times, first = sorted({designed.horizon, self.until}), next(iter(wanted(designed).kept))
        lost = max(self._lost(designed, trials, time) for time in times)
        seconds = " and ".join(f"{time:g}" for time in times)
        meaning = f"{first} lost at {seconds} s in the worst of {len(trials[self.control].fastest)} draws"
        return [_at_most(f"{self.control}: {first} lost", lost, wanted(designed).tolerates, meaning)]

    def _lost(self, designed: Designed, trials: Mapping[str, Trial], time: float) -> float:
        first, kept = next(iter(wanted(designed).kept.items()))
        trial, before = trials[self.control], _mean(trials["as designed"], first, time)
        worst = -math.inf if trial.void.any() else float(trial.at(first, time).min())
        return (before - worst) / (abs(before) if kept.relative else 1.0)


class BetterThan(AbstractCheck):
    """Is the design better than without what was learned? Of random controls, than their mean and one sd. What blows
    up is void, not bad; if all runs are void, there is nothing to be better than."""

    control: str = eqx.field(static=True)
    from_: float | None = eqx.field(static=True, default=None)  # at every time from here on; None: at T only

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        if self.control not in trials:
            return []
        first, trial, reference = next(iter(wanted(designed).kept)), trials[self.control], trials["as designed"]
        values = trial.valid(first)
        void = f"; {n} of {len(trial.void)} runs blew up and are void" if (n := int(trial.void.sum())) else ""
        if not len(values):
            return [Finding(f"better than {self.control}", 0.0, 0.0, True, f"{first}{void}")]
        span = self._span(designed, trial.times)
        own = reference.valid(first)[:, : len(trial.times)]  # the design is followed longer
        if not len(own):
            return [Finding(f"better than {self.control}", math.nan, 0.0, False, "the design itself blew up")]
        margin = own.mean(axis=0)[span] - (values.mean(axis=0) + values.std(axis=0))[span]
        where = "at T" if self.from_ is None else f"at every time from {trial.times[span][0]:g} s on"
        meaning = f"smallest lead in {first} {where}{void}; steps of {trial.dt[0]:g} s"
        lead = _least(margin)
        return [Finding(f"better than {self.control}", lead, 0.0, lead > 0, meaning)]  # as good is no better

    def _span(self, designed: Designed, ts: Float[np.ndarray, "times"]) -> Bool[np.ndarray, "times"]:
        if self.from_ is None:
            return ts == ts[np.argmin(np.abs(ts - designed.horizon))]
        until = judged_until(designed)
        return (ts >= min(self.from_, designed.horizon)) & (ts <= until)


class Gentle(AbstractCheck):
    """Largest |dc/dt|: no step of the optimisation may leap over the pattern."""

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        trial = trials["as designed"]
        leap = float((trial.fastest * designed.dt / np.maximum(trial.largest, 1e-12)).max())
        meaning = (
            f"largest |dc/dt| ({trial.fastest.max():.3g} per second) times the step, over the largest concentration"
        )
        return [_at_most("largest |dc/dt|", leap, LEAP, meaning)]


class WithinBounds(AbstractCheck):
    """The share of cells at a bound: values that a step left negative or not finite."""

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        share = float(trials["as designed"].outside.max())
        return [_at_most("cells at a bound", share, OUTSIDE, "share of all values that a step left negative")]


class Balanced(AbstractCheck):
    """Mass balance: what reactions conserve changes only by what flows in and out."""

    def __call__(self, designed: Designed, trials: Mapping[str, Trial]) -> list[Finding]:
        error = float(np.nanmax(np.append(trials["as designed"].imbalance, -math.inf)))
        if error == -math.inf:
            return []
        return [_at_most("mass balance", error, BALANCE, "relative error of the conserved totals")]


def _mean(trial: Trial, figure: str, time: float) -> float:
    """Over the valid draws; NaN where all are void."""
    values = trial.at(figure, time)
    return float(values.mean()) if len(values) else math.nan


def _factor(value: float) -> float:
    return max(value, 1 / value) if value > 0 else math.inf


def _least(margin: Float[np.ndarray, "times"]) -> float:
    return float(margin.min()) if len(margin) else math.nan


def _at_most(name: str, figure: float, limit: float, meaning: str) -> Finding:
    return Finding(name, figure, limit, bool(figure <= limit), meaning)


def _at_least(name: str, figure: float, limit: float, meaning: str) -> Finding:
    return Finding(name, figure, limit, bool(figure >= limit), meaning)
