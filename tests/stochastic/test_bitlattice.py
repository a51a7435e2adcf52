"""64 replicas in a word: each has the exact law of a step, and the same moments as the general sampler."""

import numpy as np
import pytest

from guldberg.errors import InputError
from guldberg.stochastic import bitlattice, lattice
from guldberg.stochastic.bitlattice import BLOCK, allows
from guldberg.stochastic.rules import LatticeRules, annihilation, rossler
from guldberg.stochastic.start import chain
from guldberg.text import parse
from tests.stochastic.plain import Plain

stochastic = pytest.mark.stochastic


@stochastic
@pytest.mark.parametrize("start", [(1, 1, 0, 1, 1, 1), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize("product", [(), (1,)])
@pytest.mark.parametrize("p, periodic", [(0.3, True), (0.8, False), (1.0, True)])
def test_each_replica_has_the_exact_law_of_a_step(start, product, p, periodic):
    """Shares of all states in 300 blocks, each of which has one order of visits for its 2048 replicas; their scatter
    over the blocks is the error: |z| < 4.5 for each state, and the mean of z^2 about 1."""
    plain = Plain({}, {(1, 1): [(p, product)]}, hop=(1.0,), dt=1.0, shape=(len(start),), periodic=periodic)
    states, law = plain.step_law(start, 1)
    rules = LatticeRules(parse(f"2 A -> {'A' if product else '0'} @ {p}"), periodic=periodic)
    blocks, n = 300, 64 * BLOCK
    end = bitlattice.sample(rules, np.tile(np.array(start, np.int8), (blocks * n, 1)), 1, seed=3, snapshots=[1])
    code = end.snapshots[0] @ 2 ** np.arange(len(start))[::-1] + len(states) * np.repeat(np.arange(blocks), n)
    share = np.bincount(code, minlength=blocks * len(states)).reshape(blocks, -1) / n
    assert share[:, law == 0].sum() == 0
    z = (share.mean(0) - law)[law > 1e-4] / (share.std(0)[law > 1e-4] / np.sqrt(blocks))
    assert np.abs(z).max() < 4.5
    assert (z**2).mean() < 2.5


@stochastic
@pytest.mark.parametrize("text", ["2 A -> 0 @ 0.05", "2 A -> A @ 0.6"])
def test_moments_are_those_of_the_general_sampler(text):
    """From the same starts, 40 steps, open sides: n, nn, nnn, nnnn differ by less than 4 standard errors."""
    rules = LatticeRules(parse(text), periodic=False)
    start = chain(0.6, -0.4, 0.3, sites=100, replicas=64 * 40, seed=1)
    bits = bitlattice.sample(rules, start, 40, seed=2, every=8)
    plain = lattice.sample(rules, start, 40, seed=3, every=8)
    assert np.array_equal(bits.mean(bits.chains)[0], plain.mean(plain.chains)[0])
    error = np.hypot(bits.error(bits.chains), plain.error(plain.chains))[1:]
    z = (bits.mean(bits.chains) - plain.mean(plain.chains))[1:] / np.maximum(error, 1e-3)
    assert np.abs(z).max() < 4


@pytest.mark.parametrize("periodic, together", [(True, 64), (False, 64), (False, 50), (True, 1)])
def test_what_is_counted_is_in_the_snapshots(periodic, together):
    rules = LatticeRules(annihilation(0.2), periodic=periodic)
    start = chain(0.5, sites=30, replicas=3 * together, seed=0)
    moments = bitlattice.sample(rules, start, 7, seed=1, snapshots=[0, 7], together=together)
    assert (moments.snapshots[0] == start).all()
    seen = lattice.sample(rules, moments.snapshots[1], 0, seed=0)
    assert np.array_equal(moments.chains[:, 7], seen.chains.reshape(3, together, 1, 1, 4).sum(1)[:, 0])
    assert np.allclose(moments.mean(moments.chains)[7], seen.mean(seen.chains)[0])
    assert np.array_equal(moments.counts[:, 7], moments.chains[:, 7, :, 0])
    assert np.array_equal(moments.pairs[:, 7, 0, 0], moments.chains[:, 7, 0, 1])


@stochastic
@pytest.mark.parametrize("text, amplitude", [("2 A -> A @ 1", 1.0), ("2 A -> 0 @ 1", 0.5)])
def test_one_dimensional_decay_at_unit_probability_has_the_known_amplitude(text, amplitude):
    """c = 1 / sqrt(pi t) and half of it (D = 1/2), as in the general sampler; within 2 % at t = 400."""
    moments = bitlattice.sample(LatticeRules(parse(text)), np.ones((256, 1500), int), 400, seed=5, every=400)
    assert abs(moments.mean(moments.counts)[-1, 0] / 1500 * np.sqrt(400 * np.pi) / amplitude - 1) < 0.02


@pytest.mark.parametrize("p", [0.0, 1e-7])
def test_with_hops_alone_nothing_is_lost(p):
    start = chain(0.0, sites=50, replicas=128, seed=4)
    moments = bitlattice.sample(LatticeRules(annihilation(p)), start, 30, seed=0, snapshots=[30])
    assert (moments.snapshots[0].sum(1) == start.sum(1)).all() and (moments.snapshots[0] != start).any()


def test_replicas_do_not_depend_on_the_number_of_threads():
    rules, start = LatticeRules(annihilation(0.1)), chain(0.2, sites=40, replicas=64 * 2 * BLOCK, seed=0)
    one, two = (bitlattice.sample(rules, start, 9, seed=1, threads=n, snapshots=[9]) for n in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(np.unique(one.snapshots[0], axis=0)) == len(start)


@pytest.mark.parametrize(
    "rules, allowed",
    [
        (LatticeRules(annihilation()), True),
        (LatticeRules(parse("2 A -> A @ 1")), True),
        (LatticeRules(annihilation(), hop=0.5), False),
        (LatticeRules(parse("2 A <-> A @ 1, 1")), False),
        (LatticeRules(parse("2 A -> 0 @ 1\nA -> 0 @ 1")), False),
        (LatticeRules(rossler()), False),
    ],
)
def test_it_knows_what_it_can_do(rules, allowed):
    assert allows(rules, 1) == allowed and not allows(rules, 2)
    if not allowed:
        with pytest.raises(InputError, match="64 replicas at once"):
            bitlattice.sample(rules, np.zeros((64, 5), int), 1, seed=0)


@pytest.mark.parametrize("shape, together", [((63, 10), 64), ((64, 2), 64), ((65, 10), 65), ((4, 10), 0)])
def test_bad_shapes_are_told_in_one_line(shape, together):
    with pytest.raises(InputError, match=f"{together} in a word; expected a multiple of that, at most 64"):
        bitlattice.sample(LatticeRules(annihilation()), np.zeros(shape, int), 1, seed=0, together=together)
