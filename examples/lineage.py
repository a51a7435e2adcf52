"""A spot and what comes of it. `python examples/lineage.py RUN [picture]`, after `guldberg design replication-lineage
--out RUN`

Serial transfer: the right daughter is cut out, turned by a quarter and put alone into a fresh place, three times. Then
the spot left to itself, with as much room as it wants: how many spots are there after each T?
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image
from scipy.ndimage import label

from guldberg.app import runs
from guldberg.app.design.kind import KIND
from guldberg.design.division import SISTERS
from guldberg.design.replication import TORUS, surrounded
from guldberg.learn.losses import windowed
from guldberg.rollout import rollout
from guldberg.system import ReactionDiffusion

WIDE = (96, 192)
PARTS = 3  # of T, in each of which a generation is looked at
DT = 0.1
State = Float[Array, "species *grid"]


@eqx.filter_jit
def followed(system: ReactionDiffusion, c0: State, T: float, times: int) -> Float[Array, "times species *grid"]:
    """At so many times, evenly spaced from 0 to T, on a torus of the shape of c0."""
    grid = system.grid.periodic(c0.shape[1:], system.grid.spacing, stencil=system.grid.stencil)
    place, steps = eqx.tree_at(lambda s: s.grid, system, grid), round(T / DT)
    return rollout(place, c0, steps=steps, dt=DT, saves=np.linspace(0, steps, times).round().astype(int)).values


def spots(c: State) -> int:
    """How many regions there are in which X1 is above .4 of the most there is."""
    x = np.asarray(c[1])
    regions = np.zeros(x.shape, np.int32)
    label(x > 0.4 * x.max(), structure=np.ones((3, 3)), output=regions)
    return int(regions.max())


def main(folder: str, picture: str = "") -> None:
    found = runs.reached(Path(folder), {"design": KIND})[0]
    system, c0, T = found.system, jnp.asarray(found.c0), found.horizon
    parent, background = windowed(c0, SISTERS.window), c0[:, 0, 0]
    rows, start = [], surrounded(parent, background, TORUS)
    for generation in (1, 2, 3):
        row = followed(system, start, T, PARTS + 1)
        both = ", ".join(f"{alike.within:.3f}" for alike in SISTERS.compared(parent, row[-1]))
        print(f"generation {generation}: r within species {both}")
        start = surrounded(SISTERS.daughters(row[-1])[1], background, TORUS)
        rows.append(row)
    colony = followed(system, surrounded(parent, background, WIDE), PARTS * T, PARTS + 1)
    print("spots after 0 to 3 T: " + ", ".join(str(spots(c)) for c in colony))
    if picture:
        Image.fromarray(strip(rows, colony)).save(picture)


def strip(rows: Sequence[Array], colony: Array) -> np.ndarray:
    """X1, a row for each generation at equal times; below, twice as wide and at 0 to 3 T, the spot left to itself."""
    lines = [*(np.asarray(row[:, 1]).repeat(2, 1).repeat(2, 2) for row in rows), np.asarray(colony[:, 1])]
    most = max(line.max() for line in lines)
    framed = [np.concatenate([np.pad(c / most, 2, constant_values=1) for c in line], axis=1) for line in lines]
    return (255 * np.concatenate(framed)).astype(np.uint8)


if __name__ == "__main__":
    main(*sys.argv[1:])
