"""Particles hop and react on a lattice: the general sampler, for any `LatticeRules` in one to three dimensions.

A particle that had its turn is marked on its site. An unmarked one is therefore where it was at the start of the step,
so the list of those sites is all the sweep needs: who died or was struck is seen on the site itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int8, Int32, Int64, Integer

from guldberg.errors import InputError
from guldberg.stochastic.counting import (
    LENGTHS,
    Place,
    checked,
    count,
    count_chains,
    count_cubes,
    listed,
    packed,
    pair_names,
    place,
)
from guldberg.stochastic.rules import LatticeRules, Tables
from guldberg.stochastic.sites import sides
from guldberg.stochastic.words import GOLDEN, HALF, LOW, below, jit, mix, spread, streams, unit

MOVED = np.uint8(128)
CODE = np.uint8(127)
TRIES = 20


class Moments(NamedTuple):
    """What was counted at each recorded step; a group is one replica, or 64 summed by the bit-parallel sampler."""

    steps: Int[np.ndarray, "times"]
    counts: Int[np.ndarray, "groups times species"]
    pairs: Int[np.ndarray, "groups times shells pairs"]  # each undirected pair once, in the order of `pair_names`
    chains: Int[np.ndarray, "groups times species lengths"]  # 1, 2, 3, 4 consecutive sites taken; one dimension only
    cubes: Int[np.ndarray, "times classes"]  # blocks of 2 x 2 x 2 sites by content (`cube_classes`), over all replicas
    snapshots: Int8[np.ndarray, "snapshots replicas *sites"]
    replicas: int  # in each group
    dropped: int  # unimolecular reactions that found no free site for their second product

    def mean(self, of: Int[np.ndarray, "groups *any"]) -> np.ndarray:
        """The mean over replicas of one of the counts above, such as `moments.mean(moments.pairs)`."""
        return of.mean(axis=0) / self.replicas

    def error(self, of: Int[np.ndarray, "groups *any"]) -> np.ndarray:
        """The standard error of that mean; NaN for a single group."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(of.var(axis=0) / (np.float64(len(of)) - 1)) / self.replicas


def sample(
    rules: LatticeRules,
    occupancy: Integer[np.ndarray, "replicas *sites"],
    steps: int,
    *,
    seed: int,
    every: int = 1,
    shells: Sequence[int] = (1,),
    cubes: bool = False,
    snapshots: Sequence[int] = (),
    threads: int | None = None,
) -> Moments:
    """Let each replica go `steps` steps from its occupancy (0 empty, 1 the first species); count before the first and
    after every `every`-th. Pairs are counted at the squared distances `shells`: 1 nearest, 2 face diagonals.

    A replica depends on `seed` and its number alone, whatever the number of threads.
    """
    occupancy = checked(occupancy, len(rules.species))
    shape, species = occupancy.shape[1:], len(rules.species)
    times = recorded(steps, every, snapshots)
    where = place(shape, sides(rules.periodic, shape), shells, species, cubes)
    replicas, sites = len(occupancy), where.degree.size
    width = 16**species if cubes else 0
    out = _Counts(
        np.zeros((replicas, times.size, species), np.int32),
        np.zeros((replicas, times.size, len(shells), len(pair_names(rules.species)) + 1), np.int32),
        np.zeros((replicas, times.size, species if len(shape) == 1 else 0, LENGTHS), np.int32),
        np.zeros((len(snapshots), replicas, sites), np.int8),
        np.zeros(replicas, np.int64),
    )
    start, keys, tables = occupancy.reshape(replicas, sites), streams(seed, replicas), rules.tables()
    order = np.array(snapshots, np.int64)
    histograms: list[np.ndarray] = []

    def chunk(first: int, last: int) -> None:
        blocks = np.zeros((times.size, width), np.int64)
        for r in range(first, last):
            _replica(keys[r], start[r], steps, every, tables, where, order, r, out, blocks)
        histograms.append(blocks)

    spread(chunk, replicas, threads)
    blocks = np.sum(histograms, axis=0)[:, packed(species, len(shape), cubes)]
    shots = out.snapshots.reshape(len(snapshots), replicas, *shape)
    return Moments(times, out.counts, out.pairs[..., 1:], out.chains, blocks, shots, 1, int(out.dropped.sum()))


def recorded(steps: int, every: int, snapshots: Sequence[int]) -> Int[np.ndarray, "times"]:
    """The steps after which something is counted; raises InputError for those that are none."""
    if steps < 0 or every < 1:
        raise InputError(f"{steps} steps, counted every {every}: expected 0 or more, every 1 or more")
    if any(not 0 <= s <= steps for s in snapshots):
        raise InputError(f"snapshots at steps {', '.join(map(str, snapshots))}: expected some of 0 to {steps}")
    return np.arange(0, steps + 1, every)


class _Counts(NamedTuple):
    """Where the samplers write, by replica."""

    counts: Int32[np.ndarray, "replicas times species"]
    pairs: Int32[np.ndarray, "replicas times shells pairs"]
    chains: Int32[np.ndarray, "replicas times species lengths"]
    snapshots: Int8[np.ndarray, "snapshots replicas sites"]
    dropped: Int64[np.ndarray, "replicas"]


