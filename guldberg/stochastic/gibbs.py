"""Block Gibbs sampling of periodic lattices of at most three species, on which units of one layer exclude each other.

The neighbours of a unit enter its energy through how many of each species they are. A unit is therefore kept as the
number 16^k for the k-th species and 0 if empty: the sum over its neighbours *is* those three counts, and names the row
of a table of cumulative probabilities.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, Integer

from guldberg.errors import InputError
from guldberg.stochastic.counting import MAX_CUBE_SPECIES, checked
from guldberg.stochastic.sites import Shape, sides, steps, table
from guldberg.stochastic.words import GOLDEN, HALF, jit, mix, spread, streams

BITS = 4  # of the count of one species among the neighbours
ROWS = 1 << (BITS * MAX_CUBE_SPECIES)
NEIGHBOURS = 8  # a loop of fixed length is unrolled, twice as fast; absent ones are a unit that stays empty

States = Integer[np.ndarray, "chains *sites"]


def cube_sweeps(
    visible: States,
    b: Float[np.ndarray, "species"],
    W: Float[np.ndarray, "species hidden"],
    hidden_b: Float[np.ndarray, "hidden"],
    *,
    sweeps: int,
    seed: int,
    threads: int | None = None,
) -> Int8[np.ndarray, "chains *sites"]:
    """The visible states after `sweeps` rounds of hidden given visible and visible given hidden units, for

        p(v, h) ~ exp(sum_i b v_i + sum_j hidden_b h_j + sum_{ij} v_i W h_j),      Ernst et al. eqs. (35), (44),

    a hidden unit for each block of 2 x 2 x 2 sites, that of its own site and the next ones on each axis (Fig. 5);
    likewise 2 x 2 and 2 in fewer dimensions. Raises InputError where shapes do not fit or a parameter is not finite.
    """
    W, b, hidden_b = _finite(W, 2), _finite(b, 1), _finite(hidden_b, 1)
    if W.shape != (b.size, hidden_b.size):
        raise InputError(f"weights of shape {W.shape} for {b.size} visible and {hidden_b.size} hidden species")
    ahead = list(itertools.product((0, 1), repeat=visible.ndim - 1))
    behind = [tuple(-x for x in offset) for offset in ahead]
    there, back = _layer(ahead, b.size, hidden_b, W), _layer(behind, hidden_b.size, b, W.T)
    return _sweeps(visible, (there, back), 2, sweeps, seed, threads)


def pair_sweeps(
    visible: States,
    b: Float[np.ndarray, "species"],
    J: Float[np.ndarray, "species species"],
    *,
    sweeps: int,
    seed: int,
    threads: int | None = None,
) -> Int8[np.ndarray, "chains *sites"]:
    """The states after `sweeps` rounds over all sites, each given its nearest neighbours, for

        p(v) ~ exp(sum_i b v_i + sum_<ij> v_i J v_j)

    with symmetric J and each undirected pair once. Raises InputError like `cube_sweeps`.
    """
    b, J = _finite(b, 1), _finite(J, 2)
    if J.shape != (b.size, b.size) or not np.array_equal(J, J.T):
        raise InputError(f"couplings of shape {J.shape} for {b.size} species; expected a symmetric matrix")
    ahead = steps(visible.ndim - 1)
    beside = _layer([*ahead, *(tuple(-x for x in offset) for offset in ahead)], b.size, b, J)
    return _sweeps(visible, (beside,), 1, sweeps, seed, threads)


class _Layer(NamedTuple):
    offsets: Sequence[Shape]  # of the units that decide, from the unit that is drawn
    species: int  # of those units
    until: np.ndarray  # cumulative probabilities of the species that is drawn, of 32 bits, by the sum over those units


def _layer(offsets: Sequence[Shape], species: int, b: np.ndarray, W: np.ndarray) -> _Layer:
    if max(species, b.size) > MAX_CUBE_SPECIES:
        raise InputError(f"Gibbs sampling of {max(species, b.size)} species; expected at most {MAX_CUBE_SPECIES}")
    return _Layer(offsets, species, _cumulative(len(offsets), b, np.ascontiguousarray(W)))


def _finite(x: Float[np.ndarray, "..."], axes: int) -> np.ndarray:
    x = np.asarray(x, float)
    if x.ndim != axes or not np.isfinite(x).all():
        raise InputError(f"parameters {x.tolist()}; expected finite numbers on {axes} axes")
    return x


def _sweeps(
    visible: States, layers: tuple[_Layer, ...], states: int, sweeps: int, seed: int, threads: int | None
) -> Int8[np.ndarray, "chains *sites"]:
    if sweeps < 0:
        raise InputError(f"{sweeps} sweeps; expected 0 or more")
    visible = checked(visible, layers[0].species)
    chains, shape = len(visible), visible.shape[1:]
    order, place, tables = _tables(shape, tuple(tuple(layer.offsets) for layer in layers))
    until = np.stack([layer.until for layer in layers])
    out, keys = np.ascontiguousarray(visible.reshape(chains, -1)[:, order]), streams(seed, chains)
    spread(lambda first, last: _chains(first, last, keys, out, states, sweeps, tables, until), chains, threads)
    return out[:, place].reshape(visible.shape)


@functools.lru_cache(maxsize=16)
def _tables(shape: Shape, offsets: tuple[tuple[Shape, ...], ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of sites, where each went, and the neighbours in that order, for each layer. Sites of one parity come
    first: neighbours are then not drawn right after each other, and nothing waits."""
    around = sides(True, shape)
    order = np.argsort(np.indices(shape).sum(axis=0).ravel() % 2, kind="stable")
    place = np.argsort(order)
    tables = np.full((len(offsets), order.size, NEIGHBOURS), order.size, np.uint32)
    for layer, present in enumerate(offsets):
        tables[layer, :, : len(present)] = place[table(shape, around, present)[order]]
    return order, place, tables


