"""Whether the residuals of a fit are noise: where they are not, no mechanism of the library fits.

Under the right mechanism the residuals are r = M e, e independent noise and M = 1 - Q Q^T the projection away from the
columns of the Jacobian: what the fit took from the noise is reckoned with exactly, to first order. Each check compares
what M leaves of noise with what is there. The size of the noise is taken from the residuals themselves, so that a
standard deviation that is estimated, or given wrongly, raises no alarm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, integrate, linearise
from guldberg.discover.refine import Fitted
from guldberg.discover.result import Check

SLOW = 4  # polynomials in the order of the samples of one series: constant to cubic
COMMON = 5  # the same, common to the series of a species
SHORTEST = 8  # samples of a series that leave something beside its slow part
SINGULAR = 1e-9  # relative size of what counts as a direction of the Jacobian
BORROWED = 10  # degrees of freedom of each species that agree with the others
FEWEST = 8  # degrees of freedom without which nothing can be said


class Residuals(NamedTuple):
    """Residuals in units of their standard deviation, an orthonormal basis of what the fit could follow, and where
    each was measured; in order of run, time, species."""

    r: Float[np.ndarray, "points"]
    Q: Float[np.ndarray, "points parameters"]
    run: Int[np.ndarray, "points"]
    species: Int[np.ndarray, "points"]

    def of(self, s: int) -> list[Int[np.ndarray, "_"]]:
        """The series of a species: positions in each run, by time."""
        runs = [np.flatnonzero((self.species == s) & (self.run == e)) for e in np.unique(self.run)]
        return [series for series in runs if len(series)]


def checks(given: Residuals, species: tuple[str, ...], *, noise_known: bool) -> tuple[Check, ...]:
    """Every check that the number of points allows; chances are corrected for the number of species looked at."""
    measured = [s for s in range(len(species)) if (given.species == s).any()]
    found = [_size(given) if noise_known else None]
    found += [_slow(given, measured), _runs(given, measured), _normal(given)]
    found += [_trend(given, s, species[s], len(measured)) for s in measured]
    return tuple(check for check in found if check is not None)


def of_fit(problem: Problem, chosen: Library, at: Fitted) -> Residuals:
    """The residuals of a fitted mechanism; what the initial amounts of each run and the constants can follow is Q.

    ArithmeticError where the fit cannot be integrated any more.
    """
    here = linearise(problem, chosen, at.k, at.phi, at.c0)
    if here is None:
        raise ArithmeticError("the fitted mechanism could not be integrated")
    initials, seen = np.flatnonzero(problem.free.any(axis=0)), problem.weights > 0
    by_initial = (
        integrate(problem, chosen, at.k, at.phi, at.c0, initials=initials).by_initial * problem.weights[..., None]
    )
    own = []
    for e, (columns, _) in enumerate(here.steps):
        rows = slice(problem.offsets[e], problem.offsets[e + 1])
        felt = by_initial[rows][seen[rows]][:, np.searchsorted(initials, columns)]
        own.append(_basis(felt * problem.scale[columns]))
    Q = np.hstack([_diagonal(own), _basis(np.hstack([here.by_k * at.k, here.by_phi]))])
    run = np.repeat(np.arange(len(own)), [len(block) for block in own])
    return Residuals(here.raw, Q, run, np.nonzero(seen)[1])


def of_slopes(
    residuals: list[Float[np.ndarray, "times species"]], by_k: list[Float[np.ndarray, "times species reactions"]]
) -> Residuals:
    """The same of derivatives, run by run; NaN where none was measured."""
    seen = [np.isfinite(table) for table in residuals]
    r = np.concatenate([table[here] for table, here in zip(residuals, seen, strict=True)])
    Q = _basis(np.vstack([table[here] for table, here in zip(by_k, seen, strict=True)]))
    run = np.repeat(np.arange(len(seen)), [int(here.sum()) for here in seen])
    return Residuals(r, Q, run, np.concatenate([np.nonzero(here)[1] for here in seen]))


def _basis(A: np.ndarray) -> Float[np.ndarray, "rows rank"]:
    """An orthonormal basis of the columns of A; a constant without effect adds nothing."""
    if 0 in A.shape:
        return np.zeros((len(A), 0))
    U, size, _ = np.linalg.svd(A, full_matrices=False)
    return U[:, size > max(SINGULAR * size[0], 1e-300)]


def _diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        out[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return out


def _polynomials(length: int, count: int) -> Float[np.ndarray, "length count"]:
    """Orthonormal polynomials in the order of `length` samples."""
    x = np.linspace(-1, 1, length)
    return np.linalg.qr(np.vander(x, count, increasing=True))[0]


def _f_test(given: Residuals, rows: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]], r: np.ndarray) -> float:
    """Chance of at least this much of the residuals at `rows` within a few smooth functions (positions, values).

    F = (|B^T r|^2 / a) / ((|r|^2 - |B^T r|^2) / (m - a)), m = tr M and a = tr B^T M B; its degrees of freedom match the
    variance of |B^T r|^2. One where too little is left to compare with.
    """
    parts = list(parts)
    BQ = np.vstack([B.T @ given.Q[at] for at, B in parts])
    inside = sum(float(np.sum((B.T @ r[at]) ** 2)) for at, B in parts)
    used = float(np.sum(BQ**2))
    a = len(BQ) - used
    left = len(rows) - float(np.sum(given.Q[rows] ** 2)) - a
    spread = a - used + float(np.sum((BQ.T @ BQ) ** 2))  # tr (B^T M B)^2
    if a < 0.5 or left < FEWEST or spread <= 0:
        return 1.0
    rest = max(float(r[rows] @ r[rows]) - inside, 1e-300)
    return float(scipy.special.fdtrc(a**2 / spread, left, (inside / a) / (rest / left)))


def _size(given: Residuals) -> Check | None:
    """chi2 against the standard deviations given."""
    freedom = len(given.r) - given.Q.shape[1]
    if freedom < 1:
        return None
    return Check("misfit", None, float(scipy.special.gammaincc(freedom / 2, given.r @ given.r / 2)))


def noise_factor(given: Residuals, species: int) -> Float[np.ndarray, "species"]:
    """By how much the residuals of each species exceed the noise assumed; 1 where there are hardly any.

    The sum of squares is held against what the projection leaves of the noise of that species.
    """
    squares = np.bincount(given.species, given.r**2, species)
    freedom = np.bincount(given.species, 1 - np.sum(given.Q**2, axis=1), species)
    return np.where((freedom > 1) & (squares > 0), np.sqrt(np.maximum(squares, 1e-20) / np.maximum(freedom, 1)), 1.0)


def reweighting(given: Residuals, species: int) -> Float[np.ndarray, "species"]:
    """The same to compare species by, for a fit with better weights: their product over all points is 1.

    Few points tell little: each species is given some that agree with all the others.
    """
    factor = noise_factor(given, species)
    freedom = np.bincount(given.species, 1 - np.sum(given.Q**2, axis=1), species)
    common = np.sum(freedom * factor**2) / max(freedom.sum(), 1e-300)
    shrunk = np.sqrt((freedom * factor**2 + BORROWED * common) / (freedom + BORROWED))
    return shrunk / np.exp(np.mean(np.log(shrunk[given.species])))


def _even(given: Residuals) -> np.ndarray:
    """Residuals in units of what they are for each species: noise may be assumed unevenly."""
    return given.r / noise_factor(given, int(given.species.max()) + 1)[given.species]


def _slow(given: Residuals, measured: list[int]) -> Check | None:
    """Each series may wander in its own way: what is slow in it, against what is fast."""
    series = [at for s in measured for at in given.of(s) if len(at) >= SHORTEST]
    if not series:
        return None
    parts = [(at, _polynomials(len(at), SLOW)) for at in series]
    chance = _f_test(given, np.concatenate(series), parts, _even(given))
    return Check("slow", None, chance)


def _trend(given: Residuals, s: int, name: str, among: int) -> Check | None:
    """A deviation of one species that is the same in all runs at the same part of their time."""
    series = given.of(s)
    rows = np.concatenate(series)
    if len(rows) < COMMON + FEWEST or max(map(len, series)) < COMMON:
        return None
    x = np.concatenate([np.linspace(-1, 1, len(at)) if len(at) > 1 else np.zeros(1) for at in series])
    chance = _f_test(given, rows, [(rows, _basis(np.vander(x, COMMON)))], given.r)
    return Check("trend", name, min(among * chance, 1.0))


def _runs(given: Residuals, measured: list[int]) -> Check | None:
    """Neighbours of one sign: z = sum(p - c) / |p| over their products p, c what the fit makes of their correlation.

    |p| in place of its expectation, so that points whose noise is far below what is assumed for them have no vote.
    """
    series = [at for s in measured for at in given.of(s)]
    first, second = (np.concatenate([at[cut] for at in series]) for cut in (slice(None, -1), slice(1, None)))
    own = np.maximum(1 - np.sum(given.Q**2, axis=1), 0.0)
    size = np.sqrt(own[first] * own[second])
    felt = size > 1e-6
    if felt.sum() < 3 * FEWEST:
        return None
    first, second, size = first[felt], second[felt], size[felt]
    r = _even(given)
    p, c = r[first] * r[second] / size, -np.sum(given.Q[first] * given.Q[second], axis=1) / size
    return Check("runs", None, float(scipy.special.ndtr(-np.sum(p - c) / max(np.linalg.norm(p), 1e-300))))


def _normal(given: Residuals) -> Check | None:
    """D'Agostino and Pearson's test of skewness and kurtosis together; a few far points show here."""
    own = 1 - np.sum(given.Q**2, axis=1)
    free = own > 0.2  # the others are what the fit makes of the data
    if free.sum() < 20:
        return None
    from scipy.stats import normaltest  # a second to import, for the end of a fit

    return Check("normal", None, float(normaltest(_even(given)[free] / np.sqrt(own[free])).pvalue))
