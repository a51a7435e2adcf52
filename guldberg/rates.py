"""Rate laws: what a rate constant is at a temperature. Amplitudes are kept as logarithms: always positive."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

GAS_CONSTANT = 8.314462618  # J / (mol K), exact in the SI of 2019 to the digits shown


class AbstractRateLaw(eqx.Module):
    """One rate constant per reaction, `k(T)`."""

    @abc.abstractmethod
    def __call__(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        """The rate constants at `temperature` (kelvin); laws that do not depend on it accept None."""


class Constant(AbstractRateLaw):
    """k = exp(log_k), at every temperature. `Constant.of(0.0)` is a reaction that does not happen."""

    log_k: Float[Array, "reactions"]

    @classmethod
    def of(cls, k: ArrayLike) -> Constant:
        """From the constants themselves; raises ValueError unless each is finite and not negative."""
        return cls(_log(k, "rate constants"))

    def __call__(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        return jnp.exp(self.log_k)


class Arrhenius(AbstractRateLaw):
    """k = A T^b exp(-Ea / (R T)), the modified Arrhenius law; T in kelvin, Ea in J/mol."""

    log_A: Float[Array, "reactions"]
    b: Float[Array, "reactions"]
    Ea: Float[Array, "reactions"]

    @classmethod
    def of(cls, A: ArrayLike, b: ArrayLike, Ea: ArrayLike) -> Arrhenius:
        """From the constants themselves; raises ValueError unless each A is finite and not negative."""
        log_A = _log(A, "Arrhenius factors A")
        return cls(log_A, jnp.broadcast_to(jnp.asarray(b, log_A.dtype), log_A.shape), jnp.asarray(Ea, log_A.dtype))

    def __call__(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        if temperature is None:
            raise ValueError("this network has Arrhenius rates: expected a temperature in kelvin, got None")
        T = jnp.asarray(temperature, self.log_A.dtype)
        return jnp.exp(self.log_A + self.b * jnp.log(T) - self.Ea / (GAS_CONSTANT * T))


def _log(k: ArrayLike, what: str) -> Float[Array, "reactions"]:
    k = jnp.atleast_1d(jnp.asarray(k, float))
    if not bool(jnp.all(jnp.isfinite(k) & (k >= 0))):
        raise ValueError(f"{what} must be finite and not negative, got {k}")
    return jnp.log(k)
