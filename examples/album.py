"""One chemistry that holds a set of pictures, also some it never saw. `python examples/album.py [updates] [PICTURE]`

Elliott (2022) learns a network for each pattern. Here three pictures share one network, whose constants know none of
them: which is held is a matter of the start alone. Two more are then written into the same medium, of which only
the start is learned. PICTURE, if named, shows all five at the start and later, above what diffusion leaves of them.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image

from guldberg.app.design import target
from guldberg.app.design.spec import PORTRAIT
from guldberg.design.controls import with_constants
from guldberg.design.disturb import Rough
from guldberg.design.job import design
from guldberg.design.measure import Judge, resembles
from guldberg.design.model import Model
from guldberg.design.pattern import pattern
from guldberg.design.recipe import Recipe
from guldberg.design.result import Designed, Picture
from guldberg.design.start import Direct, number
from guldberg.learn.losses import AbstractLoss, AbstractTimes, Seen, Steps, When, rmsd
from guldberg.learn.parameters import Frozen
from guldberg.rollout import rollout
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.stepper import Guarded
from guldberg.system import ReactionDiffusion

SIZE = 64
SEEN = 0, 64, 320, 1000  # seconds


def pictures() -> list[Picture]:
    """The portrait, a spiral, a star; then the unseen ones, waves and a target."""
    y, x = (np.indices((SIZE, SIZE)) + 0.5 - SIZE / 2) / (SIZE / 2)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    drawn = {
        "spiral": np.sin(angle + 9 * r) * (r < 0.95),
        "star": np.tanh(6 * (0.6 + 0.2 * np.cos(5 * angle) - r)),
        "waves": np.sin(7 * x + 2 * np.sin(4 * y)),
        "target": np.cos(11 * r),
    }
    portrait = target.read(PORTRAIT, (SIZE, SIZE), 1)
    return [portrait, *(Picture(1, (1 + np.maximum((z - z.mean()) / z.std(), -1)) / 2, n) for n, z in drawn.items())]


class Album(AbstractLoss):
    """The RMSD from the picture that z is the number of, in centred units."""

    pictures: Float[Array, "pictures *grid"]
    when: AbstractTimes = eqx.field(default=When(0.25, 0.5, 1.0, random=1), kw_only=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        wanted = self.pictures[number(seen.z) % len(self.pictures)]
        return 2 * jax.vmap(lambda state: rmsd(state[1], wanted))(seen.states).mean()


def likeness(shown: Sequence[Picture]) -> Judge:
    def judge(model: Model, z: Array, before: Array, after: Array) -> dict[str, Array]:
        each = [resembles(picture)(model, z, before, after) for picture in shown]
        return jax.tree.map(lambda *x: jnp.stack(x)[number(z) % len(x)], *each)

    return judge


def recipe(shown: Sequence[Picture], updates: int, medium: ReactionDiffusion | None = None) -> Recipe:
    """For all pictures one medium, learned with their starts; a medium that is given stays as it is."""
    own = pattern(shown[0], updates=(updates // 2, updates, updates // 3))
    loss = Album(jnp.asarray([p.concentration for p in shown], jnp.float32)) + 100 * Steps()
    stages = [dataclasses.replace(s, loss=loss, disturb=Rough(state=0.05, ramp=0.3)) for s in own.stages]
    bits = max(len(shown) - 1, 0).bit_length()
    grid = Grid((SIZE, SIZE), 1.0, [NoFlux()] * 2, stencil=NinePoint())

    def build(key: Array) -> Model:
        still = own.build(key).medium if medium is None else jax.tree.map(fixed, medium)
        return Model(still, Direct.random(grid, 4, key=key, states=2**bits))

    return Recipe("album", build, tuple(stages), likeness(shown), bits=bits, used=bits)


def fixed(x: object) -> object:
    return Frozen(x) if eqx.is_inexact_array(x) else x


def states(found: Designed, count: int) -> list[Float[Array, "species *grid"]]:
    """What each picture starts from."""
    width = found.recipe.bits
    return [found.start(jnp.asarray([(n >> bit) & 1 for bit in range(width)], jnp.float32)) for n in range(count)]


@eqx.filter_jit
def followed(system: ReactionDiffusion, X: Array, dt: float = 0.1) -> Float[Array, "times species *grid"]:
    saves = np.round(np.array(SEEN) / dt).astype(int)
    return rollout(system, X, steps=int(saves[-1]), dt=dt, stepper=Guarded(), saves=saves).values


def main(updates: int = 1200, picture: str = "") -> None:
    shown = pictures()
    known, unseen = shown[:3], shown[3:]
    first = design(recipe(known, updates))
    second = design(recipe(unseen, updates // 2, first.system))
    off, X = with_constants(first.system, 0.0), [*states(first, 3), *states(second, 2)]
    rows = [[followed(system, x)[:, 1] for x in X] for system in (first.system, off)]
    print("r and contrast" + "".join(f"{t:>16} s" for t in SEEN[1:]))
    for i, one in enumerate(shown):
        for name, row in (("", rows[0]), ("without reactions", rows[1])):
            told = [figures(one, state) for state in row[i][1:]]
            print(f"{name or one.name:18}" + "".join(f"{r:9.3f} {c:7.2f} " for r, c in told))
    if picture:
        Image.fromarray(strip(shown, rows)).save(picture)


def figures(wanted: Picture, X: Array) -> tuple[float, float]:
    x, y = (np.asarray(a, float).ravel() for a in (X, wanted.concentration))
    return (float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 else 0.0), float(x.std() / y.std())


def strip(shown: Sequence[Picture], rows: Sequence[Sequence[Array]]) -> np.ndarray:
    """A row for each picture: as it should be, at each time, and at the last without reactions."""
    lines = []
    for wanted, held, faded in zip(shown, *rows, strict=True):
        frames = [wanted.concentration, *np.asarray(held), np.asarray(faded[-1])]
        lines.append(np.concatenate([np.pad(np.clip(f / 1.3, 0, 1), 2, constant_values=1) for f in frames], axis=1))
    return (255 * np.concatenate(lines)).astype(np.uint8).repeat(2, 0).repeat(2, 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1200, sys.argv[2] if sys.argv[2:] else "")
