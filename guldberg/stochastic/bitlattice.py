"""A + A -> 0 and A + A -> A on a chain, 64 replicas in the bits of each word.

The sites are visited in one random order that all replicas of a block share. A particle that had no turn yet is where
it was at the start of the step, so for each replica this is a random order of its particles: each replica has exactly
the law of `guldberg.stochastic.lattice`. Replicas of one block are correlated through the order alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, Integer, UInt64

from guldberg.errors import InputError
from guldberg.stochastic.counting import LENGTHS, checked
from guldberg.stochastic.lattice import Moments, recorded
from guldberg.stochastic.rules import LatticeRules
from guldberg.stochastic.sites import sides, table
from guldberg.stochastic.words import GOLDEN, HALF, jit, mix, spread, streams, unit

BITS = 64
BLOCK = 32  # words that share the order of visits: wide enough for the processor's widest registers
NEVER = np.uint64(2**63)


def allows(rules: LatticeRules, dimensions: int) -> bool:
    """Whether these rules are what this sampler knows: one species that hops always, on a chain, with one reaction."""
    nu, mu = np.asarray(rules.network.reactants), np.asarray(rules.network.products)
    one_reaction = nu.tolist() == [[2]] and mu.tolist() in ([[0]], [[1]]) and rules.network.reverse is None
    return dimensions == 1 and one_reaction and bool(np.all(np.asarray(rules.hop) == 1.0))


def sample(
    rules: LatticeRules,
    occupancy: Integer[np.ndarray, "replicas sites"],
    steps: int,
    *,
    seed: int,
    every: int = 1,
    snapshots: Sequence[int] = (),
    together: int = BITS,
    threads: int | None = None,
) -> Moments:
    """As `lattice.sample`; the counts are summed over `together` consecutive replicas, at most 64, which share a word,
    and pairs are nearest neighbours. Raises InputError for rules that `allows` does not.
    """
    occupancy = checked(occupancy, len(rules.species))
    replicas, shape = len(occupancy), occupancy.shape[1:]
    if not allows(rules, len(shape)):
        raise InputError("64 replicas at once are for 2 A -> 0 or 2 A -> A alone, on a chain, hopping always")
    if not 0 < together <= BITS or replicas % together or min(shape) < 3:
        raise InputError(
            f"{replicas} chains of {shape[0]} sites, {together} in a word; expected a multiple of that, "
            f"at most {BITS}, and chains of 3 sites or more"
        )
    times, words = recorded(steps, every, snapshots), replicas // together
    law, looks = _law(rules, shape), np.array(snapshots, np.int64)
    state = _packed(occupancy.reshape(words, together, *shape))
    shots, chains = np.zeros((looks.size, *state.shape), np.uint64), np.zeros((times.size, LENGTHS, words), np.uint64)
    blocks = -(-words // BLOCK)
    keys, orders = streams(seed, words), streams(seed, words + blocks)[words:]

    def chunk(first: int, last: int) -> None:
        for b in range(first, last):
            mine = slice(b * BLOCK, min((b + 1) * BLOCK, words))
            out = chains[..., mine], shots[..., mine]
            _block(orders[b], keys[mine].copy(), state[:, mine], law, steps, every, looks, *out)

    spread(chunk, blocks, threads)
    counts, cubes = np.moveaxis(chains, 2, 0)[:, :, None].astype(np.int32), np.zeros((times.size, 0), np.int64)
    return Moments(
        times, counts[..., 0], counts[..., 1][..., None], counts, cubes, _unpacked(shots, together), together, 0
    )


class _Law(NamedTuple):
    beside: UInt64[np.ndarray, "sites 2"]  # the site before and the one after; one more, always empty, is all outside
    p: float
    dies: np.uint64  # all bits set where the struck particle goes too


def _law(rules: LatticeRules, shape: tuple[int, ...]) -> _Law:
    beside = table(shape, sides(rules.periodic, shape), [(-1,), (1,)])
    dies = not np.asarray(rules.network.products).any()
    return _Law(
        np.append(beside, [[shape[0]] * 2], axis=0).astype(np.uint64),
        float(np.asarray(rules.network.forward())[0]),
        ~np.uint64(0) if dies else np.uint64(0),
    )


def _packed(occupancy: Int8[np.ndarray, "words together sites"]) -> UInt64[np.ndarray, "sites words"]:
    words, together, sites = occupancy.shape
    lanes = np.zeros((words, BITS, sites), np.int8)
    lanes[:, :together] = occupancy
    octets = np.packbits(lanes, axis=1, bitorder="little")
    return np.ascontiguousarray(octets.transpose(2, 0, 1)).view("<u8")[..., 0].astype(np.uint64)


def _unpacked(
    shots: UInt64[np.ndarray, "snapshots sites words"], together: int
) -> Int8[np.ndarray, "snapshots replicas sites"]:
    looks, sites, words = shots.shape
    octets = np.ascontiguousarray(shots.transpose(0, 2, 1), "<u8")[..., None].view(np.uint8)
    lanes = np.unpackbits(octets, axis=-1, count=together, bitorder="little")
    return lanes.transpose(0, 1, 3, 2).reshape(looks, words * together, sites).view(np.int8)


@jit
def _ones(x):
    """How many bits are set: compilers know this form as one instruction."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@jit
