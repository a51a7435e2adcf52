"""A pattern in three dimensions that holds, since its surface has no curvature to shrink by.
`python examples/minimal_surface.py [updates] [PICTURE]`

Fronts of reaction and diffusion move by their mean curvature: a ball shrinks, and so do linked rings. Schwarz' surface
cos x + cos y + cos z = 0 has none, and parts a box with walls in two labyrinths that are each other's mirror image.
A network of four species learns to hold it. Shown at dt = .1 beside what diffusion alone leaves of the start, after
noise on the start, and on a grid twice as fine. PICTURE, if named, has three slices at the start and after 1000 s.
"""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image

from guldberg.design.controls import interpolated, refined, with_constants
from guldberg.design.job import design
from guldberg.design.pattern import pattern
from guldberg.design.result import Picture
from guldberg.rollout import rollout
from guldberg.stepper import Guarded
from guldberg.system import ReactionDiffusion

CELLS = 24
SEEN = 0, 64, 320, 1000  # seconds
State = Float[Array, "species *grid"]


def surface() -> Picture:
    """One side of the surface 1, the other 0, smooth over two cells."""
    waves = np.cos(2 * np.pi * (np.arange(CELLS) + 0.5) / CELLS)
    level = waves[:, None, None] + waves[:, None] + waves
    return Picture(1, 0.5 * (1 + np.tanh(1.5 * level)), "Schwarz' surface")


@eqx.filter_jit
def followed(system: ReactionDiffusion, X: State, dt: float) -> Float[Array, "times species *grid"]:
    saves = np.round(np.array(SEEN) / dt).astype(int)
    return rollout(system, X, steps=int(saves[-1]), dt=dt, stepper=Guarded(), saves=saves).values


def coarse(x: Float[Array, "times *fine"]) -> Float[Array, "times *grid"]:
    return x.reshape(len(x), *(n for _ in range(3) for n in (CELLS, 2))).mean((2, 4, 6))


def show(name: str, wanted: Picture, states: Float[Array, "times *grid"]) -> None:
    """Pearson's r and the contrast, sd over sd."""
    told = ""
    for x in np.asarray(states, float)[1:]:
        r = np.corrcoef(x.ravel(), wanted.concentration.ravel())[0, 1] if x.std() > 1e-9 else 0.0
        told += f"{r:9.3f} {x.std() / wanted.concentration.std():7.2f} "
    print(f"{name:18}{told}", flush=True)


def main(updates: int = 900, picture: str = "") -> None:
    wanted = surface()
    found = design(pattern(wanted, updates=(updates // 3, updates // 3, updates - 2 * (updates // 3))))
    X, system = jnp.asarray(found.c0), found.system
    print("r and contrast    " + "".join(f"{t:>16} s" for t in SEEN[1:]))
    held = followed(system, X, 0.1)[:, 1]
    show("as designed", wanted, held)
    show("diffusion only", wanted, followed(with_constants(system, 0.0), X, 0.1)[:, 1])
    rough = jnp.maximum(X + 0.1 * jax.random.normal(jax.random.key(1), X.shape, X.dtype), 0)
    show("noise .1 at first", wanted, followed(system, rough, 0.1)[:, 1])
    show("a grid of h / 2", wanted, coarse(followed(refined(system), interpolated(system.grid, X), 0.1)[:, 1]))
    if picture:
        slices = [np.concatenate([np.asarray(x)[at] for at in (2, 6, 12)], axis=1) for x in (held[0], held[-1])]
        shades = (255 * np.clip(np.concatenate(slices) / 1.2, 0, 1)).astype(np.uint8)
        Image.fromarray(shades.repeat(6, 0).repeat(6, 1)).save(picture)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 900, sys.argv[2] if sys.argv[2:] else "")
