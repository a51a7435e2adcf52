"""Rate laws: what a rate constant is at a temperature. Amplitudes are kept as logarithms: always positive; `Plain` is
for learning that may bring a constant to zero."""

from __future__ import annotations

import abc
import decimal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

GAS_CONSTANT = 8.314462618  # J / (mol K), exact in the SI of 2019 to the digits shown


class AbstractRateLaw(eqx.Module):
    """One rate constant per reaction, `k(T)`."""

    @abc.abstractmethod
    def log(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        """ln k at `temperature` (kelvin); laws that do not depend on it accept None. -inf where k = 0."""

    @property
    @abc.abstractmethod
    def active(self) -> Bool[np.ndarray, "reactions"]:
        """Which constants are positive: the reactions that happen at all."""

    @abc.abstractmethod
    def texts(self) -> tuple[str, ...]:
        """Each constant as it is written after "@" in a network's text; it is read back to the same bits."""

    def __call__(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        """The rate constants at `temperature` (kelvin)."""
        return jnp.exp(self.log(temperature))


class Constant(AbstractRateLaw):
    """k = exp(log_k), at every temperature. `Constant.of(0.0)` is a reaction that does not happen."""

    log_k: Float[Array, "reactions"]

    @classmethod
    def of(cls, k: ArrayLike) -> Constant:
        """From the constants themselves; raises ValueError unless each is finite and not negative."""
        return cls(_log(k, "rate constants"))

    def log(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        return self.log_k

    @property
    def active(self) -> Bool[np.ndarray, "reactions"]:
        return np.asarray(self.log_k) > -np.inf

    def texts(self) -> tuple[str, ...]:
        return tuple(exp_text(x) for x in np.asarray(self.log_k))


class Plain(AbstractRateLaw):
    """k itself, at every temperature; who moves it keeps it from becoming negative."""

    k: Float[Array, "reactions"]

    def log(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        return jnp.log(self.k)

    def __call__(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        return self.k

    @property
    def active(self) -> Bool[np.ndarray, "reactions"]:
        return np.asarray(self.k) > 0

    def texts(self) -> tuple[str, ...]:
        return tuple(_numeral(decimal.Decimal(str(k))) for k in np.asarray(self.k))


class Arrhenius(AbstractRateLaw):
    """k = A T^b exp(-Ea / (R T)), the modified Arrhenius law; T in kelvin, Ea in J/mol."""

    log_A: Float[Array, "reactions"]
    b: Float[Array, "reactions"]
    Ea: Float[Array, "reactions"]

    @classmethod
    def of(cls, A: ArrayLike, b: ArrayLike, Ea: ArrayLike) -> Arrhenius:
        """From the constants themselves; raises ValueError unless all are finite and no A is negative."""
        if not (np.isfinite(b).all() and np.isfinite(Ea).all()):
            raise ValueError(f"Arrhenius exponents b and energies Ea must be finite, got {b} and {Ea}")
        log_A = _log(A, "Arrhenius factors A")
        return cls(log_A, *(jnp.broadcast_to(jnp.asarray(x, log_A.dtype), log_A.shape) for x in (b, Ea)))

    def log(self, temperature: ArrayLike | None = None) -> Float[Array, "reactions"]:
        if temperature is None:
            raise ValueError("this network has Arrhenius rates: expected a temperature in kelvin, got None")
        if isinstance(temperature, int | float) and not 0 < temperature < np.inf:
            raise ValueError(f"expected a temperature in kelvin, positive and finite, got {temperature}")
        T = jnp.asarray(temperature, self.log_A.dtype)
        return self.log_A + self.b * jnp.log(T) - self.Ea / (GAS_CONSTANT * T)

    @property
    def active(self) -> Bool[np.ndarray, "reactions"]:
        return np.asarray(self.log_A) > -np.inf

    def texts(self) -> tuple[str, ...]:
        log_A, b, Ea = (np.asarray(x) for x in (self.log_A, self.b, self.Ea))
        varies = (b != 0) | (Ea != 0)
        full = varies | ~(varies & self.active).any()  # a constant among these is written as a number
        written = (
            f"arrhenius(A={exp_text(x)}, b={_plain(y)}, Ea={_plain(z)})" for x, y, z in zip(log_A, b, Ea, strict=True)
        )
        return tuple(text if whole else exp_text(x) for text, whole, x in zip(written, full, log_A, strict=True))


def log_of(number: str) -> float:
    """ln of a decimal numeral, correctly rounded; -inf for zero. Takes digits beyond a float's, which `exp_text` writes
    where ln k is small."""
    value = decimal.Decimal(number)
    return float(_CONTEXT.ln(value)) if value else -np.inf


def exp_text(log: np.floating) -> str:
    """exp(log) with as few digits as `log_of` needs to give the same bits back; ValueError if it is not finite."""
    if log == -np.inf:
        return "0"
    if not -2e4 < log < np.log(np.finfo(float).max):
        raise ValueError(f"a rate constant must be finite and not absurdly small to be written, got exp({log})")
    exact = decimal.Decimal(float(log))
    digits = 18 + max(0, -exact.adjusted())  # exp(1e-30) = 1 + 1e-30 needs more digits than a float has
    candidates = (decimal.Context(prec=p).exp(exact) for p in range(1, digits))
    exact_enough = (k for k in candidates if type(log)(log_of(str(k))) == log)
    return _numeral(next(exact_enough, decimal.Context(prec=digits + 3).exp(exact)))


_CONTEXT = decimal.Context(prec=40)


def _numeral(k: decimal.Decimal) -> str:
    k = k.normalize(decimal.Context(prec=1000))
    return f"{k:f}" if -4 <= k.adjusted() < 6 else f"{k:e}".replace("e+", "e")


def _plain(x: np.floating) -> str:
    return str(x).removesuffix(".0")


def _log(k: ArrayLike, what: str) -> Float[Array, "reactions"]:
    k = np.atleast_1d(np.asarray(k, float))  # in double precision: 1e-50 is not 0, whatever JAX computes in
    if k.ndim != 1 or not (np.isfinite(k) & (k >= 0)).all():
        raise ValueError(f"{what} must be finite and not negative, one per reaction; got {k}")
    return jnp.asarray([log_of(repr(x)) for x in k.tolist()], float)  # NumPy's log is a bit off for some, as 0.3
