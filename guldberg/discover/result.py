"""What discover gives back: the mechanism, how sure it is, and what else the data allow. Plain values, no units."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork, equation
from guldberg.rates import AbstractRateLaw, Arrhenius, Constant

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
class Profile:
    """The profile likelihood of the constant of one directed reaction: chi2 at its best with it held at each value."""

    equation: str
    values: Float[np.ndarray, "points"]
    rise: Float[np.ndarray, "points"]  # of chi2 above the best fit
    quadratic: Float[np.ndarray, "points"]  # what the curvature at the best fit promises
    path: Float[np.ndarray, "points parameters"]  # all constants in the order of the profiles, then the factors
    threshold: float  # the rise that ends a 95 % interval


@dataclasses.dataclass(frozen=True)
class Step:
    """One reaction of the mechanism, as chemists write it; `reverse` is None where it is irreversible."""

    reactants: tuple[int, ...]  # nu', one per species
    products: tuple[int, ...]  # nu''
    forward: Estimate
    reverse: Estimate | None
    flux: float  # mean over the data of |forward - reverse| flux, for arrow widths; concentration per time
    certainty: Certainty  # certain: in every mechanism within the margin; possible: some rival does without it

    def equations(self, species: tuple[str, ...]) -> tuple[str, ...]:
        """The reaction as text, one direction at a time."""
        ahead = equation(self.reactants, self.products, species)
        return (ahead,) if self.reverse is None else (ahead, equation(self.products, self.reactants, species))


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
class Rewriting:
    """Reactions of one reactant complex, and others that could stand for them without any change of the equations."""

    present: tuple[str, ...]  # all reactions of these reactants in the mechanism
    instead: tuple[str, ...]
    constants: tuple[float, ...]  # of those


@dataclasses.dataclass(frozen=True)
class Stability:
    """How often a reaction was found again, in data made anew from the mechanism found and its residuals."""

    equation: str
    found: int
    among: int  # searches

    @property
    def share(self) -> float:
        """Of the searches that found it."""
        return self.found / self.among


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
class Range:
    """A number of either sign with its 95 % interval; None where the data set no bound on that side."""

    value: float
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class ArrheniusLaw:
    """k = A T^b exp(-Ea / R T) of one directed reaction, T in kelvin."""

    equation: str
    log_A: Range  # A in the data's units of concentration and time
    b: Range | None  # None: held at 0, the data cannot tell b from Ea
    Ea: Range  # J/mol


@dataclasses.dataclass(frozen=True)
class Cycle:
    """Directed reactions that, run so many times each, change nothing; all of them have a reverse."""

    equations: tuple[str, ...]
    times: tuple[int, ...]
    deviation: Range  # ln prod (k / k of the reverse)^times, the driving force over RT: 0 in detailed balance


@dataclasses.dataclass(frozen=True)
class Balance:
    """Detailed balance of the constants as fitted without it."""

    cycles: tuple[Cycle, ...]
    chance: float  # of a chi2 that rises as much when it is held, if it holds
    held: bool  # asked for: the constants given obey it


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
    rewritings: tuple[Rewriting, ...] = ()  # other mechanisms with the same equations: no data can decide
    profiles: tuple[Profile, ...] = ()  # of each directed reaction, where asked for
    stability: tuple[Stability, ...] = ()  # of all reactions found in any resample, the most frequent first
    temperature: float | None = None  # of the constants of `steps`, where the experiments differ in it; kelvin
    energies: tuple[ArrheniusLaw, ...] = ()  # where the experiments differ in temperature
    balance: Balance | None = None  # where the mechanism has a cycle
    search: str = ""  # how far it is proven that no other set of candidates does better

    @property
    def species(self) -> tuple[str, ...]:
        """Names, in the order of every array here."""
        return self.data.species

    def weights(self) -> tuple[float, ...]:
        """exp(-BIC / 2) of the mechanism and of each alternative, as shares; BIC = n ln chi2 + m ln n for m reactions.

        chi2 itself in place of n ln chi2 where the noise is known.
        """
        n, size = max(self.fit.points, 2), sum(len(step.equations(self.species)) for step in self.steps)
        fits = [(self.fit.chi2, size), *((rival.chi2, len(rival.equations)) for rival in self.alternatives)]
        chi2, reactions = np.array(fits, float).T
        misfit = chi2 if self.fit.sd_given else n * np.log(np.maximum(chi2, 1e-12 * n))
        bic = misfit + np.log(n) * reactions
        share = np.exp(-0.5 * (bic - bic.min()))
        return tuple(map(float, share / share.sum()))

    def equals(self, equations: Iterable[str]) -> bool:
        """Whether these directed reactions are the mechanism, or can have its equations with no more reactions."""
        options: dict[str, set[frozenset[str]]] = {}
        for name in (name for step in self.steps for name in step.equations(self.species)):
            left = _left(name)
            options[left] = {frozenset(set().union(*options.get(left, ()), {name}))}
        for rewriting in self.rewritings:
            options[_left(rewriting.present[0])].add(frozenset(rewriting.instead))
        asked = {left: frozenset(group) for left, group in itertools.groupby(sorted(equations, key=_left), _left)}
        return asked.keys() == options.keys() and all(asked[left] in options[left] for left in asked)

    def network(self) -> ReactionNetwork:
        """The mechanism as a network to simulate, show or write."""
        ways = [step.equations(self.species) for step in self.steps]
        forward = self._law([way[0] for way in ways], [step.forward for step in self.steps])
        reverse = self._law([way[-1] if len(way) > 1 else "" for way in ways], [step.reverse for step in self.steps])
        shape = (len(self.steps), len(self.species))
        return ReactionNetwork(
            jnp.asarray(np.array([s.reactants for s in self.steps], int).reshape(shape)),
            jnp.asarray(np.array([s.products for s in self.steps], int).reshape(shape)),
            forward,
            reverse if reverse.active.any() else None,
            self.species,
        )

    def _law(self, equations: list[str], constants: list[Estimate | None]) -> AbstractRateLaw:
        """The constants of directed reactions, as they follow the temperature where that is known; 0 where absent."""
        k = np.array([0.0 if estimate is None else estimate.value for estimate in constants])
        if not self.energies:
            return Constant.of(k)
        laws = {law.equation: law for law in self.energies}
        found = [laws.get(name) for name in equations]
        return Arrhenius(
            jnp.asarray([-np.inf if law is None else law.log_A.value for law in found]),
            jnp.asarray([0.0 if law is None or law.b is None else law.b.value for law in found]),
            jnp.asarray([0.0 if law is None else law.Ea.value for law in found]),
        )


def _left(equation: str) -> str:
    """The reactants, as text."""
    return equation.split("->")[0]
