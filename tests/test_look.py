"""What a first look must find, and must not claim."""

import json
import math

import numpy as np
import pytest

from guldberg.app import datasets
from guldberg.app.look import look
from guldberg.app.synthetic import synthetic
from guldberg.app.tables import read_experiments
from guldberg.discover.dependencies import digits
from guldberg.experiments import Experiments, Run
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant

nan = np.nan


def network(species, reactions):
    """Irreversible `(reactants, products, k)`, as dicts over `species`."""
    sides = [[[side.get(s, 0) for s in species] for side in step[:2]] for step in reactions]
    reactants, products = np.array(sides).transpose(1, 0, 2)
    return ReactionNetwork(reactants, products, Constant.of([k for *_, k in reactions]), None, tuple(species))


def made(species, reactions, *, runs=5, noise=0.0, seed=0, last=2.0):
    c0 = np.random.default_rng(seed).uniform(0.2, 1, (runs, len(species)))
    ts = np.linspace(0, last, 20)
    return synthetic(network(species, reactions), c0, ts, noise=noise, exact_start=False, seed=seed)


def table(species, columns, **kwargs):
    """One run per array of `columns`, without standard deviations."""
    runs = tuple(Run(str(i), np.arange(len(c), dtype=float), c, np.full(c.shape, nan)) for i, c in enumerate(columns))
    return Experiments(tuple(species), runs, **kwargs)


def dependencies(data):
    return look(data).dependencies


def spanned(found, laws):
    """Whether the dependencies found span exactly the space of `laws`."""
    rows = np.array([d.coefficients for d in found])
    return len(rows) == len(laws) and np.linalg.matrix_rank(np.vstack([rows, laws]), tol=0.02) == len(laws)


def test_alpha_pinene_shows_its_mass_balance_and_its_computed_column():
    seen = look(read_experiments([datasets.path("alpha-pinene")]))
    balance = next(d for d in seen.dependencies.found if (d.coefficients == 1).all())
    assert balance.kind == "conserved" and not balance.nested
    assert balance.levels[0] == pytest.approx(100.1, abs=0.1) and balance.residual < 0.2
    computed = [d for d in seen.dependencies.found if d.computed]
    assert len(computed) == 1
    np.testing.assert_allclose(computed[0].coefficients, [0.03, 0, 0, 1, 0], atol=1e-12)
    (warning,) = [w for w in seen.warnings if "computed, not measured" in w]
    assert warning.startswith("pyronene is 3.0 % of the converted alpha_pinene at every time")
    assert any("one single experiment" in w for w in seen.warnings)
    assert "100.1 +- 0.12 %" in seen.render()


def test_carotenoid_has_nothing_computed():
    seen = look(read_experiments([datasets.path("carotenoid")]))
    assert not any(d.computed or d.kind == "conserved" for d in seen.dependencies.found)
    assert seen.given == (True,) * 5 and not any("gaps" in w for w in seen.warnings)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3, 1e-2])
def test_hydrogen_keeps_its_two_elements(noise):
    found = dependencies(datasets.hydrogen(runs=20, noise=noise, derivatives=False)).found
    assert spanned(found, [[2, 0, 2, 1, 0, 1], [0, 2, 1, 0, 1, 1]])
    assert all(d.kind == "conserved" and not d.computed for d in found)


SYSTEMS = {
    "chain": ("ABC", [({"A": 1}, {"B": 1}, 1.0), ({"B": 1}, {"C": 1}, 2.0)], [[1, 1, 1]]),
    "oligomers": (
        "ABCD",
        [({"A": 2}, {"B": 1}, 1.0), ({"A": 1, "B": 1}, {"C": 1}, 2.0), ({"A": 1, "C": 1}, {"D": 1}, 1.5)],
        [[1, 2, 3, 4]],
    ),
    "enzyme": (
        ["E", "S", "X", "P"],
        [({"E": 1, "S": 1}, {"X": 1}, 3.0), ({"X": 1}, {"E": 1, "S": 1}, 1.0), ({"X": 1}, {"E": 1, "P": 1}, 2.0)],
        [[1, 0, 1, 0], [0, 1, 1, 1]],
    ),
    "open": ("AB", [({"A": 1}, {"B": 1}, 1.0), ({"B": 1}, {}, 0.7), ({}, {"A": 1}, 0.3)], []),
}


