"""Patterns: a picture that a network holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from guldberg.design.chemistry import Reactions, dense, gray_scott_like, initial_system
from guldberg.design.measure import resembles
from guldberg.design.model import Model, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.result import Picture
from guldberg.design.start import Direct
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Steps, Sum, Target, When, rmsd
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint


def pattern(
    picture: Picture,
    *,
    species: int = 4,
    reactions: Callable[[int], Reactions] = gray_scott_like,
    horizons: Sequence[float] = (64, 256),
    updates: Sequence[int] = (1500, 1000),
) -> Recipe:
    """A picture that lasts: the initial state learned directly, and T in stages, since what is learned within 32 s
    holds 32 s. In a dish with walls: on a torus the edges of a picture would meet. Each stage starts anew with a warm-up; rates fall along a cosine. ValueError where horizons and
    updates are not as many."""
    grid = Grid(picture.concentration.shape, 1.0, [NoFlux()] * 2, stencil=NinePoint())

    def build(key: Key[Array, ""]) -> Model:
        of_network, of_system, of_start = jax.random.split(key, 3)
        network = dense(species, key=of_network, reactions=reactions)
        system = initial_system(network, grid, key=of_system)
        return Model(learnable(system), Direct.random(grid, species, key=of_start))

    stages = tuple(
        Stage(T, n, likeness(picture), _descent(first=i == 0))
        for i, (T, n) in enumerate(zip(horizons, updates, strict=True))
    )
    return Recipe("pattern", build, stages, resembles(picture), target=picture)


def likeness(picture: Picture) -> Sum:
    """Elliott (2022) eq. (8) as his code has it: the RMSD in centred units at a random time and at T, and 100 |dX/dt|
    averaged over cells, species and steps."""
    target = jnp.asarray(picture.concentration, jnp.float32)
    return 2 * Target(target, picture.species, rmsd, when=When(1.0, random=1)) + 100 * Steps()


def _descent(*, first: bool) -> Descent:
    scale = 1.0 if first else 0.3
    rates = Rates({"start": 1e-2 * scale, "medium": 1e-3 * scale}, warmup=20, cosine=True)
    return Descent(rates, beta1=0.95, clip_each=0.5, jump=2.0)
