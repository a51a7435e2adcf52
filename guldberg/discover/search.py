"""The search for a mechanism under one set of conservation laws: start, eliminate, polish. Every step is pure.

The first rounds run on a few experiments only; the whole data decide at the end. Every mechanism that was refitted on
the whole data is remembered: the path of scores, and what need not be tried again.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover import refine, select, start
from guldberg.discover.library import Library
from guldberg.discover.linear import Compressed
from guldberg.discover.problem import Problem, chi2_at
from guldberg.discover.refine import Fitted
from guldberg.discover.select import Chosen, Criterion
from guldberg.experiments import Experiments

SCREEN = 20  # runs of the first rounds
ROUNDS = 8  # of elimination, at most
PROMISING = 8.0  # a move whose linear prediction is worse than the present score by more than this is not refitted
HOPELESS = 1e4  # a drop is refitted even if its prediction is worse: a fast equilibrium makes predictions unreliable
REFITS = 12  # moves beyond the drops tried per polish


Task = tuple[Chosen, dict[int, float] | None]  # a set to refit, and what the linear problem cannot propose


class Setting(NamedTuple):
    """What a search works on; follows from the data, the noise and the laws."""

    data: Experiments
    problem: Problem
    library: Library
    criterion: Criterion
    keep: frozenset[int]  # required reactions

    @property
    def runs(self) -> Int[np.ndarray, "_"]:
        """The few runs, spread over the data, that serve for a first look."""
        return np.unique(np.linspace(0, len(self.data.runs) - 1, SCREEN).astype(int))

    def screen(self) -> tuple[Setting, bool]:
        """The same on those runs only, and whether that is any smaller."""
        some = self.runs
        if len(some) == len(self.data.runs):
            return self, False
        problem = self.problem.some(some)
        data = dataclasses.replace(self.data, runs=tuple(self.data.runs[e] for e in some))
        initials = int(problem.free.sum())
        criterion = dataclasses.replace(self.criterion, points=problem.points, initials=initials)
        return self._replace(data=data, problem=problem, criterion=criterion), True


@dataclasses.dataclass(frozen=True)
class Visited:
    """A mechanism that was refitted on the whole data."""

    active: Chosen
    k: Float[np.ndarray, "_"]
    chi2: float
    score: float


@dataclasses.dataclass(frozen=True)
class Search:
    """Where the search under one set of laws stands."""

    laws: Int[np.ndarray, "laws species"]
    stage: str  # "start", "screen", "eliminate", "polish", "done"
    at: Fitted | None = None
    score: float = np.inf
    rounds: tuple[tuple[int, ...], ...] = ()  # sets met by elimination
    visited: tuple[Visited, ...] = ()
    tried: tuple[tuple[int, ...], ...] = ()  # sets that need not be attempted again
    solves: int = 0
    failed: int = 0


def step(search: Search, setting: Setting) -> Search:
    """One unit of work of the search."""
    return {"start": _start, "screen": _screen, "eliminate": _eliminate, "polish": _polish}[search.stage](
        search, setting
    )


def _start(search: Search, setting: Setting) -> Search:
    """Fit the whole library, or as much of it as a stall allows: elimination frees what is stuck."""
    small, _ = setting.screen()
    if len(setting.library.net) == 0:
        return dataclasses.replace(search, stage="done")
    k, phi = start.constants(small.data, small.problem, setting.library)
    everything = np.arange(len(setting.library.net))
    at = refine.fit(small.problem, setting.library, everything, k, phi=phi, damping=0.1, decrement=0.1)
    if at is None:
        return dataclasses.replace(search, stage="done", failed=search.failed + len(small.data.runs))
    return _counted(search, at, stage="screen", at=at)


def _screen(search: Search, setting: Setting) -> Search:
    """Eliminate on a few runs; what is left is fitted to all of them."""
    small, smaller = setting.screen()
    after = _round(search, small, bold=True)
    if after.stage == "screen" or not smaller or after.at is None:
        return after
    whole = refine.fit(setting.problem, setting.library, after.at.active, after.at.k, phi=after.at.phi)
    if whole is None:
        return dataclasses.replace(after, stage="done", at=None)
    fresh = dataclasses.replace(after, stage="eliminate", at=None, score=np.inf, rounds=(), visited=())
    return _counted(_remember(fresh, whole, setting), whole)


def _eliminate(search: Search, setting: Setting) -> Search:
    return _round(search, setting, bold=False)


def _round(search: Search, setting: Setting, *, bold: bool) -> Search:
    """L0 Gauss-Newton from the present point; polishing begins when a set repeats or nothing can be fitted."""
    assert search.at is not None
    work = (setting.problem, setting.library, search.at, setting.criterion, setting.keep)
    at = select.eliminate(*work, bold=bold)
    if at is None:
        return dataclasses.replace(search, stage="polish" if search.visited else "done")
    key = tuple(map(int, at.active))
    repeated = key in search.rounds or len(search.rounds) == ROUNDS
    after = _counted(_remember(search, at, setting), at, rounds=(*search.rounds, key))
    return dataclasses.replace(after, stage="polish") if repeated else after


def _polish(search: Search, setting: Setting) -> Search:
    """Refit neighbouring sets until one is better; done when none is."""
    assert search.at is not None
    fast = select.saturated(setting.problem, setting.library, search.at)
    lin = select.tangent(setting.problem, setting.library, search.at, fast)
    if lin is None:
        return dataclasses.replace(search, stage="done")
    plain: list[Task] = [(chosen, None) for chosen in _worth_trying(search, setting, lin, fast)]
    for chosen, given in plain + simpler_equilibria(setting, search.at, fast):
        search, other = attempt(search, setting, chosen, lin, fast, given=given)
        if other is not None and search.at is other:
            return search
    return dataclasses.replace(search, stage="done")


def simpler_equilibria(setting: Setting, at: Fitted, fast: Chosen) -> list[Task]:
    """Fast pairs replaced by pairs with fewer spectators: no worse a fit can be simpler."""
    library = setting.library
    cost = setting.criterion.cost(library, at.active)
    swaps = select.equilibrium_swaps(library, at, fast, setting.keep)
    return [(chosen, given) for chosen, given in swaps if setting.criterion.cost(library, chosen) < cost]


def attempt(
    search: Search,
    setting: Setting,
    chosen: Chosen,
    lin: Compressed,
    fast: Chosen,
    slack: float = 0.0,
    given: dict[int, float] | None = None,
) -> tuple[Search, Fitted | None]:
    """Refit `chosen` unless a few runs rule out that it scores within `slack` of the best, and remember it."""
    library, criterion, at = setting.library, setting.criterion, search.at
    assert at is not None
    name = tuple(map(int, chosen))
    if name in search.tried:
        return search, None
    search = dataclasses.replace(search, tried=(*search.tried, name))
    target = criterion.reach(library, at, chosen, slack)
    small, smaller = setting.screen()
    if smaller:
        some = setting.runs
        chi2 = chi2_at(small.problem, library.take(at.active), at.k, at.phi, at.c0[some])
        allowed = chi2 + (target - at.chi2) + 0.5 * criterion.price * criterion.variance(at.chi2)
        here = dataclasses.replace(at, c0=at.c0[some])
        tried = select.refit(small.problem, library, chosen, here, lin, fast, allowed, given)
        if tried is None or tried.chi2 > allowed:
            return _counted(search, tried or _failure(at, len(some))), None
        start = dataclasses.replace(at, active=chosen, k=tried.k, phi=tried.phi)
        other = refine.fit(setting.problem, library, chosen, tried.k, phi=tried.phi, c0=start.c0, target=target)
        search = _counted(search, tried)
    else:
        other = select.refit(setting.problem, library, chosen, at, lin, fast, target, given)
    if other is None:
        return _counted(search, _failure(at, len(setting.data.runs))), None
    return _counted(_remember(search, other, setting), other), other


def attempt_from(
    search: Search, setting: Setting, chosen: Chosen, given: dict[int, float] | None, slack: float
) -> Search:
    """`attempt` with the linear problem made afresh at the best mechanism."""
    assert search.at is not None
    fast = select.saturated(setting.problem, setting.library, search.at)
    lin = select.tangent(setting.problem, setting.library, search.at, fast)
    if lin is None:
        return search
    return attempt(search, setting, chosen, lin, fast, slack, given)[0]


def _failure(at: Fitted, runs: int) -> Fitted:
    """Stands for a fit whose start could not be integrated."""
    return dataclasses.replace(at, solves=runs, failed=runs)


def _worth_trying(search: Search, setting: Setting, lin: Compressed, fast: Chosen) -> list[Chosen]:
    """Drops first, even where the linear problem advises against them; then what it finds promising."""
    assert search.at is not None
    moves = select.moves(setting.library, search.at, lin, setting.criterion, setting.keep)
    size = len(search.at.active)
    drops = [m.chosen for m in moves if len(m.chosen) < size and m.predicted < HOPELESS]
    lost = frozenset(map(int, fast))
    others = [m.chosen for m in moves if len(m.chosen) >= size and m.predicted < PROMISING]
    return drops + [c for c in others if lost <= set(map(int, c))][:REFITS]


def _remember(search: Search, at: Fitted, setting: Setting) -> Search:
    """Note a refitted mechanism, and move there if it is the best so far."""
    score = setting.criterion(setting.library, at)
    visited = (*search.visited, Visited(at.active, at.k, at.chi2, score))
    if score < search.score:
        return dataclasses.replace(search, at=at, score=score, visited=visited)
    return dataclasses.replace(search, visited=visited)


def _counted(search: Search, fitted: Fitted, **changes) -> Search:
    return dataclasses.replace(
        search, solves=search.solves + fitted.solves, failed=search.failed + fitted.failed, **changes
    )
