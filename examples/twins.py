"""What a design that replicates is worth, beyond its own page. `python examples/twins.py RUN [draws] [generations]`,
after `guldberg design replication --out RUN` (or replication-lineage)

Elliott (2022) Figure 5 quotes Pearson's r over cells and species together, .893, on a torus of 48 x 96 cells. A flat
background has more than that: what counts is r within species, contrast and what else is there, in shorter steps, on
a finer grid and in a place so large that no wave meets its own image. Then the paper's open question, serial transfer:
a daughter cut out and put alone into a fresh place, is it a parent? Every daughter of every generation is asked. And
what noise on the parent and on the constants costs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.app import runs
from guldberg.app.design.kind import KIND
from guldberg.design.controls import interpolated, refined
from guldberg.design.disturb import Rough
from guldberg.design.replication import FREE, TORUS, Family, Judged, surrounded
from guldberg.design.result import Designed
from guldberg.learn.losses import windowed
from guldberg.rollout import rollout
from guldberg.system import ReactionDiffusion

WIDE = (96, 192)
State = Float[Array, "species *grid"]


def placed(designed: Designed, shape: tuple[int, ...]) -> Family:
    """Parent and daughters in the middle of a place."""
    assert isinstance(designed.recipe.judge, Judged)
    return designed.recipe.judge.family.moved(
        tuple((n - m) // 2 for n, m in zip(shape, designed.grid.shape, strict=True))
    )


@eqx.filter_jit
def after(system: ReactionDiffusion, c0: State, T: float, dt: float) -> State:
    """The state after T by Euler's rule, on a torus of the shape of c0."""
    grid = system.grid.periodic(c0.shape[1:], system.grid.spacing, stencil=system.grid.stencil)
    place = eqx.tree_at(lambda s: s.grid, system, grid)
    return rollout(place, c0, steps=round(T / dt), dt=dt).values[0]


def on_finer_grid(system: ReactionDiffusion, c0: State, T: float, dt: float) -> State:
    """The same on cells half as wide, as means over four of them."""
    fine = after(refined(system), interpolated(system.grid, c0), T, dt)
    return fine.reshape(len(c0), c0.shape[1], 2, c0.shape[2], 2).mean((2, 4))


def show(name: str, parent: State, family: Family, states: Sequence[State]) -> None:
    """How alike the worst daughter is to the parent, and the largest sd of what is elsewhere, over the parent's."""
    found = [alike for state in states for alike in family.compared(parent, state)]
    pooled, within, contrast = (np.stack(x) for x in zip(*found, strict=True))
    outside = family.outside(states[0].shape[1:])
    sd = np.asarray(parent).std((1, 2))
    stray = max((np.asarray(c)[:, outside].std(1) / sd).max() for c in states) if outside.any() else 0.0
    print(
        f"{name:34}{pooled.min():8.3f}{within.min():8.3f}{contrast.min():8.2f} to{contrast.max():5.2f}{stray:8.2f}",
        flush=True,
    )


def main(folder: str, draws: str = "5", generations: str = "3") -> None:
    found = runs.reached(Path(folder), {"design": KIND})[0]
    system, c0, T = found.system, jnp.asarray(found.c0), found.horizon
    family, background = placed(found, WIDE), c0[:, 0, 0]
    parent = windowed(c0, placed(found, c0.shape[1:]).window)
    print(f"{'':34}{'pooled':>8}{'within':>8}{'contrast':>16}{'outside':>8}")
    start = surrounded(parent, background, WIDE)
    show("a flat background", parent, family, [jnp.broadcast_to(background[:, None, None], start.shape)])
    for shape in (TORUS, FREE, WIDE):
        for dt in (0.1, 0.01):
            state = after(system, surrounded(parent, background, shape), T, dt)
            show(f"{shape[0]} x {shape[1]} cells, dt = {dt:g}", parent, placed(found, shape), [state])
    show("a grid twice as fine", parent, placed(found, c0.shape[1:]), [on_finer_grid(system, c0, T, 0.1)])
    level = [start]
    for generation in range(1, int(generations) + 1):
        states = [after(system, one, T, 0.1) for one in level]
        show(f"generation {generation}, {2 * len(states)} daughters", parent, family, states)
        level = [surrounded(one, background, WIDE) for state in states for one in family.daughters(state)]
    for name, noise in (("noise .05 on X0", Rough(state=0.05)), ("1 % on the constants", Rough(constants=0.01))):
        for draw in range(int(draws)):
            rough, noisy = noise(system, start, jnp.asarray(1.0), jax.random.key(draw))
            show(f"{name}, draw {draw + 1}", parent, family, [after(rough, noisy, T, 0.1)])


if __name__ == "__main__":
    main(*sys.argv[1:])
