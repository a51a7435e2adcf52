import dataclasses
import math
import warnings

import numpy as np
import pytest
from measured import directions, equations, measure
from zoo import ZOO

from guldberg.app.codec import decode, encode
from guldberg.app.synthetic import synthetic
from guldberg.discover import Discovery, Options, discover
from guldberg.discover.library import direction
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run
from guldberg.learn.fit import run
from guldberg.text import parse

ENZYME = "E + S <-> ES @ 30, 5\nES -> E + P @ 10"
CATALYSIS = "A + K -> B + K @ 3\nB -> C @ 1"
AUTOCATALYSIS = "A + B -> 2 B @ 3\nB -> C @ 0.5"
OPEN = "A -> B @ 2\nB -> 0 @ 1\n0 -> A @ 0.5"
CHAIN = "A -> B @ 2\nB <-> C @ 1, 0.5"
MECHANISMS = {
    "catalysis": (CATALYSIS, 2.0),
    "autocatalysis": (AUTOCATALYSIS, 3.0),
    "enzyme": (ENZYME, 1.0),
    "open": (OPEN, 3.0),
    "oligomers": (str(ZOO["oligomers"].network), 1.0),
}


def names(result):
    """The directed reactions found, up to what equations can tell (2 A -> 0 for 2 A -> A)."""
    library, _ = directions(result.network())
    return {direction(a, b) for a, b in zip(*library, strict=True)}


def expected(text):
    return {direction(a, b) for a, b in zip(*directions(parse(text))[0], strict=True)}


def constants(network):
    """{direction: constant}, for one molecule of net change."""
    library, k = directions(network)
    ways = [direction(a, b) for a, b in zip(*library, strict=True)]
    size = [np.abs(net).sum() / np.abs(way[1]).sum() for net, way in zip(library.net, ways, strict=True)]
    return dict(zip(ways, k * size, strict=True))


def numbers(value):
    """Every number in a result that a user will read; curves and residuals (NaN: not measured) are checked apart."""
    if isinstance(value, np.ndarray):
        return []
    if dataclasses.is_dataclass(value) and not isinstance(value, Experiments):
        return [x for field in dataclasses.fields(value) for x in numbers(getattr(value, field.name))]
    if isinstance(value, dict):
        return [x for item in value.values() for x in numbers(item)]
    if isinstance(value, tuple | list):
        return [x for item in value for x in numbers(item)]
    return [value] if isinstance(value, int | float | np.number) else []


def check(result):
    """What holds for every result."""
    assert all(math.isfinite(x) for x in numbers(result))
    for step in result.steps:
        for estimate in (step.forward, step.reverse):
            if estimate is not None:
                assert (estimate.low or 0.0) <= estimate.value <= (estimate.high or math.inf)
        assert (np.subtract(step.products, step.reactants) @ result.laws.T == 0).all()
    assert len(result.fit.runs) == len(result.data.runs)
    assert all(np.isfinite(r.curve).all() and np.isfinite(r.initial).all() for r in result.fit.runs)
    assert all(rival.delta > -1e-9 for rival in result.alternatives)
    return result


