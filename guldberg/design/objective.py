"""From a model to the terms of its loss: draw z, start, simulate, let each part of the loss look."""

from __future__ import annotations

from collections.abc import Callable

import jax
from jaxtyping import Array, Float, Key

from guldberg.design.model import Model
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.start import mirrored
from guldberg.learn.losses import SAMPLES, Seen
from guldberg.learn.parameters import resolve
from guldberg.rollout import rollout

Terms = Callable[[Model, Float[Array, ""], Key[Array, ""]], Float[Array, "terms"]]


def objective(recipe: Recipe, stage: Stage) -> Terms:
    """The expected terms of the stage's loss, of a model, the share of the stage that is done, and a key.

    All samples of one update are seen at the same times; each has its own z and its own disturbance.
    """

    def sample(model: Model, saves: Array, share: Array, key: Key[Array, ""]) -> Float[Array, "terms"]:
        of_z, of_disturbance, of_drive = jax.random.split(key, 3)
        z = recipe.z(of_z)
        system, c0 = model.medium, model.start(z)
        if stage.disturb is not None:
            system, c0 = stage.disturb(system, c0, share, of_disturbance)
        seen = rollout(
            system,
            c0,
            steps=stage.steps,
            dt=stage.dt,
            stepper=stage.stepper,
            saves=saves if saves.size else None,
            limit=stage.loss.limit,
            entropy=stage.loss.entropy,
            key=of_drive,
        )
        states = mirrored(seen.values, stage.mirrors)
        return stage.loss.terms(Seen(system, seen, states, z, model.decoder))

    def terms(model: Model, share: Array, key: Key[Array, ""]) -> Float[Array, "terms"]:
        model = resolve(model)
        of_times, of_samples = jax.random.split(key)
        saves = stage.loss.steps(stage.steps, of_times)
        if stage.batch == 1:
            return sample(model, saves, share, of_samples)
        each = jax.vmap(lambda key: sample(model, saves, share, key), axis_name=SAMPLES)
        return each(jax.random.split(of_samples, stage.batch)).mean(axis=0)

    return terms
