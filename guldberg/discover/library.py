"""The library: every reaction between small complexes that keeps the conservation laws."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

Complexes = Int[np.ndarray, "complexes species"]


class Library(NamedTuple):
    """Directed reactions `reactants -> products`, in a fixed order."""

    reactants: Int[np.ndarray, "reactions species"]
    products: Int[np.ndarray, "reactions species"]

    @property
    def net(self) -> Int[np.ndarray, "reactions species"]:
        """Net change of each species by one event."""
        return self.products - self.reactants

    def where(self) -> dict[tuple[bytes, bytes], int]:
        """Where a reaction stands, by its two complexes."""
        return {key(a, b): i for i, (a, b) in enumerate(zip(self.reactants, self.products, strict=True))}

    def take(self, chosen: Sequence[int] | np.ndarray) -> Library:
        """Some of the reactions."""
        chosen = np.asarray(chosen, int)
        return Library(self.reactants[chosen], self.products[chosen])


def key(a: np.ndarray, b: np.ndarray) -> tuple[bytes, bytes]:
    """A reaction as a dictionary key."""
    return a.astype(np.int64).tobytes(), b.astype(np.int64).tobytes()


def reversible_pairs(library: Library) -> list[tuple[int, int]]:
    """(i, j) and (j, i) for every reaction i of the library whose reverse j is there too."""
    where = library.where()
    pairs = [
        (i, where.get(key(b, a))) for i, (a, b) in enumerate(zip(library.reactants, library.products, strict=True))
    ]
    return [(i, j) for i, j in pairs if j is not None]


def complexes(species: int, max_order: int) -> Complexes:
    """Every multiset of up to `max_order` molecules, the empty one first."""
    rows = [
        np.bincount(np.array(chosen, int), minlength=species)
        for size in range(max_order + 1)
        for chosen in itertools.combinations_with_replacement(range(species), size)
    ]
    return np.array(rows, int).reshape(-1, species)


def build(
    laws: Int[np.ndarray, "laws species"], species: int, *, max_order: int = 2, catalysts: bool = True
) -> Library:
    """All reactions between complexes of up to `max_order` molecules with laws . net = 0.

    `catalysts`: whether a species may stand on both sides. Reactions of the same reactants in the same direction have
    the same equations up to a factor on the constant: one stands for them.
    """
    pool = complexes(species, max_order)
    weight = pool @ laws.T
    pairs = [
        (a, b)
        for a, b in itertools.product(range(len(pool)), repeat=2)
        if a != b and (weight[a] == weight[b]).all() and (catalysts or not np.minimum(pool[a], pool[b]).any())
    ]
    return _without_parallels(Library(*(pool[[p[side] for p in pairs]].reshape(-1, species) for side in (0, 1))))


def direction(reactants: np.ndarray, products: np.ndarray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(reactants, primitive net change): what the equations of a reaction can tell about it."""
    net = products - reactants
    return tuple(map(int, reactants)), tuple(map(int, net // np.gcd.reduce(np.abs(net))))


def _without_parallels(library: Library) -> Library:
    """One of each direction: the one without products if there is one, else that of the smallest net change."""
    best: dict[tuple, int] = {}
    rank = [(bool(b.any()), int(np.abs(b - a).sum())) for a, b in zip(library.reactants, library.products, strict=True)]
    for i, (a, b) in enumerate(zip(library.reactants, library.products, strict=True)):
        name = direction(a, b)
        if name not in best or rank[i] < rank[best[name]]:
            best[name] = i
    return library.take(sorted(best.values()))
