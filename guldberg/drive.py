"""Drives: what keeps a system from equilibrium by an exchange of matter with the outside."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from guldberg.space.boundary import along


class AbstractDrive(eqx.Module):
    """dc/dt = inflow - outflow c, the inflow in concentration per time, the outflow per time; neither negative."""

    @abc.abstractmethod
    def exchange(
        self, t: ArrayLike, c: Float[Array, "species *grid"]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(inflow, outflow), shaped so that they apply all over `c`."""

    def __call__(self, t: ArrayLike, c: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
        inflow, outflow = self.exchange(t, c)
        return inflow - outflow * c


class FlowReactor(AbstractDrive):
    """f (x_i - c_i), Elliott (2022) eq. (4): a flow f brings the feed x in and takes what is there away."""

    rate: Float[Array, "..."] = eqx.field(
        converter=jnp.asarray
    )  # f, per time: one number, or "*grid", or "species *grid"
    feed: Float[Array, "species"] = eqx.field(converter=jnp.asarray)  # x

    def exchange(
        self, t: ArrayLike, c: Float[Array, "species *grid"]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        rate = self.rate.astype(c.dtype)
        rate = rate[None] if rate.ndim == c.ndim - 1 and rate.ndim else rate
        return rate * along(self.feed, c), rate
