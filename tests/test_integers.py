"""Exact linear algebra against plain enumeration and against Fractions."""

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guldberg.integers import kernel, rank, smallest_kernel

HYDROGEN = np.array(  # rows: reactions, columns: H2, O2, H2O, H, O, OH
    [
        [-1, 0, 0, 2, 0, 0],
        [0, -1, 0, 0, 2, 0],
        [0, 0, -1, 1, 0, 1],
        [-1, 0, 0, 1, -1, 1],
        [0, -1, 0, -1, 1, 1],
        [-1, 0, 1, 0, -1, 0],
    ]
)


@st.composite
def matrices(draw, rows=3, columns=4, size=3):
    m, n = draw(st.integers(0, rows)), draw(st.integers(1, columns))
    entries = draw(st.lists(st.integers(-size, size), min_size=m * n, max_size=m * n))
    return np.array(entries, int).reshape(m, n)


def solutions(A, bound):
    """Every integer x with A x = 0 and |x_i| <= bound, one by one."""
    box = itertools.product(range(-bound, bound + 1), repeat=A.shape[1])
    return [x for x in box if not (A @ np.array(x)).any()]


def coordinates(x, basis):
    """Solve sum_i a_i basis_i = x in Fractions by Gauss-Jordan; None if there is no solution."""
    rows = [[Fraction(int(b[i])) for b in basis] + [Fraction(int(x[i]))] for i in range(len(x))]
    at = 0
    for j in range(len(basis)):
        pivot = next(i for i in range(at, len(rows)) if rows[i][j])
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][j] for value in rows[at]]
        for i in range(len(rows)):
            if i != at and rows[i][j]:
                rows[i] = [a - rows[i][j] * b for a, b in zip(rows[i], rows[at], strict=True)]
        at += 1
    return None if any(row[-1] for row in rows[at:]) else [row[-1] for row in rows[:at]]


@given(matrices())
@settings(deadline=None, max_examples=60)
def test_kernel_holds_every_integer_solution(A):
    basis = kernel(A)
    assert len(basis) == A.shape[1] - np.linalg.matrix_rank(A)
    for x in solutions(A, 2):
        if any(x):
            found = coordinates(x, basis) if basis else None
            assert found is not None and all(a.denominator == 1 for a in found)


@given(matrices(rows=5, columns=5))
@settings(deadline=None, max_examples=60)
def test_rank_is_that_of_floating_algebra(A):
    assert rank(A) == np.linalg.matrix_rank(A)


def test_rank_is_exact_where_floating_point_is_not():
    big = 10**17
    assert rank([[big, big + 1], [big - 1, big]]) == 2  # determinant 1
    assert np.linalg.matrix_rank(np.array([[big, big + 1], [big - 1, big]], float)) == 1


@given(matrices(rows=2, columns=4, size=2))
@settings(deadline=None, max_examples=60)
def test_smallest_kernel_is_as_plain_as_the_minimal_non_negative_solutions(A):
    """As many, and none larger, than those minimal by support among ALL non-negative ones, taken greedily by size: the
    plain version. Cramer's rule bounds their entries by the largest 2 x 2 determinant, 8."""
    box = np.array(list(itertools.product(range(9), repeat=A.shape[1])))
    semi_positive = [x for x in box[~(box @ A.T).any(axis=1)] if np.gcd.reduce(x) == 1]
    supports = [frozenset(np.flatnonzero(x)) for x in semi_positive]
    minimal = [x for x, s in zip(semi_positive, supports, strict=True) if not any(t < s for t in supports)]
    best: list = []
    for x in sorted(minimal, key=sum):
        if not best or np.linalg.matrix_rank(np.array([*best, x])) > len(best):
            best.append(x)
    found = smallest_kernel(A)
    positive = [x for x in found if min(x) >= 0]
    assert len(found) == rank(found) if found else not len(kernel(A))
    assert len(positive) == len(best)
    assert all(sum(x) <= sum(y) for x, y in zip(positive, best, strict=True))
    assert not found or not (A @ np.array(found).T).any()


def test_atoms_of_hydrogen_oxidation():
    assert set(smallest_kernel(HYDROGEN)) == {(2, 0, 2, 1, 0, 1), (0, 2, 1, 0, 1, 1)}


def test_no_reactions_conserve_each_species():
    assert smallest_kernel(np.zeros((0, 3), int)) == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_law_of_a_chain_of_forty_oligomers():
    rows = np.zeros((39, 40), int)
    for n in range(39):  # A_1 + A_n+1 -> A_n+2, with A_1 + A_1 -> A_2
        rows[n, 0] -= 1
        rows[n, n] -= 1
        rows[n, n + 1] += 1
    assert smallest_kernel(rows) == (tuple(range(1, 41)),)


@pytest.mark.parametrize("reactions", [5, 10, 20, 30, 38])
def test_forty_species_are_fast_and_the_laws_short(reactions):
    rng = np.random.default_rng(reactions)
    A = np.zeros((reactions, 40), int)
    for row in A:
        row[rng.choice(40, 4, replace=False)] = -1, -1, 1, 1
    begin = time.perf_counter()
    laws = np.array(smallest_kernel(A))
    assert time.perf_counter() - begin < 5
    assert not (A @ laws.T).any() and rank(laws) == len(laws) == 40 - np.linalg.matrix_rank(A)
    assert (laws.min(axis=1) >= 0).all()  # total number is conserved, hence the laws can all be non-negative


def test_same_matrix_same_answer_whatever_the_container():
    as_lists = [[int(n) for n in row] for row in HYDROGEN]
    assert smallest_kernel(HYDROGEN) == smallest_kernel(as_lists) == smallest_kernel(HYDROGEN.astype(np.int8))


@pytest.mark.parametrize("A", [np.eye(2), [[0.5]], [1, 2], "A"])
def test_what_is_no_integer_matrix_is_refused(A):
    with pytest.raises(ValueError, match="matrix of integers"):
        kernel(A)
