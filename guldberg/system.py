"""A network in a place: the right-hand side dc/dt = f(t, c) that a solver integrates."""

from __future__ import annotations

import abc
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from guldberg.network import ReactionNetwork


class AbstractSystem(eqx.Module):
    """f(t, c, args) -> dc/dt, so that `diffrax.ODETerm(system)` is a term; `args` is not used."""

    @property
    @abc.abstractmethod
    def species(self) -> tuple[str, ...]:
        """Names, in the order of the first axis of c."""

    @abc.abstractmethod
    def __call__(self, t: ArrayLike, c: Float[Array, "species *grid"], args: Any = None) -> Float[Array, "..."]:
        """dc/dt at time `t`, shaped as `c`; concentration per time."""


def _kelvin(temperature: ArrayLike | None) -> Float[Array, ""] | None:
    if isinstance(temperature, int | float) and not 0 < temperature < math.inf:
        raise ValueError(f"expected a temperature in kelvin, positive and finite, got {temperature}")
    return None if temperature is None else jnp.asarray(temperature, float)


class WellMixed(AbstractSystem):
    """dc/dt = S^T (k_f prod c^nu' - k_r prod c^nu''), the same everywhere: a stirred vessel at one temperature.

    Raises ValueError where the rate laws need a temperature (kelvin) and there is none.
    """

    network: ReactionNetwork
    temperature: Float[Array, ""] | None = eqx.field(converter=_kelvin, default=None)

    def __check_init__(self) -> None:
        for law in (self.network.forward, self.network.reverse):
            if law is not None:
                law(self.temperature)  # now rather than from inside a solver

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    def __call__(self, t: ArrayLike, c: Float[Array, "species *grid"], args: Any = None) -> Float[Array, "..."]:
        return self.network.production(c, self.temperature)
