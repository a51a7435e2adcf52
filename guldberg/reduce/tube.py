"""F on the cells that one trajectory crosses: what Ernst et al. eq. (45) learn from a single start.

In cells as fine as theirs (0.1) each is crossed about once, so this is a curve written down cell by cell: it follows
the curve and knows nothing beside it. Cells off the tube have no F, and a path that gets there is told, not bent back.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from guldberg.closure.fem import CubicElements
from guldberg.closure.rhs import Rows

SUBSTEPS = 10  # of a time step, as in the paper: a step must not jump over cells
RIDGE = 1e-4
BESIDE = 0.5  # cells to either side of the path in which F is that of the path, so that rounding is not the end of it
FAINT = 1e-2  # the weight of that


@dataclasses.dataclass(frozen=True)
class Tube:
    """d theta / dt = sum_j phi_j(theta_1..d) u_j, phi the cubic elements of the crossed cells alone."""

    low: Float[np.ndarray, "d"]
    cell: float
    counts: tuple[int, ...]
    held: Int[np.ndarray, "dofs"]  # which degrees of freedom of the whole grid there are
    coefficients: Float[np.ndarray, "dofs k"]

    @property
    def cells(self) -> int:
        """Elements of the grid that hold the tube, were it filled."""
        return int(np.prod(self.counts))

    def follow(self, theta: Float[np.ndarray, "k"], steps: int) -> tuple[Float[np.ndarray, "times k"], int | None]:
        """The path from `theta`, and the step in which it left the tube, if it did (it stops there)."""
        path = [theta]
        for step in range(1, steps + 1):
            for _ in range(SUBSTEPS):
                known, weights = self._rows(theta[None])
                if (known[0] < 0).any():
                    return np.array(path), step
                theta = theta + weights[0] @ self.coefficients[known[0]] / SUBSTEPS
            path.append(theta)
        return np.array(path), None

    def _rows(self, theta: Float[np.ndarray, "n k"]) -> tuple[Int[np.ndarray, "n w"], Float[np.ndarray, "n w"]]:
        """Where the functions that are not zero stand among those held (-1: off the tube), and their values."""
        indices, values = _basis(self.low, self.cell, self.counts, theta[:, : len(self.low)])
        at = np.minimum(np.searchsorted(self.held, indices), len(self.held) - 1)
        return np.where(self.held[at] == indices, at, -1), values


def along(path: Float[np.ndarray, "times k"], *, arguments: int, cell: float = 0.1, ridge: float = RIDGE) -> Tube:
    """The tube around `path`, learned by one linear least-squares problem from the path's own changes.

    The path is crossed in substeps; the ridge keeps functions that it hardly touches small.
    """
    fine = _between(path, SUBSTEPS)
    b = path[:, :arguments]
    low = path[0, :arguments] - cell * (np.ceil((path[0, :arguments] - b.min(axis=0)) / cell) + 2.5)
    counts = tuple(int(n) for n in np.ceil((b.max(axis=0) - low) / cell) + 2)
    sides = BESIDE * cell * np.concatenate([np.eye(arguments), -np.eye(arguments)])
    points = np.concatenate([fine[:-1, :arguments], *(fine[:-1, :arguments] + side for side in sides)])
    weight = np.repeat([1.0] + [FAINT] * len(sides), len(fine) - 1)[:, None]
    changes = np.tile(SUBSTEPS * np.diff(fine, axis=0), (1 + len(sides), 1))
    indices, values = _basis(low, cell, counts, points)
    held = np.unique(indices)
    design = np.zeros((len(indices), len(held)))
    np.put_along_axis(design, np.searchsorted(held, indices), values, axis=1)
    normal = design.T @ (weight * design) + ridge * np.eye(len(held))
    return Tube(low, cell, counts, held, np.linalg.solve(normal, design.T @ (weight * changes)))


def _between(path: Float[np.ndarray, "times k"], parts: int) -> Float[np.ndarray, "fine k"]:
    at = np.arange(len(path))
    fine = np.linspace(0, len(path) - 1, (len(path) - 1) * parts + 1)
    return np.stack([np.interp(fine, at, column) for column in path.T], axis=1)


def _basis(
    low: Float[np.ndarray, "d"], cell: float, counts: tuple[int, ...], theta: Float[np.ndarray, "n d"]
) -> tuple[Int[np.ndarray, "n w"], Float[np.ndarray, "n w"]]:
    empty = CubicElements(jnp.zeros((0, len(low))), low, np.full(len(low), cell), counts)
    rows = _rows(empty, jnp.asarray(theta))
    return np.asarray(rows.indices), np.asarray(rows.values)


@eqx.filter_jit
def _rows(elements: CubicElements, theta: Float[Array, "n d"]) -> Rows:
    return jax.vmap(elements.rows)(theta)
