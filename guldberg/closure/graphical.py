"""Boltzmann machines over lattices, as energies stated in a few lines.

    A, X = Unit("A"), Unit("X", layer="hidden")
    Energy({"b": A[0], "J": A[0] * A[1], "K": A[0] * A[1] * A[2]})              # Ernst et al. eq. (37)
    Energy({"b": A[0], "b'": X[0], "W": A[0] * X[0] + A[1] * X[0]})             # eq. (39)

A unit is a species that may occupy a site; units of one layer exclude each other there. `A[1]` is its occupancy one
site further, `A[0, 1, 0]` likewise in three dimensions, products are interactions, and every interaction is summed
over all its translates that lie on the lattice: the weights are shared.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

Offset = tuple[int, ...]
Factor = tuple["Unit", Offset]

VISIBLE = "visible"


@dataclasses.dataclass(frozen=True, order=True)
class Unit:
    """A species of a layer: the visible lattice, or hidden units. Units of one layer exclude each other at a site."""

    name: str
    layer: str = VISIBLE

    def __getitem__(self, offset: int | Offset) -> Feature:
        """The occupancy, 0 or 1, at `offset` from a site."""
        return Feature((((self, (offset,) if isinstance(offset, int) else offset),),))


@dataclasses.dataclass(frozen=True)
class Feature:
    """A sum of products of occupancies; each product is a set of (unit, offset)."""

    products: tuple[tuple[Factor, ...], ...]

    def __add__(self, other: Feature) -> Feature:
        return Feature(self.products + other.products)

    def __mul__(self, other: Feature) -> Feature:
        return Feature(tuple(_product(a + b) for a, b in itertools.product(self.products, other.products)))


def _product(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    unique = tuple(sorted(set(factors)))
    if len({(unit.layer, offset) for unit, offset in unique}) < len(unique):
        raise ValueError("two units of one layer cannot occupy the same site: their product is always 0")
    return unique


@dataclasses.dataclass(frozen=True)
class Energy:
    """E(v, h) = - sum_k theta_k sum_translates feature_k(v, h), Ernst et al. eq. (35); p ~ exp(-E).

    ValueError: no visible unit, or offsets of differing dimension.
    """

    interactions: Mapping[str, Feature]

    def __post_init__(self) -> None:
        dimensions = {len(offset) for _, offset in self._factors()}
        if len(dimensions) != 1:
            raise ValueError(f"every offset of an energy needs the same dimension, got {sorted(dimensions)}")
        if not self.species():
            raise ValueError("an energy needs at least one visible unit")

    def __hash__(self) -> int:
        return hash(tuple(self.interactions.items()))

    def _factors(self) -> list[Factor]:
        return [f for feature in self.interactions.values() for product in feature.products for f in product]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of theta, in order."""
        return tuple(self.interactions)

    @property
    def dimension(self) -> int:
        """Of the lattice."""
        return len(self._factors()[0][1])

    @property
    def layers(self) -> tuple[str, ...]:
        """The visible layer, then the hidden ones."""
        return (VISIBLE, *dict.fromkeys(unit.layer for unit, _ in self._factors() if unit.layer != VISIBLE))

    def species(self, layer: str = VISIBLE) -> tuple[str, ...]:
        """The units of a layer in order of appearance; an array of states holds 0 (empty), 1, 2, ... for them."""
        return tuple(dict.fromkeys(unit.name for unit, _ in self._factors() if unit.layer == layer))

    def state(self, unit: Unit) -> int:
        """The number that stands for `unit` in an array of states."""
        return 1 + self.species(unit.layer).index(unit.name)

    def also(self, observables: Mapping[str, Feature]) -> Energy:
        """The same energy with further interactions, for moments that it does not control: give them theta = 0."""
        return Energy({**self.interactions, **observables})

    def window(self, layer: str) -> tuple[Offset, Offset]:
        """(lowest, highest) offset of the visible sites that one unit of a hidden layer touches."""
        touched = [
            _difference(offset, centre)
            for feature in self.interactions.values()
            for product in feature.products
            for centre in _centres(product, layer)
            for unit, offset in product
            if unit.layer == VISIBLE
        ] or [(0,) * self.dimension]
        return tuple(map(min, zip(*touched, strict=True))), tuple(map(max, zip(*touched, strict=True)))

    def shape(self, layer: str, lattice: Sequence[int], periodic: bool) -> tuple[int, ...]:
        """How many units a layer has: with open sides a hidden unit needs all its visible sites on the lattice."""
        if periodic or layer == VISIBLE:
            return tuple(lattice)
        low, high = self.window(layer)
        return tuple(n - (b - a) for n, a, b in zip(lattice, low, high, strict=True))

    def sums(self, states: Mapping[str, Int[np.ndarray, "... *sites"]], periodic: bool) -> Float[np.ndarray, "... k"]:
        """The plain version: each feature summed over its translates, in arrays of states by layer."""
        return np.stack(
            [
                sum(self._sum(product, states, periodic) for product in feature.products)
                for feature in self.interactions.values()
            ],
            axis=-1,
        ).astype(float)

    def _sum(
        self, product: tuple[Factor, ...], states: Mapping[str, Int[np.ndarray, "... *sites"]], periodic: bool
    ) -> Int[np.ndarray, "..."]:
        d = self.dimension
        shapes = {layer: values.shape[-d:] for layer, values in states.items()}
        shift = {layer: (0,) * d if periodic or layer == VISIBLE else self.window(layer)[0] for layer in states}
        anchor, origin = product[0]
        total = np.zeros(states[VISIBLE].shape[:-d], int)
        for index in np.ndindex(*shapes[anchor.layer]):
            present = np.ones(total.shape, bool)
            for unit, offset in product:
                moved = zip(index, shift[anchor.layer], offset, origin, shift[unit.layer], strict=True)
                site = tuple(i - a + (o - c) + b for i, a, o, c, b in moved)
                if periodic:
                    site = tuple(s % n for s, n in zip(site, shapes[unit.layer], strict=True))
                elif any(not 0 <= s < n for s, n in zip(site, shapes[unit.layer], strict=True)):
                    break
                present &= states[unit.layer][(..., *site)] == self.state(unit)
            else:
                total += present
        return total


