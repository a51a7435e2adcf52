"""A network in a place: the right-hand side dc/dt = f(t, c) that a solver integrates."""

from __future__ import annotations

import abc
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from guldberg.drive import AbstractDrive
from guldberg.massaction import MassAction
from guldberg.network import ReactionNetwork
from guldberg.space.grid import Grid


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


def _constants(network: ReactionNetwork, temperature: ArrayLike | None) -> Float[Array, "constants"]:
    """Forward constants, then reverse ones if there are any."""
    laws = [network.forward] if network.reverse is None else [network.forward, network.reverse]
    return jnp.concatenate([law(temperature) for law in laws])


class WellMixed(AbstractSystem):
    """dc/dt = S^T (k_f prod c^nu' - k_r prod c^nu''), the same everywhere: a stirred vessel at one temperature.

    Raises ValueError where the rate laws need a temperature (kelvin) and there is none.
    """

    network: ReactionNetwork
    temperature: Float[Array, ""] | None = eqx.field(converter=_kelvin, default=None)

    def __check_init__(self) -> None:
        _constants(self.network, self.temperature)  # now rather than from inside a solver

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    def __call__(self, t: ArrayLike, c: Float[Array, "species *grid"], args: Any = None) -> Float[Array, "..."]:
        return self.network.production(c, self.temperature)


class ReactionDiffusion(AbstractSystem):
    """dc_i/dt = D_i Laplacian c_i + S^T (k_f prod c^nu' - k_r prod c^nu'') + drive, Elliott (2022) eq. (6).

    Raises ValueError where the stoichiometry is not in whole numbers, there is not one diffusivity for each species,
    or the rate laws need a temperature (kelvin) and there is none.
    """

    network: ReactionNetwork
    grid: Grid
    diffusivity: Float[Array, "species"]  # D, area per time
    drive: AbstractDrive | None
    temperature: Float[Array, ""] | None
    kinetics: MassAction = eqx.field(static=True)

    def __init__(
        self,
        network: ReactionNetwork,
        grid: Grid,
        diffusivity: Float[ArrayLike, "species"],
        drive: AbstractDrive | None = None,
        temperature: ArrayLike | None = None,
    ) -> None:
        self.network, self.grid, self.drive = network, grid, drive
        self.diffusivity = jnp.asarray(diffusivity)
        self.temperature = _kelvin(temperature)
        self.kinetics = MassAction.of(network)

    def __check_init__(self) -> None:
        if self.diffusivity.shape != (len(self.species),):
            raise ValueError(
                f"expected a diffusivity for each of {len(self.species)} species, got shape {self.diffusivity.shape}"
            )
        _constants(self.network, self.temperature)

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    def constants(self, dtype: jnp.dtype) -> Float[Array, "constants"]:
        """The rate constants at the system's temperature, forward and then reverse, as `kinetics` takes them."""
        return _constants(self.network, self.temperature).astype(dtype)

    def __call__(self, t: ArrayLike, c: Float[Array, "species *grid"], args: Any = None) -> Float[Array, "..."]:
        change = self.kinetics.production(self.constants(c.dtype), c) + self.grid.diffusion(c, self.diffusivity)
        return change if self.drive is None else change + self.drive(t, c)
