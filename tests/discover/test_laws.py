import dataclasses
import time

import numpy as np
import pytest
from measured import measure
from zoo import ZOO

from guldberg.discover import laws, noise
from guldberg.structure import conservation_laws
from guldberg.text import parse

CLOSED = [
    "michaelis_menten",
    "dimerisation",
    "driven_three_cycle",
    "hydrogen_oxidation",
    "fast_slow_pair",
    "autocatalysis",
    "consecutive",
    "edelstein",
    "futile_cycle",
    "horn_jackson",
    "oligomers",
    "quenching",
]


def same_space(a, b):
    """Whether two sets of laws span the same space; an empty set spans only itself."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return len(a) == len(b) and (len(a) == 0 or np.linalg.matrix_rank(np.vstack([a, b])) == len(b))


def sought(data, **options):
    return laws.hypotheses(data, noise.estimate(data), **options)


@pytest.mark.parametrize("relative", [0.0, 1e-3, 1e-2])
@pytest.mark.parametrize("name", CLOSED)
def test_the_known_laws_come_first(name, relative):
    known = ZOO[name]
    for seed in range(3):
        found = sought(measure(known.network, known.time, relative=relative, seed=seed))
        assert same_space(found[0], known.laws)
        assert len(found[0]) == len(known.laws)


@pytest.mark.parametrize("name", ["brusselator", "gray_scott", "lotka_volterra", "annihilation", "flow_reactor"])
@pytest.mark.parametrize("relative", [0.0, 1e-2])
def test_open_systems_conserve_nothing(name, relative):
    known = ZOO[name]
    (found,) = sought(measure(known.network, known.time, relative=relative))
    assert found.shape == (0, len(known.network.species))


HEXAMERS = "2 A <-> B @ 2, 1\nA + B <-> C @ 2, 1\nA + C <-> D @ 2, 1\nA + D <-> E @ 2, 1\nA + E <-> F @ 2, 1"


@pytest.mark.parametrize("relative", [1e-3, 1e-2])
def test_a_chain_of_oligomers_weighs_up_to_six(relative):
    found = sought(measure(HEXAMERS, 1.0, relative=relative))
    assert any(same_space(f, [[1, 2, 3, 4, 5, 6]]) for f in found)
    assert same_space(found[0], [[1, 2, 3, 4, 5, 6]])


def test_a_branching_ratio_looks_like_a_law_and_is_dropped_among_the_weaker_hypotheses():
    """3 B - C never changes where A -> B and A -> C run at 1 and 3; one law fewer leaves that of matter."""
    data = measure("A -> B @ 1\nA -> C @ 3", 1.0, relative=1e-3)
    sd = noise.estimate(data)
    assert len(laws.hypotheses(data, sd)[0]) == 2
    assert any(same_space(weaker, [[1, 1, 1]]) for weaker in laws.weaker(data, sd))
    assert all(len(weaker) == 1 for weaker in laws.weaker(data, sd))


def test_weaker_hypotheses_end_with_no_law_at_all():
    data = measure(ZOO["consecutive"].network, 1.0)
    sd = noise.estimate(data)
    (none,) = laws.weaker(data, sd)
    assert none.shape == (0, 3)
    assert laws.weaker(data, sd, fewer=2) == []


def test_a_species_never_measured_is_in_no_law():
    known = ZOO["hydrogen_oxidation"]
    found = sought(measure(known.network, known.time).with_species(("X",)))
    assert same_space(found[0][:, :-1], known.laws)
    assert (found[0][:, -1] == 0).all()


def test_a_species_that_never_changes_has_a_law_of_its_own():
    """Exactly constant columns have no noise beside which others could be weighed, nor others beside them."""
    network = "E + A -> E + B @ 1000\nB -> A @ 0.5"
    data = measure(network, 2.0)
    for amount in (0.0, 1e-3, 5.0):
        values = [np.column_stack([np.full(len(run.times), amount), run.values[:, 1:]]) for run in data.runs]
        runs = tuple(dataclasses.replace(run, values=v) for run, v in zip(data.runs, values, strict=True))
        found = sought(dataclasses.replace(data, runs=runs))
        assert same_space(found[0], [[1, 0, 0], [0, 1, 1]])


def test_rows_with_gaps_are_left_out_and_the_laws_stay():
    known, rng = ZOO["hydrogen_oxidation"], np.random.default_rng(0)
    data = measure(known.network, known.time)
    holes = [np.where(rng.uniform(size=run.values.shape) < 0.1, np.nan, run.values) for run in data.runs]
    runs = tuple(dataclasses.replace(run, values=v) for run, v in zip(data.runs, holes, strict=True))
    assert same_space(sought(dataclasses.replace(data, runs=runs))[0], known.laws)


def test_too_few_rows_tell_no_law():
    known = ZOO["hydrogen_oxidation"]
    data = measure(known.network, known.time, runs=1, points=4)
    (found,) = laws.hypotheses(data, np.full(6, 0.01))
    assert found.shape == (0, 6)


EIGHT = "A + B <-> C @ 3, 1\nC + D <-> E @ 2, 1\nE -> F + G @ 1\nF + H <-> A + D @ 1, 2\nG + B -> H @ 1"


@pytest.mark.parametrize("relative", [0.0, 1e-2])
def test_eight_species_take_well_under_a_second(relative):
    """Integer vectors of that length number 13^8: they cannot have been enumerated."""
    data, expected = measure(EIGHT, 2.0, relative=relative, points=30), conservation_laws(parse(EIGHT))
    sd, start = noise.estimate(data), time.perf_counter()
    found = laws.hypotheses(data, sd)
    assert time.perf_counter() - start < 1.0
    assert any(same_space(f, expected) for f in found)


@pytest.mark.parametrize("relative", [1e-3, 1e-2])
def test_several_sets_are_different_spaces_of_independent_small_integers(relative):
    for name in ("robertson", "hydrogen_oxidation", "michaelis_menten"):
        sets = sought(measure(ZOO[name].network, ZOO[name].time, relative=relative, seed=1))
        assert 1 <= len(sets) <= 6
        for i, a in enumerate(sets):
            assert a.dtype.kind == "i" and np.abs(a).max(initial=0) <= laws.LARGEST
            assert len(a) == 0 or np.linalg.matrix_rank(a) == len(a)
            assert not any(same_space(a, b) for b in sets[:i])
