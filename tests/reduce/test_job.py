"""The job reduce: what it hands from stage to stage, that it resumes, and closures against what must hold."""

import dataclasses

import jax
import numpy as np
import pytest

from guldberg.app import codec
from guldberg.app.reduce import kind, lattices
from guldberg.app.reduce.spec import rossler
from guldberg.learn.fit import run
from guldberg.reduce import coordinates, maps, persistent, single, starts, tube
from guldberg.reduce.job import ChainReduction
from guldberg.reduce.persistent import Recorded
from guldberg.reduce.plan import ChainPlan, Lattice
from guldberg.reduce.result import PhaseTest
from guldberg.text import parse

SPECIES, SIZE = ("A", "B"), (4, 4, 4)
SITES = 64


# -- coordinates -------------------------------------------------------------------------------------------------------


def test_log_moments_and_back():
    logs = coordinates.LogMoments(3, 1000, coordinates.edges((10, 10, 10), True))
    moments = np.random.default_rng(0).uniform(20, 200, (4, 5, 9))
    np.testing.assert_allclose(np.asarray(logs.moments(logs(moments, 0.01))), moments, rtol=1e-12)


def test_log_moments_of_independent_sites_have_no_ratio():
    """The pairs that independent sites have, counted on the box, not taken from the same formula."""
    shape, p = (6, 6, 6), np.array([0.3, 0.2])
    chains = lattices.PairChains(SPECIES, shape)
    seen = chains.observe(chains.scattered(p, 4000, seed=1))
    logs = coordinates.LogMoments(2, 216, coordinates.edges(shape, True))
    x = logs(seen.moments[0], 0.01)
    np.testing.assert_allclose(x[:2], np.log(p / 0.5), atol=0.01)
    np.testing.assert_allclose(x[2:], 0, atol=0.02)


@pytest.mark.parametrize("periodic, expected", [(True, 3 * 24), (False, 2 * 12 - 6 + 2 * 12 - 8 + 2 * 12 - 12 + 20)])
def test_neighbouring_pairs_of_a_box(periodic, expected):
    size = (2, 3, 4)
    step = [np.ones(size, int).take(range(n if periodic else n - 1), axis=axis).sum() for axis, n in enumerate(size)]
    assert coordinates.edges(size, periodic) == sum(step)


def test_the_metric_is_the_misfit_in_counts():
    """x' G x of a small change against the change of the counts themselves, in units of their tolerance."""
    logs = coordinates.LogMoments(2, 1000, 3000)
    x, dx = np.array([-1.0, -0.5, 0.1, -0.2, 0.05]), 1e-5 * np.array([1.0, -2.0, 0.5, 0.3, 1.0])
    change = np.asarray(logs.moments(x + dx) - logs.moments(x - dx)) / 2
    sd = np.array([coordinates.MEAN_SD] * 2 + [coordinates.PAIR_SD] * 3)
    assert dx @ logs.metric(x[None])[0] @ dx == pytest.approx(((change / sd) ** 2).sum(), rel=1e-6)


# -- learned maps ------------------------------------------------------------------------------------------------------


def _quadratic(x0, steps):
    path = [x0]
    for _ in range(steps):
        x, y = path[-1].T
        path.append(path[-1] + 0.1 * np.stack([y - x * x, 0.5 - x * y], axis=1))
    return np.array(path).swapaxes(0, 1)


def test_a_quadratic_map_is_found_again_and_holds_for_new_starts():
    rng = np.random.default_rng(0)
    path, new = _quadratic(rng.uniform(0, 1, (12, 2)), 20), _quadratic(rng.uniform(0, 1, (5, 2)), 20)
    flat = np.broadcast_to(1e4 * np.eye(2), (12, 20, 2, 2))
    learned = maps.learn(path[:, 0], path[:, 1:], flat, degree=2, ridge=1e-8)
    np.testing.assert_allclose(learned(new[:, 0], 20), new, atol=1e-5)
    linear = maps.learn(path[:, 0], path[:, 1:], flat, degree=1)
    assert abs(linear(new[:, 0], 20) - new).max() > 1e-2  # what a class cannot represent it does not