@pytest.mark.parametrize("text, time", MECHANISMS.values(), ids=MECHANISMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_ten_experiments_at_one_per_cent_give_the_mechanism(text, time, seed):
    """Noise, laws and reactions from the data alone, and each constant within 30 %."""
    result = check(discover(measure(text, time, seed=seed)))
    assert names(result) == expected(text)
    truth, found = constants(parse(text)), constants(result.network())
    assert all(found[name] == pytest.approx(truth[name], rel=0.3) for name in truth)


def test_the_result_is_the_same_from_every_state_on_the_way():
    """Each State is written down and read back before the next step; and from three of them another job goes on."""
    data = measure(CHAIN, 2.0)
    job = Discovery(data)
    state, states = job.init(0), []
    while not job.done(state):
        written = encode(state, job.state_types)
        states.append(written)
        state, metrics = job.step(decode(written, job.state_types))
        assert 0 <= metrics["progress"] <= 1 and metrics["stage"]
        assert all(isinstance(v, str) or math.isfinite(v) or k == "score" for k, v in metrics.items())
    assert len(states) > 6
    plain = run(Discovery(data), 0)
    for last in (state, *(decode(s, job.state_types) for s in states[:: len(states) // 3])):
        np.testing.assert_equal(dataclasses.asdict(run(Discovery(data), state=last)), dataclasses.asdict(plain))


def test_an_unfinished_job_tells_how_far_it_came():
    job = Discovery(measure(CHAIN, 2.0))
    state = job.init(0)
    with pytest.raises(ValueError, match="no mechanism"):
        job.result(state)
    while state.stage != "rivals":
        state, _ = job.step(state)
        if state.current is not None and state.current.at is not None:
            assert job.result(state).steps
    assert names(job.result(state)) == expected(CHAIN)
    assert {step.forward.verdict for step in job.result(state).steps} == {"flat"}  # no interval has been sought yet


def reaction(text, species):
    network = parse(f"species: {', '.join(species)}\n{text} @ 1")
    return tuple(map(int, network.reactants[0])), tuple(map(int, network.products[0]))


def test_required_reactions_are_there_and_forbidden_ones_are_not():
    data = measure(CHAIN, 2.0)
    require, forbid = reaction("C -> A", data.species), reaction("C -> B", data.species)
    result = check(discover(data, Options(require=(require,), forbid=(forbid,))))
    found = equations(result.network())
    assert "C -> A" in found and "C -> B" not in found
    assert not any("C -> B" in rival.equations for rival in result.alternatives)
    assert all("C -> A" in rival.equations for rival in result.alternatives)


def test_a_required_reaction_against_the_laws_joins_the_library():
    data = measure(CHAIN, 2.0)
    result = discover(data, Options(require=(reaction("A -> 0", data.species),)))
    assert all(math.isfinite(x) for x in numbers(result))
    assert expected(CHAIN) < names(result)


def test_required_and_forbidden_at_once_is_an_error():
    data = measure(CHAIN, 2.0)
    one = reaction("A -> B", data.species)
    with pytest.raises(InputError, match="A -> B is both required and forbidden"):
        discover(data, Options(require=(one,), forbid=(one,)))


def test_laws_that_are_given_are_taken():
    data = measure(CHAIN, 2.0, relative=0.05)
    result = check(discover(data, Options(laws=((1, 1, 1),))))
    np.testing.assert_array_equal(result.laws, [[1, 1, 1]])
    assert names(result) == expected(CHAIN)


@pytest.mark.parametrize("seed", [0, 2])
def test_a_fast_equilibrium_leaves_its_ratio_and_names_its_rivals(seed):
    """The truth is the best mechanism or among its rivals; of the fast pair no data of this grid tell the size."""
    network = ZOO["fast_slow_pair"].network
    result = check(discover(measure(network, 1.0, relative=1e-2, seed=seed)))
    assert equations(network) in [equations(result.network()), *(set(rival.equations) for rival in result.alternatives)]
    verdicts = {estimate.verdict for s in result.steps for estimate in (s.forward, s.reverse) if estimate.value > 30}
    assert verdicts and "bounded" not in verdicts
    (ratio,) = result.combinations
    assert ratio.name == "k(R -> P) / k(P -> R)"
    assert ratio.estimate.low < 1 < ratio.estimate.high < 1.1 * ratio.estimate.low


def damaged(data, share, seed=0):
    """Unequal times in every run, and a share of the values missing."""
    rng, runs = np.random.default_rng(seed), []
    for r in data.runs:
        kept = np.sort(np.append(0, 1 + rng.permutation(len(r.times) - 1)[: rng.integers(12, len(r.times))]))
        values = np.where(rng.uniform(size=(len(kept), len(data.species))) < share, np.nan, r.values[kept])
        runs.append(Run(r.name, r.times[kept], values, r.sd[kept]))
    return dataclasses.replace(data, runs=tuple(runs))


def test_unequal_times_and_missing_values_are_no_hindrance():
    data = damaged(measure(ENZYME, 1.0, points=30), 0.15)
    result = check(discover(data))
    assert names(result) == expected(ENZYME)
    residuals = np.vstack([r.residuals for r in result.fit.runs])
    np.testing.assert_array_equal(np.isnan(residuals), np.isnan(np.vstack([r.values for r in data.runs])))


def test_a_factor_on_the_rates_of_some_experiments_is_found():
    data = measure(CHAIN, 2.0)
    slow = (dataclasses.replace(r, times=r.times / 0.6) if r.name in ("2", "5") else r for r in data.runs)
    result = check(discover(dataclasses.replace(data, runs=tuple(slow)).with_scale(("2", "5"))))
    assert names(result) == expected(CHAIN)
    (scale,) = result.fit.scales.values()
    assert scale.low < 0.6 < scale.high < 1.3 * scale.low


def test_a_species_that_exists_but_was_not_measured_is_reckoned_with():
    """P of an enzyme, hidden, initially absent: the law of matter cannot be seen, so it is given."""
    network = parse(ENZYME)
    c0s = np.random.default_rng(0).uniform(0.1, 1, (10, 4)) * [1, 1, 0, 0]
    full = synthetic(network, c0s, np.linspace(0, 1, 20), noise=0.005)
    hidden = full.without(("P",)).with_species(("P",)).with_initial({"P": 0.0})
    assert hidden.species == full.species
    result = check(discover(hidden, Options(laws=((1, 0, 1, 0), (0, 1, 1, 1)))))
    assert names(result) == expected(ENZYME)
    assert any("P was not measured" in warning for warning in result.warnings)


def test_a_catalyst_that_never_changes_is_an_exact_amount():
    """Its column has no noise: beside it the others would count for nothing."""
    network, rng = parse("E + A -> E + B @ 4\nB -> A @ 0.5"), np.random.default_rng(3)
    exact = synthetic(network, rng.uniform(0.1, 1, (10, 3)), np.linspace(0, 2, 20), exact_start=False)
    runs = (
        dataclasses.replace(r, values=r.values + [0, 0.01, 0.01] * rng.standard_normal((20, 3))) for r in exact.runs
    )
    result = check(discover(dataclasses.replace(exact, runs=tuple(runs))))
    assert names(result) == expected(str(network))
    assert not any("not measured" in warning for warning in result.warnings)


@pytest.mark.parametrize("told, warned", [(0.01, False), (0.005, True)])
def test_given_deviations_make_chi2_absolute(told, warned):
    """With sd told twice too small chi2 is 4 per degree of freedom, and that is said."""
    data, rng = measure(CHAIN, 2.0, relative=0.0), np.random.default_rng(0)
    values = [r.values + 0.01 * rng.standard_normal(r.values.shape) for r in data.runs]
    runs = [dataclasses.replace(r, values=v, sd=np.full(v.shape, told)) for r, v in zip(data.runs, values, strict=True)]
    result = check(discover(dataclasses.replace(data, runs=tuple(runs)), Options(laws=((1, 1, 1),))))
    assert result.fit.sd_given
    per_degree = result.fit.chi2 / (result.fit.points - result.fit.parameters)
    assert per_degree == pytest.approx((0.01 / told) ** 2, rel=0.2)  # sd of the ratio: sqrt(2 / 560) = 0.06
    assert result.fit.fits != warned


def some(text, runs, points):
    data = measure(text, 1.0, runs=runs, points=max(points, 2))
    short = [Run(r.name, r.times[:points], r.values[:points], r.sd[:points]) for r in data.runs]
    return dataclasses.replace(data, runs=tuple(short))


@pytest.mark.parametrize("runs, points", [(1, 1), (4, 1), (1, 2), (1, 4), (2, 3), (3, 2)])
@pytest.mark.parametrize("text", [CHAIN, OPEN], ids=["closed", "open"])
def test_too_few_data_are_told_in_words(text, runs, points):
    """Either a mechanism with a warning, or one line that says what is missing; no error of another kind."""
    try:
        result = discover(some(text, runs, points))
    except (ValueError, ArithmeticError) as error:
        assert type(error) in (ValueError, InputError, ArithmeticError)
        assert len(str(error)) > 20 and "\n" not in str(error)
    else:
        assert all(math.isfinite(x) for x in numbers(result))
        assert not result.steps or any("measurements" in w for w in result.warnings)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_curves_that_never_change_have_no_mechanism(value):
    times = np.linspace(0, 1, 10)
    table = np.full((10, 2), value)
    data = Experiments(("A", "B"), (Run("1", times, table, np.full((10, 2), np.nan)),))
    try:
        result = discover(data)
    except (ValueError, ArithmeticError) as error:
        assert len(str(error)) > 20
    else:
        assert result.steps == ()


def test_nothing_but_noise_is_no_mechanism():
    rng, times = np.random.default_rng(0), np.linspace(0, 1, 20)
    runs = tuple(Run(str(i), times, 1 + 0.01 * rng.normal(size=(20, 2)), np.full((20, 2), np.nan)) for i in range(4))
    try:
        result = discover(Experiments(("A", "B"), runs))
    except (ValueError, ArithmeticError) as error:
        assert len(str(error)) > 20
    else:
        assert all(math.isfinite(x) for x in numbers(result))
        assert not any(step.certainty == "certain" for step in result.steps)


def test_units_of_time_and_amount_change_no_reaction():
    data = measure(ENZYME, 1.0)
    runs = (dataclasses.replace(r, times=r.times * 3600, values=r.values * 1e-6) for r in data.runs)
    here, there = discover(data), check(discover(dataclasses.replace(data, runs=tuple(runs))))
    assert names(there) == names(here)
    (_, a), (library, b) = directions(here.network()), directions(there.network())
    np.testing.assert_allclose(b * 3600 * 1e-6 ** (library.reactants.sum(axis=1) - 1), a, rtol=2e-2)


def test_the_same_data_and_seed_give_the_same_bits():
    data = measure(ENZYME, 1.0, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = discover(data, seed=1), discover(data, seed=1)
    np.testing.assert_equal(dataclasses.asdict(one), dataclasses.asdict(two))
