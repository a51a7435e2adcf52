"""Temperatures and cycles: what is settled once the reactions are known."""

import dataclasses

import jax
import numpy as np
import pytest
from measured import directions

from guldberg.app.synthetic import synthetic
from guldberg.discover import Options, balance, discover, intervals, refine, settle
from guldberg.discover.library import Library
from guldberg.discover.problem import by_factors, linearise, prepare, residuals_at
from guldberg.discover.result import Estimate
from guldberg.discover.search import Setting
from guldberg.discover.select import Criterion
from guldberg.discover.warmth import warmth
from guldberg.errors import InputError
from guldberg.text import parse

SD = 0.003


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def warm_data(text, temperatures, *, runs=12, span=2.0, seed=0, noise=SD):
    network, rng = parse(text), np.random.default_rng(seed)
    c0s, kelvin = rng.uniform(0.2, 1, (runs, len(network.species))), np.resize(temperatures, runs)
    return network, synthetic(network, c0s, np.linspace(0, span, 12), noise=noise, temperatures=kelvin, seed=seed)


def ways(network):
    """The directed reactions of a network whose constants follow the temperature."""
    left, right, both = np.asarray(network.reactants), np.asarray(network.products), network.reversible
    return Library(np.vstack([left, right[both]]), np.vstack([right, left[both]]))


def _laws(problem, library, at, data, estimates):
    names = [str(i) for i in range(len(library.net))]
    return settle.energies(problem, library.take(at.active), at, warmth(data), estimates, names, 3.84)


def settled(data, library, *, balanced=False):
    """The library fitted as it is from constants of one, its lines bent where the data ask for it."""
    problem, everything = prepare(data, np.full(len(data.species), SD), balanced=balanced), np.arange(len(library.net))
    at = refine.fit(problem, library, everything, np.ones(len(everything)))
    setting = Setting(data, problem, library, Criterion(problem.points, True), frozenset())
    at, bent = settle.bend(setting, at, warmth(data), 3.84)
    problem = prepare(data, np.full(len(data.species), SD), bent=bent, balanced=balanced)
    every = range(len(at.k) + len(at.phi))
    estimates = tuple(intervals.interval(problem, library, at, i, 3.84)[0] for i in every)
    return at, bent, _laws(problem, library, at, data, estimates)


BENT = """A -> B @ arrhenius(A=2e-3, b=2, Ea=1.5e4)
2 B -> C @ arrhenius(A=3e3, b=0, Ea=2.4e4)"""


def test_the_constants_of_the_fit_are_those_of_arrhenius():
    """ln k(T0) + x ln r + y ln q = ln A + b ln T - Ea / R T at every temperature, for any A, b and Ea."""
    _, data = warm_data(BENT, [300.0, 400.0, 700.0])
    warm, A, b, Ea = warmth(data), 3e5, -1.7, 4.2e4
    at_T0 = np.log(A) + b * np.log(warm.reference) - Ea / (8.314462618 * warm.reference)
    log_r, log_q = (Ea + b * 8.314462618 * warm.reference) / warm.energy(1.0), b / warm.exponent(1.0)
    expected = np.log(A) + b * np.log(warm.temperatures) - Ea / (8.314462618 * warm.temperatures)
    np.testing.assert_allclose(at_T0 + warm.columns(curved=True) @ [log_r, log_q], expected, rtol=1e-12)


def test_a_bent_line_is_told_from_a_straight_one_over_a_wide_range():
    network, data = warm_data(BENT, [250.0, 320.0, 420.0, 600.0, 900.0], runs=25)
    at, bent, laws = settled(data, ways(network))
    assert 0 in bent
    truth = {"log_A": [np.log(2e-3), np.log(3e3)], "b": [2.0, 0.0], "Ea": [1.5e4, 2.4e4]}
    for name, values in truth.items():
        for found, value in ((getattr(law, name), x) for law, x in zip(laws, values, strict=True)):
            assert found is None or abs(found.value - value) < found.high - found.low  # four standard errors
    assert laws[0].b.high - laws[0].b.low < 1.5


