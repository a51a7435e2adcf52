"""Patterns: a picture that a network holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from guldberg.design.chemistry import Reactions, dense, gray_scott_like, initial_system
from guldberg.design.disturb import Rough
from guldberg.design.measure import resembles
from guldberg.design.model import Model, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.result import Picture
from guldberg.design.start import Direct
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Steps, Sum, Target, When, rmsd
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint, Star


def pattern(
    picture: Picture,
    *,
    species: int = 4,
    reactions: Callable[[int], Reactions] = gray_scott_like,
    horizons: Sequence[float] = (64, 256, 1024),
    updates: Sequence[int] = (800, 1000, 2000),
    rates: Sequence[float] = (2e-2, 2e-2, 1.5e-2),
    noise: float = 0.03,
) -> Recipe:
    """A picture that lasts: the initial state learned directly, and T in stages, since what is learned within 32 s
    holds 32 s. Each stage starts anew with a warm-up, and its steps shrink along a cosine: `rates` are those of the
    initial state, a tenth of them those of the constants. Each update of all stages but the last meets another white
    noise of this deviation on the initial state: what is learned without does not survive any.
    The last stage also reads an early time, or what was there in the first minutes goes.

    In a dish with walls, of one to three dimensions: on a torus the edges of a picture would meet. ValueError where
    horizons, updates and rates do not go together."""
    shape = picture.concentration.shape
    grid = Grid(shape, 1.0, [NoFlux()] * len(shape), stencil=NinePoint() if len(shape) == 2 else Star())

    def build(key: Key[Array, ""]) -> Model:
        of_network, of_system, of_start = jax.random.split(key, 3)
        network = dense(species, key=of_network, reactions=reactions)
        system = initial_system(network, grid, key=of_system)
        return Model(learnable(system), Direct.random(grid, species, key=of_start))

    if not len(horizons) == len(updates) <= len(rates):
        raise ValueError(f"{len(horizons)} horizons, {len(updates)} updates and {len(rates)} rates do not go together")
    loss = likeness(picture, When(0.25, 0.5, 1.0, random=1))
    stages = [Stage(T, n, loss, _descent(rate)) for T, n, rate in zip(horizons, updates, rates, strict=False)]
    if len(stages) > 1:
        from_first_to_last = likeness(picture, When(0.06, 0.25, 0.5, 0.75, 1.0, random=1))
        stages[-1] = dataclasses.replace(stages[-1], loss=from_first_to_last)
    if noise:
        disturb = Rough(state=noise, ramp=0.3)
        stages[:-1] = [dataclasses.replace(stage, disturb=disturb) for stage in stages[:-1]]
    return Recipe("pattern", build, tuple(stages), resembles(picture), target=picture)


def likeness(picture: Picture, when: When) -> Sum:
    """Elliott (2022) eq. (8) as his code has it: the RMSD in centred units, and 100 |dX/dt| averaged over cells,
    species and steps."""
    target = jnp.asarray(picture.concentration, jnp.float32)
    return 2 * Target(target, picture.species, rmsd, when=when) + 100 * Steps()


def _descent(rate: float) -> Descent:
    rates = Rates({"start": rate, "medium": 0.1 * rate}, warmup=20, cosine=True)
    return Descent(rates, beta1=0.95, clip_each=0.5, jump=2.0)
