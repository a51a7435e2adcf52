"""One decaying species seen through an unknown factor, with noise of unknown size: all of it can be done by hand."""

import dataclasses

import numpy as np
import pytest

from guldberg import stiff
from guldberg.discover import likelihood
from guldberg.discover.estimation import Estimation
from guldberg.discover.likelihood import Condition, Likelihood, Readings, Start
from guldberg.learn import fit

TIMES = np.linspace(0.0, 3.0, 13)
RNG = np.random.default_rng(3)
SEEN = 2.0 * np.exp(-TIMES) + 0.05 * RNG.standard_normal(len(TIMES))
DECAY = stiff.directed(np.array([[1]]), np.array([[0]]))


def start(x):
    """ln k is the first unknown."""
    return Start(np.exp(x[:1]), np.array([[np.exp(x[0]), 0.0, 0.0]]), np.ones(1), np.zeros((1, 3)))


def read(x, c):
    """y = factor c with the factor as the second, ln sd as the third."""
    points, zero = len(TIMES), np.zeros((len(TIMES), 1))
    sd = np.full(points, np.exp(x[2]))
    return Readings(
        np.arange(points),
        x[1] * c[:, 0] - SEEN,
        np.column_stack([zero, c, zero]),
        np.full((points, 1), x[1]),
        sd,
        np.column_stack([zero, zero, sd]),
        zero,
    )


def made(low=(-4.0, 0.0, -6.0), high=(4.0, 9.0, 3.0)):
    return Likelihood(DECAY, (Condition("one", TIMES, start, read),), np.array(low), np.array(high))


def plainly(x):
    """-ln L in one line of the exact solution."""
    r = (x[1] * np.exp(-np.exp(x[0]) * TIMES) - SEEN) / np.exp(x[2])
    return float(np.sum(0.5 * np.log(2 * np.pi * np.exp(x[2]) ** 2) + 0.5 * r**2))


def test_value_and_gradient_are_those_of_the_exact_solution():
    x = np.array([0.2, 1.8, -2.0])
    point = made().at(x)
    assert point.value == pytest.approx(plainly(x), rel=1e-5) == made().value(x)
    steps = 1e-5 * np.eye(3)
    numeric = [(plainly(x + step) - plainly(x - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(point.gradient, numeric, rtol=1e-4)


def test_at_the_optimum_the_deviation_is_that_of_the_residuals():
    best = likelihood.minimise(made(), np.array([1.0, 5.0, 0.0]))
    residuals = best.x[1] * np.exp(-np.exp(best.x[0]) * TIMES) - SEEN
    assert np.exp(best.x[2]) == pytest.approx(np.sqrt(np.mean(residuals**2)), rel=1e-3)
    assert np.abs(best.gradient).max() < 1e-2


def test_the_interval_ends_where_the_rest_refitted_the_value_has_risen():
    """The unknown that is only a factor has a parabola for a profile once k and sd are held."""
    problem = made()
    best = likelihood.minimise(problem, np.array([0.0, 2.0, -3.0]))
    held = dataclasses.replace(
        problem,
        low=np.array([best.x[0], 0.0, best.x[2]]),
        high=np.array([best.x[0], 9.0, best.x[2]]),
    )
    estimate, lowest = likelihood.interval(held, best, 1)
    half = 1.96 * np.exp(best.x[2]) / np.linalg.norm(np.exp(-np.exp(best.x[0]) * TIMES))
    assert (estimate.low, estimate.high) == pytest.approx((best.x[1] - half, best.x[1] + half), rel=2e-3)
    assert lowest.value <= best.value and estimate.verdict == "bounded"
    free, _ = likelihood.interval(problem, best, 1)
    assert free.high - free.low > 1.1 * 2 * half  # with k and sd free it is wider


def test_what_lies_beyond_the_bounds_is_open():
    """At times that see only the plateau of exp(-k t), k has an upper end and no lower one."""
    slow = dataclasses.replace(made(low=(-4.0, 0.0, -6.0), high=(-3.9, 9.0, 3.0)))
    best = likelihood.minimise(slow, np.array([-3.95, 2.0, -1.0]))
    estimate, _ = likelihood.interval(slow, best, 0)
    assert best.x[0] == -3.9 and estimate.high is None


def test_all_starts_are_told_and_a_job_repeats_itself():
    job = Estimation(made(), starts=4)
    first, again = (fit.run(job, 5) for _ in range(2))
    assert len(first.values) == 4 and first.reached >= 3 and first.values == again.values
    assert first.best.value == pytest.approx(min(plainly(first.best.x + d) for d in 1e-3 * np.eye(3)), abs=1e-3)
    assert [estimate.verdict for estimate in first.estimates] == ["bounded"] * 3
    with pytest.raises(ValueError, match="no start"):
        job.result(job.init(5))


def test_a_start_that_cannot_be_integrated_is_infinite_and_all_such_are_an_error():
    def broken(x):
        return start(x)._replace(k=np.array([np.nan]))

    problem = dataclasses.replace(made(), conditions=(Condition("one", TIMES, broken, read),))
    assert problem.value(np.zeros(3)) == np.inf and problem.at(np.zeros(3)) is None
    with pytest.raises(ArithmeticError, match="no start could be integrated"):
        fit.run(Estimation(problem, starts=2), 0)
