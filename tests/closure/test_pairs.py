"""Pair functions of distance: their operators, theories they hold, and learning from moments that are sampled."""

import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.continuous.radial import Collisions, Contact, Crowding, RadialLaplacian, Shells
from guldberg.closure.continuous.sampled import Around, Sample, closer, counted, gathered
from guldberg.errors import InputError
from guldberg.reduce.pairs import judge, terms
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space.plan import Box
from guldberg.text import parse


def fields(shells, pair, one=0.0):
    return jnp.stack([jnp.asarray(pair), jnp.full(shells.count, one)])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_laplacian_of_a_square_is_twice_the_dimension_and_flows_are_kept(dimensions):
    """laplacian r^2 = 2 d; over all shells its integral is what passes the last surface, here none."""
    shells = Shells(dimensions, 3.0, 60)
    found = RadialLaplacian(shells)(fields(shells, shells.centres**2), 0, shells.grid)
    np.testing.assert_allclose(found[1:-1], 2 * dimensions, rtol=1e-9)
    bump = RadialLaplacian(shells)(fields(shells, np.exp(-(shells.centres**2))), 0, shells.grid)
    assert abs(float(jnp.sum(bump * shells.volumes))) < 1e-9


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_contacts_and_crowding_are_the_integrals_that_they_say(dimensions):
    """Against points drawn evenly within the radius; a radius between two edges of shells; 4 errors of 1e5 points."""
    shells, radius, one = Shells(dimensions, 4.0, 160), 0.51, 0.7
    rng = np.random.default_rng(0)
    s = rng.uniform(-radius, radius, (100_000, dimensions))
    s = s[(s**2).sum(axis=1) < radius**2]

    def g(r):
        return 1 - 0.6 * np.exp(-r)

    nu, volume = fields(shells, -np.log(g(shells.centres)), one), shells.within(np.array(radius))
    near = g(np.linalg.norm(s, axis=1))
    weight = np.exp(-one) * volume
    assert abs(float(Collisions(shells, radius)(nu, 1, shells.grid)[0]) / (weight * near.mean()) - 1) < 3e-3
    found = np.asarray(Crowding(shells, radius)(nu, 0, shells.grid))
    for k in (0, 10, 40):
        apart = s.copy()
        apart[:, 0] += shells.centres[k]
        each = weight * near * (g(np.linalg.norm(apart, axis=1)) - 1)
        assert abs(found[k] - each.mean()) < 4 * each.std() / np.sqrt(len(each)) + 2e-3 * abs(each.mean()), k
    inside = Contact(shells, radius)(nu, 0, shells.grid) * shells.volumes
    assert abs(float(jnp.sum(inside)) / volume - 1) < 1e-12


def plan(lengths, radius, rate, reach, shells, time, number=50.0, snapshots=6):
    k = rate * float(Shells(len(lengths), 1, 1).within(np.array(radius))) / 2
    box = Box(parse(f"A + A -> 0 @ {k!r}"), lengths, (1.0,), radius, 0.01)
    return PairPlan(box, number, time, reach, snapshots=snapshots, shells=shells)


@pytest.mark.slow
def test_mean_field_and_smoluchowski_are_the_laws_of_the_books():
    """1 / c = 1 / c_0 + 2 k t; in three dimensions 4 pi D' a (1 + a / (pi D' t)^(1/2)) with Doi's radius a, late."""
    asked = plan((20.0,) * 3, 1.0, 2.0, 10.0, 40, 6.0)
    assert abs(asked.rate - 2) < 1e-9
    found = {who: judge.read(terms.followed(asked, values)) for who, values in terms.theories(asked).items()}
    law = 1 / found["mean_field"].density - asked.box.volume / 50
    np.testing.assert_allclose(law, 2 * 4 / 3 * np.pi * asked.times, rtol=1e-6, atol=1e-9)
    a, t = 1 - np.tanh(1.0), asked.times[2:]
    integral = 8 * np.pi * a * (t + 2 * a * np.sqrt(t / (2 * np.pi)))
    seen = 1 / found["smoluchowski"].density - asked.box.volume / 50
    np.testing.assert_allclose(np.diff(seen[2:]), np.diff(integral), rtol=0.015)
    thin = found["superposition"].density / found["smoluchowski"].density
    assert (np.diff(thin) < 0).all() and 0.9 < thin[-1] < 1  # where a pair is, fewer thirds are


