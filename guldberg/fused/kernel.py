"""Rollouts of reaction-diffusion systems and their adjoints, compiled: one pass over memory for each step.

A step takes the grid in blocks of whole rows that stay in the first cache: the diffusion of each species (`stencils`),
then all that happens inside a cell, by a loop made for the system (`cell`). Since the linear part of the Laplacian is
its own transpose, <g, Laplacian c> is <Laplacian g, c>: nothing is computed twice for the diffusivities.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from guldberg.fused.addresses import call_loop
from guldberg.fused.stencils import faces_adjoint, jit, laplacian, squares_ahead, squares_ahead_adjoint

_BLOCK = 1024  # cells: fewer cost calls, more leave the caches


@jit
def _aim(table, group, field, at):
    """Points a loop's entries of one group of fields to the cells of `field` from `at` on."""
    species, cells = field.shape
    for s in range(species):
        table[group * species + s] = field.ctypes.data + (s * cells + at) * field.itemsize


@jit
def _diffusion(c, first, last, place, D, ghosts, rows, out, at):
    """D Laplacian c, for some rows of all species."""
    n = (last - first) * place.cells
    for s in range(len(c)):
        to = out[s, at : at + n]
        laplacian(c[s], first, last, place, ghosts[0, s], ghosts[1, s], rows[0], rows[1], to)
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


@jit
def _state(stage, old, work):
    return old if stage == 0 else work.between[stage - 1]


@jit
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
                squares_ahead(old[s], first, last, place, work.squares[s])
        _aim_inputs(stages, old, flow, at, at * whole, work)
        _aim(work.results, 0, new, at)
        _call(code, n, work)


@jit
def _block(place):
    """How many rows make a block."""
    return min(max(1, _BLOCK // place.cells), place.planes * place.rows)


@jit
def _call(code, n, work):
    call_loop(
        code, work.inputs.ctypes.data, work.results.ctypes.data, work.uniforms.ctypes.data, work.totals.ctypes.data, n
    )


@jit
def _aim_inputs(stages, old, flow, at, here, work):
    """States, their diffusion (a block of it begins `here`), flow and squares."""
    for i in range(stages):
        _aim(work.inputs, i, _state(i, old, work), at)
        _aim(work.inputs, stages + i, work.diffusion[i], here)
    _aim(work.inputs, 2 * stages, flow, at)
    _aim(work.inputs, 2 * stages + 1, work.squares, 0)


@jit
def _work(place, stages, squares, flow, uniforms, sums, like):
    """Scratch for fields of the shape and type of `like`."""
    species, cells = like.shape
    block = _block(place) * place.cells
    fields, lanes = np.int64((3 * stages + 3) * species), 64 // like.itemsize
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


@jit
def _fields(count, rows, cells, like):
    """Scratch whose rows begin with a cache line: half the loads of wide vectors would touch two otherwise."""
    line = 64 // like.itemsize
    width = -(-cells // line) * line
    whole = np.empty(count * rows * width + line, like.dtype)
    first = (-whole.ctypes.data % 64) // like.itemsize
    return whole[first : first + count * rows * width].reshape(count, rows, width)


@jit
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


@jit
def _add_up(totals, sums):
    for i in range(len(sums)):
        total = 0.0
        for x in totals[i]:
            total += x
        sums[i] += total


@jit
def adjoint(
    forward, backward, again, states, flows, uniforms, D, ghosts, dt, slots, place, squares, by_kept, by_sums,
    to_c0, to_flows, to_uniforms, to_D, to_ghosts,
):  # fmt: skip
    """From cotangents of what `rollout` returned those of what it was given (all 0 before). `again`: whether the loops
    read the diffusion of the last stage."""
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
            _stage_adjoint(backward[i], i, stages, again, old, states[n + 1], flow, place, D, ghosts, work, to_c0)
            state, by_state = _state(i, old, work), to_c0 if i == 0 else work.by_between[i - 1]
            _diffusion_adjoint(state, place, D, linear, work, by_state, to_D)
            if not (place.wraps[0] and place.wraps[1] and place.wraps[2]):
                for s in range(len(D)):
                    faces_adjoint(state[s], work.by_diffusion[s], place, D[s], ghosts[:, s], to_ghosts[:, s], to_D[s:])
        if len(work.squares):
            for s in range(len(D)):
                squares_ahead_adjoint(old[s], work.by_squares[s], place, to_c0[s])
        to_flows[n % len(to_flows)] += work.by_flow[:, : to_flows.shape[2]]
        _add_up(work.totals, to_uniforms)
        if slots[n] < len(by_kept):
            to_c0 += by_kept[slots[n]]


@jit
def _stage_adjoint(code, stage, stages, again, old, new, flow, place, D, ghosts, work, to):
    """The cotangent of the diffusion of state `stage`; for the first also all else that follows from that of the new
    state, which `to` has until it has the old one's."""
    W, count = place.cells, place.planes * place.rows
    block = _block(place)
    whole = stages > 1
    for first in range(0, count, block):
        last = min(count, first + block)
        at, n = first * W, (last - first) * W
        if again and stage == stages - 1:
            state = _state(stage, old, work)
            _diffusion(state, first, last, place, D, ghosts, work.rows, work.diffusion[stage], at * whole)
        if stage == 0:
            for s in range(len(work.squares)):
                squares_ahead(old[s], first, last, place, work.squares[s])
        _aim_inputs(stages, old, flow, at, at * whole, work)
        _aim(work.inputs, 2 * stages + 2, to, at)
        for i in range(stages - 1):
            _aim(work.inputs, 2 * stages + 3 + i, work.by_between[i], at)
        _aim(work.inputs, 3 * stages + 2, new, at)
        group = 0
        if stage == 0:
            _aim(work.results, 0, to, at)
            _aim(work.results, 2, work.by_flow, at)
            _aim(work.results, 2 + (len(work.by_flow) > 0), work.by_squares, at)
            group = 1
        _aim(work.results, group, work.by_diffusion, at)
        _call(code, n, work)


@jit
def _diffusion_adjoint(c, place, D, linear, work, by_c, to_D):
    """Adds D Laplacian g to by_c and <c, Laplacian g> to the cotangents of D, for the cotangents g of the diffusion."""
    W, count = place.cells, place.planes * place.rows
    block, t, e = _block(place), work.rows[0], work.rows[1]
    out = work.rows[2]
    for first in range(0, count, block):
        last = min(count, first + block)
        at, n = first * W, (last - first) * W
        for s in range(len(c)):
            laplacian(work.by_diffusion[s], first, last, place, linear[0, s], linear[1, s], t, e, out)
            here, to, total = c[s, at : at + n], by_c[s, at : at + n], c.dtype.type(0)
            for x in range(n):
                total += here[x] * out[x]
                to[x] += D[s] * out[x]
            to_D[s] += total
