"""Recipes that come with the package: our own, and the paper's by the number of its figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from guldberg.design.chemistry import dense, initial_system
from guldberg.design.measure import resembles
from guldberg.design.model import Model, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.result import Picture
from guldberg.design.start import Direct
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Steps, Target, When, rmsd
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

SHOWN = 1  # the species that is to look like the picture, as in Elliott's code


@dataclasses.dataclass(frozen=True)
class Preset:
    """A recipe by name. `make` takes the picture first, if there is to be one, and then options by name."""

    make: Callable[..., Recipe]
    line: str  # what it does, for the help
    picture: bool = False  # whether it wants a target


def pattern(
    picture: Picture, *, species: int = 4, horizons: Sequence[float] = (64, 256), updates: Sequence[int] = (1500, 1000)
) -> Recipe:
    """A picture that lasts: the initial state learned directly, and T in stages, since what is learned within 32 s
    holds 32 s. Each stage starts anew with a warm-up; rates fall along a cosine."""
    grid = Grid.periodic(picture.concentration.shape, stencil=NinePoint())
    target = jnp.asarray(picture.concentration, jnp.float32)
    loss = 2 * Target(target, picture.species, rmsd, when=When(1.0, random=1)) + 100 * Steps()

    def build(key: Key[Array, ""]) -> Model:
        of_network, of_system, of_start = jax.random.split(key, 3)
        system = initial_system(dense(species, key=of_network), grid, key=of_system)
        return Model(learnable(system), Direct.random(grid, species, key=of_start))

    stages = tuple(
        Stage(T, n, loss, _pattern_descent(first=i == 0))
        for i, (T, n) in enumerate(zip(horizons, updates, strict=True))
    )
    return Recipe("pattern", build, stages, resembles(picture), target=picture)


def _pattern_descent(*, first: bool) -> Descent:
    scale = 1.0 if first else 0.3
    rates = Rates({"start": 1e-2 * scale, "medium": 1e-3 * scale}, warmup=20, cosine=True)
    return Descent(rates, beta1=0.95, clip_each=0.5, jump=2.0)


PRESETS = {"pattern": Preset(pattern, "a network that holds a picture for 1000 s", picture=True)}
