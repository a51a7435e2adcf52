"""Job 1: from measured runs to a mechanism.

noise -> laws -> library -> start -> eliminate -> polish -> rivals -> intervals; with measured derivatives, one linear
problem instead of the search. Each stage is a step or several of the job, and a public function of its own module.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover import (
    assemble,
    bootstrap,
    intervals,
    laws,
    misfit,
    noise,
    refine,
    regression,
    rivals,
    search,
    settle,
)
from guldberg.discover.dependencies import computed_columns
from guldberg.discover.library import Library, build, complexes, direction
from guldberg.discover.problem import prepare
from guldberg.discover.refine import Fitted
from guldberg.discover.result import Balance, Cycle, Discovered, Estimate, Profile, Range
from guldberg.discover.search import Search, Setting, Visited
from guldberg.discover.select import Criterion
from guldberg.discover.warmth import warmth
from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.learn.fit import Metrics, run
from guldberg.network import equation

TRUSTED = 1.6  # residuals larger than the estimated noise by more than this are misfit, not noise
SUSPICIOUS = 1.35  # chi2 / n above which a fit is poor enough to doubt the laws it was found under
REESTIMATE = 1.8  # noise is estimated anew from the residuals if that changes its ratio of two species by more
REESTIMATES = 3
RIVALS_PER_STEP = 3
RESTARTS = 4  # of the search from a better mechanism met among its rivals


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may say about the mechanism; complexes are rows of molecule numbers."""

    max_order: int = 2
    catalysts: bool = True
    require: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()  # (reactants, products)
    forbid: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    laws: tuple[tuple[int, ...], ...] = ()  # given instead of sought
    derivatives: bool = True  # use measured derivatives where the data have them
    detailed_balance: bool = False  # hold it in the constants
    profiles: bool = False  # likelihood along each constant, to look at
    resamples: int = 0  # searches repeated on data made anew


@dataclasses.dataclass(frozen=True)
class State:
    """Where the job stands."""

    seed: int
    stage: str = "noise"
    sd: Float[np.ndarray, "species"] | None = None
    notes: tuple[str, ...] = ()  # of the first look
    left_out: tuple[int, ...] = ()  # species whose columns look computed
    pending: tuple[Int[np.ndarray, "laws species"], ...] = ()  # law hypotheses still to be searched
    fewer: int = 0  # hypotheses with this many laws less have been searched
    doubted: float = np.inf  # the best score before that
    forgiven: bool = False  # the noise has been judged by a fit that is worse than it should be
    current: Search | None = None
    best: Search | None = None
    reestimates: int = 0
    restarts: int = 0
    tasks: tuple[tuple[Int[np.ndarray, "_"], dict[int, float] | None], ...] | None = None
    bent: tuple[int, ...] = ()  # reactions of the library whose exponents b are fitted
    balance: Balance | None = None
    estimates: tuple[Estimate, ...] = ()
    profiles: tuple[Profile, ...] = ()
    resampled: tuple[tuple[int, ...], ...] = ()  # reactions of the library that each repeated search found
    solves: int = 0
    failed: int = 0


