"""A small neural network as a right-hand side, of which the output layer is learned."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from guldberg.closure.polynomial import REACH
from guldberg.closure.rhs import AbstractLinearFamily, Rows

STEEP = 1.0  # standard deviation of the weights, the box of the training points being [-1, 1] along each axis
SAMPLED = 4000  # points of the box at which its integrals are taken


class Perceptron(AbstractLinearFamily):
    """F(theta) = V tanh(W x + a) + c with x = (theta - centre) / half: W and a are drawn at random and kept, (V, c) are
    the coefficients, so that one least-squares problem learns the network.

    Beyond the box of the training points by more than a quarter of its half width, `outside` is true.
    """

    coefficients: Float[Array, "dofs k"]  # a row for each unit, the last that of the constant
    hidden: Float[np.ndarray, "units d"]
    shift: Float[np.ndarray, "units"]
    centre: Float[np.ndarray, "d"]
    half: Float[np.ndarray, "d"]

    @classmethod
    def covering(cls, points: Float[np.ndarray, "points k"], *, units: int, seed: int = 0) -> Perceptron:
        """F = 0, with units spread over the box of `points`."""
        low, high = points.min(0), points.max(0)
        d, rng = len(low), np.random.default_rng(seed)
        hidden, shift = STEEP * rng.normal(size=(units, d)), rng.uniform(-1, 1, units) * STEEP * np.sqrt(d)
        half = np.maximum((high - low) / 2, 1e-6)
        return cls(jnp.zeros((units + 1, d)), hidden, shift, (low + high) / 2, half)

    def rows(self, theta: Float[Array, "k"]) -> Rows:
        x = (theta - self.centre) / self.half
        values = jnp.append(jnp.tanh(jnp.asarray(self.hidden) @ x + self.shift), 1.0)
        return Rows(jnp.arange(len(values)), values)

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        return jnp.any(jnp.abs(theta - self.centre) > (1 + REACH) * self.half)

    def roughness(self) -> Float[np.ndarray, "dofs dofs"]:
        """The second derivatives of a unit are tanh'' w w^T, so that those of two multiply to (w . w')^2."""
        y = self._seen()
        weights = self.hidden / self.half
        bends = np.append(-2 * y * (1 - y**2), np.zeros((len(y), 1)), axis=1)
        return np.pad((weights @ weights.T) ** 2, (0, 1)) * (bends.T @ bends) / len(y)

    def mass(self) -> Float[np.ndarray, "dofs dofs"]:
        y = self._seen()
        values = np.append(y, np.ones((len(y), 1)), axis=1)
        return values.T @ values / len(y)

    def _seen(self) -> Float[np.ndarray, "points units"]:
        x = np.random.default_rng(0).uniform(-1, 1, (SAMPLED, len(self.half)))
        return np.tanh(x @ self.hidden.T + self.shift)
