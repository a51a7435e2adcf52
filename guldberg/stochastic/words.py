"""Random numbers for compiled samplers: the k-th word of a stream is mix(start + k GOLDEN), SplitMix64 (Steele, Lea and
Flood, OOPSLA 2014, doi 10.1145/2660193.2660195), which passes BigCrush.

A stream is one counter, so it lives in a register, a sampler on any thread draws the same words, and ten lines of
Python can draw them again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from jaxtyping import UInt64

from guldberg.errors import InputError

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

# Compiled code is kept on disk by module: after a change in one that others call, delete their __pycache__.
jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@jit
def mix(counter):
    """The word of a counter."""
    z = counter
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def below(word, n):
    """A whole number in 0..n-1 from the high half of a word (n < 2^31; a bias of n/2^32)."""
    return np.int64(((word >> HALF) * np.uint64(n)) >> HALF)


@jit
def unit(word):
    """A number in (0, 1], of 53 bits: its logarithm is finite."""
    return (np.float64(word >> np.uint64(11)) + 1.0) * 2.0**-53


def streams(seed: int, count: int) -> UInt64[np.ndarray, "count"]:
    """The first counters of `count` streams: replica i has the same one whatever `count` is."""
    if seed < 0:
        raise InputError(f"the seed is {seed}; expected a whole number that is not negative")
    with np.errstate(over="ignore"):
        keys = np.uint64(seed % 2**64) * GOLDEN + np.arange(1, count + 1, dtype=np.uint64)
        return mix.py_func(mix.py_func(keys) ^ GOLDEN)


def spread(chunk: Callable[[int, int], None], count: int, threads: int | None, pieces: int = 1) -> None:
    """Call chunk(first, last) over 0..count on `threads` threads (default: one per core), and wait; in one piece for
    each thread, or in `pieces` where that is more."""
    threads = min(threads or os.cpu_count() or 1, count)
    bounds = np.linspace(0, count, min(max(threads, pieces), count or 1) + 1).astype(int).tolist()
    if threads <= 1:
        for first, last in itertools.pairwise(bounds):
            chunk(first, last)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(chunk, bounds[:-1], bounds[1:]))
