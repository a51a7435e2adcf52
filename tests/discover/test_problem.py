import dataclasses

import numpy as np
import pytest
from measured import directions, measure
from zoo import ZOO

from guldberg.app.synthetic import synthetic
from guldberg.discover.intervals import covariance
from guldberg.discover.problem import (
    Readings,
    chi2_at,
    integrate,
    linearise,
    natural,
    prepare,
    residuals_at,
    throughput,
)
from guldberg.discover.refine import fit
from guldberg.experiments import Experiments, Run
from guldberg.text import parse


def central(f, x, h=1e-4):
    """df/dx by central differences, one column per component, for x of any shape."""
    steps = h * np.eye(x.size).reshape(x.size, *x.shape)
    columns = [(f(x + s) - f(x - s)) / (2 * h) for s in steps]
    return np.stack(columns, axis=-1) if columns else np.zeros((len(f(x)), 0))


def setup(name="oligomers", *, exact_start=False, scaled=False):
    """A problem solved to eleven digits, its library, and a point that is not the optimum."""
    known = ZOO[name]
    data = measure(known.network, known.time / 2, relative=0.02, runs=3, points=5)
    if exact_start:
        sd = [np.where(np.arange(5)[:, None] == 0, 0.0, run.sd) for run in data.runs]
        runs = (dataclasses.replace(r, sd=s, values=np.abs(r.values)) for r, s in zip(data.runs, sd, strict=True))
        data = dataclasses.replace(data, runs=tuple(runs))
    if scaled:
        data = data.with_scale(("1", "3"))
    library, k = directions(known.network)
    problem = dataclasses.replace(prepare(data, np.full(len(data.species), 0.01)), rtol=1e-11)
    phi = np.full(len(problem.groups), 0.7)
    return problem, library, k * 1.3, phi, np.abs(problem.initial) + 0.01


def initial_columns(problem, library, k, phi, c0):
    """d residual / d c0 by finite differences, for every initial amount that is free."""
    J = central(lambda c: residuals_at(problem, library, k, phi, c), c0)
    return J[:, problem.free.ravel()]