@dataclasses.dataclass(frozen=True)
class Discovery:
    """The job: `learn.fit.run(Discovery(data), seed)` gives a `Discovered`."""

    data: Experiments
    options: Options = Options()
    look: Callable[[Experiments], tuple[str, ...]] | None = None  # a first look: no fit starts without its warnings
    state_types = (State, Search, Fitted, Visited, Estimate, Balance, Cycle, Range, Profile)

    def __post_init__(self) -> None:
        """InputError where there is nothing to learn from, or where the options ask for what the data do not allow."""
        columns = (column for run in self.data.runs for column in run.values.T)
        if all(len(set(column[np.isfinite(column)])) < 2 for column in columns):
            raise InputError("no species changes in any experiment: there is no reaction to find")
        warmth(self.data)  # refuses runs of which some have a temperature and others none

    def init(self, seed: int = 0) -> State:
        """The method is deterministic: the seed is recorded and changes nothing."""
        return State(seed)

    def step(self, state: State) -> tuple[State, Metrics]:
        """The next unit of work."""
        after = getattr(self, f"_{state.stage}")(state)
        return after, self._metrics(after)

    def done(self, state: State) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: State) -> Discovered:
        """The mechanism with everything known of it; ValueError before a first mechanism was fitted."""
        if self._linear:
            return self._told(self._regression(state), state)
        best = state.best or state.current
        if best is None or best.at is None:
            raise ValueError("no mechanism has been fitted yet")
        setting, counts = self._setting(state, best.laws), (state.solves, state.failed)
        found = assemble.from_search(setting, best, state.estimates, counts, state.left_out)
        if self.options.detailed_balance and found.steps and state.balance is None:
            said = "no cycle of reversible reactions in the mechanism: detailed balance asks nothing of its constants"
            found = dataclasses.replace(found, warnings=(*found.warnings, said))
        return self._told(dataclasses.replace(found, balance=state.balance, profiles=state.profiles), state)

    def _told(self, found: Discovered, state: State) -> Discovered:
        """What holds for either kind of fit: reactions with the same equations, and what the first look saw."""
        pool = complexes(len(self.data.species), self.options.max_order)
        required = frozenset(equation(a, b, self.data.species) for a, b in self.options.require)
        found = assemble.with_rewritings(found, pool, functools.partial(may_happen, self.options), required)
        stability = assemble.stability(state.resampled, self._library(found.laws), self.data.species)
        return dataclasses.replace(found, stability=stability, warnings=(*found.warnings, *state.notes))

    def _regression(self, state: State) -> Discovered:
        if not state.pending:
            raise ValueError("no mechanism has been fitted yet")
        library = self._library(state.pending[0])
        keep = required(self.options, library, self.data.species)
        return assemble.from_derivatives(self.data, library, state.pending[0], keep)

    # stages

    def _noise(self, state: State) -> State:
        """The noise of each species, and the laws that may hold."""
        sd = noise.usable(self.data)
        notes = () if self.look is None else self.look(self.data)
        notes += (f"{self._unused}: the derivatives were not used, only the concentrations",) if self._unused else ()
        after = dataclasses.replace(state, sd=sd, pending=tuple(self._hypotheses(sd)), notes=notes)
        if self._linear:
            return dataclasses.replace(after, stage="resamples" if self.options.resamples else "done")
        return dataclasses.replace(after, stage="laws", left_out=computed_columns(self.data))

    def _laws(self, state: State) -> State:
        """Take up the next set of laws, or go on with the best mechanism found under any."""
        if state.pending:
            following = Search(state.pending[0], "start")
            return dataclasses.replace(state, pending=state.pending[1:], current=following, stage="search")
        if state.best is None or self._misfit(state, state.best) > SUSPICIOUS:
            doubt = self._doubt(state)
            if doubt is not None:
                return doubt
        if state.best is None:
            raise ArithmeticError("no candidate mechanism could be integrated: check units and time scale of the data")
        return dataclasses.replace(state, stage="rivals")

    def _doubt(self, state: State) -> State | None:
        """A poor fit: fewer laws, as long as that helps; else the residuals tell how the noise of species compares."""
        assert state.sd is not None
        score = np.inf if state.best is None else state.best.score
        if not self.options.laws and (score < state.doubted - 1.0 or np.isinf(score)):
            fewer = tuple(laws.weaker(self.data, self._noise_for_laws(state.sd), state.fewer + 1))
            if fewer:
                return dataclasses.replace(state, pending=fewer, fewer=state.fewer + 1, doubted=score)
        if state.best is None or state.best.at is None or state.forgiven or self._noise_known:
            return None
        factor = self._noise_factor(state, state.best)
        if factor.max() / factor.min() < REESTIMATE:
            return None
        again = {"sd": state.sd * factor, "pending": (state.best.laws,), "best": None, "forgiven": True}
        return dataclasses.replace(state, **again)

    def _search(self, state: State) -> State:
        """One step of the search under the current laws; at its end the noise is judged by the residuals."""
        assert state.current is not None
        after = search.step(state.current, self._setting(state, state.current.laws))
        state = dataclasses.replace(state, current=after)
        if after.stage != "done":
            return state
        if after.at is not None and not self._noise_known and state.reestimates < REESTIMATES and state.best is None:
            sd = self._from_residuals(state, after)
            if sd is not None:
                again = dataclasses.replace(after, stage="eliminate", score=np.inf, rounds=(), visited=(), tried=())
                return dataclasses.replace(state, sd=sd, current=again, reestimates=state.reestimates + 1)
        better = after.at is not None and (state.best is None or after.score < state.best.score)
        best = after if better else state.best
        return self._counted(dataclasses.replace(state, best=best, current=None, stage="laws"), after)

    def _rivals(self, state: State) -> State:
        """Refit a few of the mechanisms that may do as well; start over from one that does better."""
        assert state.best is not None
        setting, best = self._setting(state, state.best.laws), state.best
        if state.tasks is None:  # what was out of reach of the best may still be within the margin
            best = dataclasses.replace(best, tried=tuple(tuple(map(int, v.active)) for v in best.visited))
        todo = tuple(rivals.tasks(best, setting)) if state.tasks is None else state.tasks
        margin, before = setting.criterion.price, best.at
        for chosen, given in todo[:RIVALS_PER_STEP]:
            best = search.attempt_from(best, setting, chosen, given, margin)
        if best.at is not before and state.restarts < RESTARTS:
            again = dataclasses.replace(best, stage="polish")
            return dataclasses.replace(
                state, current=again, best=None, tasks=None, restarts=state.restarts + 1, stage="search"
            )
        state = dataclasses.replace(state, best=best, tasks=todo[RIVALS_PER_STEP:])
        return state if state.tasks else dataclasses.replace(state, stage="settle")

    def _settle(self, state: State) -> State:
        """The mechanism stands: bend its Arrhenius lines where the data do, and look at its cycles."""
        state = self._reweighted(state)
        assert state.best is not None and state.best.at is not None
        best, at, warm = state.best, state.best.at, warmth(self.data)
        setting = self._setting(state, best.laws)
        variance, rise, bent = setting.criterion.variance(at.chi2), self._rise(setting, at), frozenset[int]()
        if warm is not None:
            at, bent = settle.bend(setting, at, warm, rise)
        names = [equation(a, b, self.data.species) for a, b in zip(*setting.library.take(at.active), strict=True)]
        state = dataclasses.replace(state, bent=tuple(sorted(bent)), stage="intervals", estimates=())
        problem = self._setting(state, best.laws).problem
        tested, balanced = settle.tested(problem, setting.library, at, names, rise, variance)
        if tested is not None and self.options.detailed_balance:
            tested, at = dataclasses.replace(tested, held=True), balanced
        return dataclasses.replace(state, best=dataclasses.replace(best, at=at), balance=tested)

    def _reweighted(self, state: State) -> State:
        """The noise of species compared as the residuals have it, and the mechanism fitted once more."""
        assert state.best is not None and state.best.at is not None and state.sd is not None
        if self._noise_known:
            return state
        best, at, setting = state.best, state.best.at, self._setting(state, state.best.laws)
        residuals = misfit.of_fit(setting.problem, setting.library.take(at.active), at)
        after = dataclasses.replace(state, sd=state.sd * misfit.reweighting(residuals, len(state.sd)))
        problem = self._setting(after, best.laws).problem
        again = refine.fit(problem, setting.library, at.active, at.k, phi=at.phi, c0=at.c0)
        if again is None:
            return state
        ratio = again.chi2 / max(at.chi2, 1e-300)  # of the others, which are not fitted once more, it is about the same
        visited = tuple(dataclasses.replace(other, chi2=other.chi2 * ratio) for other in best.visited)
        return dataclasses.replace(after, best=dataclasses.replace(best, at=again, visited=visited))

    def _intervals(self, state: State) -> State:
        """The interval of one more constant."""
        assert state.best is not None and state.best.at is not None
        at, index = state.best.at, len(state.estimates)
        if index == len(at.k) + len(at.phi):
            return self._counted(dataclasses.replace(state, stage=self._after_intervals), state.best)
        setting = self._setting(state, state.best.laws)
        rise = self._rise(setting, at)
        estimate, better = intervals.interval(setting.problem, setting.library, at, index, rise)
        if at.chi2 - better.chi2 > 0.05 * rise and state.restarts < RESTARTS:  # the profile found a lower valley
            best = dataclasses.replace(state.best, at=better, score=setting.criterion(setting.library, better))
            return dataclasses.replace(state, best=best, estimates=(), restarts=state.restarts + 1)
        return dataclasses.replace(state, estimates=(*state.estimates, estimate))

    @property
    def _after_intervals(self) -> str:
        return "profiles" if self.options.profiles else "resamples" if self.options.resamples else "done"

    def _profiles(self, state: State) -> State:
        """The likelihood along one more constant."""
        assert state.best is not None and state.best.at is not None
        at, index, setting = state.best.at, len(state.profiles), self._setting(state, state.best.laws)
        library, rise = setting.library, self._rise(setting, at)
        i = int(at.active[index])
        name = equation(library.reactants[i], library.products[i], self.data.species)
        more = intervals.profile(name, setting.problem, library, at, index, rise, state.estimates[index])
        profiles = (*state.profiles, more)
        last = "resamples" if self.options.resamples else "done"
        stage = last if len(profiles) == len(at.k) else "profiles"
        return dataclasses.replace(state, profiles=profiles, stage=stage)

    def _resamples(self, state: State) -> State:
        """One more search, on data made anew."""
        rng = np.random.default_rng([state.seed, len(state.resampled)])
        active = self._active_again(state, rng) if self._linear else self._searched_again(state, rng)
        resampled = (*state.resampled, tuple(map(int, active)))
        stage = "done" if len(resampled) == self.options.resamples else "resamples"
        return dataclasses.replace(state, resampled=resampled, stage=stage)

    def _searched_again(self, state: State, rng: np.random.Generator) -> Int[np.ndarray, "_"]:
        assert state.best is not None and state.best.at is not None
        best, at = self._setting(state, state.best.laws), state.best.at
        values = bootstrap.concentrations(best.problem, best.library.take(at.active), at, rng)
        plain = self._setting(dataclasses.replace(state, bent=(), balance=None), state.best.laws)
        setting, found = bootstrap.again(plain, values), Search(state.best.laws, "start")
        while found.stage != "done":
            found = search.step(found, setting)
        return np.zeros(0, int) if found.at is None else found.at.active

    def _active_again(self, state: State, rng: np.random.Generator) -> Int[np.ndarray, "_"]:
        library, rows = self._library(state.pending[0]), regression.slopes(self.data)
        keep = required(self.options, library, self.data.species)
        best = regression.fit(rows, library, keep)
        return regression.fit(bootstrap.slopes(rows, library, best, rng), library, keep).active

    def _rise(self, setting: Setting, at: Fitted) -> float:
        """Of chi2 at the end of a 95 % interval."""
        problem = setting.problem
        return intervals.threshold(problem.points, at.parameters(problem), at.chi2, self._noise_known)

    # what a stage works on

    @property
    def _linear(self) -> bool:
        return self.options.derivatives and self.data.has_derivatives and not self._unused

    @property
    def _unused(self) -> str:
        """Why measured derivatives are left aside, "" where there is no reason: with either, the constants are no
        longer the solution of one linear problem."""
        if not (self.options.derivatives and self.data.has_derivatives):
            return ""
        if warmth(self.data) is not None:
            return "the experiments differ in temperature"
        return "detailed balance is held in fits of concentrations" if self.options.detailed_balance else ""

    @property
    def _noise_known(self) -> bool:
        return noise.known(self.data)

    def _hypotheses(self, sd: Float[np.ndarray, "species"]) -> list[Int[np.ndarray, "laws species"]]:
        if self.options.laws:
            return [np.array(self.options.laws, int).reshape(-1, len(self.data.species))]
        return laws.hypotheses(self.data, self._noise_for_laws(sd))

    def _noise_for_laws(self, sd: Float[np.ndarray, "species"]) -> Float[np.ndarray, "species"]:
        """Given standard deviations (their median) before estimated ones."""
        given = np.vstack([np.where(run.sd > 0, run.sd, np.nan) for run in self.data.runs])
        known = np.isfinite(given).any(axis=0)
        median = np.nanmedian(np.where(known, given, 1.0), axis=0)
        return np.where(known, median, sd)

    def _library(self, conserved: Int[np.ndarray, "laws species"]) -> Library:
        return library_for(self.options, len(self.data.species), conserved.tobytes(), len(conserved))

    def _setting(self, state: State, conserved: Int[np.ndarray, "laws species"]) -> Setting:
        assert state.sd is not None
        data = self.data.unmeasured(state.left_out).settled(self.data.still)  # no noise to weigh others by
        held = state.balance is not None and state.balance.held
        problem = prepare(data, state.sd, bent=frozenset(state.bent), balanced=held)
        library = self._library(conserved)
        criterion = Criterion(problem.points, self._noise_known, int(problem.free.sum()))
        return Setting(data, problem, library, criterion, required(self.options, library, self.data.species))

    def _misfit(self, state: State, found: Search) -> float:
        assert found.at is not None and state.sd is not None
        return found.at.chi2 / self._setting(state, found.laws).problem.points

    def _from_residuals(self, state: State, found: Search) -> Float[np.ndarray, "species"] | None:
        """The noise of each species by the residuals; None if the species compare as thought, or the fit is bad.

        A factor common to all species changes nothing: the criterion and the intervals estimate it anyway.
        """
        assert found.at is not None and state.sd is not None
        factor = self._noise_factor(state, found)
        uneven = factor.max() / factor.min() > REESTIMATE
        return state.sd * factor if uneven and factor.max() < TRUSTED else None

    def _noise_factor(self, state: State, found: Search) -> Float[np.ndarray, "species"]:
        assert found.at is not None
        setting = self._setting(state, found.laws)
        residuals = misfit.of_fit(setting.problem, setting.library.take(found.at.active), found.at)
        return misfit.noise_factor(residuals, len(self.data.species))

    @staticmethod
    def _counted(state: State, found: Search) -> State:
        return dataclasses.replace(state, solves=state.solves + found.solves, failed=state.failed + found.failed)

    def _metrics(self, state: State) -> Metrics:
        """For the reader: stage in words, how far, and the best mechanism so far."""
        found = state.current or state.best
        words = {
            "noise": "noise and conservation laws",
            "laws": "conservation laws",
            "search": f"search: {found.stage}" if found else "search",
            "rivals": "rival mechanisms",
            "settle": "temperatures and cycles",
            "intervals": "95 % intervals",
            "profiles": "profiles of the likelihood",
            "resamples": f"resample {len(state.resampled) + 1} of {self.options.resamples}",
            "done": "done",
        }
        share = 0.2 if self.options.resamples else 1.0  # of the work before them
        again = len(state.resampled) / max(self.options.resamples, 1)
        progress = share + (1 - share) * again if state.stage == "resamples" else share * _progress(state)
        progress = 1.0 if state.stage == "done" else progress
        metrics: dict[str, float | str] = {"stage": words[state.stage], "progress": progress}
        if found is not None and found.at is not None:
            metrics |= {"reactions": len(found.at.active), "chi2": found.at.chi2, "score": found.score}
            metrics |= {"solves": state.solves + found.solves, "failed": state.failed + found.failed}
        return metrics


