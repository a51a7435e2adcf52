"""A fixed Gaussian filter: what keeps a field that is drawn or generated free of jumps from cell to cell."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.space.boundary import Periodic
from guldberg.space.grid import Grid


def gaussian(
    c: Float[Array, "species *grid"], grid: Grid, *, sigma: float, radius: int
) -> Float[Array, "species *grid"]:
    """sum over cells within `radius` along each axis of exp(-distance^2 / 2 sigma^2) c, weights summing to 1; both in
    cells. Beyond a face lies what the boundary of the dynamics says: the other side of a torus, else a mirror image.

    Elliott's generator has sigma = 1 and radius 1, the flow of eq. (12) in the code sigma = 3 and radius 4. Raises
    ValueError where the filter is wider than the grid.
    """
    if radius > min(grid.shape):
        raise ValueError(f"a filter of radius {radius} does not fit a grid of {grid.shape} cells")
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    for axis, (lower, _) in enumerate(grid.boundaries, start=1):
        width = [(radius, radius) if a == axis else (0, 0) for a in range(c.ndim)]
        padded = jnp.pad(c, width, mode="wrap" if isinstance(lower, Periodic) else "symmetric")
        slices = [jax.lax.slice_in_dim(padded, i, i + c.shape[axis], axis=axis) for i in range(2 * radius + 1)]
        c = sum((w * s for w, s in zip(weights.tolist(), slices, strict=True)), jnp.zeros_like(c))
    return c