@jit
def _cumulative(neighbours, b, W):
    until = np.zeros((ROWS, MAX_CUBE_SPECIES + 1), np.uint32)
    n, weights = np.zeros(MAX_CUBE_SPECIES), np.zeros(b.size + 1)
    for row in range(ROWS):
        for a in range(MAX_CUBE_SPECIES):
            n[a] = (row >> (BITS * a)) & (2**BITS - 1)
        if n.sum() > neighbours or n[W.shape[0] :].sum() > 0:
            continue
        weights[b.size] = 0.0  # empty
        for c in range(b.size):
            weights[c] = b[c]
            for a in range(W.shape[0]):
                weights[c] += n[a] * W[a, c]
        weights -= weights.max()
        total, whole = 0.0, np.exp(weights).sum()
        for c in range(MAX_CUBE_SPECIES):
            total += np.exp(weights[c]) if c < b.size else 0.0
            until[row, c] = np.uint32(min(np.round(4294967296.0 * total / whole), 4294967295.0))
    return until


@jit
def _chains(first, last, keys, out, states, sweeps, tables, until):
    n = out.shape[1]
    units = np.zeros((2, n + 1), np.uint16)
    for r in range(first, last):
        counter = keys[r]
        for i in range(n):
            units[0, i] = 1 << (BITS * (out[r, i] - 1)) if out[r, i] else 0
        for _ in range(sweeps):
            for layer in range(states):
                source, target = units[layer], units[(layer + 1) % states]
                counter = _draw(counter, source, target, tables[layer], until[layer])
        for i in range(n):
            x = units[0, i]
            out[r, i] = (x > 0) + (x > 1) + (x > 16)


@jit
def _draw(counter, source, target, neighbours, until):
    """Each unit of `target` given its neighbours in `source`. Unsigned throughout: a signed index would be tested for
    being negative, each time."""
    bits, last = np.uint64(BITS), np.uint64(ROWS - 1)
    for i in range(np.uint64(len(neighbours))):
        row = np.uint64(0)
        for d in range(np.uint64(NEIGHBOURS)):
            row += source[neighbours[i, d]]
        counter += GOLDEN
        u = np.uint32(mix(counter) >> HALF)
        c = np.uint64(u >= until[row, 0]) + np.uint64(u >= until[row, 1]) + np.uint64(u >= until[row, 2])
        target[i] = (np.uint64(1) << (bits * c)) & last
    return counter
