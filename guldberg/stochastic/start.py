"""Where the particles are at first: states for `guldberg.stochastic.lattice.sample`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int8

from guldberg.errors import InputError
from guldberg.stochastic.words import GOLDEN, LOW, below, jit, mix, spread, streams


def scattered(
    counts: Sequence[int], shape: tuple[int, ...], *, replicas: int, seed: int
) -> Int8[np.ndarray, "replicas *sites"]:
    """Exactly `counts[a]` particles of each species, every arrangement equally likely."""
    sites = math.prod(shape)
    if min(counts) < 0 or sum(counts) > sites:
        raise InputError(f"{' + '.join(map(str, counts))} particles on {sites} sites; expected at most one on each")
    particles = np.repeat(np.arange(1, len(counts) + 1), counts).astype(np.int8)
    out = np.zeros((replicas, sites), np.int8)
    out[:, : len(particles)] = particles
    keys = streams(seed, replicas)
    for r in range(replicas):
        _shuffle(keys[r], len(particles), out[r])
    return out.reshape(replicas, *shape)


def chain(
    b: float, J: float = 0.0, K: float = 0.0, *, sites: int, replicas: int, seed: int, periodic: bool = False
) -> Int8[np.ndarray, "replicas sites"]:
    """Exact draws of one species in one dimension, Ernst et al. eq. (37):

        p(v) ~ exp(b sum_i v_i + J sum_i v_i v_{i+1} + K sum_i v_i v_{i+1} v_{i+2}),

    each site from its probability given the ones before, summed over all that follow.
    """
    if sites < (3 if periodic else 2):
        raise InputError(f"a chain of {sites} sites; expected at least {3 if periodic else 2}")
    if not np.isfinite([b, J, K]).all():
        raise InputError(f"a chain with b = {b}, J = {J}, K = {K}; expected finite numbers")
    first, taken = _conditionals(b, J, K, sites, periodic)
    keys, out = streams(seed, replicas), np.empty((replicas, sites), np.int8)
    spread(lambda start, stop: _draw(keys, first, taken, out, start, stop), replicas, None)
    return out


@jit
def _shuffle(counter, first, x):
    for i in range(first):
        counter += GOLDEN
        j = i + below(mix(counter), x.size - i)
        x[i], x[j] = x[j], x[i]


@jit
def _conditionals(b, J, K, sites, periodic):
    """Cumulative probabilities of the first two sites (of 32 bits), and of a taken site given the first two (which
    close a periodic chain) and the two before it. All weights are kept as logarithms."""
    ends = np.zeros(4)
    taken = np.zeros((4, sites, 2, 2), np.uint64)
    for s in range(4):
        x0, x1 = s >> 1, s & 1
        after, before = np.zeros((2, 2)), np.zeros((2, 2))  # of all later sites, by the last two
        if periodic:
            for a in range(2):
                for c in range(2):
                    after[a, c] = J * c * x0 + K * (a * c * x0 + c * x0 * x1)
        for i in range(sites - 1, 1, -1):
            for a in range(2):
                for c in range(2):
                    one, none = after[c, 1] + b + J * c + K * a * c, after[c, 0]
                    taken[s, i, a, c] = np.uint64(np.round(4294967296.0 / (1.0 + np.exp(none - one))))
                    before[a, c] = max(one, none) + np.log1p(np.exp(-abs(one - none)))
            after, before = before, after
        ends[s] = b * (x0 + x1) + J * x0 * x1 + after[x0, x1]
    weights = np.cumsum(np.exp(ends - ends.max()))
    return np.round(4294967296.0 * weights / weights[3]).astype(np.uint64), taken


@jit
def _draw(keys, first, taken, out, start, stop):
    for r in range(start, stop):
        counter = keys[r] + GOLDEN
        u, s = mix(counter) & LOW, 0
        while u >= first[s]:
            s += 1
        x = out[r]
        x[0], x[1] = s >> 1, s & 1
        a, c = s >> 1, s & 1
        for i in range(2, x.size):
            counter += GOLDEN
            a, c = c, np.int64((mix(counter) & LOW) < taken[s, i, a, c])
            x[i] = c
