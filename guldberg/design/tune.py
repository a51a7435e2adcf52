"""A short re-optimisation of a design: what is left of it makes up for what was taken away."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from guldberg.design.controls import constants, with_constants
from guldberg.design.model import Model, learnable
from guldberg.design.objective import objective
from guldberg.design.recipe import Recipe
from guldberg.design.result import Designed
from guldberg.drive import FlowReactor
from guldberg.learn import descent, parameters
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.parameters import Bounded

UPDATES = 60
STEPS = 256  # of a rollout, at most, where there is a stage with as few
RELATIVE = 0.01  # constants are moved in units of their own size, or of this
NOWHERE = 1e-20  # the unit of a constant that is to stay at 0
DESCENT = Descent(Rates({"start": 3e-3, "medium": 3e-3}, warmup=5, cosine=True), clip_each=0.5, jump=2.0)


def tunable(designed: Designed) -> bool:
    """Whether its recipe can be gone on with: that of a picture, under independent constants and a flow."""
    recipe, system = designed.recipe, designed.system
    reversible = system.network.reverse is not None and isinstance(system.drive, FlowReactor)
    return recipe.target is not None and bool(recipe.stages) and reversible


def tuned(designed: Designed, removed: tuple[int, ...]) -> Designed:
    """The best point on the way of some small updates, in which the constants `removed`, by number, are 0."""
    gone = jnp.zeros(len(constants(designed.system)), bool).at[jnp.asarray(removed, int)].set(True)
    best = parameters.resolve(_compiled(designed.recipe)(_model(designed, gone)))
    system = with_constants(best.medium, jnp.where(gone, 0, constants(best.medium)))
    c0 = np.asarray(best.start(jnp.asarray(designed.z)))
    return dataclasses.replace(designed, system=system, start=best.start, c0=c0)


def _model(designed: Designed, gone: Bool[Array, "constants"]) -> Model:
    """The design as something to learn; a constant that is gone has a unit so small that no update moves it."""
    system = with_constants(designed.system, jnp.where(gone, 0, constants(designed.system)))
    medium = learnable(system, relative=RELATIVE)
    units = jnp.where(gone, NOWHERE, jnp.maximum(constants(system), RELATIVE)).reshape(2, -1)
    laws = [Bounded(k / unit, unit) for k, unit in zip(constants(system).reshape(2, -1), units, strict=True)]
    return Model(eqx.tree_at(lambda m: (m.network.forward.k, m.network.reverse.k), medium, tuple(laws)), designed.start)


@functools.lru_cache(maxsize=1)
def _compiled(recipe: Recipe) -> Callable[[Model], Model]:
    """A model -> the best one on the way, with the loss of the last stage whose rollouts are short."""
    short = [stage for stage in recipe.stages if stage.steps <= STEPS]
    stage = (short or list(recipe.stages))[-1]
    key, wanted = jax.random.key(0), objective(recipe, stage)

    @eqx.filter_jit
    def descended(model: Model) -> Model:
        moving, still = eqx.partition(model, parameters.learned(model))

        def update(n: Array, carry: descent.Carry) -> descent.Carry:
            terms = lambda model, key: wanted(model, jnp.asarray(1.0), key)  # noqa: E731
            return descent.update(DESCENT, terms, still, UPDATES, carry, jax.random.fold_in(key, n))[0]

        carry = jax.lax.fori_loop(0, UPDATES, update, descent.begin(DESCENT, moving))
        return eqx.combine(carry.best, still)

    return descended
