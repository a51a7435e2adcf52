"""Gillespie's algorithm against exact laws, a plain loop, and the equation that it tends to."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import chi2, poisson
from zoo import ZOO

from guldberg import parse
from guldberg.errors import InputError
from guldberg.stochastic import ssa
from guldberg.stochastic.events import events
from guldberg.stochastic.words import GOLDEN, mix, streams, unit

RUNS = 10_000
TIMES = np.array([0.0, 0.3, 1.0, 4.0])
COUNTS = np.arange(21)


def started(counts, runs=RUNS):
    return np.tile(counts, (runs, 1))


def z_of_mean(sampled, exact, variance):
    """Of each mean over runs, given the exact law's mean and variance."""
    return (sampled.mean(axis=0) - exact) / np.sqrt(variance / len(sampled))


def z_of_variance(sampled, exact_mean, variance, fourth):
    """Of the mean square deviation from the exact mean, whose variance is (fourth - variance^2) / runs."""
    return (((sampled - exact_mean) ** 2).mean(axis=0) - variance) / np.sqrt((fourth - variance**2) / len(sampled))


def moments(values, probabilities):
    mean = values @ probabilities
    return mean, (values - mean) ** 2 @ probabilities, (values - mean) ** 4 @ probabilities


def chi_square(sampled, probabilities):
    """p of counts against their law; cells of small expectation are one."""
    expected = probabilities * len(sampled)
    seen = np.bincount(sampled, minlength=len(expected)).astype(float)
    assert len(seen) == len(expected), "a state of no probability"
    small = expected < 5
    seen, expected = (np.append(x[~small], x[small].sum()) for x in (seen, expected))
    return chi2.sf(((seen - expected) ** 2 / expected)[expected > 0].sum(), (expected > 0).sum() - 1)


@pytest.mark.stochastic
def test_birth_and_death_is_poisson_at_every_time():
    """0 -> A at b V, A -> 0: from nothing, Poisson of mean b V (1 - exp(-t)). A constant that is 5 % wrong would have
    z = 22 at the last time, a variance 10 % too large z = 6."""
    found = ssa.sample(parse("0 -> A @ 10\nA -> 0 @ 1"), started([0]), TIMES, volume=2.0, seed=1)
    for row, mean in enumerate(20 * -np.expm1(-TIMES)):
        if row:
            _, variance, fourth = moments(k := np.arange(200), poisson.pmf(k, mean))
            column = found.counts[:, row, 0]
            assert abs(z_of_mean(column, mean, variance)) < 3
            assert abs(z_of_variance(column, mean, variance, fourth)) < 3
            assert chi_square(column, poisson.pmf(np.arange(column.max() + 1), mean)) > 1e-3
    np.testing.assert_array_equal(found.counts[:, 0], 0)


def master(network, states, volume):
    """The generator of the master equation over all `states`, straight from the convention in guldberg/network.py."""
    where = {state: i for i, state in enumerate(states)}
    Q = np.zeros((len(states), len(states)))
    for event in events(network):
        nu, mu = (np.bincount(np.array(side, int), minlength=len(states[0])) for side in event[:2])
        for state, i in where.items():
            ways = np.prod([np.prod(np.arange(n, n - m, -1)) for n, m in zip(state, nu, strict=True)])
            if ways > 0:
                rate = event.k * volume ** (1 - nu.sum()) * ways
                Q[where[tuple(np.array(state) - nu + mu)], i] += rate
                Q[i, i] -= rate
    return Q


