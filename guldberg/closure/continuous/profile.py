"""Functions of place on C1 elements: cubics of Hermite in a line, their products in a plane."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from guldberg.closure.fem import CubicElements
from guldberg.space.boundary import Periodic
from guldberg.space.grid import Grid


def elements(grid: Grid, cells: int) -> Float[np.ndarray, "points dofs"]:
    """The elements at the centres of a grid, `cells` along each axis. They meet at sides that are periodic, and their
    slope is zero at walls."""
    axes = [
        _line(n, cells, isinstance(faces[0], Periodic)) for n, faces in zip(grid.shape, grid.boundaries, strict=True)
    ]
    return functools.reduce(np.kron, axes)


def _line(points: int, cells: int, periodic: bool) -> Float[np.ndarray, "points dofs"]:
    family = CubicElements(jnp.zeros((2 * (cells + 1), 1)), np.zeros(1), np.ones(1) / cells, (cells,))
    where = (np.arange(points) + 0.5) / points
    indices, values = map(np.asarray, jax.vmap(family.rows)(jnp.asarray(where[:, None])))
    out = np.zeros((points, 2 * (cells + 1)))
    np.put_along_axis(out, indices, values, axis=1)
    if periodic:  # the last vertex is the first
        out[:, :2] += out[:, -2:]
        return out[:, :-2]
    return np.delete(out, [1, out.shape[1] - 1], axis=1)
