"""Many updates of one stage in one compiled call, whose number is not compiled in."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from guldberg.design.model import Model
from guldberg.design.objective import objective
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.start import mirrored
from guldberg.learn import descent, parameters
from guldberg.rollout import rollout

POINTS = 5  # of the history, in one chunk
LOST = 50  # updates refused in a row: no more will come
# on a processor, where time goes to the kernels and to convolutions: half of the time to compile, and not slower
COMPILER = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


class Done(NamedTuple):
    """A chunk of updates."""

    carry: descent.Carry
    terms: Float[Array, "points terms"]  # of the loss, means over parts of the way; NaN: no update was made there
    said: Mapping[str, Float[Array, ""]]  # by the judge, of X_T from the best model


class _At(NamedTuple):
    done: Int[Array, ""]
    carry: descent.Carry
    sums: Float[Array, "points terms"]
    counts: Float[Array, "points"]


@functools.lru_cache(maxsize=2)
def compiled(recipe: Recipe, seed: int, index: int) -> Callable[[descent.Carry, Int[Array, ""]], Done]:
    """The updates of a stage: from a Carry and how many to make at most."""
    like = skeleton(recipe, seed, index)
    still = eqx.filter(like, parameters.learned(like), inverse=True)
    run = _Chunk(recipe, recipe.stages[index], still, key(seed, 2 + index), example(recipe, seed)).run
    return jax.jit(run, compiler_options=COMPILER if jax.default_backend() == "cpu" else None)


@functools.lru_cache(maxsize=8)
def skeleton(recipe: Recipe, seed: int, index: int) -> Model:
    """The model of a stage as it would be without any update: its structure, and all that is not learned."""
    if index == 0:
        return recipe.build(key(seed, 1))
    before, enter = skeleton(recipe, seed, index - 1), recipe.stages[index].enter
    return before if enter is None else enter(before)


def example(recipe: Recipe, seed: int) -> Float[Array, "bits"]:
    """The z that a reader is shown."""
    return recipe.z(key(seed, 0))


def key(seed: int, purpose: int) -> Key[Array, ""]:
    """The source of randomness for one purpose: 0 the example, 1 what is learned from, 2 and on each stage."""
    return jax.random.fold_in(jax.random.key(seed), purpose)


@dataclasses.dataclass(frozen=True, eq=False)
class _Chunk:
    recipe: Recipe
    stage: Stage
    still: Any  # the model without its learned leaves
    root: Key[Array, ""]
    z: Float[Array, "bits"]

    def run(self, carry: descent.Carry, count: Int[Array, ""]) -> Done:
        """Until `count` updates are made, patience is at its end, or nothing can be followed any more."""
        sums = jnp.zeros((POINTS, len(self.stage.loss.losses)), jnp.float32)
        start = _At(jnp.asarray(0, jnp.int32), carry, sums, sums[:, 0])
        end = jax.lax.while_loop(lambda at: self._going(at, count), lambda at: self._update(at, count), start)
        return Done(end.carry, end.sums / end.counts[:, None], self._look(end.carry.best))

    def _going(self, at: _At, count: Int[Array, ""]) -> Bool[Array, ""]:
        patient = at.carry.waited < (self.stage.descent.give_up or jnp.iinfo(jnp.int32).max)
        return (at.done < count) & (at.carry.refused < LOST) & patient

    def _update(self, at: _At, count: Int[Array, ""]) -> _At:
        stage = self.stage
        share = at.carry.update.astype(jnp.float32) / stage.updates
        wanted, own = objective(self.recipe, stage), jax.random.fold_in(self.root, at.carry.update)
        carry, terms = descent.update(
            stage.descent, lambda model, key: wanted(model, share, key), self.still, stage.updates, at.carry, own
        )
        place, made = at.done * POINTS // count, carry.refused == 0
        sums = at.sums.at[place].add(jnp.where(made, terms.astype(jnp.float32), 0))
        counts = at.counts.at[place].add(made.astype(jnp.float32))
        return _At(at.done + 1, self._renewed(carry, own), sums, counts)

    def _renewed(self, carry: descent.Carry, key: Key[Array, ""]) -> descent.Carry:
        if self.stage.renew is None:
            return carry
        renew = self.stage.renew

        def change(moving: Any) -> Any:
            model = renew.change(eqx.combine(moving, self.still), jax.random.fold_in(key, 1))
            return eqx.filter(model, parameters.learned(model))

        due = carry.update % renew.every == 0
        return carry._replace(model=jax.lax.cond(due, change, lambda moving: moving, carry.model))

    def _look(self, best: Any) -> Mapping[str, Float[Array, ""]]:
        model, stage = parameters.resolve(eqx.combine(best, self.still)), self.stage
        c0 = model.start(self.z)
        seen = rollout(model.medium, c0, steps=stage.steps, dt=stage.dt, stepper=stage.stepper, key=self.root)
        before, after = (mirrored(c, stage.mirrors) for c in (c0, seen.values[-1]))
        return self.recipe.judge(model, self.z, before, after)
