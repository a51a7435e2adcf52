"""Start states against enumeration, and the random words they are made of against their source."""

import itertools

import numpy as np
import pytest

from guldberg.errors import InputError
from guldberg.stochastic.start import chain, scattered
from guldberg.stochastic.words import GOLDEN, mix, streams


def test_words_are_those_of_splitmix64():
    """The first three of the stream 0 of the reference implementation (Vigna, https://prng.di.unimi.it)."""
    counters = np.arange(1, 4, dtype=np.uint64) * GOLDEN
    assert [hex(w) for w in mix.py_func(counters)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]
    assert mix(counters[1]) == mix.py_func(counters)[1]


def test_streams_are_apart():
    firsts = np.concatenate([streams(seed, 1000) for seed in range(100)])
    assert len(np.unique(firsts)) == firsts.size and np.array_equal(streams(3, 5), streams(3, 1000)[:5])


def weights(states, b, J, K, periodic):
    """Ernst et al. eq. (37), term by term."""
    n = states.shape[1]
    v = np.concatenate([states, states[:, :2] if periodic else np.zeros((len(states), 2), int)], axis=1)
    pairs = sum(v[:, i] * v[:, i + 1] for i in range(n))
    triplets = sum(v[:, i] * v[:, i + 1] * v[:, i + 2] for i in range(n))
    return np.exp(b * states.sum(1) + J * pairs + K * triplets)


@pytest.mark.stochastic
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("sites", [3, 6])
def test_chains_are_drawn_from_the_enumerated_distribution(sites, periodic):
    """All states, 400 000 draws: chi-squared within 4 of its standard deviations; with K = 0.8 instead of 0.9 it is not
    (six sites)."""
    states = np.array(list(itertools.product((0, 1), repeat=sites)))
    drawn = chain(0.5, -0.8, 0.9, sites=sites, replicas=400_000, seed=1, periodic=periodic)
    counts = np.bincount(drawn @ 2 ** np.arange(sites)[::-1], minlength=len(states))
    for K, right in [(0.9, True), (0.8, False)]:
        p = weights(states, 0.5, -0.8, K, periodic)
        expected = 400_000 * p / p.sum()
        z = (((counts - expected) ** 2 / expected).sum() - (len(p) - 1)) / np.sqrt(2 * (len(p) - 1))
        assert (abs(z) < 4) == right


def test_strong_interactions_do_not_overflow():
    assert chain(0.0, 500.0, 500.0, sites=2000, replicas=2, seed=0).all()
    assert chain(-800.0, sites=2000, replicas=2, seed=0).sum() == 0


@pytest.mark.stochastic
def test_scattered_particles_are_anywhere_with_equal_probability():
    """2 A and 1 B on 2 x 2 sites: twelve arrangements, 60 000 draws, each within 4.5 standard errors."""
    x = scattered([2, 1], (2, 2), replicas=60_000, seed=2).reshape(-1, 4)
    seen, counts = np.unique(x, axis=0, return_counts=True)
    assert len(seen) == 12 and ((seen == 1).sum(1) == 2).all() and ((seen == 2).sum(1) == 1).all()
    assert np.abs(counts - 5000).max() < 4.5 * np.sqrt(5000 * 11 / 12)


BAD = [
    (lambda: scattered([5], (2, 2), replicas=1, seed=0), "5 particles on 4 sites"),
    (lambda: scattered([-1], (2, 2), replicas=1, seed=0), "-1 particles on 4 sites"),
    (lambda: chain(0.0, sites=1, replicas=1, seed=0), "a chain of 1 sites; expected at least 2"),
    (lambda: chain(np.nan, sites=9, replicas=1, seed=0), "b = nan"),
    (lambda: chain(0.0, sites=9, replicas=1, seed=-3), "the seed is -3"),
]


@pytest.mark.parametrize("call, told", BAD)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(InputError, match=told):
        call()
