"""Insertion, deletion and moves against distributions whose moments are known."""

import numpy as np
import pytest

from guldberg.errors import InputError
from guldberg.stochastic import grand
from guldberg.stochastic.grand import Gibbs

FREE = np.zeros(2)


@pytest.mark.stochastic
@pytest.mark.parametrize("lengths, cells", [((5.0,), (10,)), ((3.0, 2.0), (4, 3))])
def test_an_ideal_gas_in_a_field_is_a_poisson_process(lengths, cells):
    """Density exp(-nu_1) in each cell; counts of different cells are independent, so the pairs follow, and the number
    is of variance equal to its mean. z < 3.5 for each of some thirty moments; 3 % of the number would have z > 5."""
    one = np.random.default_rng(0).uniform(-1.5, 0.5, cells)
    found = grand.sample(Gibbs(lengths, one, FREE, 0.5), [0.0, 9.0], chains=32, sweeps=1000, burn=100, seed=1)
    assert np.abs((found.density - np.exp(-one)) / found.density_error).max() < 3.5
    mean = np.exp(-one).mean() * np.prod(lengths)
    assert abs(found.number.mean() - mean) < 3 * found.number.std(ddof=1) / np.sqrt(32)
    assert abs(found.pairs[0] - mean**2 / 2) < 3 * found.pairs_error[0]
    assert found.number.shape == (32,) and 0.3 < found.accepted < 1


def rods(rho, sigma):
    """Tonks (1936): nu_1 of hard rods at a density, and the density of a second one at a distance."""
    free = rho / (1 - rho * sigma)
    return -np.log(free) - free * sigma, free


def density_beside(r, rho, sigma):
    """g(r) rho, the sum over the k-th neighbours: gamma laws of r - k sigma (Salsburg, Zwanzig and Kirkwood 1953)."""
    _, free = rods(rho, sigma)
    out = np.zeros_like(r)
    for k in range(1, int(r.max() / sigma) + 1):
        s = np.maximum(r - k * sigma, 0.0)
        out += np.where(r > k * sigma, free**k * s ** (k - 1) / float(np.prod(np.arange(1, k))) * np.exp(-free * s), 0)
    return out


@pytest.mark.stochastic
@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_hard_rods_in_a_line_have_the_pairs_of_tonks(rho):
    """Density and pairs by distance on a long ring: 1 % of the density would have z > 8, 3 % of the pairs of any shell
    z > 6, and the ideal gas is 50 and 120 standard errors away in the first."""
    L, sigma = 30.0, 1.0
    nu, _ = rods(rho, sigma)
    core = Gibbs((L,), np.full(1, nu), np.array([np.inf, np.inf]), sigma)
    edges = np.array([0.0, 1.0, 1.3, 1.7, 2.2, 3.0, 4.0])
    found = grand.sample(core, edges, chains=32, sweeps=2000, burn=300, seed=3)
    assert abs(found.density[0] - rho) < 3.5 * found.density_error[0]
    assert found.pairs[0] == 0
    for low, high, pairs, error in zip(edges[1:-1], edges[2:], found.pairs[1:], found.pairs_error[1:], strict=True):
        r = np.linspace(low, high, 4001)
        middle = (r[1:] + r[:-1]) / 2
        exact = rho * L * np.sum(density_beside(middle, rho, sigma)) * (r[1] - r[0])
        assert abs(pairs - exact) < 3.5 * error, (low, high, pairs, exact, error)


@pytest.mark.slow
@pytest.mark.stochastic
def test_soft_pairs_at_low_density_follow_the_virial_series():
    """rho = z (1 - 2 B z + ...), B = half the integral of 1 - exp(-nu_2), in a plane between walls far away; cells of
    the lists or none give the same."""
    L, reach, depth, z = 12.0, 1.0, 2.0, 0.05
    pair = depth * (1 - (np.arange(200) + 0.5) / 200)
    r = np.linspace(0, reach, 2001)
    B = 0.5 * np.trapezoid((1 - np.exp(-depth * (1 - r))) * 2 * np.pi * r, r)
    found = grand.sample(
        Gibbs((L, L), np.full((1, 1), -np.log(z)), pair, reach), [0.0, reach], chains=32, sweeps=4000, burn=200, seed=5
    )
    third = 0.5 * (2 * B * z) ** 2 * 1.5  # of the size of the next term
    assert abs(found.density[0, 0] - z * (1 - 2 * B * z)) < 3 * found.density_error[0, 0] + z * third
    assert abs(found.density[0, 0] - z) > 5 * found.density_error[0, 0]


def without_chains(one, pair, reach, L, edges, draws):
    """Of two species on a line between walls, by no Markov chain: given where A is, B is a Poisson process, of density
    z_B exp(-sum nu_2), so that A drawn as one too is weighed by exp(integral of that). Means and their errors."""
    rng, points = np.random.default_rng(0), (np.arange(400) + 0.5) * L / 400
    cells = np.minimum((points / L * one.shape[1]).astype(int), one.shape[1] - 1)
    z, rows = np.exp(-one)[:, cells], []
    for n in rng.poisson(z[0].sum() * L / 400, draws):
        x = rng.choice(400, n, p=z[0] / z[0].sum())
        apart = np.abs(points[x][:, None] - points)
        felt = np.where(apart < reach, pair[np.minimum((apart / reach * len(pair)).astype(int), len(pair) - 1)], 0.0)
        B = z[1] * np.exp(-felt.sum(axis=0)) * L / 400
        near = np.histogram(apart, edges, weights=np.broadcast_to(B, apart.shape))[0]
        of = [np.bincount(cells, B), np.bincount(cells[x], minlength=one.shape[1])]
        rows.append([B.sum(), *of[1], *of[0], *near])
    weights, rows = np.exp(np.array(rows)[:, 0]), np.array(rows)[:, 1:]
    mean = weights @ rows / weights.sum()
    return mean, np.sqrt(((weights[:, None] * (rows - mean)) ** 2).sum(axis=0)) / weights.sum()


