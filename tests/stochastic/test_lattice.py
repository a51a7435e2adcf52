"""The lattice sampler: against plain Python with the same words, the exact law of a step, and known physics."""

import numpy as np
import pytest

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.stochastic.counting import measure
from guldberg.stochastic.lattice import sample
from guldberg.stochastic.rules import LatticeRules, annihilation, rossler
from guldberg.stochastic.start import scattered
from guldberg.text import parse
from tests.stochastic.plain import Plain, words

stochastic = pytest.mark.stochastic

ROSSLER = (
    {1: [(30, (1, 1))], 2: [(10, ())], 3: [(16.5, (3, 3))]},
    {(1, 1): [(0.1, (1,))], (1, 2): [(0.4, (2, 2))], (1, 3): [(0.24, ())], (3, 3): [(0.36, (3,))]},
)
# Two reactions of one pair, products on both sites, an isomerisation, hops of unlike probability.
EXCHANGE = "A + B -> C @ 0.3\nA + B -> 2 A @ 0.5\nA + C -> B + C @ 0.7\n2 C -> A + B @ 0.9\nB -> C @ 2\nC -> A + B @ 3"
EXCHANGED = (
    {2: [(2, (3,))], 3: [(3, (1, 2))]},
    {(1, 2): [(0.3, (3,)), (0.5, (1, 1))], (1, 3): [(0.7, (2, 3))], (3, 3): [(0.9, (1, 2))]},
)
CASES = {
    "annihilation": (annihilation(0.3), ({}, {(1, 1): [(0.3, ())]}), 1.0, 1.0, (6,), True, (1, 1, 0, 1, 1, 1)),
    "coalescence": (parse("2 A -> A @ 0.6"), ({}, {(1, 1): [(0.6, (1,))]}), 1.0, 1.0, (5,), False, (1, 1, 1, 0, 1)),
    "rossler": (rossler(), ROSSLER, 1.0, 0.02, (2, 2), True, (1, 2, 3, 0)),
    "crowded": (rossler(), ROSSLER, 1.0, 0.05, (2, 2), False, (1, 1, 3, 3)),
    "exchange": (parse(EXCHANGE), EXCHANGED, (1.0, 0.7, 0.2), 0.1, (4,), False, (1, 2, 3, 0)),
}


def case(name):
    network, reactions, hop, dt, shape, periodic, start = CASES[name]
    rules = LatticeRules(network, hop=hop, periodic=periodic, dt=dt)
    hops = (hop,) * len(network.species) if isinstance(hop, float) else hop
    return rules, Plain(*reactions, hop=hops, dt=dt, shape=shape, periodic=periodic), np.array(start).reshape(shape)


@stochastic
@pytest.mark.parametrize("name", CASES)
def test_one_step_has_the_exact_law(name):
    """Every state after a step, 200 000 replicas; a chi-squared within 4 of its standard deviations."""
    rules, plain, start = case(name)
    species, n = len(rules.species), 200_000
    states, law = plain.step_law(start.ravel(), species)
    assert abs(law.sum() - 1) < 1e-10
    end = sample(rules, np.repeat(start[None], n, axis=0), 1, seed=5, snapshots=[1]).snapshots[0].reshape(n, -1)
    counts = np.bincount(end @ (species + 1) ** np.arange(start.size)[::-1], minlength=len(states))
    assert counts[law == 0].sum() == 0
    rare = law * n < 5
    counts, expected = (np.append(x[~rare], x[rare].sum()) for x in (counts, law * n))
    chi2, free = ((counts - expected) ** 2 / np.maximum(expected, 1e-9)).sum(), len(counts) - 1
    assert abs(chi2 - free) < 4 * np.sqrt(2 * free)


@pytest.mark.parametrize("shape, periodic", [((30,), False), ((6, 5), True), ((4, 3, 5), False), ((3, 4, 2), True)])
def test_sweeps_equal_plain_python_with_the_same_words(shape, periodic):
    network = parse("A + B -> C @ 0.3\nA + B -> 2 A @ 0.5\nA + C -> B + C @ 0.7\n2 C -> A + B @ 0.9")
    rules = LatticeRules(network, hop=(1.0, 0.7, 0.2), periodic=periodic)
    plain = Plain({}, EXCHANGED[1], hop=(1.0, 0.7, 0.2), dt=1.0, shape=shape, periodic=periodic)
    start = np.random.default_rng(1).integers(0, 4, (2, *shape))
    fast = sample(rules, start, 30, seed=7, snapshots=range(31)).snapshots.reshape(31, 2, -1)
    for replica in range(2):
        state, word = start[replica].ravel().tolist(), words(7, replica)
        sites = [p for p, x in enumerate(state) if x]
        for step in range(1, 31):
            sites = plain.sweep(state, sites, word)
            assert fast[step, replica].tolist() == state


