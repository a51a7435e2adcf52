import dataclasses

import numpy as np
import pytest
import scipy.stats
from measured import directions, measure

from guldberg.app.datasets import hydrogen
from guldberg.discover import Options, discover, misfit
from guldberg.discover.misfit import Residuals
from guldberg.discover.problem import prepare
from guldberg.discover.refine import fit
from guldberg.discover.result import Check
from guldberg.experiments import Experiments, Run
from guldberg.text import parse

CHAIN = "A -> B @ 2\nB <-> C @ 1, 0.5"


def series(runs, points, species=1):
    """Where each of runs x points x species measurements stands, in the order of a table."""
    run, _, which = np.meshgrid(range(runs), range(points), range(species), indexing="ij")
    return run.ravel(), which.ravel()


def lines(runs, points):
    """A straight line fitted to each run: the orthonormal basis of what it can follow."""
    one = np.linalg.qr(np.vander(np.arange(points, dtype=float), 2))[0]
    return np.kron(np.eye(runs), one)


def fitted_noise(seed, runs=10, points=20):
    """Noise, less its straight line in each run."""
    Q, e = lines(runs, points), np.random.default_rng(seed).standard_normal(runs * points)
    return Residuals(e - Q @ (Q.T @ e), Q, *series(runs, points))


def chances(given, names=("A",)):
    found = [misfit._slow(given, [0]), misfit._runs(given, [0]), misfit._trend(given, 0, names[0], 1)]
    return np.array([check.chance for check in found] + [misfit._normal(given).chance])


@pytest.mark.stochastic
def test_chances_are_even_for_noise_of_which_a_fit_took_its_part():
    """1000 draws: each check is wrong as often as it says (z < 3.5 at one in 20), also where the fit took much."""
    drawn = np.array([chances(fitted_noise(seed)) for seed in range(1000)])
    rejected = (drawn < 0.05).mean(axis=0)
    assert (np.abs(rejected - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 1000)).all(), rejected
    for which in (0, 2):  # the F tests are continuous: even over the whole of 0 to 1
        assert scipy.stats.kstest(drawn[:, which], "uniform").pvalue > 1e-3


def test_forgetting_what_the_fit_took_would_be_seen():
    """Residuals of a line fitted to six points alternate: without Q the runs of a good fit look too short."""
    given = [fitted_noise(seed, runs=30, points=6) for seed in range(60)]
    right = np.mean([misfit._runs(g, [0]).chance for g in given])
    wrong = np.mean([misfit._runs(g._replace(Q=np.zeros((180, 0))), [0]).chance for g in given])
    assert abs(right - 0.5) < 0.15 and wrong > 0.8


@pytest.mark.parametrize(
    "shape, seen",
    [
        (lambda e, x: (-1) ** e * 2 * np.sin(3 * x), {"slow", "runs"}),  # each run in its own way
        (lambda e, x: 2 * np.sin(3 * x), {"slow", "runs", "trend"}),  # all runs alike
    ],
)
def test_what_is_slow_is_seen_and_told_apart(shape, seen):
    given = fitted_noise(0)
    x = np.tile(np.linspace(-1, 1, 20), 10)
    bent = given.r + shape(given.run, x)
    r = bent - given.Q @ (given.Q.T @ bent)
    found = dict(zip(("slow", "runs", "trend"), chances(given._replace(r=r)), strict=False))
    assert {name for name, chance in found.items() if chance < 1e-3} == seen


def test_a_far_point_is_not_normal_and_no_misfit():
    given = fitted_noise(1)
    far = given._replace(r=given.r + 8.0 * (np.arange(200) == 77))
    slow, runs, trend, normal = chances(far)
    assert normal < 1e-4 and min(slow, runs, trend) > 1e-3


def test_the_basis_is_all_that_a_fit_can_follow():
    """The residuals of a fit are orthogonal to Q, and Q has a direction for each constant and each initial amount."""
    data, network = measure(CHAIN, 2.0, runs=3), parse(CHAIN)
    library, k = directions(network)
    problem = prepare(data, np.full(3, 0.01))
    at = fit(problem, library, np.arange(3), k, decrement=1e-9)
    given = misfit.of_fit(problem, library, at)
    np.testing.assert_allclose(given.Q.T @ given.Q, np.eye(3 + 9), atol=1e-10)
    assert np.abs(given.Q.T @ given.r).max() < 1e-2 * np.linalg.norm(given.r)
    assert given.r @ given.r == pytest.approx(at.chi2)
    assert [len(rows) for rows in given.of(1)] == [20, 20, 20]


def test_few_points_are_asked_little_and_none_breaks():
    data = measure(CHAIN, 2.0, runs=1, points=4)
    library, k = directions(parse(CHAIN))
    problem = prepare(data, np.full(3, 0.01))
    at = fit(problem, library, np.arange(3), k)
    for check in misfit.checks(misfit.of_fit(problem, library, at), data.species, noise_known=True):
        assert 0 <= check.chance <= 1
    exact = dataclasses.replace(at, k=k)
    assert all(
        np.isfinite(c.chance)
        for c in misfit.checks(misfit.of_fit(problem, library, exact), data.species, noise_known=True)
    )


def test_chi2_is_asked_only_where_the_noise_is_known():
    data = measure(CHAIN, 2.0, runs=3)
    library, k = directions(parse(CHAIN))
    for size, failed in ((1.0, False), (0.5, True)):
        noise = size * 0.01 * np.ptp(np.vstack([run.values for run in data.runs]), axis=0)
        problem = prepare(data, noise)
        at = fit(problem, library, np.arange(3), k)
        told = {c.name: c for c in misfit.checks(misfit.of_fit(problem, library, at), data.species, noise_known=True)}
        assert told["misfit"].failed == failed and not told["slow"].failed
        assert "misfit" not in {
            c.name for c in misfit.checks(misfit.of_fit(problem, library, at), data.species, noise_known=False)
        }


def test_a_check_fails_below_one_in_a_thousand():
    assert Check("slow", None, 9e-4).failed and not Check("slow", None, 1.1e-3).failed


@pytest.mark.parametrize("saturation, fits", [(0.0, True), (0.1, False)])
def test_slopes_that_are_no_mass_action_are_told(saturation, fits):
    """dS/dt = -S / (1 + saturation S): without it a decay, else a saturating rate."""
    rng, ts = np.random.default_rng(3), np.linspace(0, 2, 20)
    runs = []
    for i in range(10):
        s = rng.uniform(0.5, 3) * np.exp(-ts)
        slope = -s / (1 + saturation * s) * (1 + 1e-3 * rng.standard_normal(20))
        runs.append(Run(str(i), ts, s[:, None], np.full((20, 1), np.nan), slope[:, None]))
    found = discover(Experiments(("S",), tuple(runs)), Options(max_order=1))
    assert found.fit.kind == "derivatives" and found.fit.fits == fits


def test_exact_slopes_leave_nothing_to_ask():
    s = np.exp(-np.linspace(0, 2, 20))[:, None]
    run = Run("1", np.linspace(0, 2, 20), s, np.full((20, 1), np.nan), -s)
    assert discover(Experiments(("S",), (run,))).fit.checks == ()


def test_slopes_with_relative_noise_raise_no_alarm_where_they_are_next_to_nothing():
    """Hydrogen near equilibrium: noise is a share of a slope that is almost zero, so that signs there are the fit's."""
    found = discover(hydrogen(derivative_noise=1e-3))
    assert found.fit.fits and len(found.steps) == 6
