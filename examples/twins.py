"""What a design that replicates is worth, beyond its own page. `python examples/twins.py RUN [draws]`, after
`guldberg design replication --out RUN`

Elliott (2022) Figure 5 quotes Pearson's r over cells and species together, .893, on a torus of 48 x 96 cells. A flat
background has more than that: what counts is r within species, contrast and what else is there, in shorter steps and
in a place so large that no wave meets its own image. Then the paper's open question, serial transfer: a daughter cut
out and put alone into a fresh place, is it a parent? And what noise on the parent and on the constants costs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.app import runs
from guldberg.app.design.kind import KIND
from guldberg.design.disturb import Rough
from guldberg.design.replication import FREE, TORUS, TWINS, Family, T, surrounded
from guldberg.learn.losses import windowed
from guldberg.rollout import rollout
from guldberg.system import ReactionDiffusion

WIDE = (96, 192)
State = Float[Array, "species *grid"]


def placed(shape: tuple[int, ...]) -> Family:
    """Parent and daughters in the middle of a place."""
    return TWINS.moved(tuple((n - m) // 2 for n, m in zip(shape, TORUS, strict=True)))


@eqx.filter_jit
def after(system: ReactionDiffusion, c0: State, dt: float) -> State:
    """The state after T by Euler's rule, on a torus of the shape of c0."""
    grid = system.grid.periodic(c0.shape[1:], system.grid.spacing, stencil=system.grid.stencil)
    place = eqx.tree_at(lambda s: s.grid, system, grid)
    return rollout(place, c0, steps=round(T / dt), dt=dt).values[0]


def show(name: str, parent: State, state: State) -> None:
    """How alike the worse daughter is to the parent, and the largest sd of what is elsewhere, over the parent's."""
    family = placed(state.shape[1:])
    pooled, within, contrast = (np.stack(x) for x in zip(*family.compared(parent, state), strict=True))
    outside = family.outside(state.shape[1:])
    stray = (np.asarray(state)[:, outside].std(1) / np.asarray(parent).std((1, 2))).max() if outside.any() else 0.0
    print(
        f"{name:34}{pooled.min():8.3f}{within.min():8.3f}{contrast.min():8.2f} to{contrast.max():5.2f}{stray:8.2f}",
        flush=True,
    )


def main(folder: str, draws: str = "5") -> None:
    found = runs.reached(Path(folder), {"design": KIND})[0]
    system, c0 = found.system, jnp.asarray(found.c0)
    background, parent = c0[:, 0, 0], windowed(c0, placed(c0.shape[1:]).window)
    print(f"{'':34}{'pooled':>8}{'within':>8}{'contrast':>16}{'outside':>8}")
    flat = jnp.broadcast_to(background[:, None, None], (len(c0), *WIDE))
    show("a flat background", parent, flat)
    for shape in (TORUS, FREE, WIDE):
        for dt in (0.1, 0.01):
            state = after(system, surrounded(parent, background, shape), dt)
            show(f"{shape[0]} x {shape[1]} cells, dt = {dt:g}", parent, state)
    start = surrounded(parent, background, WIDE)
    daughter = start
    for generation in (1, 2, 3):
        state = after(system, daughter, 0.1)
        show(f"generation {generation}", parent, state)
        daughter = surrounded(windowed(state, placed(WIDE).window, TWINS.shifts[-1]), background, WIDE)
    for name, noise in (("noise .05 on X0", Rough(state=0.05)), ("1 % on the constants", Rough(constants=0.01))):
        for draw in range(int(draws)):
            rough, noisy = noise(system, start, jnp.asarray(1.0), jax.random.key(draw))
            show(f"{name}, draw {draw + 1}", parent, after(rough, noisy, 0.1))


if __name__ == "__main__":
    main(*sys.argv[1:])
