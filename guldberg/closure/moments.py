"""What a closure asks of a distribution p(v | theta), behind one interface: log Z, its moments, its Fisher matrix."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from guldberg.closure.graphical import Energy


class AbstractEnsemble(eqx.Module):
    """An energy on one lattice, where log Z is exact; everything else is a derivative of it."""

    energy: eqx.AbstractVar[Energy]

    @abc.abstractmethod
    def log_partition(self, theta: Float[Array, "k"]) -> Float[Array, ""]:
        """log Z(theta), Ernst et al. eq. (2) on a lattice."""

    def moments(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        """mu~_k = <sum_translates feature_k> = d log Z / d theta_k: counts on the whole lattice."""
        return jax.grad(self.log_partition)(theta)

    def covariance(self, theta: Float[Array, "k"]) -> Float[Array, "k k"]:
        """Cov(feature_j, feature_k) = d^2 log Z / d theta_j d theta_k: the Fisher matrix where nothing is hidden."""
        return jax.jacfwd(self.moments)(theta)

    def pad(self, theta: Float[Array, "*batch j"]) -> Float[Array, "*batch k"]:
        """`theta` of an energy without the observables that `Energy.also` appended: they get 0."""
        missing = len(self.energy.names) - theta.shape[-1]
        return jnp.concatenate([theta, jnp.zeros((*theta.shape[:-1], missing), theta.dtype)], axis=-1)
