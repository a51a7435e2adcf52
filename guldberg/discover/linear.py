"""Sparse non-negative least squares: the linear problem under every stage of discover."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.optimize
from jaxtyping import Float, Int

SINGULAR = 1e-14  # relative eigenvalue below which columns are taken to replace each other
EFFORT = 20000  # columns of all subsets looked at in search of the best one
RANKED = 6  # removals tried per round, in order of their Wald statistic


class Compressed(NamedTuple):
    """min |Q x - y|^2 with unit columns: x is in units of `scale`; `rest` is the residual no column can reach."""

    Q: Float[np.ndarray, "rows columns"]
    y: Float[np.ndarray, "rows"]
    scale: Float[np.ndarray, "columns"]

    def residual(self, active: Int[np.ndarray, "_"]) -> tuple[Float[np.ndarray, "_"], float]:
        """Non-negative coefficients of `active`, scaled back, and the residual sum of squares."""
        x = nnls(self.Q[:, active], self.y)
        r = self.Q[:, active] @ x - self.y
        return x / self.scale[active], float(r @ r)


def compress(A: Float[np.ndarray, "points columns"], b: Float[np.ndarray, "points"]) -> Compressed:
    """The triangular factor of [A b]: the same least-squares problem in columns + 1 rows, columns of unit length."""
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    R: np.ndarray = np.asarray(np.linalg.qr(np.column_stack([A / scale, b]), mode="r"))
    return Compressed(R[:, :-1], R[:, -1], scale)


def nnls(A: Float[np.ndarray, "points columns"], b: Float[np.ndarray, "points"]) -> Float[np.ndarray, "columns"]:
    """argmin_{x >= 0} |A x - b|^2."""
    if A.shape[1] == 0:  # scipy 1.17 corrupts memory on a matrix without columns
        return np.zeros(0)
    try:
        return scipy.optimize.nnls(A, b, maxiter=30 * A.shape[1] + 300)[0]
    except RuntimeError:  # cycling at machine precision: bounded least squares by another method
        return np.clip(scipy.optimize.lsq_linear(A, b, (0, np.inf), method="bvls").x, 0, None)


def eliminate(
    problem: Compressed,
    price: float,
    keep: frozenset[int] = frozenset(),
    start: Int[np.ndarray, "_"] | None = None,
    most: int | None = None,
) -> Int[np.ndarray, "_"]:
    """Backward elimination: drop the column whose loss raises the squares least, as long as that is below `price`.

    Columns in `keep` stay; beyond `most` columns the price does not matter. Returns those that survive, ascending.
    """
    active = np.arange(problem.Q.shape[1]) if start is None else np.sort(start)
    active, rss = _support(problem, active, keep)
    while len(active) > len(keep):
        trials = [_support(problem, np.delete(active, i), keep) for i in _weakest(problem, active, keep)]
        if not trials:
            break
        smaller, rise = min(trials, key=lambda trial: trial[1])
        if rise - rss > price and (most is None or len(active) <= most):
            break
        active, rss = smaller, rise
    return active


def best_subset(
    problem: Compressed,
    price: float,
    keep: frozenset[int] = frozenset(),
    start: Int[np.ndarray, "_"] | None = None,
) -> tuple[Int[np.ndarray, "_"], bool]:
    """argmin over all sets S of |Q_S x - y|^2 + price |S|, x >= 0, by branch and bound from the set `start`.

    Returns the best set met and whether it is proven. A branch (columns taken, columns open) costs at least the
    residual of both together plus the price of those taken.
    """
    best = np.array(sorted(keep), int) if start is None else np.asarray(start)
    least = problem.residual(best)[1] + price * len(best)
    branches = [(frozenset(keep), frozenset(range(problem.Q.shape[1])) - keep)]
    for _ in range(EFFORT // max(problem.Q.shape[1], 1)):
        if not branches:
            return best, True
        taken, open_ = branches.pop()
        columns = np.array(sorted(taken | open_), int)
        x, rss = problem.residual(columns)
        if rss + price * len(taken) > least * (1 - 1e-12):
            continue
        used = frozenset(int(j) for j, value in zip(columns, x, strict=True) if value > 0) | taken
        if rss + price * len(used) < least:
            best, least = np.array(sorted(used), int), rss + price * len(used)
        if used - taken:
            size = dict(zip(map(int, columns), x * problem.scale[columns], strict=True))
            j = max(used - taken, key=lambda i: size[i])
            branches += [(taken, open_ - {j}), (taken | {j}, open_ - {j})]  # taken first
    return best, not branches


def _support(problem: Compressed, active: np.ndarray, keep: frozenset[int]) -> tuple[np.ndarray, float]:
    x, rss = problem.residual(active)
    kept = np.array([j in keep for j in active], bool)
    return active[(x > 0) | kept], rss


def _weakest(problem: Compressed, active: np.ndarray, keep: frozenset[int]) -> list[int]:
    """Positions of the removable columns with the smallest x^2 / var(x)."""
    x, _ = problem.residual(active)
    values, vectors = np.linalg.eigh(problem.Q[:, active].T @ problem.Q[:, active])
    variance = (vectors**2 / np.maximum(values, SINGULAR * values[-1])).sum(axis=1)  # huge, never below zero
    order = np.argsort((x * problem.scale[active]) ** 2 / variance, kind="stable")
    return [int(i) for i in order if active[i] not in keep][:RANKED]
