"""Disturbances: what a design is learned to survive, drawn afresh in every update."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from guldberg.system import ReactionDiffusion


class Rough(eqx.Module):
    """X_0 + state N(0, 1) at every cell, not below 0, and k (1 + constants N(0, 1)).

    Both grow from nothing over the first `ramp` of a stage: a structure near its extinction, given all of it at once,
    dies, and dead it has no gradient.
    """

    state: float = eqx.field(static=True, default=0.0)
    constants: float = eqx.field(static=True, default=0.0)
    ramp: float = eqx.field(static=True, default=0.0)

    def __call__(
        self, system: ReactionDiffusion, c0: Float[Array, "species *grid"], share: Float[Array, ""], key: Key[Array, ""]
    ) -> tuple[ReactionDiffusion, Float[Array, "species *grid"]]:
        size = jnp.minimum(share / self.ramp, 1) if self.ramp else jnp.ones_like(share)
        of_state, of_constants = jax.random.split(key)
        noise = jax.random.normal(of_state, c0.shape, c0.dtype)
        system = inexact(system, self.constants * size, of_constants) if self.constants else system
        return system, jnp.maximum(c0 + (self.state * size).astype(c0.dtype) * noise, 0) if self.state else c0


def inexact(system: ReactionDiffusion, size: float | Float[Array, ""], key: Key[Array, ""]) -> ReactionDiffusion:
    """The system with each rate constant times 1 + size N(0, 1), not below 0."""
    laws = [system.network.forward, system.network.reverse]
    keys = jax.random.split(key)
    rough = [
        eqx.tree_at(lambda law: law.k, law, jnp.maximum(law.k * (1 + noise), 0))
        for law, one in zip(laws, keys, strict=True)
        for noise in [(size * jax.random.normal(one, law.k.shape)).astype(law.k.dtype)]
    ]
    return eqx.tree_at(lambda s: (s.network.forward, s.network.reverse), system, tuple(rough))
