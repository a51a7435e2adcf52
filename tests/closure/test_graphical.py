"""Energies as text-book sums, counted by plain loops."""

import itertools

import numpy as np
import pytest

from guldberg.closure.graphical import HIDDEN_PAIRS, TRIPLETS, Energy, Unit, coarse_graining, neighbours

A, B, X = Unit("A"), Unit("B"), Unit("X", layer="hidden")
RNG = np.random.default_rng(0)


def test_equation_37_counts_runs_with_open_sides() -> None:
    v = np.array([1, 1, 1, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(TRIPLETS.sums({"visible": v}, periodic=False), [6, 3, 1])
    np.testing.assert_array_equal(TRIPLETS.sums({"visible": v}, periodic=True), [6, 4, 2])


def test_equation_39_has_a_hidden_unit_for_each_pair_of_neighbours() -> None:
    assert HIDDEN_PAIRS.shape("hidden", [8], periodic=False) == (7,)
    v, h = np.array([1, 1, 0, 1]), np.array([1, 0, 1])
    # unit 0 sees two particles, unit 2 one
    np.testing.assert_array_equal(HIDDEN_PAIRS.sums({"visible": v, "hidden": h}, periodic=False), [3, 3, 2])


@pytest.mark.parametrize("full", [False, True])
def test_equation_44_sums_over_the_cube_of_each_hidden_unit(full: bool) -> None:
    energy = coarse_graining({"A": "X", "B": "Y"}, full=full)
    v, h = RNG.integers(0, 3, (2, 4, 3, 3))
    sums = dict(zip(energy.names, energy.sums({"visible": v, "hidden": h}, periodic=True), strict=True))
    assert sums["b_A"] == (v == 1).sum() and sums["b_Y"] == (h == 2).sum()
    assert set(sums) == {"b_A", "b_B", "b_X", "b_Y", "W_AX", "W_BY"} | ({"W_AY", "W_BX"} if full else set())
    for species, unit in itertools.product("AB", "XY") if full else zip("AB", "XY", strict=True):
        count = 0
        for site, offset in itertools.product(np.ndindex(4, 3, 3), itertools.product((0, 1), repeat=3)):
            seen = tuple((s + o) % n for s, o, n in zip(site, offset, (4, 3, 3), strict=True))
            count += v[seen] == "AB".index(species) + 1 and h[site] == "XY".index(unit) + 1
        assert sums[f"W_{species}{unit}"] == count


def test_neighbours_are_counted_once_each_and_unlike_ones_both_ways() -> None:
    energy = neighbours(["A", "B"])
    v = RNG.integers(0, 3, (4, 3, 3))
    sums = dict(zip(energy.names, energy.sums({"visible": v}, periodic=True), strict=True))
    pairs = [(v, np.roll(v, -1, axis)) for axis in range(3)]
    assert sums["J_AA"] == sum(((x == 1) & (y == 1)).sum() for x, y in pairs)
    assert sums["J_AB"] == sum((((x == 1) & (y == 2)) | ((x == 2) & (y == 1))).sum() for x, y in pairs)


def test_batches_of_states_come_first() -> None:
    v = RNG.integers(0, 2, (5, 2, 9))
    sums = TRIPLETS.sums({"visible": v}, periodic=True)
    assert sums.shape == (5, 2, 3)
    np.testing.assert_array_equal(sums[3, 1], TRIPLETS.sums({"visible": v[3, 1]}, periodic=True))


def test_a_product_of_units_that_exclude_each_other_is_refused() -> None:
    with pytest.raises(ValueError, match="same site"):
        A[0] * B[0]
    assert (A[0] * A[0]).products == A[0].products  # an occupancy is its own square


@pytest.mark.parametrize(
    ("interactions", "words"),
    [({"b": A[0], "J": A[0, 0] * A[0, 1]}, "same dimension"), ({"b'": X[0]}, "visible unit")],
)
def test_energies_that_mean_nothing_are_refused(interactions: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Energy(interactions)