def test_a_map_of_some_arguments_sees_nothing_else():
    rng = np.random.default_rng(1)
    path = _quadratic(rng.uniform(0, 1, (12, 2)), 10)
    flat = np.broadcast_to(np.eye(2), (12, 10, 2, 2))
    learned = maps.learn(path[:, 0], path[:, 1:], flat, degree=2, arguments=1, iterations=0)
    first, second = learned(np.array([[0.3, 0.1], [0.3, 0.9]]), 1)
    np.testing.assert_allclose(first[1] - first[0], second[1] - second[0], atol=1e-12)


def test_points_without_weight_teach_nothing():
    rng = np.random.default_rng(2)
    path = _quadratic(rng.uniform(0, 1, (12, 2)), 10)
    bad = path.copy()
    bad[:4, 1:] += rng.normal(size=(4, 10, 2))
    metric = np.broadcast_to(1e4 * np.eye(2), (12, 10, 2, 2)).copy()
    metric[:4] *= 1e-12
    learned = maps.learn(bad[:, 0], bad[:, 1:], metric, degree=2, ridge=1e-8)
    np.testing.assert_allclose(learned(path[:, 0], 10), path, atol=1e-2)


@pytest.mark.parametrize("odds", [False, True])
def test_what_the_reactions_conserve_stays_in_every_map(odds):
    """A total of two species, noise in the data: without the law the total drifts."""
    rng, law = np.random.default_rng(3), np.array([[1.0, 1.0]])
    p = rng.uniform(0.1, 0.4, (8, 2))[:, None] + 0.02 * rng.normal(size=(8, 11, 2)).cumsum(axis=1)
    x = np.log(p / (1 - p.sum(axis=2, keepdims=True))) if odds else p
    flat = np.broadcast_to(np.eye(2), (8, 10, 2, 2))
    totals = {}
    for kept in (law, maps.NOTHING_KEPT):
        learned = maps.learn(x[:, 0], x[:, 1:], flat, degree=1, laws=kept, odds=odds, iterations=2)
        path = learned(x[:, 0], 10)
        p = np.exp(path) / (1 + np.exp(path).sum(axis=2, keepdims=True)) if odds else path
        totals[len(kept)] = abs(p.sum(axis=2) - p[:, :1].sum(axis=2)).max()
    assert totals[1] < 1e-12 and totals[0] > 1e-3


# -- the tube ----------------------------------------------------------------------------------------------------------


def _helix(times):
    t = np.linspace(0, 3, times)
    return np.stack([np.cos(t), np.sin(t), 0.3 * t, t**2], axis=1)


def test_a_tube_follows_its_curve_and_knows_nothing_beside_it():
    path = _helix(40)
    around = tube.along(path, arguments=3)
    followed, left = around.follow(path[0], 39)
    assert left is None
    np.testing.assert_allclose(followed, path, atol=0.02)
    stopped, left = around.follow(path[0] + [0.5, 0.5, 0, 0], 39)
    assert left == 1 and len(stopped) == 1
    assert len(around.held) / 8 < 0.2 * around.cells


# -- static fits -------------------------------------------------------------------------------------------------------


def _recorded(energy, theta, density, seed, chains=3000):
    state = energy.scattered(density, chains, seed=seed)
    state, _ = energy.sweep(theta, state, 60, seed=seed)
    seen = energy.observe(state)
    return seen


@pytest.mark.stochastic
@pytest.mark.parametrize("full", [None, False], ids=["pairs", "hidden"])
def test_static_fits_reproduce_the_moments_of_a_known_energy(full):
    """Data drawn from an energy of the class: its counts must come back within the noise of chains and data (4 sd)."""
    density = np.array([0.25, 0.2])
    energy = lattices.PairChains(SPECIES, SIZE) if full is None else lattices.HiddenChains(SPECIES, SIZE, full)
    theta = energy.first(density)
    theta = theta + np.where(np.arange(len(theta)) >= 2, 0.2, 0.0)
    data = _recorded(energy, theta, density, 5)
    state = energy.scattered(density, 200, seed=6)
    fits = persistent.track(
        energy, data.at(np.zeros(6, int)), energy.first(density), state, iterations=12, averaged=6, seed=7
    )
    again = persistent.resampled(energy, fits.theta[-1:], energy.scattered(density, 2000, seed=8), first=60, seed=9)
    noise = np.hypot(data.error[0], again.error[0]) + data.error[0] * np.sqrt(3000 / (200 * 6))
    assert (abs(again.moments - data.moments)[0, :2] < 4 * noise[:2]).all()
    if full is None:
        assert (abs(again.moments - data.moments)[0] < 4 * noise).all()


