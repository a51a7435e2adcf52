"""Where derivatives are measured the problem is linear: dc/dt = sum_i N_i k_i prod_j c_j^nu_ij.

Rate constants follow from weighted non-negative least squares over the library. What the data can say about each
reaction is in `verdicts`.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from guldberg.discover import linear
from guldberg.discover.library import Library
from guldberg.experiments import Experiments, Run

PASSES = 4  # of reweighting with the fitted derivatives
FLOOR = 1e-7  # smallest |dc/dt| that counts, in units of the largest of a species
ROUNDING = 1e-9  # relative size below which a constant or a residual is rounding error


Table = Float[np.ndarray, "rows species"]


class Slopes(NamedTuple):
    """Rows of state and derivative; NaN where a derivative was not measured."""

    c: Float[np.ndarray, "rows species"]
    dc: Float[np.ndarray, "rows species"]


@dataclasses.dataclass(frozen=True)
class Regression:
    """The sparsest mechanism for the slopes and how well it fits."""

    active: Int[np.ndarray, "_"]
    k: Float[np.ndarray, "_"]
    se: Float[np.ndarray, "_"]
    chi2: float  # with sd(dc/dt) as modelled, before its scale is estimated
    points: int
    noise: float  # relative (or, for additive noise, in units of each species' typical slope)
    relative: bool  # noise proportional to the derivative, or the same at all times
    path: list[tuple[int, float]]  # (reactions, chi2) along the elimination
    exact: bool  # whether all subsets of the candidates were compared, by branch and bound; else the search is greedy
    rivals: list[tuple[Int[np.ndarray, "_"], Float[np.ndarray, "_"], float]]  # set, constants, score above the best


def slopes(data: Experiments) -> Slopes:
    """Rows with every concentration and at least one derivative; raises ValueError if there is none."""
    c = np.vstack([run.values for run in data.runs])
    dc = np.vstack([measured_slopes(run) for run in data.runs])
    rows = np.isfinite(c).all(axis=1) & np.isfinite(dc).any(axis=1)
    if not rows.any():
        raise ValueError("no row has all concentrations and a derivative: the derivatives cannot be used")
    return Slopes(c[rows], dc[rows])


def measured_slopes(run: Run) -> Table:
    """dc/dt without what a flow brings and takes; NaN where not measured."""
    if run.derivatives is None:
        return np.full_like(run.values, np.nan)
    return run.derivatives - run.inflow + run.flow * run.values


def fit(data: Slopes, library: Library, keep: frozenset[int] = frozenset()) -> Regression:
    """Eliminate backwards at 2 ln n, reweighting with the fitted derivatives; both noise models, the likelier wins."""
    candidates = [_with_noise(data, library, keep, relative) for relative in (True, False)]
    return min(candidates, key=lambda pair: pair[0])[1]


def monomials(c: Float[np.ndarray, "rows species"], reactants: Int[np.ndarray, "reactions species"]) -> np.ndarray:
    """prod_j c_j^nu_ij, shape (rows, reactions)."""
    out = np.ones((len(c), len(reactants)))
    for s in range(c.shape[1]):
        out *= c[:, s, None] ** reactants[:, s]
    return out


def _with_noise(data: Slopes, library: Library, keep: frozenset[int], relative: bool) -> tuple[float, Regression]:
    """(twice the negative log-likelihood, regression) under one model of the noise."""
    seen = np.isfinite(data.dc)
    rates = monomials(data.c, library.reactants)
    A = (rates[:, None, :] * library.net.T[None])[seen]
    b, w = data.dc[seen], 1.0 / noise_shape(data.dc, data.dc, relative)[seen]
    problem, active = _eliminated(A, b, w, np.arange(len(library.net)), keep)
    for _ in range(PASSES - 1):
        k, _ = problem.residual(active)
        fitted = rates[:, active] @ (k[:, None] * library.net[active])
        w = 1.0 / noise_shape(fitted, data.dc, relative)[seen]
        problem, active = _eliminated(A, b, w, active, keep)
    active = _merged(problem, library, active, len(b), keep)
    active, exact = linear.best_subset(problem, _price(problem, len(b), active), keep, active)
    k, chi2 = problem.residual(active)
    variance = max(chi2 / max(len(b) - len(active), 1), 1e-32)
    columns = A[:, active] * w[:, None]
    se = _standard_errors(columns, b * w - columns @ k)
    score = len(b) * np.log(max(chi2 / len(b), 1e-30)) - 2 * float(np.log(w).sum())
    rivals = _rivals(problem, library, active, len(b), keep)
    path = _path(problem, active, len(b))
    return score, Regression(active, k, se, chi2, len(b), float(np.sqrt(variance)), relative, path, exact, rivals)


def _standard_errors(columns: np.ndarray, residual: np.ndarray) -> Float[np.ndarray, "_"]:
    """The jackknife's, by leverages h: se^2 = sum_i (P_ji r_i / (1 - h_i))^2, P = (X^T X)^-1 X^T.

    They hold also where the weights are wrong: a slope near zero has a weight as large as its relative error is small,
    and with errors of 1 / |slope| taken for granted intervals held the truth in 85 to 92 % instead of 95.
    """
    scale = np.linalg.norm(columns, axis=0)
    scale[scale == 0] = 1.0
    P = np.linalg.pinv(columns / scale) / scale[:, None]
    left = np.maximum(1 - np.sum(columns * P.T, axis=1), 1e-3)
    return np.sqrt(np.sum((P * (residual / left)) ** 2, axis=1))


def _eliminated(
    A: np.ndarray, b: np.ndarray, w: np.ndarray, active: Int[np.ndarray, "_"], keep: frozenset[int]
) -> tuple[linear.Compressed, Int[np.ndarray, "_"]]:
    """The problem under the weights w, and what elimination leaves of it; `active` sets the price of a reaction."""
    problem = linear.compress(A * w[:, None], b * w)
    return problem, linear.eliminate(problem, _price(problem, len(b), active), keep)


def noise_shape(dc: Table, measured: Table, relative: bool) -> Table:
    """The shape of the noise where the derivatives are `dc`: proportional to |dc/dt|, or one size per species."""
    largest = np.abs(np.nan_to_num(measured)).max(axis=0)
    largest = np.where(largest > 0, largest, largest.max() or 1.0)
    if relative:
        return np.maximum(np.abs(np.nan_to_num(dc)), FLOOR * largest)
    typical = np.sqrt(np.nansum(dc**2, axis=0) / np.maximum(np.isfinite(dc).sum(axis=0), 1))
    return np.broadcast_to(np.where(typical > 0, typical, largest), dc.shape)


def _price(problem: linear.Compressed, n: int, active: Int[np.ndarray, "_"]) -> float:
    """2 ln n in units of the residual variance of the present set, never below rounding error."""
    _, rss = problem.residual(active)
    return 2 * np.log(n) * max(rss / n, ROUNDING**2)


def _merged(
    problem: linear.Compressed, library: Library, active: Int[np.ndarray, "_"], n: int, keep: frozenset[int]
) -> Int[np.ndarray, "_"]:
    """Polish by neighbouring sets: also replaces two reactions of one complex by one with the same net effect."""
    price = _price(problem, n, active)
    improved = len(active) > 0
    while improved:
        _, rss = problem.residual(active)
        sets = _related(library, active, keep)
        scored = [(problem.residual(s)[1] - rss + price * (len(s) - len(active)), tuple(map(int, s))) for s in sets]
        best, chosen = min(scored, default=(0.0, ()))
        improved = best < -1e-6 * price
        active = np.array(chosen, int) if improved else active
    return active


def _related(library: Library, active: np.ndarray, keep: frozenset[int]) -> list[np.ndarray]:
    """Neighbouring sets, no larger, that trade reactions of one reactant complex only: others have other rates."""
    reactants = [a.tobytes() for a in library.reactants]
    inside = set(map(int, active))
    removable = [int(i) for i in active if int(i) not in keep]
    sets = [active[active != i] for i in removable if len(active) > 1]
    for j in (j for j in range(len(reactants)) if j not in inside):
        same = [i for i in removable if reactants[i] == reactants[j]]
        wider = np.union1d(active, [j]) if same else active
        sets += [wider[wider != i] for i in same]
        sets += [wider[(wider != a) & (wider != b)] for n, a in enumerate(same) for b in same[n + 1 :]]
    return sets


def _rivals(problem, library: Library, active: np.ndarray, n: int, keep: frozenset[int]):
    """Neighbouring sets whose score is within 2 ln n of the best; supersets are left out."""
    if len(active) == 0:
        return []
    _, rss = problem.residual(active)
    variance, margin = max(rss / n, ROUNDING**2), 2 * np.log(n)
    out = []
    for s in _related(library, active, keep):
        k, r = problem.residual(s)
        delta = (r - rss) / variance + margin * (len(s) - len(active))
        if delta < margin and (k > 0).all():
            out.append((s, k, float(delta)))
    return sorted(out, key=lambda rival: (rival[2], tuple(rival[0])))


def _path(problem: linear.Compressed, active: np.ndarray, n: int) -> list[tuple[int, float]]:
    """chi2 of the best smaller sets, one reaction dropped at a time."""
    path = []
    while len(active):
        path.append((len(active), problem.residual(active)[1]))
        smaller = [np.delete(active, i) for i in range(len(active))]
        active = min(smaller, key=lambda s: problem.residual(s)[1])
    return path[::-1]


def residuals(fitted: Regression, data: Slopes, library: Library) -> tuple[Table, Float[np.ndarray, "rows species k"]]:
    """What the fit leaves of each derivative, and the fit by its constants, in standard deviations; NaN where none was
    measured."""
    chosen, sd = library.take(fitted.active), standard_deviation(fitted, data, library)
    by_k = monomials(data.c, chosen.reactants)[:, None] * chosen.net.T
    return (data.dc - by_k @ fitted.k) / sd, by_k / sd[..., None]


def standard_deviation(fitted: Regression, data: Slopes, library: Library) -> Float[np.ndarray, "rows species"]:
    """sd of each derivative by the noise model that won, at the fitted slopes."""
    predicted = monomials(data.c, library.reactants[fitted.active]) @ (fitted.k[:, None] * library.net[fitted.active])
    return noise_shape(predicted, data.dc, fitted.relative) * max(fitted.noise, 1e-15)


def half_width(fitted: Regression) -> float:
    """Half width of the 95 % interval in standard errors."""
    return float(scipy.special.stdtrit(max(fitted.points - len(fitted.active), 1), 0.975))