@jit
def _replica(counter, start, steps, every, tables: Tables, where: Place, order, r, out: _Counts, blocks):
    V = start.size
    occupied = np.zeros(V + 1, np.uint8)
    sites, turned = np.empty(V, np.uint32), np.empty(2 * V, np.uint32)
    present = np.zeros(len(tables.rates), np.int64)
    n = listed(start, occupied, sites)
    for t in range(steps + 1):
        if t % every == 0:
            count(sites, n, occupied, where, out.counts[r, t // every], out.pairs[r, t // every])
            count_chains(occupied, where.around, out.chains[r, t // every])
            count_cubes(occupied, where.next, blocks[t // every])
        for i in range(order.size):
            if order[i] == t:
                for p in range(V):
                    out.snapshots[i, r, p] = occupied[p]
        if t < steps:
            counter, n, lost = _decay(counter, sites, turned, n, occupied, tables, where, present)
            counter, n = _sweep(counter, sites, turned, n, occupied, tables, where)
            out.dropped[r] += lost


@jit
def _decay(counter, sites, turned, n, occupied, tables, where, present):
    """Gillespie's algorithm for dt; `present` counts the particles of each species."""
    present[:] = 0
    for i in range(n):
        present[occupied[sites[i]]] += 1
    left, dropped = tables.dt, 0
    while True:
        total = 0.0
        for a in range(present.size):
            for k in range(tables.rates.shape[1]):
                total += tables.rates[a, k] * present[a]
        if total == 0.0:
            return counter, n, dropped
        counter += GOLDEN
        left += np.log(unit(mix(counter))) / total
        if left < 0.0:
            return counter, n, dropped
        counter += GOLDEN
        a, k = _event(unit(mix(counter)) * total, tables.rates, present)
        counter, j = _molecule(counter, sites, n, occupied, a)
        first, second = tables.remnants[a, k, 0], tables.remnants[a, k, 1]
        if second != 0:
            counter, j, free = _room(counter, sites, turned, n, j, occupied, where)
            if free < 0:
                dropped += 1
                continue
            sites[n] = free
            occupied[free] = second
            n += 1
        occupied[sites[j]] = first
        if first == 0:
            n -= 1
            sites[j] = sites[n]
        present[a] -= 1
        present[first] += 1
        present[second] += 1


@jit
def _event(u, rates, present):
    """The species and the reaction at `u` along the propensities one after another; the last if rounding ends there."""
    species = reaction = 0
    for a in range(1, present.size):
        for k in range(rates.shape[1]):
            if rates[a, k] * present[a] > 0.0:
                species, reaction = a, k
                u -= rates[a, k] * present[a]
                if u <= 0.0:
                    return species, reaction
    return species, reaction


@jit
def _molecule(counter, sites, n, occupied, a):
    """The number of a random particle of species a, of which there is one."""
    counter += GOLDEN
    j = below(mix(counter), n)
    while occupied[sites[j]] != a:
        counter += GOLDEN
        j = below(mix(counter), n)
    return counter, j


@jit
def _room(counter, sites, free, n, j, occupied, where):
    """The j-th particle or another of its species, and a random free neighbour of it; -1 after 20 without one."""
    a = occupied[sites[j]]
    for _ in range(TRIES):
        p, found = sites[j], np.uint64(0)
        for d in range(where.degree[p]):
            free[found] = where.neighbours[p, d]
            found += np.uint64(occupied[free[found]] == 0)
        if found > 0:
            counter += GOLDEN
            return counter, j, np.int64(free[below(mix(counter), found)])
        counter, j = _molecule(counter, sites, n, occupied, a)
    return counter, j, np.int64(-1)


@jit
def _sweep(counter, sites, turned, n, occupied, tables, where):
    """Every particle once, in random order; `turned` gathers the sites of those that are done."""
    done, one = np.uint64(0), np.uint64(1)
    reactions = np.uint64(tables.collision.shape[2])
    for i in range(np.uint64(n)):
        counter += GOLDEN
        word = mix(counter)
        j = i + (((word >> HALF) * (np.uint64(n) - i)) >> HALF)
        p = sites[j]
        sites[j] = sites[i]
        a = occupied[p]
        if a == 0 or a >= MOVED:
            continue
        direction = (word & LOW) * where.degree[p]
        q, u = where.neighbours[p, direction >> HALF], direction & LOW
        b = occupied[q] & CODE
        if u < tables.collision[a, b, reactions - one]:
            k = np.uint64(0)
            while u >= tables.collision[a, b, k]:
                k += one
            struck, left = tables.products[a, b, k, 0], tables.products[a, b, k, 1]
            occupied[q] = struck | MOVED if struck else np.uint8(0)
            occupied[p] = left | MOVED if left else np.uint8(0)
            turned[done], turned[done + one] = q, p
            done += np.uint64(2)
            continue
        occupied[p] = 0
        p = q if (b == 0) & (u < tables.hop[a]) else p
        occupied[p] = a | MOVED
        turned[done] = p
        done += one
    n = np.uint64(0)
    for i in range(done):
        p = turned[i]
        if occupied[p] >= MOVED:
            occupied[p] &= CODE
            sites[n] = p
            n += one
    return counter, np.int64(n)
