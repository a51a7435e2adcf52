"""Two species on a line that keep apart: distances between cells, operators, moments and the nu that has them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.continuous.counted import Counted, closer, moments
from guldberg.closure.continuous.radial import RadialLaplacian, Shells
from guldberg.closure.continuous.sampled import Sample
from guldberg.closure.continuous.unlike import Between, Contacts, Line, Overlap, bare
from guldberg.stochastic import grand

LINE = Line(6.0, 24, Shells(1, 3.0, 24))


def clouds(line):
    x = (np.arange(line.cells) + 0.5) * line.cell
    r = line.shells.centres
    u = [-np.log(np.exp(-((x - c) ** 2) / 2) + 0.1) for c in (2.0, 4.0)]
    return jnp.asarray(np.stack([*u, np.exp(-(r**2))]))


def test_pairs_of_independent_particles_are_counted_by_distance():
    """Against points within the cells, 25 in each; all pairs are somewhere between 0 and the length."""
    density = np.exp(-np.asarray(clouds(LINE))[:2])
    x, h = (np.arange(600) + 0.5) * 6 / 600, 6 / 600
    fine = np.repeat(density, 25, axis=1)
    apart = np.abs(x[:, None] - x)
    edges = np.linspace(0, 3, 25) + 1e-9  # distances of points lie on the edges
    counted = np.histogram(apart, edges, weights=np.outer(*fine) * h**2)[0]
    mixed = np.asarray(LINE.mixed(jnp.asarray(density)))
    np.testing.assert_allclose(mixed, counted, rtol=0.05)
    whole = Line(6.0, 24, Shells(1, 6.0, 24)).mixed(jnp.asarray(density))
    assert float(whole.sum()) == pytest.approx(np.prod(density.sum(axis=1) * 0.25), rel=1e-12)


def test_contacts_are_those_of_a_density_within_the_radius():
    """2 radius rho g in the middle, half of it in the cell at a wall that is much wider than the radius: 1 - 1/8."""
    fields = jnp.stack([jnp.zeros(24), jnp.full(24, -jnp.log(3.0)), jnp.full(24, -jnp.log(0.5))])
    found = np.asarray(Contacts(LINE, 0.2)(fields, 0, LINE.grid))
    np.testing.assert_allclose(found[1:-1], 2 * 0.2 * 3 * 0.5, rtol=1e-12)
    assert found[0] == pytest.approx(0.6 * (1 - 0.2 / (4 * 0.25)), rel=1e-12)


def test_the_density_of_distances_diffuses():
    """g O, O by the densities, each of which diffuses: d (g O) / dt = D (g O)'' far from walls, to second order in the
    spacing: a quarter of the error with cells half as wide."""

    def error(cells):
        line = Line(12.0, cells, Shells(1, 12.0, cells))
        x, r = (np.arange(cells) + 0.5) * line.cell, line.shells.centres
        u = [-jnp.log(3 * jnp.exp(-((x - c) ** 2) / 2)) for c in (5.0, 7.5)]
        return float(differing(jnp.stack([*u, jnp.exp(-(r**2))]), line))

    @partial(jax.jit, static_argnums=1)
    def differing(fields, line):
        density, w = jnp.exp(-fields[:2]), line.shells.grid
        overlap, g = line.mixed(density), jnp.exp(-fields[2])
        laplacian = Between(RadialLaplacian(line.shells), line.shells)(fields, 2, line.grid)
        squared = laplacian + w.laplacian(g[None])[0] / g
        moved = -2 * g * (laplacian - squared + Overlap(line)(fields, 2, line.grid))
        spread = line.grid.laplacian(density)
        mixed = line.mixed(jnp.stack([spread[0], density[1]])) + line.mixed(jnp.stack([density[0], spread[1]]))
        whole = g * mixed + overlap * moved
        exact = 2 * w.laplacian((g * overlap)[None])[0]
        return jnp.abs(whole - exact)[: line.cells // 3].max() / jnp.abs(exact).max()

    assert error(80) < 0.02 and 3 < error(40) / error(80) < 5


def test_the_slope_and_curvature_of_the_entropy_are_those_of_differences():
    fields, rng = np.asarray(clouds(LINE)), np.random.default_rng(0)
    seen = np.asarray(moments(LINE, jnp.asarray(fields))).reshape(3, 24)
    counts = seen * rng.uniform(0.9, 1.1, (4, 2, 3, 24))
    sharp = np.stack([np.diag(1 / seen.ravel())] * 2)
    evidence = Counted(counts, 0.1, LINE, sharp)
    path, along = np.stack([fields, fields + 0.1]), rng.normal(size=(2, 2, 3, 24))
    step = 1e-5
    low, high = (evidence.entropy(path + side * step * along[0]) for side in (-1, 1))
    assert evidence.excess(path) @ along[0].ravel() == pytest.approx((high - low) / (2 * step), rel=1e-6)
    least = Counted(seen[None, None].repeat(2, axis=1), 0.1, LINE, sharp)  # where it is least, the slope moves by this
    path = np.stack([fields, fields])
    slopes = [least.excess(path + side * step * along[0]) @ along[1].ravel() for side in (-1, 1)]
    bent = least.bent(path, along.reshape(2, -1))
    assert bent[0, 1] == pytest.approx((slopes[1] - slopes[0]) / (2 * step), rel=1e-5)
    assert evidence.entropy(np.full_like(path, np.nan)) == np.inf


@pytest.mark.slow
@pytest.mark.stochastic
def test_nu_of_first_order_and_a_step_of_newton_have_the_moments_that_are_asked():
    """Chains at nu by `bare`, then a step further: of A, of B and of pairs there are as many as are asked, to 7 and 3
    per cent (three standard errors of what is asked last); with nu = u some 20 per cent of A and of B are missing."""
    fields, rng = clouds(LINE), np.random.default_rng(0)
    asked = np.asarray(moments(LINE, fields))

    def sampled(nu):
        gas = grand.Gibbs((6.0,), nu[:2], nu[2], 3.0, periodic=False, between=(0, 1))
        ask = {"chains": 16, "sweeps": 6000, "burn": 50, "seed": int(rng.integers(2**31))}
        found = grand.sample(gas, LINE.shells.edges, **ask)
        mean = np.append(found.density.ravel() * LINE.cell, found.pairs)
        return Sample(mean, np.zeros_like(mean), found.covariance)

    def away(sample):
        return np.abs(sample.mean.reshape(3, 24).sum(axis=1) / asked.reshape(3, 24).sum(axis=1) - 1)

    nu = np.asarray(bare(LINE, fields))
    first, plain = sampled(nu), sampled(np.asarray(fields))
    second = sampled(closer(nu, asked, first, nu, 0.01))
    assert away(plain)[:2].min() > 0.15 and away(first).max() < 0.07 and away(second).max() < 0.03
