import dataclasses

import numpy as np
import pytest
from measured import directions, measure

from guldberg.discover import discover, known
from guldberg.text import parse

CHAIN = "A -> B @ 2\nB <-> C @ 1, 0.5"


def test_a_known_mechanism_has_the_constants_that_discover_gives():
    data = measure(CHAIN, 2.0)
    library, k = directions(parse(CHAIN))
    fit, found = known.fit(data, library, k), discover(data)
    told = sorted((e.value, e.low, e.high) for step in found.steps for e in (step.forward, step.reverse) if e)
    np.testing.assert_allclose(sorted((e.value, e.low, e.high) for e in fit.estimates()), told, rtol=2e-3)
    assert fit.at.chi2 == pytest.approx(found.fit.chi2, rel=1e-2)


def test_noise_that_is_given_is_taken():
    data = measure(CHAIN, 2.0, runs=3)
    runs = tuple(dataclasses.replace(run, sd=np.full(run.values.shape, 0.01)) for run in data.runs)
    fit = known.fit(dataclasses.replace(data, runs=runs), *directions(parse(CHAIN)))
    assert fit.noise_known and fit.variance == 1.0 and fit.rise == 3.84 and set(fit.problem.weights.ravel()) == {100.0}


def test_what_cannot_be_integrated_is_told():
    data = measure("A -> B @ 2", 1.0, runs=2)
    library, k = directions(parse("species: A, B\n2 A -> 3 A @ 1"))
    with pytest.raises(ArithmeticError, match="could not be integrated"):
        known.fit(data, library, k * 1e4)
