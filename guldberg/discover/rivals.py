"""Mechanisms that the data cannot tell from the best one, and which reactions are in all of them.

For each reaction of the best mechanism the best one without it is sought, for each absent one the best one with it: by
elimination on the linear problem over the whole library, so that several reactions change at once where they must, and
confirmed by a real refit. A reaction is certain if nothing within the margin does without it, not even all other
reactions of the library together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from guldberg.discover import linear, select
from guldberg.discover.search import Search, Setting, Task, Visited
from guldberg.discover.select import Chosen

NEAR = 8.0  # the linear prediction may be this far outside the margin and still be refitted
MOST = 24  # refits
SWAPS = 8  # of pairs hidden by fast equilibria, those with the fewest spectators
CLEARLY = 3.0  # margins by which all other reactions together must fail to replace a certain one
WORTH_ADDING = 6.6  # a superset counts as a rival from this gain of chi2 on (99 %)


def tasks(search: Search, setting: Setting) -> list[Task]:
    """Sets to refit, most promising first."""
    assert search.at is not None
    library, criterion, at = setting.library, setting.criterion, search.at
    fast = select.saturated(setting.problem, library, at)
    lin = select.tangent(setting.problem, library, at, fast)
    if lin is None:
        return []
    price, held = criterion.price * criterion.variance(at.chi2), setting.keep | frozenset(map(int, fast))
    everything, inside = np.arange(len(library.net)), set(map(int, at.active))
    sets = [linear.eliminate(lin, price, held, everything[everything != i]) for i in sorted(inside - held)]
    others = (j for j in range(len(everything)) if j not in inside)
    sets += [linear.eliminate(lin, price, held | {j}, np.union1d(at.active, [j])) for j in others]
    _, rss = lin.residual(at.active)
    cost, predicted = criterion.cost(library, at.active), {}
    for chosen in sets:
        gain = (rss - lin.residual(chosen)[1]) / criterion.variance(at.chi2)
        if set(map(int, chosen)) > inside and gain < 0.5 * WORTH_ADDING:
            continue
        predicted[tuple(map(int, chosen))] = criterion.cost(library, chosen) - cost - gain
    near = [c for c in sorted(predicted, key=lambda c: (predicted[c], c)) if predicted[c] < criterion.price + NEAR]
    drops = [at.active[at.active != i] for i in fast if int(i) not in setting.keep]
    plain: list[Task] = [(np.array(c, int), None) for c in [*near[:MOST], *map(tuple, drops)] if c not in search.tried]
    swaps: list[Task] = [(c, given) for c, given in select.equilibrium_swaps(library, at, fast, setting.keep)]
    return plain + swaps[:SWAPS]


def within_margin(search: Search, setting: Setting) -> list[Visited]:
    """The refitted mechanisms whose score is less than 2 ln n above the best, best first; idle supersets left out."""
    assert search.at is not None
    best, margin = set(map(int, search.at.active)), setting.criterion.price
    out = []
    for other in _one_each(search.visited):
        chosen, gain = set(map(int, other.active)), (search.at.chi2 - other.chi2)
        idle = chosen > best and gain < WORTH_ADDING * setting.criterion.variance(search.at.chi2)
        if chosen != best and other.score - search.score < margin and not idle and not _padded(chosen, other, out):
            out.append(other)
    return out


def _one_each(visited: tuple[Visited, ...]) -> list[Visited]:
    best: dict[tuple[int, ...], Visited] = {}
    for v in visited:
        name = tuple(map(int, v.active))
        if name not in best or v.score < best[name].score:
            best[name] = v
    return sorted(best.values(), key=lambda v: v.score)


def _padded(chosen: set[int], other: Visited, kept: list[Visited]) -> bool:
    """Whether a kept rival is the same mechanism with fewer reactions."""
    return any(chosen > set(map(int, rival.active)) for rival in kept)


def certain(search: Search, setting: Setting, rivals: list[Visited]) -> Bool[np.ndarray, "reactions"]:
    """For each reaction of the best mechanism, whether nothing within the margin does without it."""
    assert search.at is not None
    library, criterion, at = setting.library, setting.criterion, search.at
    needed = np.array([all(i in v.active for v in rivals) for i in at.active], bool)
    fast, everything = select.saturated(setting.problem, library, at), np.arange(len(library.net))
    lin = select.tangent(setting.problem, library, at, fast)
    if lin is None:
        return needed & False
    limit = CLEARLY * criterion.price * criterion.variance(at.chi2)
    _, rss = lin.residual(everything)
    replaceable = _replaceable(search, setting, fast)
    for n, i in enumerate(at.active):
        if needed[n] and i in fast:
            needed[n] = int(i) not in replaceable
        elif needed[n]:
            _, without = lin.residual(everything[everything != i])
            needed[n] = without - rss > limit
    return needed


def _replaceable(search: Search, setting: Setting, fast: Chosen) -> set[int]:
    """Reactions in pairs that another pair could stand for behind a fast equilibrium, where that was not refitted."""
    assert search.at is not None
    active = set(map(int, search.at.active))
    swaps = select.equilibrium_swaps(setting.library, search.at, fast, setting.keep)
    open_ = [chosen for chosen, _ in swaps if tuple(map(int, chosen)) not in search.tried]
    return set().union(*(active - set(map(int, chosen)) for chosen in open_))
