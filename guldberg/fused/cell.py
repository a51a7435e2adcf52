"""One step and its adjoint as seen from a single cell, traced from the plain step itself.

A step of a stepper asks the grid for the diffusion of the state, perhaps again for that of an intermediate state, and
does all else cell by cell. So it is run once, with one cell in place of the grid and a given number for the diffusion
of each state it asks for; JAX differentiates what it did; both become machine code. No chemistry, drive or stepper is
known here by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg import thermo
from guldberg.fused.expressions import Expressions
from guldberg.fused.machine import Loop, compiled_loop, fields
from guldberg.space.grid import Grid
from guldberg.stepper import AbstractStepper
from guldberg.system import ReactionDiffusion


class Code(NamedTuple):
    """Addresses of loops (`machine.Loop`). Their fields, one for each species, are in this order: the old state
    and each intermediate one; the diffusion of each; the flow; squared differences to the next cells; the cotangents
    of the new state and of each intermediate one; the new state."""

    forward: tuple[int, ...]  # stage by stage: the next state; the last: the new one, and the sums
    backward: tuple[int, ...]  # likewise: the cotangent of its diffusion; the first: of the old state before it, and of
    # the flow and the squares after it, and as sums those of the uniforms
    again: bool  # whether the backward loops read the diffusion of the last stage, which the new state often spares
    uniforms: int  # how many belong to the system; then come the time and the cotangents of the sums
    sums: (
        int  # excess, how many values are out of bounds, and, as asked, the entropy that diffusion and reaction produce
    )


class _Cell:
    """In place of a grid: one cell, whose diffusion is given."""

    def __init__(self, grid: Grid, diffusion: Float[Array, "stages species"]) -> None:
        self.boundaries, self.stencil, self.spacing = grid.boundaries, grid.stencil, grid.spacing
        self.given, self.asked = diffusion, []

    def diffusion(self, c: Float[Array, "species"], D: Float[Array, "species"]) -> Float[Array, "species"]:
        self.asked.append(c)
        return self.given[len(self.asked) - 1]


class Asked(NamedTuple):
    """What is to be compiled. `system` is None where numbers will be given and where its grid was."""

    system: ReactionDiffusion
    grid: Grid
    stepper: AbstractStepper
    dt: float
    limit: float
    entropy: Sequence[bool]  # of diffusion, of reaction
    flow: bool

    def step(
        self, arrays: ReactionDiffusion, c: Array, diffusion: Array, flow: Array, squares: Array, t: Array
    ) -> tuple[Array, list[Array], Array]:
        """The new state, the intermediate ones, and the sums."""
        cell = _Cell(self.grid, diffusion)
        system = eqx.tree_at(_grid, eqx.combine(arrays, self.system), cell, is_leaf=_is_none)
        if self.flow:
            system = eqx.tree_at(lambda s: s.drive.rate, system, flow, is_leaf=_is_none)
        new = self.stepper(system, t, c, self.dt)
        over = jnp.abs(new - c) / self.dt - self.limit
        excess = jnp.where(over <= 0, 0, over).sum()  # what is not a number stays that
        sums = [excess, (~((new >= 0) & (new < jnp.inf))).astype(c.dtype).sum()]
        of_diffusion, of_reaction = self.entropy
        if of_diffusion:
            sums.append((system.diffusivity.astype(c.dtype) * squares / (c + thermo.STABILISER)).sum())
        if of_reaction:
            sums.append(thermo.reaction(system, c, floor=thermo.FLOOR))
        return new, cell.asked[1:], jnp.stack(sums)


def _grid(system: ReactionDiffusion) -> Any:
    return system.grid


def _is_none(x: Any) -> bool:
    return x is None


def compiled(asked: Asked, arrays: ReactionDiffusion, dtype: np.dtype) -> Code:
    """NotImplementedError where the step holds an operation that has no machine code here."""
    shapes = tuple(x.shape for x in jax.tree.leaves(arrays))
    parts = (asked.system, asked.grid, asked.stepper)
    key = (jax.tree.structure(parts), jax.tree.structure(arrays), shapes, asked[3:], dtype)
    if key not in _made:
        _made[key] = _compile(asked, arrays, dtype)
    return _made[key]


_made: dict[Any, Code] = {}


def _compile(asked: Asked, arrays: ReactionDiffusion, dtype: np.dtype) -> Code:
    species, cell = len(asked.system.species), jax.ShapeDtypeStruct

    def shaped(*shape: int) -> jax.ShapeDtypeStruct:
        return cell(shape, dtype)

    inner = jax.tree.map(lambda x: shaped(*x.shape), arrays)
    many = [inner, shaped(species), shaped(9, species), shaped(species), shaped(species), shaped()]
    stages = 1 + len(jax.eval_shape(asked.step, *many)[1])
    given = [inner, shaped(species), shaped(stages, species), shaped(species), shaped(species), shaped()]

    def adjoint(inputs: list, cotangents: tuple) -> tuple:
        return jax.vjp(asked.step, *inputs)[1](cotangents)

    e = Expressions()
    groups = iter(e.inputs("field", (3 * stages + 3) * species).reshape(-1, species))
    states = [next(groups) for _ in range(stages)]
    diffusion = np.stack([next(groups) for _ in range(stages)])
    flow, squares = next(groups), next(groups)
    by_states = [next(groups) for _ in range(stages)]
    made = next(groups)
    sizes = [math.prod(x.shape) for x in jax.tree.leaves(inner)]
    offsets = np.cumsum([0, *sizes]).tolist()
    numbers = [
        e.inputs("uniform", n, first).reshape(x.shape)
        for n, first, x in zip(sizes, offsets[:-1], jax.tree.leaves(inner), strict=True)
    ]
    time = e.inputs("uniform", 1, offsets[-1]).reshape(())
    inputs = [*numbers, states[0], diffusion, flow, squares, time]
    out_shapes = jax.eval_shape(asked.step, *given)
    new, *between, sums = e.evaluate(jax.make_jaxpr(asked.step)(*given), inputs)
    by_sums = e.inputs("uniform", len(sums), offsets[-1] + 1)
    cotangents = [by_states[0], *by_states[1:], by_sums]
    *by_numbers, by_old, by_diffusion, by_flow, by_squares, _ = e.evaluate(
        jax.make_jaxpr(adjoint)(given, out_shapes), [*inputs, *cotangents]
    )

    def loop(outputs: list[np.ndarray], sums: list[np.ndarray], known: int) -> Loop:
        """Of the states after the old one, of which the new one is the last, the first few are `known`."""
        loaded = zip(np.ravel([*between, new][:known]), np.ravel([*states[1:], made][:known]), strict=True)
        flat = [node for x in outputs for node in x.ravel()], [node for x in sums for node in x.ravel()]
        return Loop(*flat, dict(loaded))

    ahead = [loop([x], [], i) for i, x in enumerate(between)] + [loop([new], [sums], stages - 1)]
    extra = [by_flow] * asked.flow + [by_squares] * asked.entropy[0]
    back = [loop([by_old, by_diffusion[0], *extra], by_numbers, stages)]
    back += [loop([by_diffusion[i]], [], stages) for i in range(1, stages)]
    again = any(not fields(one).isdisjoint(diffusion[-1]) for one in back)
    forward, backward = (tuple(compiled_loop(one, dtype) for one in loops) for loops in (ahead, back))
    return Code(forward, backward, again, offsets[-1], len(sums))