def test_the_awake_phase_is_the_mean_over_configurations():
    """From the histogram of blocks, against hidden units averaged state by state with rolled arrays."""
    energy = lattices.HiddenChains(SPECIES, SIZE, full=True)
    density = np.array([0.3, 0.2])
    theta = energy.first(density)
    states = energy.scattered(density, 30, seed=3)
    expected = []
    for state in states:
        p = energy.unseen(theta, state)
        n = np.stack([sum(np.roll(state == a + 1, (-i, -j, -k), (0, 1, 2)).astype(int) for i in (0, 1) for j in (0, 1)
                          for k in (0, 1)).ravel() for a in (0, 1)], axis=1)  # fmt: skip
        expected.append(np.concatenate([n.sum(axis=0) / 8, (n[:, :, None] * p[:, None]).sum(axis=0).ravel(), p.sum(0)]))
    awake = energy.awake(theta, energy.observe(states), 0)
    np.testing.assert_allclose(awake, np.mean(expected, axis=0), rtol=1e-10)


def test_chains_of_two_phases_are_told_from_chains_of_one():
    counts = np.array([[200.0, 100.0], [203.0, 99.0]])
    assert PhaseTest("", 0, counts[0], counts, np.ones((2, 2))).one_phase
    assert not PhaseTest("", 0, counts[0], counts + [[0, 0], [600, 0]], np.ones((2, 2))).one_phase


def test_strong_attraction_has_two_phases_and_none_has_one():
    energy = lattices.PairChains(("A",), (6, 6, 6))
    full, thin = (energy.scattered(np.array([p]), 24, seed=1) for p in (0.9, 0.1))
    for J, one in ((0.2, True), (2.0, False)):  # the lattice gas condenses above 0.887, at b = -3 J
        counts, error = persistent.phases(energy, np.array([-3 * J, J]), [full, thin], sweeps=200, seed=2)
        assert PhaseTest("", 0, counts[0], counts, error).one_phase == one


def test_drawn_starts_leave_room_and_follow_the_seed():
    chosen = starts.drawn(50, 40, 400, 3, 1000, 0)
    assert chosen.shape == (50, 3) and chosen.min() >= 40 and chosen.max() <= 400
    assert chosen.sum(axis=1).max() <= 900
    np.testing.assert_array_equal(chosen, starts.drawn(50, 40, 400, 3, 1000, 0))


# -- simulations handed in ---------------------------------------------------------------------------------------------


@pytest.mark.stochastic
def test_simulated_chains_begin_as_they_were_drawn():
    """Step 0 against the exact moments of the chain, 4 standard errors of 4 x 400 lattices (of pooled starts)."""
    place = Lattice(parse("2 A -> 0 @ 0.01"), (100,))
    theta = np.array([[0.3, -0.5, 0.4]] * 4)
    plan = ChainPlan(place)
    job = ChainReduction(plan, lattices.ChainLattices(place))
    seen = lattices.ChainLattices(place)(theta, lattices=400, steps=1, seed=3)[:, 0]
    exact, covariance = jax.jit(lambda t: (job.chain.moments(t), job.chain.covariance(t)))(theta[0])
    sd = np.sqrt(np.diag(covariance) / 1600)
    assert (abs(seen.mean(axis=0)[:3] - exact) < 4 * sd).all()


