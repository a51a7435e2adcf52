"""Pair functions of distance: their operators, theories they hold, and learning from moments that are sampled."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.continuous.likelihood import Model, followed, learn
from guldberg.closure.continuous.radial import Collisions, Contact, Crowding, RadialLaplacian, Shells
from guldberg.closure.continuous.sampled import LEAST, NOISE, Around, Sample, closer, counted, precision
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
    rates = {who: terms.theory(asked, values) for who, values in terms.theories(asked).items()}
    found = {who: judge.read(terms.followed(asked, rate)) for who, rate in rates.items()}
    law = 1 / found["mean_field"].density - asked.box.volume / 50
    np.testing.assert_allclose(law, 2 * 4 / 3 * np.pi * asked.times, rtol=1e-6, atol=1e-9)
    a, t = 1 - np.tanh(1.0), asked.times[2:]
    integral = 8 * np.pi * a * (t + 2 * a * np.sqrt(t / (2 * np.pi)))
    seen = 1 / found["smoluchowski"].density - asked.box.volume / 50
    np.testing.assert_allclose(np.diff(seen[2:]), np.diff(integral), rtol=0.015)
    thin = found["superposition"].density / found["smoluchowski"].density
    assert (np.diff(thin) < 0).all() and 0.9 < thin[-1] < 1  # where a pair is, fewer thirds are


NUMBERS = np.random.default_rng(0).integers(0, 4, (200, 5)).astype(float)  # pairs in 4 shells, particles


def family(nu):
    """An exponential family on configurations by hand: its weights, and a sample without noise."""
    p = np.exp(-NUMBERS @ counted(nu))
    p /= p.sum()
    mean = p @ NUMBERS
    return p, Sample(mean, 0 * mean, (NUMBERS * p[:, None]).T @ NUMBERS - np.outer(mean, mean))


def drawn(rng, scale, times=2):
    return np.stack([np.stack([scale * rng.normal(size=4), np.full(4, scale * rng.normal())]) for _ in range(times)])


def test_newtons_method_finds_the_nu_that_has_these_moments():
    rng = np.random.default_rng(0)
    nu, truth = drawn(rng, 0.2)
    for _ in range(12):
        nu, whole = closer(nu, family(truth)[1].mean, family(nu)[1], 0.0)
        assert whole
    np.testing.assert_allclose(nu, truth, atol=1e-6)


def test_a_step_moves_no_further_than_the_parabola_holds():
    """Moments ten standard deviations away: one deviation is gone, in the direction of the whole step."""
    nu = drawn(np.random.default_rng(0), 0.2, times=1)[0]
    sample = family(nu)[1]
    far = sample.mean - 10 * sample.covariance[-1] / np.sqrt(sample.covariance[-1, -1])
    after, whole = closer(nu, far, sample, 0.0)
    moved = counted(after - nu)
    assert not whole and moved @ sample.covariance @ moved == pytest.approx(1, rel=0.1) and moved[-1] > 0


def around(truth, groups=3):
    """Of two times with the moments of these nu, and groups that scatter about them."""
    seen = np.stack([family(nu)[1].mean for nu in truth])
    counts = np.stack([seen[:, :-1], np.repeat(seen[:, -1:] / 4, 4, axis=1)], axis=1)
    apart = np.random.default_rng(1).normal(size=(groups, *counts.shape)) * [[0.02], [0.005]]
    sharp = np.stack([precision(family(nu)[1].covariance) for nu in truth])
    return Around(counts + apart - apart.mean(axis=0), 1.0, 7.0, np.arange(1.0, 5.0), sharp)


def test_the_entropy_of_moments_is_that_of_the_distributions_that_have_them():
    """To second order, the relative entropy of one member of a family to another; w from moments and back."""
    rng = np.random.default_rng(2)
    truth = drawn(rng, 0.3)
    seen = around(truth)
    near = truth + drawn(rng, 0.01)
    mean = np.stack([family(nu)[1].mean for nu in near])
    one = -np.log(mean[:, -1] / seen.volume)
    two = -np.log(2 * seen.volume * mean[:, :-1] / mean[:, -1:] ** 2 / seen.shells)
    w = np.stack([two, np.repeat(one[:, None], 4, axis=1)], axis=1)
    np.testing.assert_allclose(seen.moments(w), mean, rtol=1e-12)
    exact = 0.0
    for before, after in zip(truth, near, strict=True):
        p, q = family(before)[0], family(after)[0]
        exact += p @ np.log(p / q)
    assert exact > 1e-4 and abs(seen.entropy(w) / exact - 1) < 0.05
    assert seen.entropy(np.full_like(w, np.nan)) == np.inf


def test_its_derivatives_are_differences_of_it_and_groups_scatter_as_they_were_counted():
    rng = np.random.default_rng(3)
    seen = around(drawn(rng, 0.3))
    w, slopes, h = drawn(rng, 0.3), np.stack([drawn(rng, 1.0) for _ in range(3)]), 1e-5
    flat = slopes.reshape(3, -1)
    for slope, direction in zip(flat @ seen.excess(w), slopes, strict=True):
        ahead, behind = (seen.entropy(w + s * h * direction) for s in (1, -1))
        assert abs((ahead - behind) / (2 * h) / slope - 1) < 1e-6
    for k, each in enumerate(seen.scattered(w, flat)):
        alone = seen._replace(counts=seen.counts[[k]])
        np.testing.assert_allclose(each, flat @ (alone.excess(w) - seen.excess(w)), atol=1e-10)
    moved = np.stack([(seen.moments(w + h * d) - seen.moments(w - h * d)) / (2 * h) for d in slopes])
    expected = np.einsum("qti,tij,rtj->qr", moved, seen.precision, moved)
    np.testing.assert_allclose(seen.bent(w, flat), expected, rtol=1e-6)


def test_a_precision_is_an_inverse_less_what_noise_may_feign():
    """Two counts sampled as if one were the other; one that never was: all finite, none sharper than NOISE allows."""
    found = precision(np.array([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 0.0]]))
    assert np.linalg.eigvalsh(found).max() <= 1 / LEAST + 1e-6 and found[0, 0] <= 1 / (4 * NOISE) + 1e-9
    assert found[2, 2] == pytest.approx(1 / LEAST) and precision(np.eye(3))[0, 0] == pytest.approx(1)


def test_penalties_are_of_departures_from_superposition():
    """At superposition every slope of the penalty is 0; the first function twice itself costs 1 / (2 WITHIN^2) nats of
    all runs; the start costs nothing and is not moved."""
    asked = plan((20.0,), 0.4, 2.0, 4.0, 10, 0.4)
    functional, model = superposed(asked, np.linspace(-1.0, 1.0, 3)[:, None, None] + np.zeros((3, 2, 10)))
    begin, (cost, free) = terms.begun(asked, functional)
    known = terms.theories(asked)["superposition"]
    for term in model.terms:
        values = term.values(jnp.linspace(-2.0, 2.0, 10).reshape(1, 10).repeat(2, axis=0))
        np.testing.assert_allclose(values, known[term.name], atol=1e-9)
    dofs = len(functional.terms[0].function.coefficients)
    only = np.concatenate([np.zeros(2), begin[2 : 2 + dofs], np.zeros(len(begin) - 2 - dofs)])  # the first again
    assert only @ cost @ only / 2 * asked.runs == pytest.approx(0.5 / terms.WITHIN**2)
    assert free.shape == (len(begin) - 2, len(begin)) and not free[:, :2].any() and not cost[:2].any()


def test_samples_that_say_nothing_of_a_shell_leave_it_alone():
    """No pair was seen at a distance, neither in runs nor in chains: nu_2 stays finite there."""
    nothing = Sample(np.array([0.0, 3.0, 5.0]), np.zeros(3), np.diag([0.0, 3.0, 5.0]))
    after, _ = closer(np.zeros((2, 2)), np.array([0.0, 2.9, 5.0]), nothing, 0.0)
    assert np.isfinite(after).all() and abs(after[0, 0]) < 1e-9 and after[0, 1] > 0


def superposed(asked, w):
    """Superposition as functions on elements over these w_1."""
    functional = terms.blank(asked, w)
    return functional, functional.having(jnp.asarray(terms.begun(asked, functional)[0][2:]))


@pytest.mark.slow
def test_functions_go_on_before_the_operators_of_another_plan():
    """Of superposition, they are superposition in another box, over other shells and beyond the w_1 of before."""
    known, other = plan((20.0,), 0.4, 2.0, 4.0, 10, 0.4), plan((90.0,), 0.7, 2.0, 30.0, 60, 9.0, number=5.0)
    _, functional = superposed(known, np.linspace(-1.0, 0.0, 3)[:, None, None] + np.zeros((3, 2, 10)))
    w = jnp.stack([jnp.exp(-jnp.linspace(0.0, 5.0, 60)), jnp.full(60, 3.0)])
    found = terms.onto(other, functional)(w)
    np.testing.assert_allclose(found, terms.theory(other, terms.theories(other)["superposition"])(w), rtol=1e-5)


@pytest.mark.slow
def test_a_departure_that_is_there_is_found():
    """Moments, without noise, of crowding half as strong again: the density within a twentieth of what superposition is
    off, more than 1.2 before crowding, and the constants that are exact within a standard deviation."""
    asked = dataclasses.replace(plan((20.0,), 0.4, 10.0, 6.0, 15, 2.0, number=40.0), runs=100_000)
    theory = terms.theories(asked)["superposition"]
    truth = terms.followed(asked, terms.theory(asked, {**theory, terms.CROWDING: 1.5 * theory[terms.CROWDING]}))
    before = terms.followed(asked, terms.theory(asked, theory))
    functional, known = superposed(asked, before)
    begin, cost = terms.begun(asked, functional)
    blank = Around(np.zeros((2, 6, 2, 15)), asked.span, 20.0, asked.distances.volumes, np.zeros((6, 16, 16)))
    mean = blank.moments(truth)
    counts = np.stack([mean[:, :-1], np.repeat(mean[:, -1:] / 15, 15, axis=1)], axis=1)
    seen = blank._replace(counts=np.stack([counts, counts]), precision=np.stack([np.diag(1 / m) for m in mean]))
    model = Model(functional, np.ones((15, 1)), np.array(terms.steps(asked)))
    found = learn(model, begin, seen, *cost, iterations=30, around=begin)
    learned = np.asarray(followed(model, jnp.asarray(found.parameters), 6, 2, asked.span))
    off = np.abs(before - truth)[:, 1].max()
    assert off > 0.005 and np.abs(learned - truth)[:, 1].max() < 0.05 * off
    for term in functional.having(jnp.asarray(found.parameters[2:])).terms:
        relative = np.asarray(term.values(jnp.asarray(truth[3]))).mean() / theory[term.name] - 1
        assert relative > 0.2 if term.name == terms.CROWDING else abs(relative) < terms.WITHIN, term.name


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
