"""Rollouts of reaction-diffusion systems and their adjoints, compiled: one pass over memory for each step.

A step takes the grid in blocks of whole rows that stay in the first cache: the Laplacian of each species, by what is
written here, then all that happens inside a cell, by a loop made for the system (`cell`). The linear part of the
Laplacian is its own transpose, so the adjoint of diffusion is diffusion, and <g, Laplacian c> is <Laplacian g, c>.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

from guldberg.fused.addresses import call_loop

# contraction and reordering, but NaN and infinity keep their meaning
_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
_BLOCK = 512  # cells


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


@_jit
def _neighbour(i, step, count, stride, row, wraps, a, b):
    """The row that lies one `step` from `row` along an axis where it is i-th: c = offset + slope c[which]."""
    inside = 0 <= i + step < count
    which = row + step * stride if inside else row - step * stride * (count - 1) if wraps else row
    plain = inside or wraps
    return which, type(a)(0) if plain else a, type(b)(1) if plain else b


@_jit
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


@_jit
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


@_jit
def _laplacian(c, first, last, place, a, b, t, e, out):
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


@_jit
def _squares(c, first, last, place, out):
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


@_jit
def _squares_adjoint(c, by, place, to):
    """Adds to `to` what the cotangents `by` of `_squares` of the whole field give."""
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


@_jit
def _push(c, by, here, there, n, weight, to):
    for x in range(n):
        push = weight * by[here + x] * (c[there + x] - c[here + x])
        to[here + x] -= push
        to[there + x] += push


@_jit
def _aim(table, group, field, at):
    """Points a loop's entries of one group of fields to the cells of `field` from `at` on."""
    species, cells = field.shape
    for s in range(species):
        table[group * species + s] = field.ctypes.data + (s * cells + at) * field.itemsize