@pytest.mark.parametrize("scaled", [False, True])
def test_derivatives_equal_finite_differences_where_the_start_is_exact(scaled):
    problem, library, k, phi, _ = setup(exact_start=True, scaled=scaled)
    c0 = problem.initial
    here = linearise(problem, library, k, phi, c0)
    by_k = central(lambda k: residuals_at(problem, library, k, phi, c0), k)
    by_phi = central(lambda x: residuals_at(problem, library, k, np.exp(x), c0), np.log(phi))
    assert here.by_phi.shape == (problem.points, int(scaled)) and not problem.free.any()
    np.testing.assert_allclose(here.by_k, by_k, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(here.by_phi, by_phi, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(here.residual, here.raw)


@pytest.mark.parametrize("name", ["oligomers", "hydrogen_oxidation", "brusselator"])
def test_initial_amounts_are_projected_out(name):
    """What is left of residual and derivatives has no part in the columns of the initial amounts (by differences)."""
    problem, library, k, phi, c0 = setup(name, scaled=True)
    here = linearise(problem, library, k, phi, c0)
    Q, _ = np.linalg.qr(initial_columns(problem, library, k, phi, c0))
    r = residuals_at(problem, library, k, phi, c0)
    by_k = central(lambda x: residuals_at(problem, library, x, phi, c0), k, 1e-6 * k.max())
    by_phi = central(lambda x: residuals_at(problem, library, k, np.exp(x), c0), np.log(phi))
    np.testing.assert_array_equal(here.raw, r)
    for found, dense in ((here.residual, r), (here.by_k, by_k), (here.by_phi, by_phi)):
        np.testing.assert_allclose(found, dense - Q @ (Q.T @ dense), rtol=1e-3, atol=1e-4 * np.abs(dense).max())
    np.testing.assert_allclose(here.chi2, r @ r)
    np.testing.assert_allclose(here.initial_gain, np.sum((Q.T @ r) ** 2), rtol=1e-5)


def test_the_step_equals_that_of_gauss_newton_over_everything():
    """Constants, factor and all initial amounts in one dense least-squares problem."""
    problem, library, k, phi, c0 = setup(scaled=True)
    here = linearise(problem, library, k, phi, c0)
    by_k = central(lambda x: residuals_at(problem, library, x, phi, c0), k)
    by_phi = central(lambda x: residuals_at(problem, library, k, np.exp(x), c0), np.log(phi))
    dense = np.hstack([by_phi, by_k, initial_columns(problem, library, k, phi, c0)])
    expected = -np.linalg.lstsq(dense, here.raw, rcond=None)[0]
    small = -np.linalg.lstsq(np.hstack([here.by_phi, here.by_k]), here.residual, rcond=None)[0]
    np.testing.assert_allclose(small, expected[: len(small)], rtol=1e-4)
    moves = np.append(1.0, small)
    initial = np.concatenate([-(recover @ moves) for _, recover in here.steps])
    np.testing.assert_allclose(initial, expected[len(small) :], rtol=1e-3, atol=1e-6)


def test_an_amount_at_zero_that_wants_to_fall_is_held_and_one_that_wants_to_rise_is_not():
    times = np.array([0.0, 0.5, 1.0])
    for start, held in ((-0.2, True), (0.3, False)):
        values = np.column_stack([np.exp(-times), np.array([start, 0.4, 0.63])])
        data = Experiments(("A", "B"), (Run("1", times, values, np.full((3, 2), np.nan)),))
        problem, (library, k) = prepare(data, np.array([0.1, 0.1])), directions(parse("A -> B @ 1"))
        assert problem.initial[0, 1] == pytest.approx(max(start, 0.01))  # never from zero itself
        here = linearise(problem, library, k, np.ones(0), np.array([[1.0, 0.0]]))
        assert (1 not in here.steps[0][0]) == held


def test_a_run_that_fails_is_none_and_infinite():
    """2 A -> 3 A reaches infinity at t = 1 / (k a0)."""
    data = measure("2 A -> 3 A @ 0.1", 1.0, runs=2, points=4)
    library, k = directions(parse("2 A -> 3 A @ 1"))
    problem = prepare(data, np.array([0.1]))
    at = problem, library, 100 * k, np.ones(0), problem.initial
    assert linearise(*at) is None and residuals_at(*at) is None and chi2_at(*at) == np.inf


@pytest.mark.filterwarnings("error")
def test_numbers_whose_squares_cannot_be_summed_are_a_failure_too():
    """exp(600) is a float, its square is none; of sums with it, inf - inf is not a number."""
    data = measure("A -> 2 A @ 1", 1.0, runs=2, points=4)
    library, _ = directions(parse("A -> 2 A @ 1"))
    problem = dataclasses.replace(prepare(data, np.array([0.1])), rtol=1e-4)
    at = problem, library, np.array([600.0]), np.ones(0), problem.initial
    assert linearise(*at) is None and residuals_at(*at) is None and chi2_at(*at) == np.inf


def test_missing_values_exact_starts_and_given_deviations_are_weighed_as_they_should():
    nan, times = np.nan, np.array([0.0, 1.0, 2.0])
    values = np.array([[1.0, 0.2, nan], [0.5, nan, nan], [nan, 0.6, nan]])
    sd = np.array([[0.0, 0.1, nan], [0.05, nan, nan], [nan, nan, nan]])
    problem = prepare(Experiments(("A", "B", "C"), (Run("1", times, values, sd),)), np.array([0.2, 0.4, 0.8]))
    np.testing.assert_allclose(problem.weights, [[0, 10, 0], [20, 0, 0], [0, 2.5, 0]])
    assert problem.points == 3
    np.testing.assert_array_equal(problem.free, [[False, True, True]])
    np.testing.assert_array_equal(problem.initial, [[1.0, 0.2, 0.0]])
    np.testing.assert_array_equal(problem.scale, [1.0, 0.6, 1.0])  # never measured: as large as the largest
    np.testing.assert_allclose(problem.reweighted(np.array([2.0, 1, 1])).weights, [[0, 10, 0], [10, 0, 0], [0, 2.5, 0]])


def test_some_of_the_runs_are_the_problem_of_these_runs():
    known = ZOO["consecutive"]
    data = measure(known.network, 1.0, runs=5, points=6)
    library, k = directions(known.network)
    picked = np.array([3, 1])
    some = prepare(data, np.full(3, 0.01)).some(picked)
    alone = prepare(dataclasses.replace(data, runs=tuple(data.runs[e] for e in picked)), np.full(3, 0.01))
    at = k, np.ones(0), alone.initial
    assert chi2_at(some, library, *at) == pytest.approx(chi2_at(alone, library, *at), rel=1e-6)
    assert some.points == alone.points


def test_throughput_of_a_decay_is_what_has_decayed():
    """A -> B passes a0 (1 - exp(-k t)), once out of A and once into B, in units of the noise, on a fine grid; on one
    too coarse, what it still passes at the end of each interval, not its first burst."""
    network, times = parse("A -> B @ 2"), np.linspace(0, 1, 201)
    problem = prepare(synthetic(network, np.array([[0.8, 0.1]]), times), np.array([0.1, 0.05]))
    found = throughput(problem, *directions(network), np.ones(0), problem.initial)
    passed = 0.8 * (1 - np.exp(-2 * times))
    np.testing.assert_allclose(found, [np.sqrt(np.sum(passed**2) * (1 / 0.1**2 + 1 / 0.05**2))], rtol=1e-2)
    burst = prepare(synthetic(network, np.array([[0.8, 0.1]]), np.array([0.0, 10.0])), np.array([0.1, 0.05]))
    assert throughput(burst, *directions(network), np.ones(0), burst.initial) < 1e-3


@pytest.mark.parametrize("name", ["oligomers", "brusselator", "flow_reactor"])
def test_natural_constants_scale_as_constants_do(name):
    """In other units of time and amount k[t^-1 c^(1 - order)] changes as its unit."""
    known = ZOO[name]
    data, (library, _) = measure(known.network, known.time, runs=3), directions(known.network)
    runs = (dataclasses.replace(run, times=60 * run.times, values=1e3 * run.values) for run in data.runs)
    other = dataclasses.replace(data, runs=tuple(runs))
    ones = np.ones(len(data.species))
    before, after = (natural(prepare(d, ones), library) for d in (data, other))
    np.testing.assert_allclose(after, before / 60 * 1e3 ** (1 - library.reactants.sum(axis=1)))


def test_readings_are_ratios_and_sums_and_are_differentiated_exactly():
    problem, library, k, phi, _ = setup("consecutive", exact_start=True)
    above, below = np.array([[1.0, 2, 0], [0, 1, 1]]), np.array([[1.0, 1, 1], [0, 0, 0]])
    shown = Readings(above, below)
    species = integrate(problem, library, k, phi, problem.initial).values
    values = np.column_stack([species @ above[0] / species.sum(axis=1), species @ above[1]])
    weights = np.full(values.shape, 7.0)
    problem = dataclasses.replace(problem, values=values - 0.1, weights=weights, readings=shown)
    np.testing.assert_allclose(residuals_at(problem, library, k, phi, problem.initial), 0.7, rtol=1e-9)
    here = linearise(problem, library, k, phi, problem.initial)
    by_k = central(lambda x: residuals_at(problem, library, x, phi, problem.initial), k)
    np.testing.assert_allclose(here.by_k, by_k, rtol=1e-5, atol=1e-5)


def test_reactions_that_share_a_constant_have_one():
    data = measure("A -> B @ 1\nC -> D @ 3", 1.0, relative=0.01, runs=4)
    library, _ = directions(parse("A -> B @ 1\nC -> D @ 3"))
    problem = dataclasses.replace(prepare(data, np.full(4, 0.01)), equal=((0, 1),))
    found = fit(problem, library, np.arange(2), np.ones(2))
    assert found.k[0] == pytest.approx(found.k[1], rel=1e-3) and 1 < found.k[0] < 3


def test_a_known_constant_stays_in_fits_and_profiles():
    data = measure("A -> B @ 1\nB -> C @ 3", 1.0, relative=0.01, runs=4)
    library, k = directions(parse("A -> B @ 1\nB -> C @ 3"))
    problem = dataclasses.replace(prepare(data, np.full(3, 0.01)), known=(1,))
    found = fit(problem, library, np.arange(2), k * [2.0, 1.1])
    assert found.k[1] == pytest.approx(3.3, rel=1e-12) and found.k[0] == pytest.approx(1.0, abs=0.2)
    assert covariance(found)[1, 1] < 1e-20
