"""What is counted on a lattice: species, pairs at given distances, chains of sites, and blocks of sites by content."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int8, Integer, UInt32, UInt64

from guldberg.errors import InputError
from guldberg.stochastic.sites import Shape, shell, steps, table
from guldberg.stochastic.words import jit, spread

LENGTHS = 4  # of chains of consecutive sites
MAX_CUBE_SPECIES = 3  # four bits each


class Place(NamedTuple):
    """A lattice for compiled code; one site more than there are, always empty, stands for all outside."""

    neighbours: UInt32[np.ndarray, "sites directions"]  # those inside come first
    degree: UInt64[np.ndarray, "sites"]  # how many are inside
    forward: UInt32[np.ndarray, "sites offsets"]  # one of each pair of opposite neighbours of each shell
    shell: UInt64[np.ndarray, "offsets"]
    next: UInt32[np.ndarray, "sites axes"]
    around: bool  # the only axis is periodic
    columns: UInt64[np.ndarray, "codes codes"]  # where a pair of codes is counted; 0 is no pair


class Measured(NamedTuple):
    """The counts of states, each on its own; as in `lattice.Moments`."""

    counts: Int[np.ndarray, "replicas species"]
    pairs: Int[np.ndarray, "replicas shells pairs"]
    cubes: Int[np.ndarray, "replicas classes"]


def pair_names(species: Sequence[str]) -> list[tuple[str, str]]:
    """The order of pair counts: equal species first, then unlike ones: AA BB CC AB AC BC."""
    return [(species[a], species[b]) for a, b in _pairs(len(species))]


def cube_classes(species: int, sites: int = 8) -> Int[np.ndarray, "classes species"]:
    """How many of each species a block of `sites` holds, in the order in which such blocks are counted."""
    contents = itertools.product(range(sites + 1), repeat=species)
    return np.array([n for n in contents if sum(n) <= sites])


def checked(occupancy: Integer[np.ndarray, "replicas *sites"], species: int) -> Int8[np.ndarray, "replicas *sites"]:
    """The same as int8; raises InputError unless it is a state of replicas in one to three dimensions."""
    occupancy = np.asarray(occupancy)
    if occupancy.ndim not in (2, 3, 4) or occupancy.size == 0:
        raise InputError(f"an occupancy of shape {occupancy.shape}; expected replicas, then one to three axes of sites")
    if not np.issubdtype(occupancy.dtype, np.integer):
        raise InputError(f"an occupancy of {occupancy.dtype} numbers; expected whole ones, 0 for an empty site")
    if occupancy.min() < 0 or occupancy.max() > species:
        raise InputError(
            f"an occupancy with values from {occupancy.min()} to {occupancy.max()}; "
            f"expected 0 (empty) to {species} (the last species)"
        )
    return np.ascontiguousarray(occupancy, np.int8)


def place(shape: Shape, periodic: tuple[bool, ...], shells: Sequence[int], species: int, cubes: bool) -> Place:
    """The tables of a lattice; raises InputError for what cannot be counted on it."""
    d, ahead = len(shape), steps(len(shape))
    offsets = [(o, n) for n, squared in enumerate(shells) for o in shell(d, squared)]
    if len({n for _, n in offsets}) < len(shells):
        raise InputError(
            f"pairs at squared distances {list(shells)}: no two sites in {d} dimensions are that far apart"
        )
    if cubes and species > MAX_CUBE_SPECIES:
        raise InputError(f"blocks by their content of {species} species; expected at most {MAX_CUBE_SPECIES}")
    neighbours = table(shape, periodic, [*ahead, *(tuple(-x for x in o) for o in ahead)])
    inside = neighbours < len(neighbours)
    first = np.take_along_axis(neighbours, np.argsort(~inside, axis=1, kind="stable"), axis=1)
    return Place(
        first, inside.sum(axis=1).astype(np.uint64), table(shape, periodic, [o for o, _ in offsets]),
        np.array([n for _, n in offsets], np.uint64), table(shape, periodic, ahead), periodic == (True,),
        _columns(species),
    )  # fmt: skip


def packed(species: int, dimensions: int, cubes: bool) -> Int[np.ndarray, "classes"]:
    """Which entries of a histogram of `count_cubes` are the classes of `cube_classes`."""
    return cube_classes(species, 2**dimensions) @ 16 ** np.arange(species) if cubes else np.arange(0)


def measure(
    occupancy: Integer[np.ndarray, "replicas *sites"], *, species: int, shells: Sequence[int] = (1,), cubes: bool = True
) -> Measured:
    """Count particles, pairs at the squared distances `shells` and blocks of 2 x 2 x 2 sites on periodic lattices."""
    occupancy = checked(occupancy, species)
    replicas, shape = len(occupancy), occupancy.shape[1:]
    where = place(shape, (True,) * len(shape), shells, species, cubes)
    counts = np.zeros((replicas, species), np.int32)
    pairs = np.zeros((replicas, len(shells), len(_pairs(species)) + 1), np.int32)
    blocks = np.zeros((replicas, 16**species if cubes else 0), np.int64)
    flat = occupancy.reshape(replicas, -1)
    spread(lambda first, last: _measure(first, last, flat, where, counts, pairs, blocks), replicas, None)
    return Measured(counts, pairs[..., 1:], blocks[:, packed(species, len(shape), cubes)])


def _pairs(species: int) -> list[tuple[int, int]]:
    return [(a, a) for a in range(species)] + [(a, b) for a in range(species) for b in range(a + 1, species)]


def _columns(species: int) -> UInt64[np.ndarray, "codes codes"]:
    columns = np.zeros((species + 1, species + 1), np.uint64)
    for column, (a, b) in enumerate(_pairs(species), start=1):
        columns[a + 1, b + 1] = columns[b + 1, a + 1] = column
    return columns


@jit
def _measure(first, last, flat, where, counts, pairs, blocks):
    V = flat.shape[1]
    occupied, sites = np.zeros(V + 1, np.uint8), np.empty(V, np.uint32)
    for r in range(first, last):
        n = listed(flat[r], occupied, sites)
        count(sites, n, occupied, where, counts[r], pairs[r])
        count_cubes(occupied, where.next, blocks[r])


@jit
def listed(state, occupied, sites):
    """Write a state where the kernels read it, and list its taken sites; returns how many they are."""
    n = 0
    for p in range(state.size):
        occupied[p] = state[p]
        sites[n] = p
        n += occupied[p] != 0
    return n


@jit
def count(sites, n, occupied, where, counts, pairs):
    """Particles by species and pairs by shell."""
    for i in range(n):
        p = sites[i]
        a = occupied[p]
        counts[a - 1] += 1
        for o in range(where.shell.size):
            pairs[where.shell[o], where.columns[a, occupied[where.forward[p, o]]]] += 1


@jit
def count_chains(occupied, around, chains):
    """Runs of 1 to 4 consecutive sites taken by one species."""
    species, lengths = chains.shape
    if species == 0:
        return
    V = occupied.size - 1
    taken = np.zeros(V + lengths, np.uint8)
    for a in range(species):
        for p in range(V):
            taken[p] = occupied[p] == a + 1
        for p in range(lengths):
            taken[V + p] = around and taken[p % V]
        n1 = n2 = n3 = n4 = 0
        for p in range(V):
            two = taken[p] & taken[p + 1]
            three = two & taken[p + 2]
            n1 += taken[p]
            n2 += two
            n3 += three
            n4 += three & taken[p + 3]
        chains[a, 0], chains[a, 1], chains[a, 2], chains[a, 3] = n1, n2, n3, n4


@jit
def count_cubes(occupied, ahead, blocks):
    """Blocks by content: a particle of the k-th species is 16^k, so the sum over a block is its content."""
    if blocks.size == 0:
        return
    V = occupied.size - 1
    content, outside = np.empty(V + 1, np.int64), 16 * blocks.size
    for p in range(V):
        content[p] = 1 << (4 * (np.int64(occupied[p]) - 1)) if occupied[p] else 0
    content[V] = outside
    for axis in range(ahead.shape[1]):
        summed = content.copy()
        for p in range(V):
            summed[p] += content[ahead[p, axis]]
        content = summed
    for p in range(V):
        if content[p] < blocks.size:
            blocks[content[p]] += 1
