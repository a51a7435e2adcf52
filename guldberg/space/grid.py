"""Grids: rectangles of cells in 1D, 2D or 3D, and the calculus on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from guldberg.space.boundary import AbstractBoundary, Periodic, along
from guldberg.space.stencil import AbstractStencil, Star, shifted

Faces = tuple[AbstractBoundary, AbstractBoundary]  # of one axis: lower, upper


class Grid(eqx.Module):
    """Cells of equal size, their centres half a spacing inside the faces; fields are "species *grid".

    Raises ValueError where shape, spacing, boundaries and stencil do not fit one another.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)
    boundaries: tuple[Faces, ...]
    stencil: AbstractStencil

    def __init__(
        self,
        shape: Sequence[int],
        spacing: float | Sequence[float],
        boundaries: Sequence[AbstractBoundary | Faces],
        *,
        stencil: AbstractStencil | None = None,
    ) -> None:
        """One spacing for all axes or one for each; one boundary for both faces of an axis or (lower, upper)."""
        self.shape = tuple(shape)
        self.spacing = (
            (float(spacing),) * len(shape) if isinstance(spacing, int | float) else tuple(map(float, spacing))
        )
        self.boundaries = tuple((b, b) if isinstance(b, AbstractBoundary) else b for b in boundaries)
        self.stencil = Star() if stencil is None else stencil

    def __check_init__(self) -> None:
        if not 1 <= len(self.shape) <= 3 or min(self.shape) < 1:
            raise ValueError(f"expected a shape of 1 to 3 axes with a cell or more each, got {self.shape}")
        if len(self.spacing) != len(self.shape) or not all(0 < h < math.inf for h in self.spacing):
            raise ValueError(f"expected a positive spacing for each of {len(self.shape)} axes, got {self.spacing}")
        if len(self.boundaries) != len(self.shape):
            raise ValueError(f"expected boundaries for each of {len(self.shape)} axes, got {len(self.boundaries)}")
        if any(isinstance(a, Periodic) != isinstance(b, Periodic) for a, b in self.boundaries):
            raise ValueError("an axis is periodic at both faces or at none")
        self.stencil.check(self.spacing)

    @classmethod
    def periodic(
        cls, shape: Sequence[int], spacing: float | Sequence[float] = 1.0, *, stencil: AbstractStencil | None = None
    ) -> Grid:
        """A torus."""
        return cls(shape, spacing, [Periodic()] * len(shape), stencil=stencil)

    def refined(self, factor: int) -> Grid:
        """The same place with `factor` times as many cells along each axis."""
        shape, spacing = [n * factor for n in self.shape], [h / factor for h in self.spacing]
        return Grid(shape, spacing, self.boundaries, stencil=self.stencil)

    def interpolated(self, c: Float[Array, "species *grid"], D: ArrayLike = 1.0) -> Float[Array, "species *finer"]:
        """`c` on the grid refined by 2: three quarters of the cell around each half and one of its neighbour, along
        each axis. Linear inside, and the amount is kept where nothing passes the faces."""
        for axis, (faces, h) in enumerate(zip(self.boundaries, self.spacing, strict=True), start=1):
            n = c.shape[axis]
            below, above = _ghosts(c, axis, faces, h, D)
            padded = jnp.concatenate([below, c, above], axis)
            neighbours = [jax.lax.slice_in_dim(padded, i, i + n, axis=axis) for i in (0, 2)]
            halves = jnp.stack([0.75 * c + 0.25 * near for near in neighbours], axis + 1)
            c = halves.reshape(*c.shape[:axis], 2 * n, *c.shape[axis + 1 :])
        return c

    def padded(self, c: Float[Array, "species *grid"], D: ArrayLike = 1.0) -> Float[Array, "species *padded"]:
        """`c` with the layer of ghosts that the boundaries put around it, corners included."""
        if c.shape[1:] != self.shape:
            raise ValueError(
                f"a field on this grid has shape (species, {', '.join(map(str, self.shape))}), got {c.shape}"
            )
        for axis, (faces, h) in enumerate(zip(self.boundaries, self.spacing, strict=True), start=1):
            below, above = _ghosts(c, axis, faces, h, D)
            c = jnp.concatenate([below, c, above], axis)
        return c

    def laplacian(self, c: Float[Array, "species *grid"], D: ArrayLike = 1.0) -> Float[Array, "species *grid"]:
        """The Laplacian of c, to second order in the spacing. `D`, a number or one for each species, matters only
        where a boundary speaks of fluxes."""
        return self.stencil.laplacian(self.padded(c, D), self.spacing)

    def diffusion(self, c: Float[Array, "species *grid"], D: ArrayLike) -> Float[Array, "species *grid"]:
        """D_i Laplacian c_i, Elliott eq. (5)."""
        return along(D, c) * self.laplacian(c, D)

    def gradient(self, c: Float[Array, "species *grid"], D: ArrayLike = 1.0) -> Float[Array, "axes species *grid"]:
        """(c(x+h) - c(x-h)) / 2h along each axis."""
        padded = self.padded(c, D)
        steps = np.eye(len(self.shape), dtype=int).tolist()  # plain numbers, also under jit
        pairs = [(shifted(padded, tuple(s)), shifted(padded, tuple(-x for x in s))) for s in steps]
        return jnp.stack([(above - below) / (2 * h) for (above, below), h in zip(pairs, self.spacing, strict=True)])

    def integral(self, c: Float[Array, "species *grid"]) -> Float[Array, "species"]:
        """The amount of each species: the sum over cells times the volume of one."""
        return c.sum(axis=tuple(range(1, c.ndim))) * math.prod(self.spacing)

    def longest_step(self, D: ArrayLike) -> Float[Array, ""]:
        """2 / (D max eigenvalue): diffusion by Euler's rule is unstable beyond this time step (Courant, Friedrichs
        and Lewy 1928)."""
        return 2 / (jnp.max(jnp.asarray(D)) * self.stencil.stiffest(self.spacing))


def _ghosts(c: Float[Array, "species *grid"], axis: int, faces: Faces, h: float, D: ArrayLike) -> tuple[Array, Array]:
    """The layers below the first and above the last cells of one axis."""
    first, last = (jax.lax.slice_in_dim(c, i, i + 1, axis=axis) for i in (0, c.shape[axis] - 1))
    return faces[0].ghost(first, last, h, D), faces[1].ghost(last, first, h, D)
