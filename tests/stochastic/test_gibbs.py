"""Gibbs samplers against enumeration of all states, and against a plain sampler of any energy."""

import itertools

import numpy as np
import pytest

from guldberg.errors import InputError
from guldberg.stochastic.counting import cube_classes, measure
from guldberg.stochastic.gibbs import cube_sweeps, pair_sweeps

pytestmark = pytest.mark.stochastic
B, W, HIDDEN_B = np.array([-0.6, 0.2, -1.0]), np.array([[-0.9, 0.3], [0.5, 0.1], [0.2, -0.4]]), np.array([0.4, -0.5])
J = np.array([[0.5, -0.3, 0.2], [-0.3, 0.2, 0.4], [0.2, 0.4, -0.6]])


def states(shape, species):
    sites = int(np.prod(shape))
    return np.array(list(itertools.product(range(species + 1), repeat=sites)), np.int8).reshape(-1, *shape)


def occupation(v, species):
    return np.stack([v == a + 1 for a in range(species)]).astype(float)


def flat(x):
    return x.reshape(*x.shape[:2], -1)


def cube_log_weight(v, b, W, hidden_b):
    """ln sum_h p(v, h): each hidden unit sums to 1 + sum_X exp(hidden_b_X + n W_X), n the content of its block."""
    n = blocks = occupation(v, len(b))
    for axis in range(2, n.ndim):
        blocks = blocks + np.roll(blocks, -1, axis)
    hidden = np.log1p(np.exp(np.einsum("ans,ax->xns", flat(blocks), W) + hidden_b[:, None, None]).sum(0))
    return np.einsum("a,ans->n", b, flat(n)) + hidden.sum(1)


def pair_log_weight(v, b, J):
    n = occupation(v, len(b))
    ahead = sum(flat(np.roll(n, -1, axis)) for axis in range(2, n.ndim))
    return np.einsum("a,ans->n", b, flat(n)) + np.einsum("ans,ac,cns->n", flat(n), J, ahead)


def chi_squared(drawn, v, log_weight):
    """In standard deviations from its mean, over all states with at least five expected."""
    p = np.exp(log_weight - log_weight.max())
    p /= p.sum()
    base = int(v.max()) + 1
    code = lambda x: x.reshape(len(x), -1) @ base ** np.arange(x[0].size)[::-1].astype(np.int64)  # noqa: E731
    counts, expected = np.bincount(code(drawn), minlength=len(v)), p * len(drawn)
    rare = expected < 5
    counts, expected = (np.append(x[~rare], x[rare].sum()) for x in (counts, expected))
    used = expected > 0
    x = ((counts - expected)[used] ** 2 / expected[used]).sum()
    return (x - (used.sum() - 1)) / np.sqrt(2 * (used.sum() - 1))


CASES = [((5,), 3, 2), ((3, 3), 2, 2), ((2, 2, 2), 2, 1), ((2, 2, 3), 1, 2)]


@pytest.mark.parametrize("shape, species, hidden", CASES)
def test_hidden_units_over_blocks_give_the_enumerated_distribution(shape, species, hidden):
    """Power: weights smaller by a tenth are seen."""
    b, w, hb = B[:species], W[:species, :hidden], HIDDEN_B[:hidden]
    v, start = states(shape, species), np.zeros((60_000, *shape), np.int8)
    drawn = cube_sweeps(start, b, w, hb, sweeps=40, seed=1)
    assert abs(chi_squared(drawn, v, cube_log_weight(v, b, w, hb))) < 4
    assert chi_squared(drawn, v, cube_log_weight(v, b, 0.9 * w, hb)) > 10


@pytest.mark.parametrize("shape, species", [((5,), 3), ((3, 3), 2), ((2, 2, 2), 2), ((2, 2, 3), 1)])
def test_pairs_give_the_enumerated_distribution(shape, species):
    b, j = B[:species], J[:species, :species]
    v, start = states(shape, species), np.full((60_000, *shape), species, np.int8)
    drawn = pair_sweeps(start, b, j, sweeps=60, seed=2)
    assert abs(chi_squared(drawn, v, pair_log_weight(v, b, j))) < 4
    assert chi_squared(drawn, v, pair_log_weight(v, b, 0.7 * j)) > 10


def plain_gibbs(log_weight, v, species, sweeps, rng):
    """Site by site, every value of the site tried in the whole energy: slow, and true of any energy."""
    for _ in range(sweeps):
        for site in np.ndindex(*v.shape[1:]):
            tried = np.repeat(v[None], species + 1, axis=0)
            tried[(np.arange(species + 1), slice(None), *site)] = np.arange(species + 1)[:, None]
            logs = np.stack([log_weight(x) for x in tried])
            gumbel = logs + rng.gumbel(size=logs.shape)
            v[(slice(None), *site)] = gumbel.argmax(axis=0)
    return v


