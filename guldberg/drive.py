"""Drives: what keeps a system from equilibrium by an exchange of matter with the outside.

A noisy drive is a drive that is another one at every step: it has a raw field, carried from step to step and free of
parameters, and says which `FlowReactor` that field makes.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import ArrayLike

from guldberg.space.boundary import along
from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid


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


class AbstractNoisyDrive(AbstractDrive):
    """A flow that fluctuates in space and time; `rollout` follows it, given a key."""

    @abc.abstractmethod
    def start(self, shape: tuple[int, ...], dtype: np.dtype, *, key: Key[Array, ""]) -> Float[Array, "species *grid"]:
        """The raw field of the first step."""

    @abc.abstractmethod
    def advance(
        self, raw: Float[Array, "species *grid"], dt: float, *, key: Key[Array, ""]
    ) -> Float[Array, "species *grid"]:
        """The raw field of the next step."""

    @abc.abstractmethod
    def frozen(self, raw: Float[Array, "species *grid"], grid: Grid) -> FlowReactor:
        """The drive during the step that has this raw field."""

    def exchange(
        self, t: ArrayLike, c: Float[Array, "species *grid"]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        raise ValueError("a noisy drive is not a function of time: use rollout(..., key=...), or a FlowReactor")


class NoisyFlow(AbstractNoisyDrive):
    """(f + eps) (x_i - c_i), Elliott (2022) eq. (12): the flow is G * max(f + u, 0), u uniform from `low` to `high`,
    drawn for each cell and species at every step, G a Gaussian filter.

    From 0 to .8 is the paper's rule, from -.8 to .8 that of its code; sigma 3 and radius 4 cells, as there. Drawn
    afresh at every step, whatever its length, it has no limit as dt -> 0: `OrnsteinUhlenbeckFlow` does.
    """

    rate: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    feed: Float[Array, "species"] = eqx.field(converter=jnp.asarray)
    low: float = eqx.field(static=True, default=0.0)
    high: float = eqx.field(static=True, default=0.8)
    sigma: float = eqx.field(static=True, default=3.0)
    radius: int = eqx.field(static=True, default=4)

    def start(self, shape: tuple[int, ...], dtype: np.dtype, *, key: Key[Array, ""]) -> Float[Array, "species *grid"]:
        return jax.random.uniform(key, shape, dtype, self.low, self.high)

    def advance(
        self, raw: Float[Array, "species *grid"], dt: float, *, key: Key[Array, ""]
    ) -> Float[Array, "species *grid"]:
        return self.start(raw.shape, raw.dtype, key=key)

    def frozen(self, raw: Float[Array, "species *grid"], grid: Grid) -> FlowReactor:
        rate = self.rate.astype(raw.dtype)
        # what is filtered need not depend on f where u >= 0: then no gradient passes the filter, which is its dear part
        more = raw if self.low >= 0 else jnp.maximum(raw, -rate)
        return FlowReactor(rate + gaussian(more, grid, sigma=self.sigma, radius=self.radius), self.feed)


class OrnsteinUhlenbeckFlow(AbstractNoisyDrive):
    """The flow is max(G * r, 0), dr = (m - r) dt / tau + s sqrt(2 / tau) dW for each cell and species: m and s are the
    mean and standard deviation of the unfiltered flow of `flow`, steps are exact, and dt -> 0 has a limit.

    tau = 1/2 has the intensity of independent draws held for one unit of time each.
    """

    flow: NoisyFlow
    tau: float = eqx.field(static=True, default=0.5)

    def start(self, shape: tuple[int, ...], dtype: np.dtype, *, key: Key[Array, ""]) -> Float[Array, "species *grid"]:
        return jax.random.normal(key, shape, dtype)

    def advance(
        self, raw: Float[Array, "species *grid"], dt: float, *, key: Key[Array, ""]
    ) -> Float[Array, "species *grid"]:
        kept = np.exp(-dt / self.tau).item()
        return kept * raw + (1 - kept**2) ** 0.5 * self.start(raw.shape, raw.dtype, key=key)

    def frozen(self, raw: Float[Array, "species *grid"], grid: Grid) -> FlowReactor:
        mean, deviation = (x.astype(raw.dtype) for x in rectified(self.flow.rate, self.flow.low, self.flow.high))
        filtered = mean + deviation * gaussian(raw, grid, sigma=self.flow.sigma, radius=self.flow.radius)
        return FlowReactor(jnp.maximum(filtered, 0), self.flow.feed)


def rectified(rate: Float[Array, ""], low: float, high: float) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and standard deviation of max(rate + u, 0), u uniform from `low` to `high`."""
    a, b = jnp.maximum(rate + low, 0), jnp.maximum(rate + high, 0)
    mean, square = (b**2 - a**2) / (2 * (high - low)), (b**3 - a**3) / (3 * (high - low))
    return mean, jnp.sqrt(square - mean**2)
