"""Exact integer linear algebra: rank, kernels as lattices, and the kernel vectors a chemist would write down.

Matrices are sequences of rows of whole numbers, or NumPy arrays of them; what is computed is exact, in Python's own
integers. Vectors come back as tuples of int, always in the same order for the same matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

Vector = tuple[int, ...]

MOST_RAYS = 256  # extreme rays carried from one step to the next: their number can grow exponentially


def rank(A: ArrayLike) -> int:
    """The rank of A, exact."""
    return len(_echelon(_rows(A)))


def kernel(A: ArrayLike) -> tuple[Vector, ...]:
    """A short basis of the lattice {x integer: A x = 0}: every integer solution is an integer combination of it.

    Lattice-reduced, hence short; shortest first (sum of |x|), the first entry of each vector positive.
    """
    A = _matrix(A)
    tagged = np.hstack([A.T, np.eye(A.shape[1], dtype=int).astype(object)]).tolist()
    solved = _unimodular_echelon(tagged, len(A))
    return tuple(sorted((_upright(x) for x in _short(solved)), key=_plainness))


def smallest_kernel(A: ArrayLike) -> tuple[Vector, ...]:
    """A basis of {x: A x = 0} of vectors as plain as can be: non-negative ones before others, then the smallest sum.

    The non-negative ones are those of minimal support (the extreme rays of {x >= 0, A x = 0}), or short sums of such
    that are smaller still. A basis over the rationals, of coprime integers; unlike with `kernel`, their integer
    combinations may miss integer solutions.
    """
    short = kernel(A)
    return _independent(sorted({*_rays(short), *short}, key=_plainness), len(short))


def _independent(vectors: Iterable[Vector], enough: int) -> tuple[Vector, ...]:
    chosen: list[Vector] = []
    for x in vectors:
        if len(chosen) < enough and rank([*chosen, x]) > len(chosen):
            chosen.append(x)
    return tuple(chosen)


def _plainness(x: Vector) -> tuple[bool, int, int, Vector]:
    """Sort key: semi-positive, small, few species; then the earliest species first, so that the order is settled."""
    return min(x) < 0, sum(map(abs, x)), sum(n != 0 for n in x), tuple(-n for n in x)


def _matrix(A: ArrayLike) -> np.ndarray:
    """A as a matrix of Python integers; ValueError if it holds anything but whole numbers."""
    entries = np.array(A, dtype=object)
    if entries.ndim != 2 or not all(isinstance(n, int | np.integer) for n in entries.flat):
        raise ValueError(f"expected a matrix of integers, got {A}")
    return np.array([int(n) for n in entries.flat], dtype=object).reshape(entries.shape)


def _rows(A: ArrayLike) -> list[Vector]:
    return [tuple(row) for row in _matrix(A).tolist()]


def _upright(x: Sequence[int]) -> Vector:
    sign = next((1 if n > 0 else -1 for n in x if n), 1)
    return tuple(sign * n for n in x)


def _coprime(x: Sequence[int]) -> Vector:
    divisor = math.gcd(*x) or 1
    return tuple(n // divisor for n in x)


def _combined(a: int, x: Sequence[int], b: int, y: Sequence[int]) -> Vector:
    """a x + b y, divided by the common factor of its entries."""
    return _coprime([a * m + b * n for m, n in zip(x, y, strict=True)])


def _echelon(rows: Sequence[Vector]) -> list[tuple[int, Vector]]:
    """Reduced row echelon form over the rationals, each row scaled to coprime integers: (pivot column, row)."""
    done: list[tuple[int, Vector]] = []
    rest = list(rows)
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rest if row[column]), None)
        if pivot is None:
            continue
        rest.remove(pivot)
        pivot = _upright(_coprime(pivot))
        rest = [_cleared(row, pivot, column) for row in rest]
        done = [(j, _cleared(row, pivot, column)) for j, row in done] + [(column, pivot)]
    return done


def _cleared(row: Vector, pivot: Vector, column: int) -> Vector:
    """`row` less the multiple of `pivot` that empties `column`; pivot[column] > 0 keeps the row's direction."""
    return _combined(pivot[column], row, -row[column], pivot) if row[column] else row