def test_whole_chains_lose_pairs_of_particles_alone():
    """2 A -> 0: the parity of each chain stays, its number falls, and the first are draws of the start."""
    place = Lattice(parse("2 A -> 0 @ 0.3"), (80,))
    theta = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    states = lattices.ChainLattices(place).states(theta, lattices=40, steps=6, seed=1)
    assert states.shape == (2, 7, 40, 80) and states.dtype == np.int8
    numbers = states.sum(axis=3)
    lost = -np.diff(numbers, axis=1)
    assert (lost >= 0).all() and (lost % 2 == 0).all() and lost.sum() > 0
    expected = 80 / (1 + np.exp([-1.0, 1.0]))
    assert (abs(numbers[:, 0].mean(axis=1) - expected) < 4 * np.sqrt(80 / 4 / 40)).all()


def test_by_order_is_counts_per_1000_sites():
    miss = np.ones((3, 4, 5))
    np.testing.assert_allclose(single.by_order(miss, 2, 250), 4.0)


# -- the whole job -----------------------------------------------------------------------------------------------------


def _tiny_box(starts=4):
    plan = rossler()
    lattice = dataclasses.replace(plan.lattice, size=(4, 4, 4))
    sizes = {"steps": 10, "simulations": 30, "start_steps": 6, "start_simulations": 30, "fresh": 2}
    return dataclasses.replace(
        plan, lattice=lattice, counts=(12, 12, 12), starts=starts, low=4, high=18, fresh_simulations=30,
        long_steps=100, **sizes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run_of_one_start():
    """The job without further starts, with every State it went through."""
    job, states, progress = kind.job_of(_tiny_box(0), None), [], []

    def on_step(state, metrics):
        states.append(state)
        progress.append(metrics["progress"])

    return job, run(job, 3, on_step=on_step), states, progress


def test_every_state_of_a_box_is_written_and_read_back(run_of_one_start):
    job, found, states, progress = run_of_one_start
    for state in states:
        written = codec.encode(state, job.state_types)
        assert codec.encode(codec.decode(written, job.state_types), job.state_types) == written
    assert progress == sorted(progress) and progress[-1] == 1.0
    assert {row.kind for row in found.single} <= {"floor", "learned", "noise"} and not found.many
    assert set(found.errors) == {"learned", "static_floor", "noise"}


def test_a_box_that_was_interrupted_ends_as_one_that_was_not(run_of_one_start):
    job, whole, states, _ = run_of_one_start
    half = codec.decode(codec.encode(states[-3], job.state_types), job.state_types)
    resumed = run(kind.job_of(_tiny_box(0), None), 3, state=half)
    for one, other in zip(whole.phases, resumed.phases, strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)


@pytest.mark.slow
def test_many_starts_in_small():
    """The closure in moments and the mean ODE, end to end; errors are finite and the noise is below them."""
    found = run(kind.job_of(_tiny_box(), None), 0)
    assert len(found.many) == 8
    assert all(np.isfinite(row.means).all() for row in found.many)
    assert set(found.errors) == {"learned", "mean_field", "static_floor", "noise"}


def test_a_mean_of_no_particles_is_no_infinity():
    none = Recorded(*(np.zeros((2, n)) for n in (2, 3, 3, 45, 5, 2)), simulations=10)
    logs = coordinates.LogMoments(2, 64, 192)
    assert np.isfinite(logs(none.moments, 0.05)).all()


@pytest.mark.slow
def test_hidden_layers_and_the_published_recipe_on_the_same_data():
    """In small: every way is judged by the same starts, and what learns is nearer than what does not."""
    place = Lattice(parse("2 A -> 0 @ 0.05"), (60,))
    plan = ChainPlan(place, steps=16, starts=8, lattices=12, held_out=4, truth=200, outside=0, layers=True, recipe=True)
    with jax.numpy_dtype_promotion("standard"):  # Adam of optax raises a float to the power of an integer
        found = run(kind.job_of(plan, None), 0)
    assert len(found.layers) == 3 and len(found.recipes) == 8
    nothing = found.recipes["nothing moves, F = 0"]
    *simple, (four_sites, (_, of_four_sites)) = found.layers.items()
    for _, (_, learned) in simple:
        assert learned[0, -1] < 0.3 * nothing[0, -1]
    ran_away = any(f"{four_sites}: what was learned ran to infinity" in line for line in found.warnings)
    assert ran_away != np.isfinite(of_four_sites).all()  # a polynomial of four interactions from eight starts
    assert found.recipes["exact moments, SGD"][0, -1] < nothing[0, -1]
