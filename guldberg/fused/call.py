"""Rollouts by the compiled kernels, behind `jax.custom_vjp`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from guldberg.fused import frame
from guldberg.fused.cell import Asked, Code, compiled
from guldberg.rates import Plain
from guldberg.space.boundary import AbstractBoundary, Dirichlet, Flux, NoFlux, Periodic, Robin
from guldberg.space.grid import Grid
from guldberg.stepper import AbstractStepper
from guldberg.system import ReactionDiffusion


def rollout(
    system: ReactionDiffusion,
    c0: Float[Array, "species *grid"],
    flows: Float[Array, "times species *grid"] | None,
    slots: Int[Array, "times"],
    rows: int,
    dt: float,
    stepper: AbstractStepper,
    limit: float,
    entropy: Sequence[bool],
) -> tuple[Float[Array, "rows species *grid"], Float[Array, "steps sums"]]:
    """The states kept, each in its slot, and the sums over all cells of what was seen at each step: excess, values out
    of bounds, and, as `entropy` asks, what diffusion and reaction produce of it.

    `flows` are those of each step, or of all; without them the drive's is a number. NotImplementedError where the
    kernels do not serve.
    """
    species, dtype, grid = len(system.species), c0.dtype, system.grid
    if entropy[0] and not all(isinstance(face, Periodic | NoFlux) for faces in grid.boundaries for face in faces):
        raise NotImplementedError("entropy of diffusion beside faces that matter passes")
    arrays, static = _parts(system, dtype, flows is not None)
    code = compiled(Asked(static, grid, stepper, dt, limit, entropy, flows is not None), arrays, dtype)
    uniforms = jnp.concatenate([x.astype(dtype).ravel() for x in jax.tree.leaves(arrays)])
    D = system.diffusivity.astype(dtype)
    fields = jnp.zeros((1, 1, 1), dtype) if flows is None else flows.reshape(len(flows), species, -1)
    attributes = {"layout": _layout(grid, species, flows is not None, entropy[0], code), "numbers": _numbers(grid, dt)}
    run = _differentiable(attributes, rows, code.sums)
    kept, sums = run(c0.reshape(species, -1), fields, uniforms, D, _ghosts(grid, D), slots.astype(jnp.int32))
    return kept.reshape(rows, *c0.shape), sums


def _parts(system: ReactionDiffusion, dtype: Any, flow: bool) -> tuple[ReactionDiffusion, ReactionDiffusion]:
    """What of a cell is numbers, and the rest. Rate constants are those at the system's temperature; a flow that is a
    field is neither."""
    k = system.constants(dtype)
    laws = [Plain(part) for part in jnp.split(k, 1 if system.network.reverse is None else 2)]
    system = eqx.tree_at(lambda s: (s.grid, s.temperature), system, (None, None), is_leaf=lambda x: x is None)
    system = eqx.tree_at(lambda s: s.network.forward, system, laws[0])
    if len(laws) == 2:
        system = eqx.tree_at(lambda s: s.network.reverse, system, laws[1])
    if flow:
        system = eqx.tree_at(lambda s: s.drive.rate, system, None)
    return eqx.partition(system, eqx.is_inexact_array)


def _differentiable(attributes: dict[str, np.ndarray], rows: int, sums: int) -> Callable[..., tuple[Array, Array]]:
    """The kernels as one function of (c0, flows, uniforms, D, ghosts, slots)."""

    def forward(keep: int | None, c0: Array, *rest: Array) -> list[Array]:
        """States in a ring of `keep`; None: all of them."""
        steps, shaped = rest[-1].size - 1, functools.partial(jax.ShapeDtypeStruct, dtype=c0.dtype)
        shapes = [(rows, *c0.shape), (steps, sums), (keep or steps + 1, *c0.shape)]
        return _call("forward", [shaped(s) for s in shapes], attributes, c0, *rest)

    @jax.custom_vjp
    def run(*given: Array) -> tuple[Array, Array]:
        kept, sums, _ = forward(2, *given)
        return kept, sums

    def ahead(*given: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
        kept, sums, states = forward(None, *given)
        return (kept, sums), (states, *given[1:])

    def back(residuals: tuple[Array, ...], cotangents: tuple[Array, Array]) -> tuple[Any, ...]:
        states, flows, uniforms, D, ghosts, slots = residuals
        c0 = jax.ShapeDtypeStruct(states.shape[1:], states.dtype)
        to = _call("backward", [c0, flows, uniforms, D, ghosts], attributes, *residuals, *cotangents)
        return *to, np.zeros(slots.shape, jax.dtypes.float0)

    run.defvjp(ahead, back)
    return run


def _call(run: str, results: list[Any], attributes: dict[str, np.ndarray], *arguments: Array) -> list[Array]:
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in results]
    name = frame.target(run, np.dtype(results[0].dtype))
    return list(jax.ffi.ffi_call(name, shapes, vmap_method="sequential")(*arguments, **attributes))


def _layout(grid: Grid, species: int, flow: bool, squares: bool, code: Code) -> Int[np.ndarray, "_"]:
    """What `frame` reads as whole numbers."""
    absent = 3 - len(grid.shape)
    wraps = [True] * absent + [isinstance(lower, Periodic) for lower, _ in grid.boundaries]
    shape = [1] * absent + list(grid.shape)
    counts = [species, flow, squares, code.sums, len(code.forward), code.again]
    return np.array([*shape, *wraps, *counts, *code.forward, *code.backward], np.int64)


def _numbers(grid: Grid, dt: float) -> Float[np.ndarray, "11"]:
    """What `frame` reads as numbers: the time step, and the stencil as `kernel.Place` has it.

    NotImplementedError where a cell's neighbours are others than those next to it, diagonally in 2D at most, all
    diagonal ones alike.
    """
    weights, dimensions = dict(grid.stencil.weights(grid.spacing)), len(grid.shape)
    straight = []
    for axis in range(dimensions):
        both = [weights.pop(tuple(s * int(a == axis) for a in range(dimensions)), 0.0) for s in (-1, 1)]
        straight.append(both[0])
        if both[0] != both[1]:
            raise NotImplementedError("a stencil that is not symmetric")
    corners = [weights.pop(step, 0.0) for step in itertools.product((-1, 1), repeat=2)] if dimensions == 2 else [0.0]
    if weights or len(set(corners)) > 1:
        raise NotImplementedError("a stencil beyond the next cells")
    *sides, ends = straight
    inverse = [0.0] * (3 - dimensions) + [h**-2 for h in grid.spacing]
    across = {0: (0.0, 0.0, 0.0), 1: (0.0, 1.0, *sides), 2: (*sides, 1.0)}[len(sides)]
    beyond = ends + 2 * corners[0] * (across[0] + across[1])
    return np.array(
        [dt, *across[:2], -grid.stencil.centre(grid.spacing), across[2], ends, corners[0], beyond, *inverse]
    )


def _ghosts(grid: Grid, D: Float[Array, "species"]) -> Float[Array, "2 species 6"]:
    """(a, b) of each face, lower and upper of each axis: what lies outside is a + b times the cell inside."""
    faces = [(face, h) for pair, h in zip(grid.boundaries, grid.spacing, strict=True) for face in pair]
    pairs = [(jnp.zeros_like(D), jnp.ones_like(D))] * (6 - len(faces)) + [_affine(face, h, D) for face, h in faces]
    return jnp.stack([jnp.stack(column, axis=1) for column in zip(*pairs, strict=True)])


def _affine(face: AbstractBoundary, h: float, D: Float[Array, "species"]) -> tuple[Array, Array]:
    if not isinstance(face, Periodic | NoFlux | Dirichlet | Flux | Robin):
        raise NotImplementedError(f"no kernel for {type(face).__name__}")
    zero = jnp.zeros_like(D)
    if isinstance(face, Periodic):
        return zero, zero + 1
    a = face.ghost(zero, zero, h, D)
    return a, face.ghost(zero + 1, zero, h, D) - a
