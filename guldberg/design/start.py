"""Initial states: how a vector of bits z becomes the state a design starts from."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid


class AbstractStart(eqx.Module):
    """z -> X_0; its floating leaves are learned."""

    @abc.abstractmethod
    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        """The initial state of the bits z (0 or 1)."""


def number(z: Float[Array, "bits"]) -> Int[Array, ""]:
    """The bits as a binary number, the first one least; 0 of none."""
    return (z.astype(jnp.int32) * 2 ** np.arange(len(z), dtype=np.int32)).sum(dtype=jnp.int32)


class Direct(AbstractStart):
    """X_0 = Gaussian * softplus(y), y learned at every cell: ten to twenty times as cheap as a generator. With several
    states z tells which: its first bits are a binary number."""

    y: Float[Array, "states species *grid"]
    grid: Grid
    smooth: bool = eqx.field(static=True, default=True)

    @classmethod
    def random(
        cls, grid: Grid, species: int, *, key: Key[Array, ""], states: int = 1, smooth: bool = True, dtype=jnp.float32
    ) -> Direct:
        """About .47 everywhere, with a little noise to break the symmetry."""
        return cls(-0.5 + 0.1 * jax.random.normal(key, (states, species, *grid.shape), dtype), grid, smooth)

    @classmethod
    def near(cls, X: Float[Array, "species *grid"], grid: Grid, *, smooth: bool = False) -> Direct:
        """From a state to improve on; concentrations below .0001 start as that."""
        return cls(jnp.log(jnp.expm1(jnp.maximum(X, 1e-4)))[None], grid, smooth)

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        bits = max(len(self.y) - 1, 0).bit_length()
        X = jax.nn.softplus(self.y[number(z[:bits])])
        return gaussian(X, self.grid, sigma=1.0, radius=1) if self.smooth else X


class Placed(AbstractStart):
    """A smaller start somewhere on a larger grid; around it a background that is learned as well."""

    inner: AbstractStart
    background: Float[Array, "species"]
    grid: Grid
    corner: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        patch = self.inner(z)
        wide = self.background.reshape(-1, *(1,) * len(self.grid.shape))
        around = jnp.broadcast_to(wide, (len(patch), *self.grid.shape)).astype(patch.dtype)
        return jax.lax.dynamic_update_slice(around, patch, (0, *self.corner))


class Mirrored(AbstractStart):
    """A state that is its own mirror image along some axes, of which `inner` is the upper half of each."""

    inner: AbstractStart
    axes: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        return mirrored(self.inner(z), self.axes)


def mirrored(c: Float[Array, "*leading species *grid"], axes: tuple[int, ...]) -> Float[Array, "..."]:
    """`c` with its mirror image below it, along axes of the grid counted from the last one, -1."""
    for axis in axes:
        c = jnp.concatenate([jnp.flip(c, axis), c], axis)
    return c
