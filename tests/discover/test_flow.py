"""Stirred reactors with a known flow: tables, laws, starts, slopes and fits reckon with it."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from guldberg.app.tables import read_experiments, write_experiments
from guldberg.discover import Options, discover, laws, regression, start
from guldberg.discover.library import Library
from guldberg.discover.problem import integrate, prepare
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run

A, B, C, D = np.eye(4, dtype=int)
LIBRARY, K = Library(np.array([A + B, C, D]), np.array([C, D, C])), np.array([3.0, 2.0, 1.0])


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def slope(c, flow, feed):
    return (K * np.prod(c[..., None, :] ** LIBRARY.reactants, axis=-1)) @ LIBRARY.net + flow * (feed - c)


def _rate(_, c, flow, feed):
    return slope(c, flow, feed)


def reactors(noise=0.0, runs=8, points=15, derivatives=False):
    """A + B -> C <-> D, every fourth experiment in a closed vessel; solved by scipy."""
    rng, out = np.random.default_rng(0), []
    for i in range(runs):
        flow, feed = (
            (0.0, np.zeros(4)) if i % 4 == 0 else (rng.uniform(0.3, 1.5), np.append(rng.uniform(0, 2, 2), [0, 0]))
        )
        c0, times = rng.uniform(0, 1, 4), np.linspace(0, 3, points)
        exact = solve_ivp(_rate, (0, 3), c0, "LSODA", times, args=(flow, feed), rtol=1e-10, atol=1e-12).y.T
        values, sd = exact + noise * rng.standard_normal(exact.shape), np.full(exact.shape, np.nan)
        dc = slope(exact, flow, feed) if derivatives else None
        out.append(Run(str(i + 1), times, values, sd, dc, flow=flow, feed=feed if flow else None))
    return Experiments(("A", "B", "C", "D"), tuple(out))


def test_a_fit_integrates_the_flow_and_differentiates_by_the_constants_alone():
    data = reactors()
    problem = dataclasses.replace(prepare(data, np.full(4, 1e-3)), rtol=1e-9)
    c0 = np.array([run.values[0] for run in data.runs])
    solution = integrate(problem, LIBRARY, K, np.zeros(0), c0, initials=np.arange(4))
    np.testing.assert_allclose(solution.values, np.vstack([run.values for run in data.runs]), atol=1e-6)
    assert solution.by_k.shape == (len(solution.values), 4, 3)
    h = 1e-5
    moved = [integrate(problem, LIBRARY, K + s * h * np.eye(3)[0], np.zeros(0), c0).values for s in (1, -1)]
    np.testing.assert_allclose(solution.by_k[..., 0], (moved[0] - moved[1]) / (2 * h), atol=1e-4)


def test_laws_are_those_of_the_reactions():
    data = reactors(noise=0.005)
    (best, *_) = laws.hypotheses(data, np.full(4, 0.005))
    assert np.linalg.matrix_rank(np.vstack([best, [[1, 0, 1, 1], [0, 1, 1, 1]]])) == len(best) == 2
    alone = dataclasses.replace(data, runs=tuple(dataclasses.replace(r, flow=0.0, feed=None) for r in data.runs))
    assert len(laws.hypotheses(alone, np.full(4, 0.005))[0]) == 0


def test_a_start_reckons_with_what_comes_in():
    data = reactors(points=60)
    k, _ = start.constants(data, prepare(data, np.full(4, 0.01)), LIBRARY)
    np.testing.assert_allclose(k, K, rtol=0.05)


def test_slopes_are_freed_of_the_flow():
    data = reactors(derivatives=True)
    found = regression.fit(regression.slopes(data), LIBRARY)
    np.testing.assert_allclose(found.k, K, rtol=1e-8)


@pytest.mark.parametrize("derivatives", [False, True])
def test_the_mechanism_is_found_and_the_exchange_is_no_part_of_it(derivatives, tmp_path):
    write_experiments(reactors(noise=0.0 if derivatives else 0.005, derivatives=derivatives), tmp_path / "flow.csv")
    found = discover(read_experiments([tmp_path / "flow.csv"]), Options())
    assert sorted(found.network().equations()) in (["A + B -> C", "C <-> D"], ["A + B -> C", "D <-> C"])


def test_tables_keep_flow_and_feed(tmp_path):
    data = reactors()
    write_experiments(data, tmp_path / "flow.csv")
    again = read_experiments([tmp_path / "flow.csv"])
    for run, other in zip(data.runs, again.runs, strict=True):
        assert run.flow == other.flow
        np.testing.assert_array_equal(run.inflow, other.inflow)


@pytest.mark.parametrize(
    "header, rows, message",
    [
        ("time,A,flow", ["0,1,0.1", "1,1,0.2"], "two flows, 0.1 and 0.2"),
        ("time,A,flow,feed(A)", ["0,1,0.1,1", "1,1,0.1,2"], "two feeds of A, 1 and 2"),
        ("time,A,flow", ["0,1,-0.1", "1,1,-0.1"], "flow is -0.1"),
        ("time,A,feed(A)", ["0,1,2", "1,1,2"], "has a feed but no flow"),
        ("time,A,flow,feed(B)", ["0,1,2,1", "1,1,2,1"], "belongs to no column"),
        ("time [min],A,flow [1/s]", ["0,1,2", "1,1,2"], "expected \\[1/min\\]"),
        ("time,A [mM],flow,feed(A) [M]", ["0,1,2,1", "1,1,2,1"], "give both in one unit"),
        ("time,A,flow,feed(A)", ["0,1,1,-2", "1,1,1,-2"], "feed\\(A\\) is -2"),
    ],
)
def test_flows_that_cannot_be_are_refused(tmp_path, header, rows, message):
    (tmp_path / "bad.csv").write_text("\n".join([header, *rows]))
    with pytest.raises(InputError, match=message):
        read_experiments([tmp_path / "bad.csv"])


def test_a_run_refuses_a_flow_that_cannot_be():
    run = reactors().runs[1]
    for wrong in ({"flow": -1.0}, {"flow": np.inf}, {"feed": np.array([1.0, -1, 0, 0])}):
        with pytest.raises(ValueError, match="flow and feed"):
            dataclasses.replace(run, **wrong)