@_jit
def _blocks(place):
    """Rows in a block, and cells."""
    rows = min(max(1, _BLOCK // place.cells), place.planes * place.rows)
    return rows, rows * place.cells


@_jit
def _diffusion(c, first, last, place, D, ghosts, rows, out, at):
    """D Laplacian c, for some rows of all species."""
    n = (last - first) * place.cells
    for s in range(len(c)):
        to = out[s, at : at + n]
        _laplacian(c[s], first, last, place, ghosts[0, s], ghosts[1, s], rows[0], rows[1], to)
        for x in range(n):
            to[x] *= D[s]


class Work(NamedTuple):
    """Scratch of a rollout. What is needed of one block at a time has room for one; what is not needed has none."""

    between: Float[np.ndarray, "stages-1 species cells"]  # the intermediate states
    diffusion: Float[np.ndarray, "stages species cells"]  # of each state; one block if there is one stage
    squares: Float[np.ndarray, "species block"]  # none without entropy
    rows: Float[np.ndarray, "3 block"]
    uniforms: Float[np.ndarray, "uniforms"]
    totals: Float[np.ndarray, "sums lanes"]
    inputs: Int[np.ndarray, "fields"]
    results: Int[np.ndarray, "fields"]
    by_between: Float[np.ndarray, "stages-1 species cells"]
    by_diffusion: Float[np.ndarray, "species cells"]
    by_squares: Float[np.ndarray, "species cells"]  # none without entropy
    by_flow: Float[np.ndarray, "species cells"]  # none where the flow is a number


@_jit
def _state(stage, old, work):
    return old if stage == 0 else work.between[stage - 1]


@_jit
def _stage(code, stage, stages, old, new, flow, place, D, ghosts, work):
    """What stage `stage` makes of the states before it: the next one (`new`)."""
    W, count = place.cells, place.planes * place.rows
    block = _block(place)
    whole = stages > 1
    for first in range(0, count, block):
        last = min(count, first + block)
        at, n = first * W, (last - first) * W
        _diffusion(
            _state(stage, old, work), first, last, place, D, ghosts, work.rows, work.diffusion[stage], at * whole
        )
        if stage == stages - 1:
            for s in range(len(work.squares)):
                _squares(old[s], first, last, place, work.squares[s])
        _aim_inputs(stages, old, flow, at, at * whole, work)
        _aim(work.results, 0, new, at)
        _call(code, n, work)


@_jit
def _block(place):
    """How many rows make a block."""
    return min(max(1, _BLOCK // place.cells), place.planes * place.rows)


@_jit
def _call(code, n, work):
    call_loop(
        code, work.inputs.ctypes.data, work.results.ctypes.data, work.uniforms.ctypes.data, work.totals.ctypes.data, n
    )


@_jit
def _aim_inputs(stages, old, flow, at, here, work):
    """States, their diffusion (a block of it begins `here`), flow and squares."""
    for i in range(stages):
        _aim(work.inputs, i, _state(i, old, work), at)
        _aim(work.inputs, stages + i, work.diffusion[i], here)
    _aim(work.inputs, 2 * stages, flow, at)
    _aim(work.inputs, 2 * stages + 1, work.squares, 0)


@_jit
def _work(place, stages, squares, flow, uniforms, sums, like):
    """Scratch for fields of the shape and type of `like`."""
    species, cells = like.shape
    block = _block(place) * place.cells
    fields, lanes = np.int64((3 * stages + 2) * species), 64 // like.itemsize
    return Work(
        _fields(stages - 1, species, cells, like),
        _fields(stages, species, cells if stages > 1 else block, like),
        _fields(1, species * squares, block, like)[0],
        _fields(1, 3, block, like)[0],
        np.zeros(uniforms, like.dtype),
        np.zeros((max(uniforms, sums), lanes), like.dtype),
        np.zeros(fields, np.int64),
        np.zeros(fields, np.int64),
        _fields(stages - 1, species, cells, like),
        _fields(1, species, cells, like)[0],
        _fields(1, species * squares, cells, like)[0],
        _fields(1, species * flow, cells, like)[0],
    )


@_jit
def _fields(count, rows, cells, like):
    """Scratch whose rows begin with a cache line: half the loads of wide vectors would touch two otherwise."""
    line = 64 // like.itemsize
    width = -(-cells // line) * line
    whole = np.empty(count * rows * width + line, like.dtype)
    first = (-whole.ctypes.data % 64) // like.itemsize
    return whole[first : first + count * rows * width].reshape(count, rows, width)


@_jit
def rollout(codes, c0, flows, uniforms, D, ghosts, dt, slots, place, squares, kept, sums, states):
    """All steps from c0. The state after n of them goes to kept[slots[n]] (nowhere if that is too large), and to
    states[n], or to states[n % 2] where there is room for two only."""
    stages = len(codes)
    work = _work(place, stages, squares, flows.shape[1] > 0, len(uniforms) + 5, sums.shape[1], c0)
    kept[:], sums[:] = np.nan, 0
    states[0] = c0
    if slots[0] < len(kept):
        kept[slots[0]] = c0
    work.uniforms[: len(uniforms)] = uniforms
    for n in range(len(sums)):
        old, new = states[n % len(states)], states[(n + 1) % len(states)]
        work.uniforms[len(uniforms)] = n * dt
        work.totals[:] = 0
        for i in range(stages):
            made = new if i == stages - 1 else work.between[i]
            _stage(codes[i], i, stages, old, made, flows[n % len(flows)], place, D, ghosts, work)
        _add_up(work.totals, sums[n])
        if slots[n + 1] < len(kept):
            kept[slots[n + 1]] = new


@_jit
def _add_up(totals, sums):
    for i in range(len(sums)):
        total = 0.0
        for x in totals[i]:
            total += x
        sums[i] += total


@_jit
def adjoint(
    forward, backward, states, flows, uniforms, D, ghosts, dt, slots, place, squares, by_kept, by_sums,
    to_c0, to_flows, to_uniforms, to_D, to_ghosts,
):  # fmt: skip
    """From cotangents of what `rollout` returned those of what it was given (all 0 before)."""
    stages, numbers = len(forward), len(uniforms)
    work = _work(place, stages, squares, flows.shape[1] > 0, numbers + 5, 0, to_c0)
    linear = ghosts.copy()
    linear[0] = 0
    work.uniforms[:numbers] = uniforms
    steps = len(by_sums)
    if slots[steps] < len(by_kept):
        to_c0 += by_kept[slots[steps]]
    for n in range(steps - 1, -1, -1):
        old, flow = states[n], flows[n % len(flows)]
        work.uniforms[numbers] = n * dt
        work.uniforms[numbers + 1 : numbers + 1 + by_sums.shape[1]] = by_sums[n]
        work.totals[:], work.by_between[:] = 0, 0
        for i in range(stages - 1):
            _stage(forward[i], i, stages, old, work.between[i], flow, place, D, ghosts, work)
        for i in range(stages - 1, -1, -1):
            _stage_adjoint(backward[i], i, stages, old, flow, place, D, ghosts, work, to_c0)
            by_state = to_c0 if i == 0 else work.by_between[i - 1]
            _diffusion_adjoint(_state(i, old, work), place, D, linear, work, by_state, to_D)
        if len(work.squares):
            for s in range(len(D)):
                _squares_adjoint(old[s], work.by_squares[s], place, to_c0[s])
        to_flows[n % len(to_flows)] += work.by_flow[:, : to_flows.shape[2]]
        _add_up(work.totals, to_uniforms)
        if slots[n] < len(by_kept):
            to_c0 += by_kept[slots[n]]


@_jit
def _stage_adjoint(code, stage, stages, old, flow, place, D, ghosts, work, to):
    """The cotangent of the diffusion of state `stage`; for the first also all else that follows from that of the new
    state, which `to` has until it has the old one's."""
    W, count = place.cells, place.planes * place.rows
    block = _block(place)
    whole = stages > 1
    for first in range(0, count, block):
        last = min(count, first + block)
        at, n = first * W, (last - first) * W
        if stage == stages - 1:
            state = _state(stage, old, work)
            _diffusion(state, first, last, place, D, ghosts, work.rows, work.diffusion[stage], at * whole)
        if stage == 0:
            for s in range(len(work.squares)):
                _squares(old[s], first, last, place, work.squares[s])
        _aim_inputs(stages, old, flow, at, at * whole, work)
        _aim(work.inputs, 2 * stages + 2, to, at)
        for i in range(stages - 1):
            _aim(work.inputs, 2 * stages + 3 + i, work.by_between[i], at)
        group = 0
        if stage == 0:
            _aim(work.results, 0, to, at)
            _aim(work.results, 2, work.by_flow, at)
            _aim(work.results, 2 + (len(work.by_flow) > 0), work.by_squares, at)
            group = 1
        _aim(work.results, group, work.by_diffusion, at)
        _call(code, n, work)


@_jit
def _diffusion_adjoint(c, place, D, linear, work, by_c, to_D):
    """Adds D Laplacian g to by_c and <c, Laplacian g> to the cotangents of D, for the cotangents g of the diffusion."""
    W, count = place.cells, place.planes * place.rows
    block, t, e = _block(place), work.rows[0], work.rows[1]
    out = work.rows[2]
    for first in range(0, count, block):
        last = min(count, first + block)
        at, n = first * W, (last - first) * W
        for s in range(len(c)):
            _laplacian(work.by_diffusion[s], first, last, place, linear[0, s], linear[1, s], t, e, out)
            here, to, total = c[s, at : at + n], by_c[s, at : at + n], c.dtype.type(0)
            for x in range(n):
                total += here[x] * out[x]
                to[x] += D[s] * out[x]
            to_D[s] += total
