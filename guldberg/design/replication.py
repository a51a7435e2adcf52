"""Replication, Elliott (2022) section 3.3: where the daughters of a structure are to appear, how alike they are to
their parent, and a medium whose waves travel that far.

Pearson's r over space and species pooled, the paper's figure, sees mostly how the means of the species differ: a
uniform background has r = .95 with a structure in it. `Likeness.within` does not see the means.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.design.chemistry import Reaction, sparse
from guldberg.design.disturb import Rough
from guldberg.design.model import Model, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.start import Direct, Mirrored, Placed
from guldberg.drive import FlowReactor
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Outside, Replication, Spread, Steps, Sum, Window, windowed
from guldberg.learn.parameters import Bounded
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint, Star
from guldberg.system import ReactionDiffusion


class Likeness(NamedTuple):
    """How alike a daughter is to its parent."""

    pooled: Float[Array, ""]  # Pearson's r over cells and species together, as Elliott (2022) quotes it
    within: Float[Array, ""]  # the same once each species' mean has been taken away
    contrast: Float[Array, "species"]  # sd(daughter) / sd(parent)


def likeness(parent: Float[Array, "species *window"], daughter: Float[Array, "species *window"]) -> Likeness:
    """Of two windows of one shape; r is 0 where one of them is flat."""
    a, b = _without_means(parent), _without_means(daughter)
    axes = tuple(range(1, a.ndim))
    spread = jnp.maximum(parent.std(axes), jnp.finfo(a.dtype).tiny)
    return Likeness(_pearson(parent - parent.mean(), daughter - daughter.mean()), _pearson(a, b), b.std(axes) / spread)


def _without_means(c: Float[Array, "species *window"]) -> Float[Array, "species *window"]:
    return c - c.mean(tuple(range(1, c.ndim)), keepdims=True)


def _pearson(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    size = jnp.sqrt((a * a).sum() * (b * b).sum())
    return jnp.where(size > 0, (a * b).sum() / jnp.where(size > 0, size, 1), 0)


@dataclasses.dataclass(frozen=True)
class Family:
    """A parent's window, by how many cells its daughters' windows are shifted from it, and by how many quarter turns
    each of those is brought into the parent's position (as it is, if none are given)."""

    window: Window
    shifts: tuple[tuple[int, ...], ...]
    turns: tuple[int, ...] = ()

    def likeness(self, before: Float[Array, "species *grid"], after: Float[Array, "species *grid"]) -> list[Likeness]:
        """Of each daughter in `after` to the parent in `before`."""
        return self.compared(windowed(before, self.window), after)

    def compared(self, parent: Float[Array, "species *window"], after: Float[Array, "species *grid"]) -> list[Likeness]:
        """Of each daughter to a parent that is known by its window."""
        return [likeness(parent, daughter) for daughter in self.daughters(after)]

    def daughters(self, after: Float[Array, "species *grid"]) -> list[Float[Array, "species *window"]]:
        """Cut out, and turned as their parent lies."""
        turns = self.turns or (0,) * len(self.shifts)
        cut = (windowed(after, self.window, shift) for shift in self.shifts)
        return [jnp.rot90(daughter, turn, (-2, -1)) for daughter, turn in zip(cut, turns, strict=True)]

    def outside(self, shape: tuple[int, ...]) -> np.ndarray:
        """True in the cells that belong to no daughter's window."""
        free = np.ones(shape, bool)
        for shift in self.shifts:
            places = [np.arange(first, beyond) + w for (first, beyond), w in zip(self.window, shift, strict=True)]
            free[np.ix_(*(place % n for place, n in zip(places, shape, strict=True)))] = False
        return free

    def moved(self, offset: tuple[int, ...]) -> Family:
        """The same in a grid whose cell 0 lies `offset` cells before the present one."""
        window = tuple((a + d, b + d) for (a, b), d in zip(self.window, offset, strict=True))
        return dataclasses.replace(self, window=window)


# parent in the middle of 48 x 96 cells, daughters in its halves: Elliott (2022) Figure 5
TWINS = Family(window=((0, 48), (24, 72)), shifts=((0, -24), (0, 24)))