def _difference(a: Offset, b: Offset) -> Offset:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _centres(product: tuple[Factor, ...], layer: str) -> list[Offset]:
    return [offset for unit, offset in product if unit.layer == layer]


A, X = Unit("A"), Unit("X", layer="hidden")

PAIRS = Energy({"b": A[0], "J": A[0] * A[1]})
TRIPLETS = Energy({"b": A[0], "J": A[0] * A[1], "K": A[0] * A[1] * A[2]})  # eq. (37)
HIDDEN_PAIRS = Energy({"b": A[0], "W": A[0] * X[0] + A[1] * X[0], "b'": X[0]})  # eq. (39)
QUADRUPLETS = TRIPLETS.also({"L": A[0] * A[1] * A[2] * A[3]})
_THREE = A[0] * X[0] + A[1] * X[0] + A[2] * X[0]
HIDDEN_QUADRUPLETS = TRIPLETS.also({"V": _THREE, "W": A[3] * X[0], "b'": X[0]})  # units over four sites, two weights


def coarse_graining(pairs: Mapping[str, str], *, full: bool = False) -> Energy:
    """Eq. (44): each hidden species of `pairs` {visible: hidden} sees the visible one on the 2 x 2 x 2 cube of its
    site; with `full` each hidden species sees every visible one, the weights that eq. (44) leaves out."""
    visible = [Unit(name) for name in pairs]
    hidden = [Unit(name, layer="hidden") for name in pairs.values()]
    cube = list(itertools.product((0, 1), repeat=3))
    biases = {f"b_{unit.name}": unit[0, 0, 0] for unit in (*visible, *hidden)}
    joined = itertools.product(visible, hidden) if full else zip(visible, hidden, strict=True)
    weights = {f"W_{v.name}{h.name}": sum((v[o] * h[0, 0, 0] for o in cube), Feature(())) for v, h in joined}
    return Energy({**biases, **weights})


def neighbours(species: Sequence[str]) -> Energy:
    """A bias per species and a coupling per pair of species on neighbouring sites of a cubic lattice."""
    units = [Unit(name) for name in species]
    axes = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    pairs = {
        f"J_{a.name}{b.name}": sum(
            (a[0, 0, 0] * b[x] + (b[0, 0, 0] * a[x] if a != b else Feature(())) for x in axes), Feature(())
        )
        for a, b in itertools.combinations_with_replacement(units, 2)
    }
    return Energy({**{f"b_{unit.name}": unit[0, 0, 0] for unit in units}, **pairs})
