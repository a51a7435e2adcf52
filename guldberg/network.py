"""The reaction network: stoichiometry, rate laws and the law of mass action.

Rate convention, stated here and nowhere else: the deterministic flux is `k prod_j c_j^nu_j`, without factorials; the
stochastic propensity of n molecules in a volume V is `k V^(1-|nu|) prod_j n_j! / (n_j - nu_j)!`, so that its mean
tends to the deterministic flux as V grows.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Real
from numpy.typing import ArrayLike

from guldberg.rates import AbstractRateLaw


class ReactionNetwork(eqx.Module):
    """Reversible mass action, Huang, Zhou and Yong eq. (1.1):

        dc_k/dt = sum_i (nu''_ik - nu'_ik) (k_if prod_j c_j^nu'_ij - k_ir prod_j c_j^nu''_ij).

    Integer stoichiometry is known, floating stoichiometry is learned: `eqx.filter_grad` skips integer leaves.
    Raises ValueError where shapes and names do not fit.
    """

    reactants: Real[Array, "reactions species"]  # nu'
    products: Real[Array, "reactions species"]  # nu''
    forward: AbstractRateLaw
    reverse: AbstractRateLaw | None  # None: every reaction is irreversible
    species: tuple[str, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.reactants.shape != self.products.shape or self.reactants.ndim != 2:
            raise ValueError(
                f"reactants and products must both have shape (reactions, species), "
                f"got {self.reactants.shape} and {self.products.shape}"
            )
        if self.reactants.shape[1] != len(self.species):
            raise ValueError(f"{self.reactants.shape[1]} columns of stoichiometry, {len(self.species)} species names")
        if len(set(self.species)) != len(self.species):
            raise ValueError(f"species names must differ, got {', '.join(self.species)}")

    @property
    def stoichiometry(self) -> Real[Array, "reactions species"]:
        """S = nu'' - nu', the net change of each species by one event of each reaction."""
        return self.products - self.reactants

    def fluxes(
        self, c: Float[Array, "species *grid"], temperature: ArrayLike | None = None
    ) -> tuple[Float[Array, "reactions *grid"], Float[Array, "reactions *grid"]]:
        """(k_f prod c^nu', k_r prod c^nu''): concentration per time, at one state or at each point of a grid."""
        forward = _flux(self.forward(temperature), self.reactants, c)
        if self.reverse is None:
            return forward, jnp.zeros_like(forward)
        return forward, _flux(self.reverse(temperature), self.products, c)

    def production(
        self, c: Float[Array, "species *grid"], temperature: ArrayLike | None = None
    ) -> Float[Array, "species *grid"]:
        """dc/dt = S^T (forward - reverse)."""
        forward, reverse = self.fluxes(c, temperature)
        return jnp.einsum("rs,r...->s...", self.stoichiometry.astype(c.dtype), forward - reverse)


def _flux(
    k: Float[Array, "reactions"], nu: Real[Array, "reactions species"], c: Float[Array, "species *grid"]
) -> Float[Array, "reactions *grid"]:
    """k_i prod_j c_j^nu_ij. The power's derivative is finite at c = 0; nu is cast once, here."""
    grid = (1,) * (c.ndim - 1)
    powers = c[None] ** nu.astype(c.dtype).reshape(*nu.shape, *grid)
    return k.astype(c.dtype).reshape(-1, *grid) * jnp.prod(powers, axis=1)