def surrounded(
    c: Float[Array, "species *grid"], background: Float[Array, "species"], shape: tuple[int, ...]
) -> Float[Array, "species *grid"]:
    """`c` in the middle of a larger place that is uniform otherwise: free space, where no wave meets its own image."""
    margins = [(n - m, n - m - (n - m) // 2) for n, m in zip(shape, c.shape[1:], strict=True)]
    widths = [(0, 0), *((total - after, after) for total, after in margins)]
    inside = jnp.pad(c - background.reshape(-1, *(1,) * len(shape)), widths)
    return inside + background.reshape(-1, *(1,) * len(shape))


FEED = (2.0, 0.0, 0.0, 0.0, 0.0)


def travelling_wave(grid: Grid, *, feed: float = 0.02, decay: float = 0.05, pace: float = 1.5) -> ReactionDiffusion:
    """Gray-Scott, X0 + 2 X1 -> 3 X1 and X1 decays, beside its saddle-node: a nearly extinct wave that travels.

    Three more species are its exact slaves: X1 decays into X2 and X3, X2 into X4, and nothing comes back, so that the
    wave is that of Gray and Scott however the slaves are chosen. `feed` and `decay` are F and kappa at unit pace.
    Self-replicating spots, F, kappa = .035, .065, are no start: far too slow.
    """
    level = FEED[0]
    k: dict[Reaction, float] = {
        ((0, 1, 1), (1, 1, 1)): pace / level**2,
        ((1,), (2,)): 0.6 * decay * pace,
        ((1,), (3,)): 0.4 * decay * pace,
        ((2,), (4,)): 0.03,
    }
    drive = FlowReactor(feed * pace, jnp.asarray(FEED))
    return ReactionDiffusion(sparse(5, k), grid, jnp.asarray([0.2, 0.1, 0.1, 0.1, 0.1]), drive)


def seed(shape: tuple[int, ...], *, radius: float = 7.0) -> Float[Array, "species *grid"]:
    """Where the wave of `travelling_wave` starts from: half the feed replaced by X1 in a spot of Gaussian profile,
    narrower along the last axis, along which it is to go."""
    radii = (radius,) * (len(shape) - 1) + (4 / 7 * radius,)
    axes = [(np.arange(n) - (n - 1) / 2) / r for n, r in zip(shape, radii, strict=True)]
    spot = np.exp(-0.5 * sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))
    return jnp.asarray(FEED[0] * np.stack([1 - 0.5 * spot, 0.5 * spot, 0.2 * spot, 0.15 * spot, 0.1 * spot]))


# the recipe

TORUS, FREE = (48, 96), (96, 96)  # cells; on the first, the paper's, a ring that grows meets its image above and below
PATCH = (32, 32)  # what of the parent is learned, in the middle; around it a uniform background
MIRRORS = (-2, -1)
T = 352.0  # seconds


def replication(*, updates: tuple[int, int, int] = (1000, 1200, 600)) -> Recipe:
    """A structure that is there twice after 352 s, 24 cells to the left and to the right, and nowhere else.

    In a place tall enough that a ring that grows does not meet its own image, from the first update on: what is
    learned on the paper's torus lives by that. The structure is its own mirror image along both axes, so that a
    quarter of the place is simulated, behind walls. Last in steps of half a second, since what is nearly extinct is
    sensitive to them.
    """
    free = TWINS.moved(tuple((n - m) // 2 for n, m in zip(FREE, TORUS, strict=True)))
    rates = ((2e-2, 3e-3), (1e-2, 2e-3), (5e-3, 1e-3))
    stages = tuple(
        Stage(T, count, alone(free), _descent(*rate), dt=dt, mirrors=MIRRORS)
        for count, rate, dt in zip(updates, rates, (1.0, 1.0, 0.5), strict=True)
    )
    return Recipe("replication", functools.partial(parent, shape=FREE, folded=True), stages, Judged(free), leave=whole)


def tolerant(*, updates: int = 3500) -> Recipe:
    """The same from any start near enough: learned under noise on the start and on the constants, new in each update.

    All of it from the first update on: the optimum without noise is nearly extinct, fails after .02 on X_0, and no
    way was found that leads from there to one that does not. The noise has the mirror planes of the structure.
    """
    free = TWINS.moved(tuple((n - m) // 2 for n, m in zip(FREE, TORUS, strict=True)))
    descent = dataclasses.replace(_descent(2e-2, 3e-3), jump=math.inf)
    stage = Stage(T, updates, alone(free), descent, disturb=Rough(state=0.03, constants=0.002), mirrors=MIRRORS)
    build = functools.partial(parent, shape=FREE, folded=True)
    return Recipe("replication", build, (stage,), Judged(free), leave=whole)


def alone(family: Family) -> Sum:
    """Daughters alike in each species by its own measure, and nothing elsewhere."""
    alike = Replication(family.window, family.shifts) + 4 * Spread(0.2, family.window, family.shifts)
    return alike + 0.125 * Outside(jnp.asarray(family.outside(FREE))) + Steps(0.3)


def parent(
    key: Key[Array, ""], *, shape: tuple[int, ...] = TORUS, patch: tuple[int, ...] = PATCH, folded: bool = False
) -> Model:
    """The travelling wave as it is, and in the middle of the place a spot to learn from. Folded: the upper half along
    each axis, behind walls, whose mirror image the rest is."""
    stencil, spot = NinePoint() if len(shape) == 2 else Star(), seed(patch)
    if folded:
        spot = spot[(slice(None), *(slice(n // 2, None) for n in patch))]
        grid = Grid([n // 2 for n in shape], 1.0, [NoFlux()] * len(shape), stencil=stencil)
        corner = (0,) * len(shape)
    else:
        grid = Grid.periodic(shape, stencil=stencil)
        corner = tuple((n - m) // 2 for n, m in zip(shape, patch, strict=True))
    inner = Direct.near(spot.astype(jnp.float32), Grid(spot.shape[1:], 1.0, [NoFlux()] * len(shape)), smooth=True)
    noisy = eqx.tree_at(lambda d: d.y, inner, inner.y + 0.01 * jax.random.normal(key, inner.y.shape, inner.y.dtype))
    placed = Placed(noisy, jnp.asarray(FEED, jnp.float32), grid, corner)
    placed = eqx.tree_at(lambda p: p.background, placed, replace_fn=Bounded.of)
    return Model(learnable(travelling_wave(grid), relative=0.01), placed)


def whole(model: Model, mirrors: tuple[int, ...] = ()) -> Model:
    """A folded one unfolded, along all axes if none are given, on a torus."""
    old, axes = model.medium.grid, len(model.medium.grid.shape)
    mirrors = mirrors or tuple(range(-axes, 0))
    shape = [n * (1 + (axis - axes in mirrors)) for axis, n in enumerate(old.shape)]
    medium = eqx.tree_at(lambda m: m.grid, model.medium, Grid.periodic(shape, old.spacing, stencil=old.stencil))
    return Model(medium, Mirrored(model.start, mirrors), model.decoder)


@dataclasses.dataclass(frozen=True)
class Judged:
    """The worse of the daughters: r pooled and within species; the least and the most of the species' contrasts."""

    family: Family

    def __call__(self, model: Model, z: Array, before: Array, after: Array) -> Mapping[str, Float[Array, ""]]:
        likeness = self.family.likeness(before, after)
        pooled, within, contrast = (jnp.stack(values) for values in zip(*likeness, strict=True))
        return {
            "pooled": pooled.min(),
            "within": within.min(),
            "contrast": contrast.mean(),
            "contrast_least": contrast.min(),
            "contrast_most": contrast.max(),
        }


def _descent(of_start: float, of_medium: float) -> Descent:
    rates = Rates({"start": of_start, "medium": of_medium}, warmup=30, cosine=True, floor=0.03)
    return Descent(rates, clip_all=0.5, jump=2.0)
