"""A small neural network as a right-hand side."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from guldberg.closure.rhs import AbstractRightHandSide


class Perceptron(AbstractRightHandSide):
    """F(theta) = V tanh(W x + a) + c with x = (theta - centre) / half; V = c = 0 at first, so that F = 0."""

    hidden: Float[Array, "units d"]
    shift: Float[Array, "units"]
    output: Float[Array, "k units"]
    constant: Float[Array, "k"]
    centre: Float[np.ndarray, "d"] = eqx.field(converter=np.asarray)
    half: Float[np.ndarray, "d"] = eqx.field(converter=np.asarray)

    @classmethod
    def covering(cls, points: Float[np.ndarray, "points k"], *, units: int, key: PRNGKeyArray) -> Perceptron:
        """F = 0, with units spread over the box of `points`."""
        low, high = points.min(0), points.max(0)
        d = len(low)
        hidden, shift = jax.random.normal(key, (units, d)), jax.random.normal(jax.random.fold_in(key, 1), (units,))
        half = np.maximum((high - low) / 2, 1e-6)
        return cls(hidden, shift, jnp.zeros((d, units)), jnp.zeros(d), (low + high) / 2, half)

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        x = (theta - self.centre) / self.half
        return self.output @ jnp.tanh(self.hidden @ x + self.shift) + self.constant
