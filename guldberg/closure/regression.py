"""A linear family from static fits: one least-squares problem, weighted by the Fisher matrix, with a penalty on the
roughness of what is learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_array

from guldberg.closure.rhs import AbstractLinearFamily

Family = TypeVar("Family", bound=AbstractLinearFamily)

WIDEST = 12  # steps on either side that a local parabola is fitted to
SHARE = 0.15  # of the time since the start, where everything is fast
FLOOR = 1e-9  # of the mean weight: what neither data nor the penalty see stays near its prior


class Motion(NamedTuple):
    """Where static fits are and how far they go in one step, freed of noise by local parabolas."""

    thetas: Float[np.ndarray, "starts times k"]
    changes: Float[np.ndarray, "starts times k"]
    spans: Int[np.ndarray, "times"]  # how many fits each change rests on


class Normal(NamedTuple):
    """The normal equations of a group of starts: one matrix and one right-hand side for each function F_k."""

    matrix: Float[np.ndarray, "k dofs dofs"]
    target: Float[np.ndarray, "k dofs"]

    def __add__(self, other: Normal) -> Normal:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Normal(self.matrix + other.matrix, self.target + other.target)


def motion(fits: Float[np.ndarray, "starts times k"]) -> Motion:
    """theta and theta(t + 1) - theta(t) from parabolas over the steps near t: a few late, one or two early."""
    starts, times, k = fits.shape
    thetas, changes = np.empty((starts, times - 1, k)), np.empty((starts, times - 1, k))
    spans = np.empty(times - 1, int)
    for t in range(times - 1):
        reach = min(int(SHARE * t), WIDEST, times - 1 - t)
        if reach < 1:
            thetas[:, t], changes[:, t], spans[t] = fits[:, t], fits[:, t + 1] - fits[:, t], 1
            continue
        x = np.arange(-reach, reach + 1)
        near = fits[:, t - reach : t + reach + 1].transpose(1, 0, 2).reshape(len(x), -1)
        bend, slope, value = np.polyfit(x, near, 2)
        thetas[:, t], changes[:, t] = value.reshape(starts, k), (slope + bend).reshape(starts, k)
        spans[t] = len(x)
    return Motion(thetas, changes, spans)


def sparse_rows(family: AbstractLinearFamily, points: Float[np.ndarray, "points k"]) -> csr_array:
    """One row of phi_j at each point."""
    indices, values = jax.jit(jax.vmap(family.rows))(jnp.asarray(points))
    rows = np.repeat(np.arange(len(points)), indices.shape[1])
    where = (rows, np.asarray(indices).ravel())
    return csr_array((np.asarray(values).ravel(), where), shape=(len(points), len(family.coefficients)))


def normal(
    family: AbstractLinearFamily,
    points: Float[np.ndarray, "points k"],
    changes: Float[np.ndarray, "points k"],
    weights: Float[np.ndarray, "points k"],
) -> Normal:
    """sum_points weight (phi . u - change)^2, for each function."""
    rows = sparse_rows(family, points)
    transposed = rows.T.tocsr()
    matrices = [(transposed @ rows.multiply(w[:, None]).tocsr()).toarray() for w in weights.T]
    return Normal(
        np.stack(matrices), np.stack([transposed @ (w * y) for w, y in zip(weights.T, changes.T, strict=True)])
    )


class Solved(NamedTuple):
    """Coefficients, and the Cholesky factors L of N + penalty R that whiten them: u = u0 + L^-T z."""

    coefficients: Float[np.ndarray, "dofs k"]
    factors: Float[np.ndarray, "k dofs dofs"]


def solve(
    equations: Normal,
    roughness: Float[np.ndarray, "dofs dofs"],
    penalty: float,
    prior: Float[np.ndarray, "dofs k"],
) -> Solved:
    """argmin_u  u^T N u - 2 u^T y + penalty (u - prior)^T R (u - prior), function by function."""
    solutions, factors = [], []
    for matrix, target, known in zip(equations.matrix, equations.target, prior.T, strict=True):
        ridge = FLOOR * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
        pull = penalty * roughness + ridge
        factor = scipy.linalg.cholesky(matrix + pull, lower=True, overwrite_a=True, check_finite=False)
        solutions.append(scipy.linalg.cho_solve((factor, True), target + pull @ known, check_finite=False))
        factors.append(factor)
    return Solved(np.stack(solutions, axis=-1), np.stack(factors))


def approximate(
    family: Family,
    function: Callable[[Float[Array, "k"]], Float[Array, "k"]],
    points: Float[np.ndarray, "points k"],
    penalty: float = 1e-8,
) -> Family:
    """The member of a linear family nearest to `function` at `points`, smooth between and beyond them."""
    values = np.asarray(jax.jit(jax.vmap(function))(jnp.asarray(points)))
    good = np.isfinite(values).all(1)
    rows = sparse_rows(family, points[good])
    matrix = (rows.T @ rows).toarray() / good.sum()
    pull = penalty * family.roughness() + FLOOR * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
    factor = scipy.linalg.cho_factor(matrix + pull, lower=True)
    return family.having(jnp.asarray(scipy.linalg.cho_solve(factor, rows.T @ values[good] / good.sum())))