def _unimodular_echelon(rows: list[list[int]], width: int) -> list[Vector]:
    """Euclid on whole rows until the first `width` columns are in echelon form; the rest of the rows that are empty
    there. Only integer row operations of determinant one, hence no solution is lost."""
    start = 0
    for column in range(width):
        while len(live := [i for i in range(start, len(rows)) if rows[i][column]]) > 1:
            small = min(live, key=lambda i: abs(rows[i][column]))
            for i in live:
                if i != small:
                    q = rows[i][column] // rows[small][column]
                    rows[i] = [m - q * n for m, n in zip(rows[i], rows[small], strict=True)]
        if live:
            rows[start], rows[live[0]] = rows[live[0]], rows[start]
            start += 1
    return [tuple(row[width:]) for row in rows[start:]]


def _short(basis: list[Vector]) -> list[Vector]:
    """The same lattice by short vectors: LLL, then differences and sums of pairs while they shrink the sum of |x|."""
    return _pairwise_reduced(_lll(basis))


def _lll(basis: list[Vector]) -> list[Vector]:
    """Lenstra-Lenstra-Lovasz reduction, delta = 3/4. Floating numbers choose the steps; the steps are exact."""
    k = 1
    for _ in range(100 * len(basis) ** 2):  # by far enough; rounding in the choice of steps could cycle
        if k >= len(basis):
            break
        for j in reversed(range(k)):
            R = _triangle(basis[: k + 1])
            q = round(R[j, k] / R[j, j])
            basis[k] = tuple(m - q * n for m, n in zip(basis[k], basis[j], strict=True)) if q else basis[k]
        R = _triangle(basis[: k + 1])
        if R[k, k] ** 2 + R[k - 1, k] ** 2 >= 0.75 * R[k - 1, k - 1] ** 2:
            k += 1
        else:
            basis[k - 1], basis[k] = basis[k], basis[k - 1]
            k = max(k - 1, 1)
    return basis


def _triangle(basis: list[Vector]) -> np.ndarray:
    return np.linalg.qr(np.array(basis, float).T).R


def _pairwise_reduced(basis: list[Vector]) -> list[Vector]:
    shrunk = True
    while shrunk:
        shrunk = False
        for i, j in ((i, j) for i in range(len(basis)) for j in range(len(basis)) if i != j):
            for sign in (1, -1):
                x = tuple(m + sign * n for m, n in zip(basis[i], basis[j], strict=True))
                if sum(map(abs, x)) < sum(map(abs, basis[i])):
                    basis[i], shrunk = x, True
    return basis


def _rays(basis: Sequence[Vector]) -> list[Vector]:
    """The extreme rays of {x >= 0} in the span of `basis`, by the double description method.

    Start from the cone where only the pivots of the reduced echelon form must not be negative: its rays are the rows
    of that form. Then demand x_j >= 0 for one more j at a time: the rays with x_j < 0 go, and each adjacent pair of
    a positive and a negative ray leaves the ray between them where x_j = 0. Where they become very many, the plainest
    go on: what comes out is then still non-negative, but no longer all there is.
    """
    echelon = _echelon(basis)
    demanded, rays = [j for j, _ in echelon], [row for _, row in echelon]
    for j in (j for j in range(len(basis[0]) if basis else 0) if j not in demanded):
        between = {_combined(rays[p][j], rays[n], -rays[n][j], rays[p]) for p, n in _faces(rays, demanded, j)}
        rays = sorted({x for x in rays if x[j] >= 0} | between, key=_plainness)[:MOST_RAYS]
        demanded.append(j)
    return rays


def _faces(rays: list[Vector], demanded: list[int], j: int) -> list[tuple[int, int]]:
    """The adjacent pairs (ray with x_j > 0, ray with x_j < 0): no third ray is zero wherever both of them are."""
    support = np.array([[x[i] != 0 for i in demanded] for x in rays], np.float32)
    positive, negative = ([r for r, x in enumerate(rays) if sign * x[j] > 0] for sign in (1, -1))
    p, n = (pick.ravel() for pick in np.meshgrid(positive, negative))
    if not p.size:
        return []
    outside = 1 - np.maximum(support[p], support[n])
    alone = (outside @ support.T == 0).sum(axis=1) == 2
    return list(zip(p[alone].tolist(), n[alone].tolist(), strict=True))
