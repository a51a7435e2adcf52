import dataclasses

import numpy as np
import pytest
from measured import directions, measure
from test_misfit import fitted_noise

from guldberg.app.codec import decode, encode
from guldberg.app.synthetic import synthetic
from guldberg.discover import Discovery, Options, bootstrap, discover, misfit
from guldberg.discover.problem import prepare
from guldberg.discover.refine import fit
from guldberg.learn.fit import run
from guldberg.text import parse

CHAIN = "A -> B @ 2\nB -> C @ 1"


def test_what_is_drawn_is_as_large_as_the_noise_and_not_as_the_residuals():
    """Unit noise, less a line in each run of four points: residuals have variance 1/2, what is drawn has 1 (z < 4)."""
    Q = np.kron(np.eye(200), np.linalg.qr(np.vander(np.arange(4.0), 2))[0])
    e = np.random.default_rng(0).standard_normal(800)
    given = misfit.Residuals(e - Q @ (Q.T @ e), Q, np.repeat(np.arange(200), 4), np.zeros(800, int))
    drawn = bootstrap.drawn(given, np.random.default_rng(1))
    assert given.r.var() == pytest.approx(0.5, abs=0.1) and drawn.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 800))
    assert abs(drawn.mean()) < 4 / np.sqrt(800)


def test_species_keep_their_own_noise():
    given = fitted_noise(0)
    mixed = given._replace(species=np.arange(200) % 2, r=given.r * np.where(np.arange(200) % 2, 10.0, 1.0))
    drawn = bootstrap.drawn(mixed, np.random.default_rng(1))
    assert drawn[1::2].std() > 7 * drawn[::2].std()


def test_new_data_lie_around_the_fit_and_keep_the_gaps():
    data = measure(CHAIN, 2.0, runs=3)
    values = data.runs[1].values.copy()
    values[3:6, 1] = np.nan
    holed = (data.runs[0], dataclasses.replace(data.runs[1], values=values), data.runs[2])
    data = dataclasses.replace(data, runs=holed)
    library, k = directions(parse(CHAIN))
    problem = prepare(data, np.full(3, 0.01))
    at = fit(problem, library, np.arange(2), k)
    made = bootstrap.concentrations(problem, library, at, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(made), np.isnan(np.vstack([run.values for run in data.runs])))
    size = np.ptp(np.nan_to_num(made), axis=0)
    assert np.nanmax(np.abs(made - np.vstack([run.values for run in data.runs])) / size) < 0.1


@pytest.mark.slow
def test_a_clear_mechanism_is_found_again_and_a_doubtful_reaction_less_often():
    clear = discover(measure(CHAIN, 2.0), Options(resamples=5))
    assert {(one.equation, one.share) for one in clear.stability} == {("A -> B", 1.0), ("B -> C", 1.0)}
    weak = measure("A -> B @ 2\nB <-> C @ 1, 0.12", 2.0, runs=3, points=8, relative=0.05)
    shares = {one.equation: one.share for one in discover(weak, Options(resamples=12)).stability}
    assert shares["A -> B"] > 0.9 and min(shares.values()) < 0.9


def test_a_run_that_stops_between_two_resamples_ends_the_same():
    job = Discovery(measure(CHAIN, 2.0, runs=3), Options(resamples=3))
    state = job.init(7)
    while len(state.resampled) < 2:
        state, metrics = job.step(state)
    assert metrics["stage"] == "resample 3 of 3" and 0.2 < metrics["progress"] < 1
    again = run(job, state=decode(encode(state, job.state_types), job.state_types))
    assert again.stability == run(job, 7).stability


def test_slopes_are_resampled_too():
    c0s = np.random.default_rng(0).uniform(0.2, 1, (5, 3))
    data = synthetic(parse(CHAIN), c0s, np.linspace(0, 1, 11), derivatives=True, derivative_noise=0.05)
    found = discover(data, Options(resamples=10))
    assert found.fit.kind == "derivatives"
    assert {one.equation for one in found.stability if one.share == 1.0} == {"A -> B", "B -> C"}


def test_weights_are_those_of_bic():
    """Two mechanisms of one size: the ratio of weights is exp(-delta chi2 / 2), or (chi2 ratio)^(-n / 2)."""
    found = discover(measure("A -> B @ 2\nB -> C @ 1\nB + C -> 2 C @ 0.3", 3.0, runs=2, points=8, relative=0.04))
    assert found.alternatives and sum(found.weights()) == pytest.approx(1.0)
    n, first = found.fit.points, found.alternatives[0]
    size = sum(len(step.equations(found.species)) for step in found.steps)
    ratio = (first.chi2 / found.fit.chi2) ** (-n / 2) * n ** (-(len(first.equations) - size) / 2)
    assert found.weights()[1] / found.weights()[0] == pytest.approx(ratio)
    sized = dataclasses.replace(found, fit=dataclasses.replace(found.fit, sd_given=True))
    known = np.exp(-0.5 * (first.chi2 - found.fit.chi2)) * n ** (-(len(first.equations) - size) / 2)
    assert sized.weights()[1] / sized.weights()[0] == pytest.approx(known)
