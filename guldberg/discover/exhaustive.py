"""Every mechanism of a few reactions, each fitted: the search that leaves nothing out, where the library is small."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Bool, Int

from guldberg.discover import refine, start
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem
from guldberg.discover.refine import Fitted
from guldberg.experiments import Experiments

ROUGH = 1.0  # expected fall of chi2, in units of the noise variance, at which a first fit stops
CLOSE = 50  # of the best of those are fitted to the end


def reaching(library: Library, fed: Bool[np.ndarray, "species"], sizes: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """The sets of so many reactions that can make every species from those that are there at the start."""
    for size in sizes:
        for chosen in itertools.combinations(range(len(library.net)), size):
            if _made(library, fed, chosen).all():
                yield chosen


def _made(library: Library, fed: Bool[np.ndarray, "species"], chosen: tuple[int, ...]) -> Bool[np.ndarray, "species"]:
    """What is there in the end."""
    present, before = fed.copy(), -1
    while present.sum() != before:
        before = present.sum()
        for i in chosen:
            if (present | (library.reactants[i] == 0)).all():
                present |= library.products[i] > 0
    return present


def ranked(
    data: Experiments, problem: Problem, library: Library, sets: Iterable[Int[np.ndarray, "_"] | tuple[int, ...]]
) -> list[Fitted]:
    """Every set fitted from its own start, best chi2 first; sets that cannot be integrated are left out.

    The first `CLOSE` are fitted to the end; beyond them chi2 is an upper bound, of fits given up without hope.
    """
    rough: list[Fitted] = []
    for chosen in sets:
        target = rough[CLOSE - 1].chi2 if len(rough) >= CLOSE else np.inf
        at = _fitted(data, problem, library, np.array(chosen, int), target)
        if at is not None:
            bisect.insort(rough, at, key=_order)
    fine = [refine.fit(problem, library, at.active, at.k, phi=at.phi, c0=at.c0) or at for at in rough[:CLOSE]]
    return sorted([*fine, *rough[CLOSE:]], key=_order)


def _order(at: Fitted) -> tuple[float, tuple[int, ...]]:
    return at.chi2, tuple(map(int, at.active))


def _fitted(
    data: Experiments, problem: Problem, library: Library, chosen: Int[np.ndarray, "_"], target: float
) -> Fitted | None:
    k, phi = start.constants(data, problem, library.take(chosen))
    return refine.fit(problem, library, chosen, k, phi=phi, decrement=ROUGH, target=target)
