"""Polynomials as a right-hand side: few coefficients, the same everywhere."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from guldberg.closure.rhs import AbstractLinearFamily, Rows

REACH = 0.25  # beyond the box of the training points, as a fraction of its half width


class Polynomial(AbstractLinearFamily):
    """F(theta) = products of Chebyshev polynomials up to a total degree, on the box of the training points.

    Beyond that box by more than a quarter of its half width, `outside` is true.
    """

    coefficients: Float[Array, "dofs k"]
    centre: Float[np.ndarray, "d"]
    half: Float[np.ndarray, "d"]
    degree: int = eqx.field(static=True)

    @classmethod
    def covering(cls, points: Float[np.ndarray, "points k"], *, degree: int) -> Polynomial:
        """F = 0 on the box of `points`."""
        low, high = points.min(0), points.max(0)
        half = np.maximum((high - low) / 2, 1e-6)
        return cls(jnp.zeros((len(_powers(len(low), degree)), len(low))), (low + high) / 2, half, degree)

    def rows(self, theta: Float[Array, "k"]) -> Rows:
        x = (theta - self.centre) / self.half
        ladder = [jnp.ones_like(x), x]
        for _ in range(self.degree - 1):
            ladder.append(2 * x * ladder[-1] - ladder[-2])
        powers = _powers(len(self.half), self.degree)
        values = jnp.prod(jnp.stack(ladder)[powers, np.arange(len(self.half))], axis=-1)
        return Rows(jnp.arange(len(powers)), values)

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        return jnp.any(jnp.abs(theta - self.centre) > (1 + REACH) * self.half)

    def roughness(self) -> Float[np.ndarray, "dofs dofs"]:
        d = len(self.half)
        return self._integral(
            [[(a == i) + (a == j) for a in range(d)] for i, j in itertools.product(range(d), repeat=2)]
        )

    def mass(self) -> Float[np.ndarray, "dofs dofs"]:
        return self._integral([[0] * len(self.half)])

    def _integral(self, orders: list[list[int]]) -> Float[np.ndarray, "dofs dofs"]:
        """By Gauss-Legendre quadrature, exact for these degrees."""
        n = self.degree + 1
        nodes, weights = np.polynomial.legendre.leggauss(n)
        chebval, chebder = np.polynomial.chebyshev.chebval, np.polynomial.chebyshev.chebder
        tables = [chebval(nodes, chebder(np.eye(n), m)) * np.sqrt(weights / 2) for m in range(3)]
        powers = _powers(len(self.half), self.degree)
        total = np.zeros((len(powers), len(powers)))
        for each in orders:
            gram = np.ones_like(total)
            for axis, order in enumerate(each):
                one = tables[order] @ tables[order].T / self.half[axis] ** (2 * order)
                gram *= one[np.ix_(powers[:, axis], powers[:, axis])]
            total += gram
        return total


def _powers(d: int, degree: int) -> np.ndarray:
    return np.array([p for p in itertools.product(range(degree + 1), repeat=d) if sum(p) <= degree])