def test_the_parabola_is_that_of_an_exponential_family():
    """On three configurations by hand: mean and covariance are the derivatives of log Z, and the entropy of `Around`
    has them; a step of Newton's method from there meets the moments of another nu to second order."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 4, (200, 5)).astype(float)  # pairs in 4 shells, particles

    def sample(nu):
        p = np.exp(-numbers @ counted(nu))
        p /= p.sum()
        mean = p @ numbers
        return Sample(mean, 0 * mean, (numbers * p[:, None]).T @ numbers - np.outer(mean, mean))

    def at(scale):
        one = scale * rng.normal()
        return np.stack([scale * rng.normal(size=4), np.full(4, one)])

    start, truth = np.stack([at(0.2), at(0.2)]), np.stack([at(0.02), at(0.02)])
    truth = truth + start
    seen = np.stack([sample(nu).mean for nu in truth])
    counts = np.stack([seen[:, :-1], np.repeat(seen[:, -1:] / 4, 4, axis=1)], axis=1)
    np.testing.assert_allclose(gathered(counts), seen)
    around = Around(counts[None], 1.0, start, tuple(map(sample, start)))
    slopes = np.stack([np.stack([at(1.0), at(1.0)]) for _ in range(3)])
    flat, h = slopes.reshape(3, -1), 1e-4
    for slope, direction in zip(flat @ around.excess(truth), slopes, strict=True):
        ahead, behind = (around.entropy(truth + s * h * direction) for s in (1, -1))
        assert abs((ahead - behind) / (2 * h) - slope) < 1e-8
    curvature = around.bent(truth, flat)
    moved = flat @ (around.excess(truth + slopes[0]) - around.excess(truth))
    np.testing.assert_allclose(curvature[0], moved, atol=1e-10)
    exact = np.stack([s - sample(nu).mean for s, nu in zip(seen, truth, strict=True)])
    assert np.abs(gathered(around.excess(truth).reshape(2, 2, 4)) - exact).max() < 0.02
    nu = start[0]
    for _ in range(5):
        nu = closer(nu, seen[0], sample(nu), 0.0)
    np.testing.assert_allclose(nu, truth[0], atol=1e-6)


def test_samples_that_say_nothing_of_a_shell_leave_it_alone():
    """No pair was seen at a distance, neither in runs nor in chains: nu_2 stays finite there."""
    nothing = Sample(np.array([0.0, 3.0, 5.0]), np.zeros(3), np.diag([0.0, 3.0, 5.0]))
    after = closer(np.zeros((2, 2)), np.array([0.0, 2.9, 5.0]), nothing, 0.0)
    assert np.isfinite(after).all() and abs(after[0, 0]) < 1e-9 and after[0, 1] > 0


@pytest.mark.parametrize("asked, told", [
    ({"network": parse("A + A -> A @ 1")}, "alone"),
    ({"network": parse("A -> 0 @ 1")}, "alone"),
    ({"network": parse("A + A <-> 0 @ 1, 1")}, "alone"),
    ({"periodic": False}, "walls"),
    ({"reach": 6.0}, "half of the shortest"),
    ({"reach": 0.1}, "more than the radius"),
])  # fmt: skip
def test_what_does_not_fit_is_told(asked, told):
    asked = {"network": parse("A + A -> 0 @ 1"), "periodic": True, "reach": 2.0} | asked
    box = Box(asked["network"], (10.0,), (1.0,), 0.2, 0.01, asked["periodic"])
    with pytest.raises(InputError, match=told):
        PairPlan(box, 10.0, 1.0, asked["reach"])