@pytest.mark.stochastic
def test_two_species_that_keep_apart_in_a_field():
    """A to the left, B to the right, nu_2 of unlike ones alone, in steps: densities in six cells and pairs in four
    shells within 3.5 standard errors of what no chain drew. Without nu_2 four densities are ten errors away."""
    slope, L, edges = np.linspace(-1.4, 1.4, 6), 6.0, np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    one, pair = np.stack([slope, -slope]), np.array([2.0, 0.7])
    field = Gibbs((L,), one, pair, 1.0, periodic=False, between=(0, 1))
    found = grand.sample(field, edges, chains=32, sweeps=2000, burn=100, seed=4)
    mean, error = without_chains(one, pair, 1.0, L, edges, 4000)
    mine = np.concatenate([found.density.ravel(), found.pairs])
    apart = np.hypot(error, np.concatenate([found.density_error.ravel(), found.pairs_error]))
    assert (np.abs(mine - mean) < 3.5 * apart).all()
    assert (np.abs(np.exp(-one).ravel() - mean[:12]) > 10 * apart[:12]).sum() >= 4
    assert found.covariance.shape == (16, 16)


@pytest.mark.slow
@pytest.mark.stochastic
def test_the_covariance_is_minus_the_slope_of_the_means():
    """By the nu_1 of one cell and the height of nu_2, from chains at both sides: 3.5 standard errors."""
    edges = np.array([0.0, 0.5])
    one, step = np.array([[0.0, -0.5], [-0.5, 0.0]]), 0.07

    def at(shift, height, seed):
        field = Gibbs((2.0,), one + np.array([[shift, 0], [0, 0]]), np.array([0.5 + height]), 0.5, False, (0, 1))
        return grand.sample(field, edges, chains=32, sweeps=20_000, burn=50, seed=seed)

    for slope, column in (((step, 0.0), 0), ((0.0, step), 4)):
        low, high = at(-slope[0], -slope[1], 1), at(*slope, 2)
        rows = [np.append(each.density.ravel(), each.pairs) for each in (low, high)]
        error = np.hypot(*[np.append(each.density_error.ravel(), each.pairs_error) for each in (low, high)])
        expected = -at(0.0, 0.0, 3).covariance[column]
        assert (np.abs((rows[1] - rows[0]) / (2 * step) - expected) < 3.5 * error / (2 * step) + 0.02).all(), column


def test_the_same_seed_draws_the_same_whatever_the_threads():
    gibbs = Gibbs((4.0,), np.zeros(2), np.array([1.0, 0.0]), 0.5)
    one, two = (grand.sample(gibbs, [0, 1.0], chains=3, sweeps=50, burn=5, seed=9, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.density, two.density)
    np.testing.assert_array_equal(one.number, two.number)


@pytest.mark.parametrize("asked, told", [
    ({"one": np.zeros((2, 2, 2))}, "3 axes in a box of 1"),
    ({"one": np.zeros((2, 2)), "between": (0, 2)}, "there are 2"),
    ({"one": np.array([np.inf])}, "nu_1 finite"),
    ({"pair": np.array([np.nan, 0.0])}, "undefined"),
    ({"reach": 3.0}, "half of the shortest length"),
])  # fmt: skip
def test_what_does_not_fit_is_told(asked, told):
    with pytest.raises(InputError, match=told):
        Gibbs(**{"lengths": (4.0,), "one": np.zeros(2), "pair": FREE, "reach": 1.0} | asked)


@pytest.mark.slow
@pytest.mark.stochastic
def test_pairs_at_low_density_have_the_first_coefficient_of_the_expansion():
    """g(r) = exp(-nu_2(r)) (1 + rho C(r) + ...), C the integral of f(s) f(|r - s|), f = exp(-nu_2) - 1: for a shell of
    height 1.5 within 1 it is f^2 (2 - r). Without it the shells between 1 and 1.75 are six errors and more away; what
    comes after it is less than rho^2."""
    L, z, f = 100.0, 0.09, np.exp(-1.5) - 1
    edges = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75])
    soft = Gibbs((L,), np.full(1, -np.log(z)), np.full(1, 1.5), 1.0)
    found = grand.sample(soft, edges, chains=32, sweeps=20_000, burn=100, seed=7)
    rho, r = found.density[0], (edges[1:] + edges[:-1]) / 2
    ideal = rho**2 * L * np.diff(edges) * np.where(r < 1, 1 + f, 1)
    seen, error = found.pairs / ideal - 1, found.pairs_error / ideal
    assert (np.abs(seen - rho * f**2 * (2 - r)) < 3.5 * error + rho**2).all()
    assert (seen[4:6] > 6 * error[4:6]).all()