def _progress(state: State) -> float:
    """A rough share of the work done."""
    if state.stage == "intervals" and state.best is not None and state.best.at is not None:
        return 0.7 + 0.3 * len(state.estimates) / max(len(state.best.at.k), 1)
    inside = {"start": 0.05, "screen": 0.15, "eliminate": 0.3, "polish": 0.45, "done": 0.5}
    if state.stage == "search" and state.current is not None:
        return inside[state.current.stage]
    return {"noise": 0.0, "laws": 0.04, "rivals": 0.55, "settle": 0.68, "profiles": 0.97, "done": 1.0}[state.stage]


@functools.lru_cache(maxsize=16)
def library_for(options: Options, species: int, conserved: bytes, count: int) -> Library:
    """The library under some laws, with what the user requires and without what the user forbids."""
    matrix = np.frombuffer(conserved, int).reshape(count, species)
    everything = build(matrix, species, max_order=options.max_order, catalysts=options.catalysts)
    forbidden = {direction(np.array(a), np.array(b)) for a, b in options.forbid}
    keys = [direction(a, b) for a, b in zip(everything.reactants, everything.products, strict=True)]
    kept = everything.take([i for i, name in enumerate(keys) if name not in forbidden])
    extra = [(a, b) for a, b in options.require if direction(np.array(a), np.array(b)) not in set(keys)]
    if not extra:
        return kept
    more = (np.array([pair[side] for pair in extra], int) for side in (0, 1))
    return Library(*(np.vstack([old, new]) for old, new in zip(kept, more, strict=True)))


def may_happen(options: Options, reactants: np.ndarray, products: np.ndarray) -> bool:
    """Whether the user leaves a reaction open: not forbidden, and no catalyst where there are none."""
    spectator = bool(np.minimum(reactants, products).any())
    told = {direction(np.array(a), np.array(b)) for a, b in options.forbid}
    return direction(reactants, products) not in told and (options.catalysts or not spectator)


def required(options: Options, library: Library, species: tuple[str, ...]) -> frozenset[int]:
    """Where the required reactions stand in the library."""
    where = {direction(a, b): i for i, (a, b) in enumerate(zip(library.reactants, library.products, strict=True))}
    both = set(options.require) & set(options.forbid)
    if both:
        a, b = sorted(both)[0]
        raise InputError(f"{equation(a, b, species)} is both required and forbidden")
    return frozenset(where[direction(np.array(a), np.array(b))] for a, b in options.require)


def discover(data: Experiments, options: Options | None = None, *, seed: int = 0) -> Discovered:
    """Learn the mechanism behind measured runs: the whole job in one call."""
    return run(Discovery(data, options or Options()), seed)
