"""Gradient descent that survives: restarts with a warm-up, keeps the best, goes back where the loss jumps.

Losses of long rollouts are cliffs beside plains. So an update is made only from a point whose loss is finite and no
jump above the recent ones; otherwise the best point so far is taken up again, with shorter steps.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from guldberg.learn import parameters

Model = Any  # a pytree of arrays
Objective = Callable[[Model, Key[Array, ""]], Float[Array, "terms"]]  # the terms of a loss, whose sum is made small
RECENT = 20  # updates that the running mean of the loss remembers


@dataclasses.dataclass(frozen=True)
class Rates:
    """Adam's step, per group of parameters, over the updates of a stage: a linear warm-up, then constant or cosine
    decay to `floor` of it, halved at given updates."""

    groups: Mapping[str, float]  # by the name of the model's field
    warmup: int = 0
    cosine: bool = False
    floor: float = 0.02
    halved_at: tuple[int, ...] = ()

    def factor(self, update: Int[Array, ""], updates: int) -> Float[Array, ""]:
        """What the rates are multiplied by at an update out of `updates`."""
        done = update.astype(jnp.float32)
        warm = jnp.minimum(1.0, (done + 1) / (self.warmup + 1))
        share = jnp.clip((done - self.warmup) / max(updates - self.warmup, 1), 0, 1)
        decay = self.floor + (1 - self.floor) * 0.5 * (1 + jnp.cos(math.pi * share)) if self.cosine else 1.0
        halvings = sum((update >= at).astype(jnp.float32) for at in self.halved_at)
        return warm * decay * 0.5**halvings


@dataclasses.dataclass(frozen=True)
class Descent:
    """How an optimisation goes: Adam, clipped gradients, rates, patience.

    `clip_each` bounds the norm of each tensor's gradient, as Keras' clipnorm does, `clip_all` that of all together.
    After `patience` updates without a better running loss the rates are halved (at most to 1/100), after `give_up`
    the stage ends. A loss above `jump` times the running one is not followed.
    """

    rates: Rates
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    clip_each: float | None = None
    clip_all: float | None = None
    patience: int | None = None
    give_up: int | None = None
    jump: float = math.inf

    def optimiser(self) -> optax.GradientTransformation:
        """Clipping and Adam for a step of 1; the rates come after it."""
        clips = [] if self.clip_each is None else [clip_each(self.clip_each)]
        clips += [] if self.clip_all is None else [optax.clip_by_global_norm(self.clip_all)]
        return optax.chain(*clips, optax.scale_by_adam(self.beta1, self.beta2, self.epsilon))


def clip_each(most: float) -> optax.GradientTransformation:
    """Each tensor's gradient shortened to a norm of `most` at most: Keras' clipnorm."""

    def shorten(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return g * jnp.minimum(1.0, most / jnp.maximum(jnp.linalg.norm(g), jnp.finfo(g.dtype).tiny)).astype(g.dtype)

    return optax.stateless(lambda updates, model: jax.tree.map(shorten, updates))


class Carry(NamedTuple):
    """All that an optimisation carries from one update to the next: arrays only."""

    model: Model  # the learned leaves, None elsewhere
    moments: optax.OptState
    best: Model  # at the lowest running loss
    best_loss: Float[Array, ""]
    running: Float[Array, ""]  # the running mean of the loss
    update: Int[Array, ""]  # of this stage
    waited: Int[Array, ""]  # updates since the best
    held: Int[Array, ""]  # updates since the best or the last halving
    factor: Float[Array, ""]  # of the rates, by halvings for want of progress or after a jump
    refused: Int[Array, ""]  # points that were not followed, in a row
    rejections: Int[Array, ""]  # and in all


def begin(descent: Descent, model: Model) -> Carry:
    """Before the first update of a stage: no momentum, nothing known of the loss."""
    moving = eqx.filter(model, parameters.learned(model))
    none, zero = jnp.asarray(jnp.inf, jnp.float32), jnp.asarray(0, jnp.int32)
    one = jnp.asarray(1, jnp.float32)
    moments = descent.optimiser().init(moving)
    return Carry(moving, moments, moving, none, none, zero, zero, zero, one, zero, zero)


def update(
    descent: Descent, objective: Objective, still: Model, updates: int, carry: Carry, key: Key[Array, ""]
) -> tuple[Carry, Float[Array, "terms"]]:
    """One update; `still` is the model without its learned leaves. The terms are those before the update."""

    def loss(moving: Model) -> tuple[Float[Array, ""], Float[Array, "terms"]]:
        terms = objective(eqx.combine(moving, still), key)
        return terms.sum(), terms

    (value, terms), gradient = jax.value_and_grad(loss, has_aux=True)(carry.model)
    value = value.astype(jnp.float32)
    sound = _finite((value, gradient)) & (value <= carry.running + (descent.jump - 1) * jnp.abs(carry.running))
    followed = _follow(descent, still, updates, carry, value, gradient)
    return jax.tree.map(lambda a, b: jnp.where(sound, a, b), followed, _go_back(descent, carry)), terms


def _follow(
    descent: Descent, still: Model, updates: int, carry: Carry, value: Float[Array, ""], gradient: Model
) -> Carry:
    first = carry.update == 0
    running = jnp.where(first, value, carry.running + (value - carry.running) / RECENT)
    better = (running < carry.best_loss) | (carry.update < RECENT)
    keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)  # noqa: E731
    waited, held = (jnp.where(better, 0, n + 1) for n in (carry.waited, carry.held))
    tired = held >= (descent.patience or jnp.iinfo(jnp.int32).max)
    factor = jnp.where(tired, jnp.maximum(carry.factor / 2, 0.01), carry.factor)
    change, moments = descent.optimiser().update(gradient, carry.moments, carry.model)
    rate = factor * descent.rates.factor(carry.update, updates)
    moved = _stepped(descent.rates.groups, carry.model, change, rate)
    moved = eqx.filter(project := parameters.project(eqx.combine(moved, still)), parameters.learned(project))
    return Carry(
        moved,
        moments,
        keep(carry.model, carry.best),
        keep(running, carry.best_loss),
        running,
        carry.update + 1,
        waited,
        jnp.where(tired, 0, held),
        factor,
        jnp.zeros_like(carry.refused),
        carry.rejections,
    )


def _go_back(descent: Descent, carry: Carry) -> Carry:
    """To the best point, without momentum, with shorter steps; the update counts, so that the key moves on."""
    return carry._replace(
        model=carry.best,
        moments=descent.optimiser().init(carry.best),
        running=carry.best_loss,
        update=carry.update + 1,
        factor=carry.factor / 2,
        refused=carry.refused + 1,
        rejections=carry.rejections + 1,
    )


def _stepped(groups: Mapping[str, float], model: Model, change: Model, rate: Float[Array, ""]) -> Model:
    """model - rate change, each field of the model at its group's rate."""
    moved = model
    for name, own in groups.items():
        before, by = getattr(model, name), getattr(change, name)
        after = jax.tree.map(lambda x, u, own=own: x - (own * rate).astype(x.dtype) * u, before, by)
        moved = eqx.tree_at(lambda m, name=name: getattr(m, name), moved, after, is_leaf=lambda x: x is None)
    return moved


def _finite(tree: Any) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
