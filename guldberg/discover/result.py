"""What discover gives back: the mechanism, how sure it is, and what else the data allow. Plain values, no units."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant

Verdict = Literal["bounded", "one-sided", "flat"]
Certainty = Literal["certain", "possible", "impossible"]
UNLIKELY = 1e-3


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A positive quantity with its 95 % interval; None where the data set no bound on that side."""

    value: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> Verdict:
        """bounded: both ends; one-sided: one end; flat: the data say nothing about its size."""
        ends = (self.low is not None) + (self.high is not None)
        return ("flat", "one-sided", "bounded")[ends]


@dataclasses.dataclass(frozen=True)
class Step:
    """One reaction of the mechanism, as chemists write it; `reverse` is None where it is irreversible."""

    reactants: tuple[int, ...]  # nu', one per species
    products: tuple[int, ...]  # nu''
    forward: Estimate
    reverse: Estimate | None
    flux: float  # mean over the data of |forward - reverse| flux, for arrow widths; concentration per time
    certainty: Certainty  # certain: in every mechanism within the margin; possible: some rival does without it


@dataclasses.dataclass(frozen=True)
class Combination:
    """A product of powers of rate constants that the data determine although its factors alone they do not."""

    name: str  # "k(A -> B) / k(B -> A)"
    estimate: Estimate


@dataclasses.dataclass(frozen=True)
class Check:
    """A question put to the residuals, and by what chance noise alone would look at least as suspicious.

    misfit: chi2 against the standard deviations given; slow: what wanders in each series; trend: the same deviation of
    one species in all experiments; runs: neighbours of one sign; normal: skewness and kurtosis.
    """

    name: Literal["misfit", "slow", "trend", "runs", "normal"]
    species: str | None  # None: all of them
    chance: float

    @property
    def failed(self) -> bool:
        """Less than one in a thousand: over all checks of a fit, a false alarm in a few hundred fits."""
        return self.chance < UNLIKELY


@dataclasses.dataclass(frozen=True)
class Rival:
    """Another mechanism within the margin of the best one."""

    gained: tuple[str, ...]  # equations it has and the best one has not
    lost: tuple[str, ...]  # equations of the best one that it does without
    equations: tuple[str, ...]  # all of its directed reactions
    constants: tuple[float, ...]  # their rate constants
    delta: float  # score above that of the best mechanism (negative: below); chi2 units
    chi2: float


@dataclasses.dataclass(frozen=True)
class RunFit:
    """One experiment beside the fitted mechanism."""

    name: str
    initial: Float[np.ndarray, "species"]
    initial_fitted: tuple[bool, ...]  # False: given exactly
    residuals: Float[np.ndarray, "times species"]  # (measured - fitted) / sd; NaN: not measured, or exact
    curve_times: Float[np.ndarray, "dense"]
    curve: Float[np.ndarray, "dense species"]


@dataclasses.dataclass(frozen=True)
class Fit:
    """How well the mechanism fits, and to what."""

    kind: Literal["concentrations", "derivatives"]
    chi2: float
    points: int
    parameters: int
    score: float  # n ln(chi2 / n), or chi2 where the noise is known, plus 2 ln n per reaction: the criterion minimised
    sd: Float[np.ndarray, "species"]  # noise of each species (its median where the table gives one per value)
    sd_given: bool
    scales: dict[str, Estimate]  # unknown factors on the rates of groups of runs
    runs: tuple[RunFit, ...]
    solves: int  # trajectories integrated
    failed_solves: int
    rtol: float | None = None  # of the integration; the absolute one is a thousandth of it, times each species' size
    checks: tuple[Check, ...] = ()  # of the residuals

    @property
    def fits(self) -> bool:
        """Whether the residuals could be noise; else no mechanism of the library fits."""
        return not any(check.failed for check in self.checks if check.name != "normal")


@dataclasses.dataclass(frozen=True)
class PathPoint:
    """The best mechanism met with this many directed reactions."""

    reactions: int
    chi2: float
    score: float


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A reaction of the library and the bounds of its constant.

    From derivatives by linear programming; from concentrations its interval or, if it is absent from the mechanism, the
    largest value that the data allow beside it.
    """

    equation: str
    certainty: Certainty
    low: float
    high: float | None


@dataclasses.dataclass(frozen=True)
class Discovered:
    """The mechanism learned from `data`, and what the data cannot tell."""

    data: Experiments
    steps: tuple[Step, ...]
    laws: Int[np.ndarray, "laws species"]  # conservation laws taken
    library: int  # number of candidate reactions, directed
    fit: Fit
    alternatives: tuple[Rival, ...]
    combinations: tuple[Combination, ...]
    path: tuple[PathPoint, ...]
    candidates: tuple[Candidate, ...]  # every library reaction that is not impossible
    warnings: tuple[str, ...]

    @property
    def species(self) -> tuple[str, ...]:
        """Names, in the order of every array here."""
        return self.data.species

    def network(self) -> ReactionNetwork:
        """The mechanism as a network to simulate, show or write."""
        forward = [step.forward.value for step in self.steps]
        reverse = [0.0 if step.reverse is None else step.reverse.value for step in self.steps]
        shape = (len(self.steps), len(self.species))
        return ReactionNetwork(
            jnp.asarray(np.array([s.reactants for s in self.steps], int).reshape(shape)),
            jnp.asarray(np.array([s.products for s in self.steps], int).reshape(shape)),
            Constant.of(forward),
            Constant.of(reverse) if any(reverse) else None,
            self.species,
        )