@pytest.mark.stochastic
@pytest.mark.parametrize(
    ("text", "states", "volume"),
    [
        ("2 A <-> D @ 2, 0.5", [(20 - 2 * d, d) for d in range(11)], 20.0),
        ("3 A <-> B @ 3, 1", [(18 - 3 * b, b) for b in range(7)], 9.0),
        ("2 A + B -> 3 B @ 1\nB -> A @ 0.5", [(20 - b, b) for b in range(21)], 8.0),
        ("A + B + C <-> D @ 5, 1", [(8 - d, 7 - d, 6 - d, d) for d in range(7)], 5.0),
    ],
)
def test_every_order_follows_the_master_equation(text, states, volume):
    """All states enumerated; a propensity n^2 in place of n (n - 1), or one power of V, would have p < 1e-100."""
    network, start = parse(text), (states[0] if "3 B" not in text else states[4])
    found = ssa.sample(network, started(start), TIMES, volume=volume, seed=2)
    Q, first = master(network, states, volume), np.eye(len(states))[states.index(tuple(start))]
    for row, t in enumerate(TIMES[1:], 1):
        p = expm(Q * t) @ first
        seen = np.array([states.index(tuple(state)) for state in found.counts[:, row].tolist()])
        assert chi_square(seen, np.append(p, 0)[: seen.max() + 1] if seen.max() >= len(p) else p) > 1e-3
        mean, variance, fourth = moments(np.array(states)[:, -1].astype(float), p)
        assert abs(z_of_mean(found.counts[:, row, -1], mean, variance)) < 3
        assert abs(z_of_variance(found.counts[:, row, -1], mean, variance, fourth)) < 3


@pytest.mark.parametrize("name", ["michaelis_menten", "oligomers", "futile_cycle", "three_cycle", "hydrogen_oxidation"])
def test_what_the_network_conserves_is_conserved_in_every_run(name):
    known = ZOO[name]
    start = started(np.round(20 * known.initial).astype(int), 50)
    found = ssa.sample(known.network, start, np.linspace(0, known.time, 7), volume=20.0, seed=3)
    laws = np.array(known.laws).T
    np.testing.assert_array_equal(found.counts @ laws, np.broadcast_to(start[0] @ laws, (50, 7, laws.shape[1])))
    assert (found.counts >= 0).all() and np.ptp(found.counts, axis=1).any()


@pytest.mark.stochastic
@pytest.mark.parametrize("name", [known.name for known in ZOO.values() if known.curve])
def test_in_a_large_volume_it_is_the_differential_equation(name):
    """Deviations fall as V^(-1/2), bias as 1/V: of 100 runs within 4 standard errors and 3/V, at less than 1/1000."""
    known, V = ZOO[name], 1e4
    times = np.linspace(0, known.time, 5)
    found = ssa.sample(known.network, started(np.round(V * known.initial), 100), times, volume=V, seed=4)
    exact = np.array([known.curve(t) for t in times])
    error = np.sqrt(found.variance() / 100) / V
    assert (np.abs(found.mean() / V - exact) <= 4 * error + 3 / V).all()
    assert error.max() < 1e-3


def plainly(network, n, times, volume, seed):
    """One run in plain Python that draws the same words."""
    n, counter, t, seen = np.array(n), streams(seed, 1)[0], 0.0, []

    def drawn():
        nonlocal counter
        with np.errstate(over="ignore"):
            counter = counter + GOLDEN
            return unit.py_func(mix.py_func(counter))

    while True:
        a = np.array([event.k * volume for event in events(network)])
        for i, event in enumerate(events(network)):
            for j, s in enumerate(event.reactants):
                a[i] *= (n[s] - event.reactants[:j].count(s)) / volume
        t = t - np.log(drawn()) / a.sum() if a.sum() else np.inf
        while times[len(seen)] < t:
            seen.append(n.copy())
            if len(seen) == len(times):
                return np.array(seen)
        event = events(network)[np.searchsorted(np.cumsum(a), drawn() * a.sum())]
        np.subtract.at(n, list(event.reactants), 1)
        np.add.at(n, list(event.products), 1)


def test_the_compiled_run_is_the_plain_one():
    network = parse("2 A + B -> 3 A @ 0.7\nA <-> C @ 1, 2\n0 -> B @ 3\nA + C -> 0 @ 0.5\nC -> C + B @ 1")
    times = np.linspace(0, 4, 9)
    found = ssa.sample(network, np.array([[6, 4, 2]]), times, volume=4.0, seed=5)
    np.testing.assert_array_equal(found.counts[0], plainly(network, [6, 4, 2], times, 4.0, 5))


