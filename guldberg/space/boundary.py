"""Boundaries: what lies beyond each face of a grid, as the layer of ghost cells outside it.

Cell centres lie half a spacing inside the face, so the face is where a ghost and its neighbour meet: their mean is the
value there, their difference the slope, both to second order. Every value is a number, or one for each species.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike


class AbstractBoundary(eqx.Module):
    """One face of a grid."""

    @abc.abstractmethod
    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        """The layer outside: `near` are the cells inside this face, `far` those inside the opposite one, `D` the
        diffusivity, one number or one for each species."""


class Periodic(AbstractBoundary):
    """c(x + L) = c(x): beyond one face lies the opposite one. Of an axis, both faces or none."""

    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        return far


class NoFlux(AbstractBoundary):
    """dc/dn = 0: nothing passes this face."""

    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        return near


class Dirichlet(AbstractBoundary):
    """c = value on this face: a reservoir."""

    value: Float[Array, "*species"] = eqx.field(converter=jnp.asarray)

    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        return 2 * along(self.value, near) - near


class Flux(AbstractBoundary):
    """D dc/dn = inflow, n pointing out: `inflow` enters through this face, amount per area and time. What does not
    diffuse (D = 0) does not pass."""

    inflow: Float[Array, "*species"] = eqx.field(converter=jnp.asarray)

    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        return near + spacing * along(self.inflow, near) * _reciprocal(along(D, near))


class Robin(AbstractBoundary):
    """D dc/dn = permeability (outside - c): a membrane before a reservoir; 0 is no flux.

    One number for each species: a species held fixed, say, beside others that cannot pass, is a large permeability
    beside zeros.
    """

    permeability: Float[Array, "*species"] = eqx.field(converter=jnp.asarray)
    outside: Float[Array, "*species"] = eqx.field(converter=jnp.asarray)

    def ghost(
        self, near: Float[Array, "species *face"], far: Float[Array, "species *face"], spacing: float, D: ArrayLike
    ) -> Float[Array, "species *face"]:
        half = (
            spacing * along(self.permeability, near) * _reciprocal(2 * along(D, near))
        )  # (g - n) = half (2 outside - g - n)
        return (2 * half * along(self.outside, near) + (1 - half) * near) / (1 + half)


def along(values: ArrayLike, field: Float[Array, "species *grid"]) -> Float[Array, "..."]:
    """A number, or one for each species, so shaped and typed that it applies all over a field."""
    values = jnp.asarray(values, field.dtype)
    return values.reshape(values.shape + (1,) * (field.ndim - 1)) if values.ndim else values


def _reciprocal(D: Float[Array, "..."]) -> Float[Array, "..."]:
    """1 / D, or 0 where D is 0."""
    return jnp.where(D > 0, 1 / jnp.where(D > 0, D, 1), 0)
