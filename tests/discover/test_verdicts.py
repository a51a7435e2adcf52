"""Large libraries: verdicts against an independent linear programme, and the whole mechanism through the job."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize

from benchmarks.larger import mechanism
from guldberg.app.synthetic import synthetic
from guldberg.discover import Options, discover, verdicts
from guldberg.discover.library import Library, build
from guldberg.discover.regression import Slopes, monomials
from guldberg.discover.result import Candidate


def slopes(library, k, *, rows=400, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    c = rng.uniform(0, 1, (rows, library.net.shape[1]))
    exact = (monomials(c, library.reactants) * k) @ library.net
    return Slopes(c, exact * (1 + noise * rng.uniform(-1, 1, exact.shape)))


def by_programme(library, k):
    """The ranges of k_i over {k >= 0: sum over each complex of k_i N_i as it is}, by one exact programme each."""
    out = {}
    for i in range(len(k)):
        same = np.flatnonzero((library.reactants == library.reactants[i]).all(axis=1))
        N = library.net[same].T.astype(float)
        cost = (same == i).astype(float)
        ends = [
            scipy.optimize.linprog(sign * cost, A_eq=N, b_eq=N @ k[same], bounds=(0, None), method="highs-ipm").fun
            for sign in (1, -1)
        ]
        out[i] = (ends[0], -ends[1] if ends[1] is not None else np.inf)
    return out


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("seed", range(2))
def test_verdicts_are_those_of_exact_programmes(seed, noise):
    """Also with noise: its region is so small that it moves none of these constants across zero."""
    rng = np.random.default_rng(seed)
    library = build(rng.integers(1, 4, (2, 6)), 6)
    k = np.where(rng.uniform(size=len(library.net)) < 0.2, rng.uniform(0.2, 2, len(library.net)), 0.0)
    data = slopes(library, k, noise=noise, seed=seed)
    sigma = np.maximum(np.abs(data.dc), 1e-9 * np.abs(data.dc).max()) * max(noise, 1e-12)
    found = {int(c.equation): c for c in verdicts.certificate(data, library, sigma, list(map(str, range(len(k)))))}
    ranges = by_programme(library, k)
    assert {i for i, c in found.items() if c.certainty == "certain"} == {i for i, r in ranges.items() if r[0] > 1e-6}
    assert found.keys() == {i for i, r in ranges.items() if r[1] > 1e-6}
    for i, c in found.items():
        assert c.low <= ranges[i][0] + 1e-6 and (c.high is None or c.high >= ranges[i][1] - 1e-6)


def test_a_reaction_as_weak_as_the_noise_is_not_called_certain():
    library = build(np.array([[1, 1, 1]]), 3, catalysts=False)
    k = np.zeros(len(library.net))
    k[[0, 5]] = 1.0, 1e-5
    data = slopes(library, k, noise=0.0)
    found = verdicts.certificate(data, library, np.full_like(data.dc, 1e-3), list(map(str, range(len(k)))))
    assert [c.equation for c in found if c.certainty == "certain"] == ["0"]
    assert isinstance(found[0], Candidate)


def test_screening_keeps_what_happens_and_what_is_required():
    library, rng = build(np.random.default_rng(3).integers(1, 4, (2, 8)), 8), np.random.default_rng(3)
    k = np.where(rng.uniform(size=len(library.net)) < 0.1, rng.uniform(0.2, 2, len(library.net)), 0.0)
    idle = int(np.flatnonzero(k == 0)[-1])
    left = verdicts.screened(slopes(library, k, noise=1e-3), library, keep=frozenset({idle}))
    assert (left.reactants[0] == library.reactants[idle]).all()
    assert (left.products[0] == library.products[idle]).all()
    assert left.where().keys() >= library.take(np.flatnonzero(k)).where().keys()
    assert len(left.net) < 0.7 * len(library.net)
    with pytest.raises(ValueError, match="do not tell all reactant complexes apart"):
        verdicts.screened(slopes(library, k, rows=20), library)


@pytest.mark.slow
def test_a_mechanism_of_thirty_reactions_is_found_through_the_job():
    from guldberg.network import ReactionNetwork
    from guldberg.rates import Constant

    rng = np.random.default_rng(0)
    library, k = mechanism(rng)
    on = np.flatnonzero(k)
    names = tuple(f"S{i}" for i in range(24))
    network = ReactionNetwork(library.reactants[on], library.products[on], Constant.of(k[on]), None, names)
    c0s, times = rng.uniform(0, 1, (100, 24)), np.linspace(0, 0.5, 11)
    found = discover(synthetic(network, c0s, times, derivatives=True, derivative_noise=1e-3), Options())
    got = Library(*(np.array([getattr(s, side) for s in found.steps]) for side in ("reactants", "products")))
    back = [i for i, step in enumerate(found.steps) if step.reverse is not None]
    ways = {*got.where(), *((b, a) for a, b in got.take(back).where())}
    assert ways == library.take(on).where().keys() and "impossible ones were left out" in found.search
    assert dataclasses.asdict(found.fit)["kind"] == "derivatives"