def test_a_run_depends_on_the_seed_and_its_number_alone():
    network = parse("0 -> A @ 10\nA -> 0 @ 1")
    alone = ssa.sample(network, started([3], 5), TIMES, volume=1.0, seed=6, threads=1)
    among = ssa.sample(network, started([3], 40), TIMES, volume=1.0, seed=6, threads=4)
    np.testing.assert_array_equal(among.counts[:5], alone.counts)
    other = ssa.sample(network, started([3], 5), TIMES, volume=1.0, seed=7)
    assert (other.counts != alone.counts).any() and len({tuple(r) for r in among.counts[:, -1].tolist()}) > 5


def test_a_run_without_end_stops_and_says_how_far_it_came():
    """2 A -> 3 A at k grows beyond all bounds at a finite time, on the mean 1 / (k a0)."""
    found = ssa.sample(
        parse("2 A -> 3 A @ 1"), started([50], 4), [0.0, 0.01, 9.0], volume=50.0, seed=8, most_events=10**5
    )
    assert found.stopped == 4 and (found.reached == 2).all() and (found.counts[:, 2] == -1).all()
    assert np.isnan(found.mean()[2]).all() and np.isfinite(found.mean()[:2]).all()
    assert found.histogram("A").tolist() == []


def test_results_read_as_a_table_with_moments():
    found = ssa.sample(parse("A -> B @ 1"), started([4, 0], 100), TIMES, volume=1.0, seed=9)
    table = found.to_dataset()
    assert table["count"].dims == ("run", "time", "species")
    np.testing.assert_allclose(table["mean"].sel(species="A"), found.counts[..., 0].mean(axis=0))
    np.testing.assert_allclose(table["variance"].sel(species="B"), found.counts[..., 1].var(axis=0, ddof=1))
    shares = found.histogram("A", row=1)
    np.testing.assert_allclose(shares @ np.arange(len(shares)), found.mean()[1, 0])


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        ("4 A -> B @ 1", {}, "4 A -> B: 4 molecules react; expected at most 3"),
        ("A -> B @ 1", {"counts": [[0.5, 0]]}, "numbers of molecules must be whole, not negative"),
        ("A -> B @ 1", {"counts": [[-1, 0]]}, "numbers of molecules must be whole, not negative"),
        ("A -> B @ 1", {"counts": [1, 0]}, r"counts of shape \(2,\); expected \(runs, 2\)"),
        ("A -> B @ 1", {"times": [0.0, 0.0]}, "times that are finite and rise"),
        ("A -> B @ 1", {"volume": 0.0}, "a volume of 0.0; expected a positive one"),
        ("A -> B @ 1", {"seed": -1}, "the seed is -1"),
    ],
)
def test_what_has_no_meaning_is_refused(text, asked, told):
    known = {"counts": [[1, 0]], "times": TIMES, "volume": 1.0, "seed": 0} | asked
    with pytest.raises(InputError, match=told):
        ssa.sample(parse(text), known.pop("counts"), known.pop("times"), **known)


def test_a_run_in_slices_is_the_run(monkeypatch):
    """Wherever it is cut: an interruption is heard between slices, and the numbers do not know."""
    network = parse("A + B -> C @ 0.02\nC -> A + B @ 1\n0 -> A @ 5\nA -> 0 @ 0.1")
    counts, times = np.array([[50, 40, 0]] * 3), np.linspace(0, 5, 7)
    whole = ssa.sample(network, counts, times, volume=1.0, seed=3)
    told = []
    for length in (1, 7, 100):
        monkeypatch.setattr(ssa, "SLICE", length)
        cut = ssa.sample(network, counts, times, volume=1.0, seed=3, threads=1, on_time=told.append)
        np.testing.assert_array_equal(cut.counts, whole.counts)
    assert told and 0 <= min(told) and max(told) <= 5
    short = ssa.sample(network, counts, times, volume=1.0, seed=3, most_events=100)
    monkeypatch.setattr(ssa, "SLICE", 10**9)
    np.testing.assert_array_equal(
        short.counts, ssa.sample(network, counts, times, volume=1.0, seed=3, most_events=100).counts
    )
    assert short.stopped == 3
