"""Conserved quantities kept exactly: a step of any right-hand side, brought back to where the totals are unchanged."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from guldberg.closure.graphical import VISIBLE, Energy
from guldberg.closure.moments import AbstractEnsemble
from guldberg.closure.rhs import AbstractRightHandSide
from guldberg.network import ReactionNetwork
from guldberg.structure import conservation_laws

ROUNDS = 4  # of Newton: quadratic, from a step that is nearly right


def laws_of(network: ReactionNetwork, energy: Energy) -> Float[np.ndarray, "laws k"]:
    """The left null space of the net stoichiometry in the moments of `energy`: sum_k laws_jk mu_k is conserved.

    ValueError: an energy without a bias for every species of the network.
    """
    biases = {}
    for k, feature in enumerate(energy.interactions.values()):
        for product in feature.products:
            if len(product) == 1 and product[0][0].layer == VISIBLE:
                biases[product[0][0].name] = k
    missing = [name for name in network.species if name not in biases]
    if missing:
        raise ValueError(f"no interaction counts {', '.join(missing)}, so that what it conserves cannot be kept")
    laws = np.asarray(conservation_laws(network), float)
    out = np.zeros((len(laws), len(energy.names)))
    out[:, [biases[name] for name in network.species]] = laws
    return out


class Conserving(AbstractRightHandSide):
    """theta' = theta + F(theta) + laws^T a, with a such that laws . mu(theta') = laws . mu(theta)."""

    rhs: AbstractRightHandSide
    ensemble: AbstractEnsemble
    laws: Float[np.ndarray, "laws k"]

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        laws = jnp.asarray(self.laws, theta.dtype)
        kept = laws @ self.ensemble.moments(theta)

        def newton(_: int, after: Float[Array, "k"]) -> Float[Array, "k"]:
            gap = kept - laws @ self.ensemble.moments(after)
            return after + laws.T @ jnp.linalg.solve(laws @ self.ensemble.covariance(after) @ laws.T, gap)

        return jax.lax.fori_loop(0, ROUNDS, newton, theta + self.rhs(theta)) - theta

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        return self.rhs.outside(theta)