def walkers(shape, steps, hop, periodic=True, n=10_000):
    """Where one particle of each replica is after each step, from the middle."""
    start = np.zeros((n, *shape), np.int8)
    start[(slice(None), *(s // 2 for s in shape))] = 1
    rules = LatticeRules(annihilation(), hop=hop, periodic=periodic)
    shots = sample(rules, start, steps, seed=3, snapshots=[steps]).snapshots[0]
    return np.array(np.nonzero(shots)[1:]) - np.array([[s // 2] for s in shape])


@stochastic
@pytest.mark.parametrize("shape, hop", [((81,), 1.0), ((21, 21), 0.5), ((19, 19, 19), 1.0)])
def test_a_particle_alone_diffuses_with_one_half_per_dimension(shape, hop):
    """<r^2> = steps x hop, the exact variance of a walk: D = hop / (2 d) sites^2 per step; |z| < 4."""
    x = walkers(shape, 9, hop)
    squared = (x**2).sum(0)
    assert abs(squared.mean() - 9 * hop) < 4 * squared.std() / np.sqrt(squared.size)
    assert (np.abs(x.mean(1)) < 4 * x.std(1) / np.sqrt(squared.size)).all()
    if hop == 1.0:
        assert (x.sum(0) % 2 == 1).all()  # nine hops, none left out


@stochastic
def test_hopping_alone_makes_every_arrangement_on_a_ring_equally_likely():
    """12 particles at one side of 30 sites: each site holds 0.4 and n (n-1) / (N-1) pairs are neighbours, |z| < 4."""
    start = np.zeros((4000, 30), int)
    start[:, :12] = 1
    moments = sample(LatticeRules(annihilation(0)), start, 1500, seed=2, every=1500, snapshots=[1500])
    share = moments.snapshots[0].mean(0)
    assert np.abs(share - 0.4).max() < 4.5 * np.sqrt(0.24 / 4000)
    assert abs(moments.mean(moments.pairs)[-1, 0, 0] - 12 * 11 / 29) < 4 * moments.error(moments.pairs)[-1, 0, 0]
    assert (moments.counts == 12).all()


@stochastic
def test_at_an_open_side_a_particle_chooses_among_the_neighbours_inside():
    """So the ends of a chain, with one neighbour, are visited half as often: exact stationary shares 1 2 2 2 1 of 8."""
    x = walkers((5,), 100, 0.5, periodic=False)[0] + 2
    share, exact = np.bincount(x, minlength=5) / x.size, np.array([1, 2, 2, 2, 1]) / 8
    assert np.abs(share - exact).max() < 4 * np.sqrt(0.25 * 0.75 / x.size)


@stochastic
@pytest.mark.parametrize("text, amplitude", [("2 A -> A @ 1", 1.0), ("2 A -> 0 @ 1", 0.5)])
def test_one_dimensional_decay_at_unit_probability_has_the_known_amplitude(text, amplitude):
    """c = 1 / sqrt(2 pi D t) for coalescence (Doering and ben-Avraham, Phys. Rev. A 38 (1988) 3035), half of it for
    annihilation (Torney and McConnell, J. Phys. Chem. 87 (1983) 1941). In a sweep each particle hops once, so <x^2> = t
    and D = 1/2 whatever the order. At t = 900: within 2 % (standard error 0.5 %)."""
    start = np.ones((900, 3000), np.int8)
    moments = sample(LatticeRules(parse(text)), start, 900, seed=4, every=225)
    scaled = moments.mean(moments.counts)[1:, 0] / 3000 * np.sqrt(np.pi * moments.steps[1:])
    assert abs(scaled[-1] - amplitude) < 0.02 * amplitude
    assert np.abs(scaled - amplitude).max() < 0.02 * amplitude  # and it is a power law: from t = 225 on


@stochastic
def test_rare_reactions_follow_the_mean_field():
    """With p = 0.002 hopping mixes between reactions: dn/dt = -2 p n^2 / V, n = n0 / (1 + 2 p n0 t / V); in three
    dimensions within 2 % after half have reacted."""
    start = scattered([700], (10, 10, 10), replicas=60, seed=1)
    moments = sample(LatticeRules(annihilation(0.002)), start, 400, seed=6, every=100)
    exact = 700 / (1 + 2 * 0.002 * 0.7 * moments.steps)
    assert np.abs(moments.mean(moments.counts)[:, 0] / exact - 1).max() < 0.02


@stochastic
@pytest.mark.parametrize("dt, steps", [(0.7, 1), (0.07, 10)])
def test_unimolecular_reactions_keep_their_rates_whatever_the_step(dt, steps):
    """A -> B -> 0, A -> 0 with k = 1, 2, 0.5 without hops: Bateman's means and multinomial noise, |z| < 4."""
    start, n = np.ones((5000, 20), int), 5000 * 20
    rules = LatticeRules(parse("A -> B @ 1\nB -> 0 @ 2\nA -> 0 @ 0.5"), hop=0, dt=dt)
    counts = sample(rules, start, steps, seed=8).counts[:, -1].sum(0) / n
    exact = np.array([np.exp(-1.05), (np.exp(-1.05) - np.exp(-1.4)) / 0.5])
    assert (np.abs(counts - exact) < 4 * np.sqrt(exact * (1 - exact) / n)).all()


@stochastic
def test_rates_far_apart_are_both_kept():
    """A -> 0 at 1e12 is over at once and costs nothing afterwards; B -> C at 0.5 goes on at its own rate, |z| < 4."""
    start = np.full((2000, 50), 2)
    start[:, 0] = 1
    counts = sample(LatticeRules(parse("A -> 0 @ 1e12\nB -> C @ 0.5"), hop=0), start, 1, seed=0).counts[:, -1]
    left = 49 * np.exp(-0.5)
    assert (counts[:, 0] == 0).all()
    assert abs(counts[:, 1].mean() - left) < 4 * np.sqrt(left * (1 - np.exp(-0.5)) / 2000)


def test_growth_fills_the_lattice_and_is_told_to_be_dropped():
    """A -> 2 A on 4 x 4 sites: it ends full, never fuller, and what found no room is counted."""
    moments = sample(LatticeRules(parse("A -> 2 A @ 5"), dt=0.1), np.eye(4, dtype=int)[None], 60, seed=0)
    assert (
        moments.counts[0, 0, 0] == 4
        and moments.counts[0, -1, 0] == 16
        and (np.diff(moments.counts[0, :, 0]) >= 0).all()
    )
    assert moments.dropped > 100


def test_counts_are_those_of_the_snapshots():
    start = scattered([40, 50, 60], (7, 5, 6), replicas=4, seed=1)
    moments = sample(
        LatticeRules(rossler(), dt=0.01), start, 12, seed=2, every=4, shells=(2, 1), cubes=True, snapshots=[0, 8]
    )
    assert (moments.snapshots[0] == start).all() and moments.steps.tolist() == [0, 4, 8, 12]
    for shot, time in [(0, 0), (1, 2)]:
        seen = measure(moments.snapshots[shot], species=3, shells=(2, 1))
        assert (seen.counts == moments.counts[:, time]).all() and (seen.pairs == moments.pairs[:, time]).all()
        assert (seen.cubes.sum(0) == moments.cubes[time]).all()


@pytest.mark.parametrize("periodic", [True, False])
def test_chains_are_those_of_the_snapshots(periodic):
    start = np.random.default_rng(0).integers(0, 3, (3, 40))
    moments = sample(LatticeRules(parse("A + B -> 0 @ 0.1"), periodic=periodic), start, 3, seed=1, snapshots=[3])
    for replica, x in enumerate(moments.snapshots[0]):
        for species in (1, 2):
            taken = (x == species).astype(int)
            taken = np.concatenate([taken, taken[:3] * periodic])
            runs = [sum(taken[i : i + k].all() for i in range(40)) for k in (1, 2, 3, 4)]
            runs = runs if periodic else [sum(taken[i : i + k].all() for i in range(41 - k)) for k in (1, 2, 3, 4)]
            assert moments.chains[replica, -1, species - 1].tolist() == runs
            assert moments.pairs[replica, -1, 0, species - 1] == runs[1]


def test_open_sides_have_no_blocks_or_pairs_across_them():
    full = np.ones((1, 3, 4, 5), int)
    moments = sample(LatticeRules(annihilation(), periodic=False), full, 0, seed=0, shells=(1, 2, 3), cubes=True)
    assert moments.pairs[0, 0, :, 0].tolist() == [
        2 * 20 + 3 * 15 + 4 * 12,
        2 * (2 * 3 * 5 + 2 * 4 * 4 + 3 * 3 * 4),
        4 * 24,
    ]
    assert moments.cubes[0].tolist() == [0] * 8 + [24]


def test_a_replica_depends_on_the_seed_and_its_number_alone():
    rules, start = LatticeRules(rossler(), dt=0.01), scattered([30, 30, 30], (5, 6, 7), replicas=7, seed=0)
    run = lambda x, seed, threads: sample(rules, x, 20, seed=seed, threads=threads, cubes=True, snapshots=[20])  # noqa: E731
    once = run(start, 1, 1)
    for other in (run(start, 1, 3), run(start, 1, None)):
        assert all(np.array_equal(a, b) for a, b in zip(once, other, strict=True))
    assert np.array_equal(run(start[:3], 1, 2).counts, once.counts[:3])
    assert (run(start, 2, 1).counts != once.counts).any()
    assert len({once.snapshots[0, r].tobytes() for r in range(7)}) == 7


ring, one = np.zeros((1, 8), int), annihilation()
BAD = [
    (lambda: LatticeRules(one, hop=1.5), "a hop: the probability is 1.5"),
    (lambda: LatticeRules(one, hop=(1.0, 1.0)), "2 hop probabilities for 1 species"),
    (lambda: LatticeRules(one, hop=1e-8), "a hop: the probability is 1e-08; expected 0, or a number from 1e-07 to 1"),
    (lambda: LatticeRules(parse("\n".join(f"A{i} -> 0 @ 1" for i in range(128)))), "128 species"),
    (lambda: LatticeRules(one, dt=0.0), "step of a lattice is 0.0"),
    (lambda: LatticeRules(parse("2 A -> 0 @ 1.01")), "2 A -> 0: the probability is 1.01"),
    (lambda: annihilation(float("nan")), "the probability is nan"),
    (lambda: LatticeRules(parse("3 A -> 0 @ 0.1")), "3 A -> 0: on a lattice"),
    (lambda: LatticeRules(parse("0 -> A @ 0.1")), "0 -> A: on a lattice"),
    (lambda: LatticeRules(parse("A + B -> 3 A @ 0.1")), "A \\+ B -> 3 A: on a lattice"),
    (lambda: LatticeRules(floating()), "whole numbers"),
    (lambda: sample(LatticeRules(one), ring + 2, 1, seed=0), "values from 2 to 2; expected 0 \\(empty\\) to 1"),
    (lambda: sample(LatticeRules(one), ring.astype(float), 1, seed=0), "float64 numbers"),
    (lambda: sample(LatticeRules(one), ring[0], 1, seed=0), "occupancy of shape \\(8,\\)"),
    (lambda: sample(LatticeRules(one), ring[:, :1], 1, seed=0), "a lattice of 1 sites"),
    (lambda: sample(LatticeRules(one, periodic=(True, False)), ring, 1, seed=0), "2 axes"),
    (lambda: sample(LatticeRules(one), ring, -1, seed=0), "-1 steps"),
    (lambda: sample(LatticeRules(one), ring, 5, seed=0, snapshots=[6]), "snapshots at steps 6"),
    (lambda: sample(LatticeRules(one), ring, 5, seed=0, shells=(2,)), "squared distances \\[2\\]"),
    (lambda: sample(LatticeRules(one), ring, 5, seed=-1), "the seed is -1"),
    (lambda: scattered([700, 400], (10, 10, 10), replicas=1, seed=0), "700 \\+ 400 particles on 1000 sites"),
]


def floating():
    return ReactionNetwork(np.array([[1.5]]), np.array([[0.0]]), Constant.of([0.1]), None, ("A",))


@pytest.mark.parametrize("call, told", BAD)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(InputError, match=told) as error:
        call()
    assert "\n" not in str(error.value)