@pytest.mark.parametrize("noise", [0.0, 3e-3])
@pytest.mark.parametrize(("species", "reactions", "laws"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_laws_are_found_and_no_others(species, reactions, laws, noise):
    found = dependencies(made(list(species), reactions, noise=noise)).found
    if not laws:
        assert found == ()
        return
    assert spanned(found, laws)
    assert all(d.kind == "conserved" for d in found)


@pytest.mark.parametrize("noise", [0.0, 2e-3])
def test_a_branching_ratio_is_not_called_computed(noise):
    """A -> B at 2, A -> C at 1: B - 2 C is invariant by the kinetics, and A + B + C by matter."""
    data = made("ABC", [({"A": 1}, {"B": 1}, 2.0), ({"A": 1}, {"C": 1}, 1.0)], noise=noise)
    seen = look(data)
    assert spanned(seen.dependencies.found, [[1, 1, 1], [0, 1, -2]])
    assert not any(d.computed for d in seen.dependencies.found)
    assert any("fixed ratio" in w and "computed" in w for w in seen.warnings)


def test_a_branching_ratio_in_a_clean_rounded_table_is_not_called_computed():
    """Rounded to four digits without noise: all columns are as good as their digits, so agreement proves nothing."""
    data = made("ABC", [({"A": 1}, {"B": 1}, 2.0), ({"A": 1}, {"C": 1}, 1.0)])
    rounded = table("ABC", [np.round(run.values, 2) for run in data.runs])
    assert not any(d.computed for d in dependencies(rounded).found)


def test_a_column_of_sums_is_told():
    """Measured A and B, and a column T = A + B computed from what was printed."""
    rng = np.random.default_rng(1)
    t = np.linspace(0, 3, 15)
    a, b = np.exp(-t) + 0.02 * rng.normal(size=15), t * np.exp(-t) + 0.02 * rng.normal(size=15)
    a, b = np.round(a, 3), np.round(b, 3)
    seen = look(table("ABT", [np.column_stack([a, b, a + b])]))
    (found,) = seen.dependencies.found
    np.testing.assert_allclose(np.abs(found.coefficients), 1)
    assert found.kind == "sum" and found.within_rounding
    assert any(w.startswith("T = A + B") for w in seen.warnings)


def test_independent_noise_depends_on_nothing():
    """Nine random walks, five species: no dependency in any of twenty sets."""
    for seed in range(20):
        walk = np.cumsum(np.random.default_rng(seed).normal(size=(3, 12, 5)), axis=1)
        assert dependencies(table("ABCDE", walk)).found == ()


def test_levels_are_those_of_each_run():
    data = made("AB", [({"A": 1}, {"B": 1}, 1.0)], runs=3)
    (law,) = dependencies(data).found
    np.testing.assert_allclose(law.levels, [run.values[0].sum() for run in data.runs], atol=1e-9)


@pytest.mark.parametrize(
    ("values", "grid"),
    [
        ([1.5, 2.25, 3.0, 4.5, 5.1], 0.1),
        ([10, 20, 30], 10.0),
        ([1, 2, 3], 1.0),
        ([0.123, 0.5], 0.001),
        ([1 / 3, 2 / 7], 0),
    ],
)
def test_printed_digits(values, grid):
    assert digits(np.array(values, float)) == pytest.approx(grid)


def warned(data, *words):
    return any(all(word in warning for word in words) for warning in look(data).warnings)


def test_what_will_be_hard_to_learn_is_told():
    t = np.arange(8.0)
    slow = np.exp(-0.2 * t)
    wiggle = 1e-3 * np.random.default_rng(0).normal(size=8)
    plain = table(["A", "N", "K"], [np.column_stack([slow + wiggle, np.full(8, nan), 1 + wiggle])])
    assert warned(plain, "never measured", "N") and warned(plain, "constant", "K")
    assert not warned(plain, "too coarse") and not warned(plain, "below zero")
    jump = table("AB", [np.column_stack([slow + wiggle, 1 - np.exp(-9 * t) + wiggle])] * 2)
    assert warned(jump, "too coarse", ": B;")
    negative = table("A", [np.column_stack([slow - 0.5 + wiggle])])
    assert warned(negative, "below zero", "A")
    near_zero = table("A", [np.column_stack([np.exp(-3 * t) + wiggle])])
    assert not warned(near_zero, "below zero")


def test_gaps_are_told():
    values = np.column_stack(
        [np.exp(-0.1 * np.arange(9.0)), np.where(np.arange(9) % 4 == 0, 0.1 * np.arange(9.0), nan)]
    )
    assert warned(table("AB", [values]), "gaps", "1 of 2")


def test_noise_given_is_used_and_noise_not_given_is_estimated():
    values = np.exp(-0.1 * np.arange(60.0))[:, None] + np.random.default_rng(3).normal(size=(60, 2)) * [0.05, 0.01]
    sd = np.column_stack([np.full(60, 0.07), np.full(60, nan)])
    seen = look(Experiments(("A", "B"), (Run("x", np.arange(60.0), values, sd),)))
    assert seen.given == (True, False) and seen.noise[0] == 0.07
    assert 0.006 < seen.noise[1] < 0.016


ODD = {
    "one row with derivatives": Experiments(
        ("A",), (Run("x", np.array([0.0]), np.array([[1.0]]), np.array([[nan]]), np.array([[2.0]])),)
    ),
    "nothing but exact starts": table("AB", [np.array([[1.0, 2.0], [nan, nan]])]),
    "all zero": table("AB", [np.zeros((5, 2))]),
    "two points": table("AB", [np.array([[1.0, 0.0], [0.0, 1.0]])]),
    "never together": table("AB", [np.array([[1.0, nan], [nan, 1.0], [0.5, nan], [nan, 0.7]])]),
    "huge": table("AB", [np.column_stack([np.arange(6.0) * 1e250, 1e250 * (9 - np.arange(6.0))])]),
    "tiny": table("AB", [np.column_stack([np.arange(6.0) * 1e-250, 1e-250 * (9 - np.arange(6.0))])]),
    "long names": table(["A" * 60, "B" * 60, "C" * 60], [np.random.default_rng(0).normal(size=(12, 3))]),
    "many runs": table("AB", np.random.default_rng(0).normal(size=(40, 6, 2))),
    "many species": table([f"species_{i}" for i in range(14)], np.random.default_rng(0).normal(size=(3, 12, 14))),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("data", [*ODD.values(), datasets.hydrogen(runs=9)], ids=[*ODD.keys(), "hydrogen"])
def test_every_table_can_be_looked_at(data):
    seen = look(data)
    text = seen.render()
    assert all(len(line) <= 100 for line in text.splitlines()) and text.endswith("\n")
    assert "nan" not in text and "inf" not in text
    assert json.loads(json.dumps(seen.facts(), allow_nan=False)) == seen.facts()
    assert math.isfinite(seen.facts()["points"])