def test_over_a_narrow_range_b_is_held_and_the_energy_is_the_slope_at_the_reference():
    network, data = warm_data(BENT, [310.0, 320.0, 330.0])
    _, bent, laws = settled(data, ways(network))
    assert bent == frozenset() and all(law.b is None for law in laws)
    slope = 1.5e4 + 2 * 8.314462618 * warmth(data).reference
    assert laws[0].Ea.low < slope < laws[0].Ea.high
    assert settle.doubts(laws, 320.0)[0].startswith("b and Ea of any reaction cannot be told apart")


@pytest.mark.parametrize("b", [-3, 0, 3])
def test_an_energy_holds_the_slope_at_the_reference_also_where_a_bent_line_goes_unnoticed(b):
    """Most runs are cold, one in six is hot: a straight line has the slope between them, not that at the mean 1 / T."""
    # k(320 K) = 1 and a slope of 40 kJ/mol there, whatever b
    own = 4e4 - 8.314462618 * 320 * b
    A = np.exp(own / (8.314462618 * 320)) * 320.0**-b
    text = f"A -> B @ arrhenius(A={A:.12g}, b={b}, Ea={own:.12g})\nB -> C @ arrhenius(A=3e3, b=0, Ea=2.4e4)"
    network, data = warm_data(text, [300.0, 303.0, 306.0, 309.0, 312.0, 420.0], runs=18, noise=2e-4)
    library, problem = ways(network), prepare(data, np.full(3, 2e-4))
    at = refine.fit(problem, library, np.arange(2), np.ones(2))
    estimates = tuple(intervals.interval(problem, library, at, i, 3.84)[0] for i in range(4))
    law = _laws(problem, library, at, data, estimates)[0]
    T0 = warmth(data).reference
    truth, straight = own + 8.314462618 * T0 * b, estimates[2]
    assert law.Ea.low < truth < law.Ea.high
    narrow = [warmth(data).energy(np.log(end)) for end in (straight.low, straight.high)]
    assert (narrow[0] < truth < narrow[1]) == (b == 0)  # of a straight line: false where it is bent


