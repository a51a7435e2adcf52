import dataclasses

import numpy as np
import pytest
import scipy.optimize
from measured import directions, measure
from zoo import ZOO

from guldberg.app.synthetic import synthetic
from guldberg.discover.problem import chi2_at, prepare, residuals_at
from guldberg.discover.refine import fit
from guldberg.experiments import Experiments, Run
from guldberg.text import parse


def fitted(data, network, factor, *, sd=1e-6, **options):
    """A fit of the true reactions from constants that are wrong by `factor`."""
    library, k = directions(network)
    problem = prepare(data, np.full(len(data.species), sd))
    return fit(problem, library, np.arange(len(k)), k * factor, **options), k, problem, library


ENZYME = parse("E + S <-> ES @ 30, 5\nES -> E + P @ 10")


@pytest.mark.parametrize("exact_start", [True, False])
@pytest.mark.parametrize("factor", [0.1, [5.0, 0.2, 1.0], 20.0], ids=str)
def test_clean_data_give_the_constants_back_to_the_accuracy_of_the_solver(factor, exact_start):
    rng = np.random.default_rng(1)
    data = synthetic(ENZYME, rng.uniform(0.1, 1, (4, 4)), np.linspace(0, 1, 12), exact_start=exact_start)
    found, k, problem, _ = fitted(data, ENZYME, np.array(factor))
    assert problem.rtol <= 1e-7
    np.testing.assert_allclose(found.k, k, rtol=1e-5)
    np.testing.assert_allclose(found.c0, [run.values[0] for run in data.runs], atol=1e-5)