def _gap(word, log_common):
    """How many collisions of the commoner outcome come before the next of the rarer one."""
    return np.uint64(np.log(unit(word)) / log_common) if log_common < 0.0 else NEVER


@jit
def _block(counter, keys, state, law: _Law, steps, every, looks, counts, shots):
    sites, words = state.shape
    taken = np.zeros((sites + 1, words), np.uint64)
    taken[:sites] = state
    moved, order, scratch = np.zeros_like(taken), np.arange(sites).astype(np.uint64), np.zeros((4, words), np.uint64)
    counter += GOLDEN
    wait = _gap(mix(counter), np.log1p(-min(law.p, 1.0 - law.p)))
    for t in range(steps + 1):
        if t % every == 0:
            _count(taken, law.beside, counts[t // every])
        for k in range(looks.size):
            if looks[k] == t:
                shots[k] = taken[:sites]
        if t < steps:
            moved[:] = np.uint64(0)
            counter, wait = _sweep(counter, wait, keys, taken, moved, order, law, scratch)


@jit
def _count(taken, beside, out):
    for i in range(np.uint64(len(taken) - 1)):
        i1 = beside[i, 1]
        i2 = beside[i1, 1]
        i3 = beside[i2, 1]
        for w in range(np.uint64(taken.shape[1])):
            run = taken[i, w]
            out[0, w] += _ones(run)
            run &= taken[i1, w]
            out[1, w] += _ones(run)
            run &= taken[i2, w]
            out[2, w] += _ones(run)
            out[3, w] += _ones(run & taken[i3, w])


@jit
def _sweep(counter, wait, keys, taken, moved, order, law, scratch):
    """Every site once: its particles that had no turn hop, all replicas at once."""
    sites, words, outside = np.uint64(len(order)), np.uint64(taken.shape[1]), np.uint64(len(order))
    log_common, likely = np.log1p(-min(law.p, 1.0 - law.p)), law.p > 0.5
    turn, right, hit, react = scratch[0], scratch[1], scratch[2], scratch[3]
    for i in range(sites):
        counter += GOLDEN
        j = i + (((mix(counter) >> HALF) * (sites - i)) >> HALF)
        here = order[j]
        order[j] = order[i]
        order[i] = here
        before, after = law.beside[here, 0], law.beside[here, 1]
        always = ~np.uint64(0) if before == outside else np.uint64(0)
        never = ~np.uint64(0) if after == outside else np.uint64(0)
        for w in range(words):
            keys[w] += GOLDEN
            right[w] = (mix(keys[w]) | always) & ~never
        for w in range(words):
            turn[w] = taken[here, w] & ~moved[here, w]
            hit[w] = turn[w] & ((right[w] & taken[after, w]) | (~right[w] & taken[before, w]))
        hits = np.uint64(0)
        for w in range(words):
            hits += _ones(hit[w])
        for w in range(words):
            react[w] = hit[w] if likely else np.uint64(0)
        if wait < hits:
            counter, wait = _rare(counter, wait, hits, hit, react, log_common)
        wait -= hits
        for w in range(words):
            to_right, to_left = turn[w] & right[w], turn[w] & ~right[w]
            there, back = to_right & ~taken[after, w], to_left & ~taken[before, w]
            moved[after, w] |= there | (react[w] & to_right)
            moved[before, w] |= back | (react[w] & to_left)
            taken[after, w] = (taken[after, w] | there) & ~(react[w] & to_right & law.dies)
            taken[before, w] = (taken[before, w] | back) & ~(react[w] & to_left & law.dies)
            taken[here, w] &= ~(there | back | react[w])
    return counter, wait


@jit
def _rare(counter, wait, hits, hit, react, log_common):
    """Turn the outcome of each rarer collision: the `wait`-th of these `hits`, and the next after each gap."""
    w, earlier, one = np.uint64(0), np.uint64(0), np.uint64(1)
    while wait < hits:
        while wait >= earlier + _ones(hit[w]):
            earlier += _ones(hit[w])
            w += one
        left = hit[w]
        for _ in range(wait - earlier):
            left &= left - one
        react[w] ^= left & (~left + one)
        counter += GOLDEN
        wait += one + _gap(mix(counter), log_common)
    return counter, wait