def test_the_temperature_is_differentiated_exactly():
    network, data = warm_data(BENT, [300.0, 400.0, 700.0], runs=3)
    problem = dataclasses.replace(prepare(data, np.full(3, SD), bent=frozenset({0, 1})), rtol=1e-11)
    library, k, phi, c0 = ways(network), np.array([0.7, 1.1]), np.array([3.0, 1.2, 5.0, 0.8]), problem.initial

    def residuals(log_phi):
        return residuals_at(problem, library, k, np.exp(log_phi), c0)

    here, h = linearise(problem, library, k, phi, c0), 1e-4
    differences = [(residuals(np.log(phi) + h * e) - residuals(np.log(phi) - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(here.by_phi, np.transpose(differences), rtol=1e-4, atol=1e-4)
    assert by_factors(problem, 0, here.by_k[:3] * k).shape == (3, 4)


def test_a_run_without_a_temperature_beside_others_is_refused():
    _, data = warm_data(BENT, [300.0, 320.0])
    runs = (dataclasses.replace(data.runs[0], temperature=None), *data.runs[1:])
    with pytest.raises(InputError, match="without a temperature.*: 1;"):
        warmth(dataclasses.replace(data, runs=runs))
    assert warmth(dataclasses.replace(data, runs=data.runs[:1])) is None


def triangle(c_to_a, a_to_c, seed=0):
    network, rng = parse(f"A <-> B @ 2, 1\nB <-> C @ 2, 1\nC <-> A @ {c_to_a}, {a_to_c}"), np.random.default_rng(seed)
    data = synthetic(network, rng.uniform(0, 1, (8, 3)), np.linspace(0, 1, 12), noise=SD, seed=seed)
    library, k = directions(network)
    problem = prepare(data, np.full(3, SD))
    return problem, library, refine.fit(problem, library, np.arange(6), k)


NAMES = ["A -> B", "B -> C", "C -> A", "B -> A", "C -> B", "A -> C"]


@pytest.mark.parametrize("c_to_a, a_to_c, force", [(1, 4, 0.0), (2, 1, np.log(8))])
def test_a_cycle_is_driven_or_not(c_to_a, a_to_c, force):
    problem, library, at = triangle(c_to_a, a_to_c)
    tested, _ = settle.tested(problem, library, at, NAMES, 3.84, 1.0)
    (cycle,) = tested.cycles
    sign = 1 if "A -> B" in cycle.equations else -1
    assert set(cycle.equations) in ({"A -> B", "B -> C", "C -> A"}, {"B -> A", "C -> B", "A -> C"})
    assert sign * cycle.deviation.value == pytest.approx(force, abs=0.3)
    assert cycle.deviation.low <= sign * force <= cycle.deviation.high
    assert (tested.chance > 0.01) == (force == 0.0)


def test_detailed_balance_held_is_exact_and_sharpens_every_constant():
    problem, library, at = triangle(1, 4)
    _, held = settle.tested(problem, library, at, NAMES, 3.84, 1.0)
    turn = balance.cycles(library)[0]
    assert abs(turn @ np.log(held.k)) < 1e-3 < abs(turn @ np.log(at.k))
    before, after = (np.sqrt(np.diag(intervals.covariance(x))) for x in (at, held))
    assert (after < before).all() and min(after / before) < 0.6
    same = dataclasses.replace(problem, balanced=True)
    index = int(np.argmin(after / before))
    wide, narrow = (intervals.interval(p, library, x, index, 3.84)[0] for p, x in ((problem, at), (same, held)))
    assert isinstance(narrow, Estimate) and narrow.high / narrow.low < wide.high / wide.low


def test_detailed_balance_holds_at_every_temperature():
    """Energies that add up to zero around the cycle, whatever they are one by one."""
    text = """A <-> B @ arrhenius(A=1e5, Ea=3e4), arrhenius(A=5e7, Ea=5e4)
    B <-> C @ arrhenius(A=1e3, Ea=1.5e4), arrhenius(A=2e3, Ea=2e4)
    C <-> A @ arrhenius(A=1e9, Ea=5.5e4), arrhenius(A=1e6, Ea=3e4)"""
    network, data = warm_data(text, [300.0, 330.0, 360.0], runs=9)
    problem = prepare(data, np.full(3, SD), balanced=True)
    at = refine.fit(problem, ways(network), np.arange(6), np.ones(6))
    conditions = balance.conditions(problem, ways(network))
    assert conditions.shape == (2, 12)
    np.testing.assert_allclose(conditions @ np.log(np.append(at.k, at.phi)), 0, atol=1e-3)


def test_derivatives_at_several_temperatures_are_left_aside_and_that_is_said():
    network, rng = parse(BENT), np.random.default_rng(0)
    c0s, kelvin = rng.uniform(0.2, 1, (6, 3)), np.resize([300.0, 330.0, 360.0], 6)
    data = synthetic(network, c0s, np.linspace(0, 2, 12), noise=SD, derivatives=True, temperatures=kelvin)
    found = discover(data)
    assert found.fit.kind == "concentrations" and found.network().equations() == network.equations()
    assert any("derivatives were not used" in warning for warning in found.warnings)


def test_detailed_balance_of_a_mechanism_without_a_cycle_is_said_to_change_nothing():
    network = parse("A -> B @ 1\nB -> C @ 2")
    c0s = np.random.default_rng(0).uniform(0.2, 1, (4, 3))
    data = synthetic(network, c0s, np.linspace(0, 2, 12), noise=SD)
    found = discover(data, Options(detailed_balance=True))
    assert found.balance is None and any("asks nothing of its constants" in warning for warning in found.warnings)


def test_where_detailed_balance_is_held_derivatives_are_left_aside_and_that_is_said():
    network = parse("A <-> B @ 2, 1\nB <-> C @ 2, 1\nC <-> A @ 1, 4")
    c0s = np.random.default_rng(0).uniform(0, 1, (8, 3))
    data = synthetic(network, c0s, np.linspace(0, 1, 12), noise=SD, derivatives=True)
    found = discover(data, Options(detailed_balance=True))
    assert found.fit.kind == "concentrations" and found.balance is not None and found.balance.held
    assert any("detailed balance is held in fits of concentrations" in warning for warning in found.warnings)