def test_the_optimum_is_that_of_an_independent_method():
    """scipy's trust-region method over ln k and all non-negative initial amounts at once, derivatives by differences.

    Two species begin at nothing, so that some fitted amounts lie on the bound."""
    network, rng = ZOO["consecutive"].network, np.random.default_rng(4)
    c0s = np.column_stack([rng.uniform(0.5, 1, 3), np.zeros((3, 2))])
    exact = synthetic(network, c0s, np.linspace(0, 2, 6), exact_start=False)
    runs = (dataclasses.replace(r, values=r.values + 0.05 * rng.standard_normal(r.values.shape)) for r in exact.runs)
    found, k, problem, library = fitted(dataclasses.replace(exact, runs=tuple(runs)), network, 3.0, sd=0.05)
    problem = dataclasses.replace(problem, rtol=1e-9)

    def residual(x):
        return residuals_at(problem, library, np.exp(x[:2]), np.ones(0), x[2:].reshape(3, 3))

    start, low = np.concatenate([np.log(k), c0s.ravel() + 0.01]), np.append(np.full(2, -10), np.zeros(9))
    best = scipy.optimize.least_squares(residual, start, bounds=(low, np.inf), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    assert (found.c0 >= 0).all() and (found.c0 == 0).sum() >= 2
    assert found.chi2 == pytest.approx(2 * best.cost, abs=0.02)
    np.testing.assert_allclose(np.log(found.k), best.x[:2], atol=0.01)


def test_a_factor_on_all_rates_of_some_runs_is_found():
    """Runs 2 and 4 are 0.4 times as fast: the same curves read on a slower clock."""
    data = measure(ENZYME, 1.0, relative=0.0, runs=4)
    slow = [dataclasses.replace(run, times=run.times / 0.4) if run.name in "24" else run for run in data.runs]
    data = dataclasses.replace(data, runs=tuple(slow)).with_scale(("2", "4"))
    found, k, _, _ = fitted(data, ENZYME, 2.0)
    np.testing.assert_allclose(found.phi, [0.4], rtol=1e-5)
    np.testing.assert_allclose(found.k, k, rtol=1e-4)


def test_frozen_parameters_stay_and_the_others_make_the_best_of_it():
    data = measure(ENZYME, 1.0, relative=0.01, runs=4)
    found, k, problem, library = fitted(data, ENZYME, [2.0, 1.0, 1.0], sd=0.01, frozen=np.array([0]))
    assert found.k[0] == pytest.approx(2 * k[0], rel=1e-14)
    free = fitted(data, ENZYME, 2.0, sd=0.01)[0]
    assert free.chi2 < found.chi2 - 1
    for shift in (-0.01, 0.01):
        for j in (1, 2):
            moved, all_three = found.k * np.exp(shift * np.eye(3)[j]), np.arange(3)
            beside = fit(problem, library, all_three, moved, c0=found.c0, frozen=all_three)
            assert beside.chi2 > found.chi2


def test_the_hessian_is_half_the_curvature_of_the_minimised_chi2():
    """With data that the model fits exactly, Gauss and Newton agree; initial amounts are minimised over."""
    data = measure(ENZYME, 1.0, relative=0.0, runs=3)
    found, _, problem, library = fitted(data, ENZYME, 1.0, sd=1e-4)
    h, options = 1e-3, {"c0": found.c0, "frozen": np.arange(3), "decrement": 1e-9}
    for i in range(3):
        moved = (found.k * np.exp(s * h * np.eye(3)[i]) for s in (-1, 1))
        sides = [fit(problem, library, np.arange(3), k, **options) for k in moved]
        curvature = sum(side.chi2 - found.chi2 for side in sides) / h**2
        assert found.hessian[i, i] == pytest.approx(curvature / 2, rel=2e-2)


def test_a_start_that_cannot_be_integrated_is_none():
    """2 A -> 3 A at a hundred times its constant is at infinity long before the last time."""
    network = parse("2 A -> 3 A @ 0.1")
    assert fitted(measure(network, 1.0, runs=2, points=5), network, 100.0, sd=0.01)[0] is None
    assert fitted(measure(network, 1.0, runs=2, points=5), network, 0.5, sd=0.01)[0] is not None


def test_the_search_walks_round_what_cannot_be_integrated():
    """A step that leads to an explosion is shortened, not taken and not fatal."""
    network = parse("2 A -> 3 A @ 0.9")
    data = synthetic(network, np.array([[0.95], [0.5]]), np.linspace(0, 1, 8))
    found, k, _, _ = fitted(data, network, 1e-3, sd=1e-4)
    np.testing.assert_allclose(found.k, k, rtol=1e-4)


def test_a_reaction_without_effect_goes_to_its_bound_and_no_further():
    """B -> A does not happen: its constant falls until the bound, and the other is not disturbed."""
    data = measure("A -> B @ 2", 1.0, relative=0.0, runs=3)
    found, k, _, _ = fitted(data, parse("A <-> B @ 2, 0.5"), 1.0, sd=1e-3, iterations=60)
    assert 0 < found.k[1] < 1e-4
    np.testing.assert_allclose(found.k[0], 2.0, rtol=1e-4)


def test_a_hopeless_fit_is_given_up_early():
    """A -> B cannot fit A -> B -> C: with a target out of reach it stops where it would go on."""
    network = parse("A -> B @ 0.01\nC -> B @ 0.01")
    data = measure(ZOO["consecutive"].network, 2.0, runs=4)
    free = fitted(data, network, 1.0, sd=0.01, decrement=1e-9)[0]
    given_up = fitted(data, network, 1.0, sd=0.01, decrement=1e-9, target=1.0)[0]
    assert given_up.solves < 0.8 * free.solves
    assert free.chi2 <= given_up.chi2 < 10 * free.chi2


@pytest.mark.parametrize("unit, size", [(60.0, 1e-3), (1e-3, 1e6)])
def test_units_change_nothing_but_the_numbers(unit, size):
    data = measure(ENZYME, 1.0, relative=0.01, runs=3)
    runs = (dataclasses.replace(r, times=r.times * unit, values=r.values * size) for r in data.runs)
    library, k = directions(ENZYME)
    in_units = k * size ** (1 - library.reactants.sum(axis=1)) / unit
    every, other = np.arange(3), dataclasses.replace(data, runs=tuple(runs))
    a = fit(prepare(data, np.full(4, 0.01)), library, every, 2 * k)
    b = fit(prepare(other, np.full(4, 0.01 * size)), library, every, 2 * in_units)
    assert b.chi2 == pytest.approx(a.chi2, rel=1e-5)
    np.testing.assert_allclose(b.k / in_units, a.k / k, rtol=1e-3)
    np.testing.assert_allclose(b.hessian, a.hessian, rtol=1e-2, atol=1e-4 * np.abs(a.hessian).max())


def test_one_time_is_no_information():
    """A run of a single time constrains its initial amounts and nothing else."""
    data = measure("A -> B @ 2", 1.0, runs=2)
    alone = Run("alone", np.array([0.0]), np.array([[0.3, 0.1]]), np.full((1, 2), np.nan))
    with_it = Experiments(data.species, (*data.runs, alone))
    a, b = (fitted(d, parse("A -> B @ 2"), 3.0, sd=0.01)[0] for d in (data, with_it))
    np.testing.assert_allclose(a.k, b.k, rtol=1e-4)
    np.testing.assert_allclose(b.c0[2], [0.3, 0.1])
    assert chi2_at(prepare(with_it, np.full(2, 0.01)), directions(parse("A -> B @ 2"))[0], b.k, b.phi, b.c0) > 0
