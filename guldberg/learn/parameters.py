"""What is learned, and within which bounds: leaves that stand in a model where the quantity they mean will be.

    medium = eqx.tree_at(lambda s: s.diffusivity, system, Bounded.of(system.diffusivity, 0.05, 0.2))

`resolve` puts the quantities back, `project` moves parameters to the nearest ones allowed, and `learned` tells them
from everything else; who writes a loss never sees any of this.
"""

from __future__ import annotations

import abc
import math
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from numpy.typing import ArrayLike


class AbstractParameter(eqx.Module):
    """Stands for a quantity; what an optimiser moves are its floating leaves."""

    @property
    @abc.abstractmethod
    def value(self) -> Any:
        """The quantity."""

    @abc.abstractmethod
    def projected(self) -> Self:
        """The nearest parameter whose quantity is allowed."""


class Bounded(AbstractParameter):
    """x = scale raw, kept in [low, high] by projection. With a scale of its size an optimiser's step of .01 is 1 % of
    it; with scale 1 it is the quantity itself, as in Elliott (2022) D.2. The scale is not learned."""

    raw: Float[Array, "*shape"]
    scale: Float[Array, "*shape"]
    low: float = eqx.field(static=True, default=0.0)
    high: float = eqx.field(static=True, default=math.inf)

    @classmethod
    def of(
        cls, x: Float[ArrayLike, "*shape"], low: float = 0.0, high: float = math.inf, *, relative: float = 0.0
    ) -> Bounded:
        """`x`, in units of its own size if `relative` > 0; sizes below `relative` count as that."""
        x = jnp.asarray(x)
        scale = jnp.maximum(jnp.abs(x), relative) if relative else jnp.ones_like(x)
        return cls(x / scale, scale, low, high)

    @property
    def value(self) -> Float[Array, "*shape"]:
        return self.raw * jax.lax.stop_gradient(self.scale)

    def projected(self) -> Bounded:
        return Bounded(
            jnp.clip(self.raw, self.low / self.scale, self.high / self.scale), self.scale, self.low, self.high
        )


class Frozen(AbstractParameter):
    """x as it is: no gradient reaches it, and `learned` leaves it out."""

    fixed: Any

    @property
    def value(self) -> Any:
        return jax.lax.stop_gradient(self.fixed)

    def projected(self) -> Frozen:
        return self


def resolve(tree: Any) -> Any:
    """`tree` with quantities where parameters stood."""
    return jax.tree.map(lambda x: x.value if isinstance(x, AbstractParameter) else x, tree, is_leaf=_is_parameter)


def project(tree: Any) -> Any:
    """`tree` with each parameter within its bounds."""
    return jax.tree.map(lambda x: x.projected() if isinstance(x, AbstractParameter) else x, tree, is_leaf=_is_parameter)


def learned(tree: Any) -> Any:
    """True at each leaf that an optimiser is to move: floating arrays, but for what is frozen and for scales."""

    def mask(x: Any) -> Any:
        if isinstance(x, Bounded):
            return Bounded(True, False, x.low, x.high)  # pyright: ignore[reportArgumentType]
        return jax.tree.map(lambda leaf: not isinstance(x, Frozen) and eqx.is_inexact_array(leaf), x)

    return jax.tree.map(mask, tree, is_leaf=lambda x: isinstance(x, Bounded | Frozen))


def _is_parameter(x: Any) -> bool:
    return isinstance(x, AbstractParameter)
