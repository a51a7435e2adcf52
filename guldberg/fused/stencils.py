"""Sums over neighbours, compiled: the Laplacian, squared differences, and what lies beyond the faces of a grid.

The linear part of the Laplacian is its own transpose, so that the adjoint of diffusion is diffusion.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

# contraction and reordering, but NaN and infinity keep their meaning; kept on disk by `frame`
jit = numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})


class Place(NamedTuple):
    """A grid as rows of cells along its last axis; the other axes (length 1 where there are none) number the rows."""

    planes: int
    rows: int
    cells: int
    wraps: tuple[bool, bool, bool]  # which axes are periodic
    weights: tuple[float, float]  # t = sum of weight (c below + c above) over planes and rows
    centre: float  # Laplacian = centre c + sides t + e before + e after
    sides: float
    ends: float  # e = ends c + corners t
    corners: float
    beyond: float  # e of a column where c is 1 everywhere
    slopes: tuple[float, float, float]  # 1/h^2 along planes, rows, cells; 0 where there is no such axis


@jit
def _neighbour(i, step, count, stride, row, wraps, a, b):
    """The row that lies one `step` from `row` along an axis where it is i-th: c = offset + slope c[which]."""
    inside = 0 <= i + step < count
    which = row + step * stride if inside else row - step * stride * (count - 1) if wraps else row
    plain = inside or wraps
    return which, type(a)(0) if plain else a, type(b)(1) if plain else b


@jit
def _sides(c, first, last, place, a, b, t):
    """t = sum of weight (c below + c above) over planes and rows, for the rows from `first` to `last`; those with the
    same neighbours in one go. What lies outside face i is a[i] + b[i] times the near cell."""
    Y, W = place.rows, place.cells
    row = first
    while row < last:
        z, y = row // Y, row % Y
        stop = row + 1 if y == 0 or y == Y - 1 else min(last, row + Y - 1 - y)
        out = t[(row - first) * W : (stop - first) * W]
        i, a0, b0 = _neighbour(y, -1, Y, 1, row, place.wraps[1], a[2], b[2])
        j, a1, b1 = _neighbour(y, 1, Y, 1, row, place.wraps[1], a[3], b[3])
        _weigh(c, i * W, j * W, place.weights[1], a0 + a1, b0, b1, out, False)
        if place.weights[0] != 0:
            i, a0, b0 = _neighbour(z, -1, place.planes, Y, row, place.wraps[0], a[0], b[0])
            j, a1, b1 = _neighbour(z, 1, place.planes, Y, row, place.wraps[0], a[1], b[1])
            _weigh(c, i * W, j * W, place.weights[0], a0 + a1, b0, b1, out, True)
        row = stop


@jit
def _weigh(c, i, j, w, offset, b0, b1, out, more):
    n = len(out)
    below, above = c[i : i + n], c[j : j + n]
    k, p, q = w * offset, w * b0, w * b1
    if more:
        for x in range(n):
            out[x] += k + p * below[x] + q * above[x]
    else:
        for x in range(n):
            out[x] = k + p * below[x] + q * above[x]


@jit
def laplacian(c, first, last, place, a, b, t, e, out):
    """The Laplacian of the rows from `first` to `last` of one species."""
    W, centre, sides, ends, corners = place.cells, place.centre, place.sides, place.ends, place.corners
    n = (last - first) * W
    here = c[first * W : last * W]
    _sides(c, first, last, place, a, b, t)
    for x in range(n):
        e[x] = ends * here[x] + corners * t[x]
    for x in range(1, n - 1):
        out[x] = centre * here[x] + sides * t[x] + e[x - 1] + e[x + 1]
    for start in range(0, n, W):
        stop = start + W - 1
        before = e[stop] if place.wraps[2] else place.beyond * a[4] + b[4] * e[start]
        after = e[start] if place.wraps[2] else place.beyond * a[5] + b[5] * e[stop]
        out[start] = centre * here[start] + sides * t[start] + before + (e[start + 1] if W > 1 else after)
        if W > 1:
            out[stop] = centre * here[stop] + sides * t[stop] + e[stop - 1] + after


@jit
def squares_ahead(c, first, last, place, out):
    """sum over axes of ((next cell - this one) / h)^2; nothing lies beyond a face that is not periodic."""
    Y, W = place.rows, place.cells
    along_planes, along_rows, along_cells = place.slopes
    zero = c.dtype.type(0)
    for row in range(first, last):
        z, y = row // Y, row % Y
        here, to = c[row * W : row * W + W], out[(row - first) * W : (row - first + 1) * W]
        i, _, _ = _neighbour(y, 1, Y, 1, row, place.wraps[1], zero, zero)
        j, _, _ = _neighbour(z, 1, place.planes, Y, row, place.wraps[0], zero, zero)
        above, beyond = c[i * W : i * W + W], c[j * W : j * W + W]
        for x in range(W):
            a, b = above[x] - here[x], beyond[x] - here[x]
            to[x] = along_rows * a * a + along_planes * b * b
        for x in range(W - 1):
            a = here[x + 1] - here[x]
            to[x] += along_cells * a * a
        if place.wraps[2]:
            a = here[0] - here[W - 1]
            to[W - 1] += along_cells * a * a


@jit
def squares_ahead_adjoint(c, by, place, to):
    """Adds to `to` what the cotangents `by` of `squares_ahead` of the whole field give."""
    Y, W = place.rows, place.cells
    along_planes, along_rows, along_cells = place.slopes
    zero, two = c.dtype.type(0), c.dtype.type(2)
    for row in range(place.planes * Y):
        z, y = row // Y, row % Y
        i, _, _ = _neighbour(y, 1, Y, 1, row, place.wraps[1], zero, zero)
        j, _, _ = _neighbour(z, 1, place.planes, Y, row, place.wraps[0], zero, zero)
        _push(c, by, row * W, i * W, W, two * along_rows, to)
        _push(c, by, row * W, j * W, W, two * along_planes, to)
        _push(c, by, row * W, row * W + 1, W - 1, two * along_cells, to)
        if place.wraps[2]:
            _push(c, by, row * W + W - 1, row * W, 1, two * along_cells, to)


@jit
def _push(c, by, here, there, n, weight, to):
    for x in range(n):
        push = weight * by[here + x] * (c[there + x] - c[here + x])
        to[here + x] -= push
        to[there + x] += push


@jit
def faces_adjoint(c, g, place, D, ghosts, to_ghosts, to_D):
    """Adds the cotangents of what lies outside the faces, and to those of D what comes of its constant part."""
    Y, W, weights = place.rows, place.cells, place.weights
    to = np.zeros((2, 6))
    for row in range(place.planes * Y):
        z, y = row // Y, row % Y
        here, by = c[row * W : row * W + W], g[row * W : row * W + W]
        if z == 0 and not place.wraps[0]:
            _face_adjoint(here, by, place, ghosts, 0, weights[0], to)
        if z == place.planes - 1 and not place.wraps[0]:
            _face_adjoint(here, by, place, ghosts, 1, weights[0], to)
        if y == 0 and not place.wraps[1]:
            _face_adjoint(here, by, place, ghosts, 2, weights[1], to)
        if y == Y - 1 and not place.wraps[1]:
            _face_adjoint(here, by, place, ghosts, 3, weights[1], to)
        if not place.wraps[2]:
            for face, x in ((4, 0), (5, W - 1)):
                i, a0, b0 = _neighbour(y, -1, Y, 1, row, place.wraps[1], ghosts[0, 2], ghosts[1, 2])
                j, a1, b1 = _neighbour(y, 1, Y, 1, row, place.wraps[1], ghosts[0, 3], ghosts[1, 3])
                sides = weights[1] * (a0 + b0 * c[i * W + x] + a1 + b1 * c[j * W + x])  # no corners in 3D
                to[0, face] += place.beyond * by[x]
                to[1, face] += by[x] * (place.ends * here[x] + place.corners * sides)
    to_D[0] += (ghosts[0] * to[0]).sum()
    to_ghosts += D * to


@jit
def _face_adjoint(here, by, place, ghosts, face, weight, to):
    """The same of one row beside a face of the planes or rows."""
    W = place.cells
    for x in range(W):
        before = by[x - 1] if x > 0 else by[W - 1] if place.wraps[2] else ghosts[1, 4] * by[0]
        after = by[x + 1] if x < W - 1 else by[0] if place.wraps[2] else ghosts[1, 5] * by[W - 1]
        through = weight * (place.sides * by[x] + place.corners * (before + after))
        to[0, face] += through
        to[1, face] += through * here[x]
