"""The paper's own recipe, one change at a time, so that the cause of its errors is measured and not guessed."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int8, PRNGKeyArray

from guldberg.closure.algorithm import AbstractAsleep, Begin, Exact, Gibbs, Online, learn
from guldberg.closure.chain import Chain
from guldberg.closure.fem import CubicElements
from guldberg.closure.rhs import AbstractLinearFamily

PAPER = Online()
CELL = 0.5  # of the elements: a step of SGD reaches as far as a cell, hence how fast it learns
LAST = PAPER.updates // PAPER.every + PAPER.width + 1  # the last step that the window reaches


class Recipe(NamedTuple):
    """One way to run Algorithm 1 from F = 0."""

    name: str
    asleep: AbstractAsleep
    settings: Online


def recipes(ensemble: Chain) -> tuple[Recipe, ...]:
    """Section IV A, from the authors' published code to exact gradients."""
    one, ten = Gibbs(ensemble.energy, 1), Gibbs(ensemble.energy, 10)
    return (
        Recipe("CD-1, SGD, the adjoint of the published code", one, PAPER._replace(transposed=False)),
        Recipe("CD-1, SGD", one, PAPER),
        Recipe("chains from random lattices, SGD", one, PAPER._replace(begin=Begin.RANDOM)),
        Recipe("CD-10, SGD", ten, PAPER),
        Recipe("persistent chains, SGD", one, PAPER._replace(begin=Begin.KEPT)),
        Recipe("exact moments, SGD", Exact(ensemble), PAPER),
        Recipe("exact moments, Adam", Exact(ensemble), PAPER._replace(adam=True, rate=1e-3)),
    )


def nothing(fits: Float[np.ndarray, "starts times k"]) -> CubicElements:
    """F = 0 on the grid of section IV A, over the region of the static fits."""
    return CubicElements.covering(fits.reshape(-1, fits.shape[-1]), cell=CELL)


def run(
    recipe: Recipe,
    blank: AbstractLinearFamily,
    ensemble: Chain,
    thetas: Float[np.ndarray, "starts k"],
    lattices: Int8[np.ndarray, "starts times lattices sites"],
    *,
    key: PRNGKeyArray,
) -> AbstractLinearFamily:
    """What the recipe learns on `lattices` at steps 0, 1, 2, ... of each start; `blank` is F = 0 on its grid."""
    return learn(blank, recipe.asleep, ensemble.energy, jnp.asarray(thetas), lattices, recipe.settings, key=key)
