"""d theta / dt = F(theta): the right-hand sides of a closure behind one method, and the steps they take."""

from __future__ import annotations

import abc
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


class AbstractRightHandSide(eqx.Module):
    """F(theta), the change of theta in one time step of the lattice: Ernst et al. eq. (27) under one Euler step."""

    @abc.abstractmethod
    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        """F(theta)."""

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        """Whether F was never meant for this theta."""
        return jnp.zeros((), bool)


class Rows(NamedTuple):
    """One row of a linear family at each point: F_k(theta) = sum_j values_j u[indices_j, k]."""

    indices: Int[Array, "*points nonzero"]
    values: Float[Array, "*points nonzero"]


class AbstractLinearFamily(AbstractRightHandSide):
    """F_k(theta) = sum_j phi_j(theta) u_jk, linear in its coefficients u: what one least-squares problem can learn."""

    coefficients: eqx.AbstractVar[Float[Array, "dofs k"]]

    @abc.abstractmethod
    def rows(self, theta: Float[Array, "k"]) -> Rows:
        """The functions phi_j that are not zero at theta."""

    @abc.abstractmethod
    def roughness(self) -> Float[np.ndarray, "dofs dofs"]:
        """R with u^T R u = mean over the domain of sum_ij (d^2 F / d theta_i d theta_j)^2."""

    @abc.abstractmethod
    def mass(self) -> Float[np.ndarray, "dofs dofs"]:
        """M with u^T M u = mean over the domain of F^2."""

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        indices, values = self.rows(theta)
        return values @ jnp.asarray(self.coefficients)[indices]

    def having(self, coefficients: Float[Array, "dofs k"]) -> Self:
        """The same functions with other coefficients."""
        return eqx.tree_at(lambda family: family.coefficients, self, coefficients)


class Sum(AbstractRightHandSide):
    """F = known + learned: a closure from theory, and what data add to it."""

    known: AbstractRightHandSide
    learned: AbstractRightHandSide

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        return self.known(theta) + self.learned(theta)

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        return self.known.outside(theta) | self.learned.outside(theta)


def rollout(rhs: AbstractRightHandSide, theta: Float[Array, "k"], steps: int) -> Float[Array, "times k"]:
    """theta_{n+1} = theta_n + F(theta_n), from theta_0 on: steps + 1 points."""

    def step(theta: Float[Array, "k"], _: None) -> tuple[Array, Array]:
        after = theta + rhs(theta)
        return after, after

    _, later = jax.lax.scan(step, theta, None, steps)
    return jnp.concatenate([theta[None], later])