@pytest.mark.parametrize("kind", ["cubes", "pairs"])
def test_larger_lattices_agree_with_a_plain_sampler_of_the_energy(kind):
    """Three species on 3 x 3 x 4 sites, 3000 chains against 400; every count, pair and block."""
    rng, shape, hb = np.random.default_rng(3), (3, 3, 4), np.array([0.4, -0.5, 0.1])
    weights = np.column_stack([W, [0.3, -0.2, 0.6]]) / 2
    if kind == "cubes":
        plain = plain_gibbs(lambda v: cube_log_weight(v, B, weights, hb), rng.integers(0, 4, (400, *shape)), 3, 12, rng)
        fast = cube_sweeps(rng.integers(0, 4, (3000, *shape)), B, weights, hb, sweeps=40, seed=4)
    else:
        plain = plain_gibbs(lambda v: pair_log_weight(v, B, J), rng.integers(0, 4, (400, *shape)), 3, 12, rng)
        fast = pair_sweeps(rng.integers(0, 4, (3000, *shape)), B, J, sweeps=40, seed=4)
    for one, other in zip(measure(plain, species=3), measure(fast, species=3), strict=True):
        z = one.mean(0) - other.mean(0)
        z = z / np.sqrt(one.var(0) / len(one) + other.var(0) / len(other) + 1e-12)
        seen = other.sum(0) > 2000
        assert np.abs(z[seen]).max() < 4.5
        assert seen.any()


def test_counts_by_hand():
    """Two A side by side, a B above one of them, on a ring of rings."""
    v = np.zeros((1, 4, 4, 4), np.int8)
    v[0, 0, 0, 0] = v[0, 0, 0, 1] = 1
    v[0, 1, 0, 0] = 2
    counts, pairs, cubes = measure(v, species=3, shells=(1, 2))
    assert counts.tolist() == [[2, 1, 0]]
    assert pairs.tolist() == [[[1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0]]]
    content = {tuple(n): int(c) for n, c in zip(cube_classes(3), cubes[0], strict=True) if c}
    assert content == {(0, 0, 0): 48, (1, 0, 0): 6, (0, 1, 0): 4, (1, 1, 0): 2, (2, 0, 0): 2, (2, 1, 0): 2}


def test_blocks_hold_every_particle_eight_times():
    v = np.random.default_rng(0).integers(0, 4, (3, 5, 4, 6))
    counts, _, cubes = measure(v, species=3)
    assert (cubes @ cube_classes(3) == 8 * counts).all() and (cubes.sum(1) == 120).all()


def test_chains_depend_on_their_number_and_the_seed_alone():
    start = np.random.default_rng(0).integers(0, 3, (9, 4, 4, 4))
    draw = lambda v, seed, threads: cube_sweeps(v, B[:2], W[:2], HIDDEN_B, sweeps=5, seed=seed, threads=threads)  # noqa: E731
    once = draw(start, 1, 1)
    assert (once == draw(start, 1, 3)).all() and (once[:4] == draw(start[:4], 1, 2)).all()
    assert (once != draw(start, 2, 1)).any() and (start == np.random.default_rng(0).integers(0, 3, (9, 4, 4, 4))).all()


def test_strong_couplings_do_not_overflow():
    """Weights of 1000: every site A, since any other state is e^1000 times less likely."""
    full = cube_sweeps(np.ones((2, 3, 3, 3), int), np.zeros(1), np.full((1, 1), 1000.0), np.zeros(1), sweeps=3, seed=0)
    assert (full == 1).all()


ok = np.zeros((1, 2, 2, 2), np.int8)
BAD = [
    (lambda: cube_sweeps(ok, np.zeros(2), np.zeros((3, 2)), np.zeros(2), sweeps=1, seed=0), "weights of shape"),
    (lambda: cube_sweeps(ok, np.zeros(4), np.zeros((4, 1)), np.zeros(1), sweeps=1, seed=0), "4 species; expected at"),
    (lambda: cube_sweeps(ok, np.array([np.nan]), np.zeros((1, 1)), np.zeros(1), sweeps=1, seed=0), "finite numbers"),
    (lambda: cube_sweeps(ok + 2, np.zeros(1), np.zeros((1, 1)), np.zeros(1), sweeps=1, seed=0), "values from 2 to 2"),
    (lambda: pair_sweeps(ok, np.zeros(2), np.array([[0, 1], [2, 0]]), sweeps=1, seed=0), "symmetric"),
    (lambda: pair_sweeps(ok[..., :1], np.zeros(1), np.zeros((1, 1)), sweeps=1, seed=0), "at least 2 on a periodic"),
    (lambda: pair_sweeps(ok, np.zeros(1), np.zeros((1, 1)), sweeps=-1, seed=0), "-1 sweeps"),
]


@pytest.mark.parametrize("call, told", BAD)
def test_bad_input_is_told_in_one_line(call, told):
    with pytest.raises(InputError, match=told) as error:
        call()
    assert "\n" not in str(error.value)
