"""What the network alone says of nu_1: exact where every reaction has one reactant at most, mean field elsewhere."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.network import ReactionNetwork
from guldberg.reduce.space.plan import Box
from guldberg.space.grid import Grid


class Known(eqx.Module):
    """d nu_s / dt = D_s (laplacian nu_s - |grad nu_s|^2) - production_s(exp(-nu)) exp(nu_s)."""

    network: ReactionNetwork
    diffusivity: Float[np.ndarray, "species"]
    grid: Grid

    @classmethod
    def of(cls, box: Box, grid: Grid) -> Known:
        return cls(box.network, np.array(box.diffusivity), grid)

    def __call__(self, nu: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
        D = jnp.asarray(self.diffusivity).reshape(-1, *[1] * (nu.ndim - 1))
        return -D * jnp.exp(nu) * self.grid.laplacian(jnp.exp(-nu)) + self.reactions(nu)

    def reactions(self, nu: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
        """The part of the reactions, a function of nu."""
        return -self.network.production(jnp.exp(-nu)) * jnp.exp(nu)
