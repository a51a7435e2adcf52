"""What slopes say about each reaction of the library: certain, possible or impossible.

Complex by complex: the net production w_R of each reactant complex R is determined by least squares, and linear
programming bounds each constant in w_R = sum_i k_i N_i, k_i >= 0, where w_R may lie within its confidence region. A
reaction is certain if its least constant is above zero, and impossible if it can carry no more than the noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
from jaxtyping import Bool, Float, Int

from guldberg.discover.library import Library
from guldberg.discover.regression import ROUNDING, Slopes, monomials, noise_shape
from guldberg.discover.result import Candidate, Certainty

CONFIDENCE = 5.0  # half width of the region for w_R, in standard errors: no false verdict over thousands of candidates
SINGULAR = 1e-10  # reciprocal condition below which complexes are not told apart
INDISTINCT = "the states measured do not tell all reactant complexes apart"
IDLE = 1e-3  # part of the largest constant allowed that must not be noise


def certificate(
    data: Slopes, library: Library, sigma: Float[np.ndarray, "rows species"], names: list[str]
) -> list[Candidate]:
    """Bounds on every constant that the slopes allow; impossible reactions are left out.

    `sigma` is the standard deviation of each derivative. Raises ValueError if the states do not tell the reactant
    complexes apart: then nothing is certain, and more varied initial states are needed.
    """
    found = _judged(library, _net_productions(data, library, sigma))
    return [Candidate(names[i], verdict, low, high) for i, (verdict, low, high) in sorted(found.items())]


def screened(data: Slopes, library: Library, keep: frozenset[int] = frozenset()) -> Library:
    """What is left of a large library without the reactions that are impossible, those in `keep` first.

    The noise is that of free polynomials in the complexes: no mechanism is needed for it.
    """
    productions = min((_free(data, library, relative) for relative in (True, False)), key=lambda pair: pair[0])[1]
    possible = set(_judged(library, productions)) - keep
    return library.take([*sorted(keep), *sorted(possible)])


class _Productions(NamedTuple):
    """What each reactant complex produces."""

    of: Int[np.ndarray, "reactions"]  # the complex of each reaction
    w: Float[np.ndarray, "complexes species"]
    se: Float[np.ndarray, "complexes species"]
    chi2: Float[np.ndarray, "species"]


def _free(data: Slopes, library: Library, relative: bool) -> tuple[float, _Productions]:
    """(twice the negative log-likelihood, net productions) with the size of the noise taken from the residuals."""
    shape = np.broadcast_to(noise_shape(data.dc, data.dc, relative), data.dc.shape)
    found, seen = _net_productions(data, library, shape), np.isfinite(data.dc)
    points, used = int(seen.sum()), found.w.size
    noise = np.sqrt(max(found.chi2.sum() / max(points - used, 1), 1e-30))
    score = points * np.log(max(found.chi2.sum() / points, 1e-30)) + 2 * float(np.log(shape[seen]).sum())
    return score, found._replace(se=noise * found.se)


def _judged(library: Library, found: _Productions) -> dict[int, tuple[Certainty, float, float | None]]:
    """Verdict and bounds of every reaction that is not impossible."""
    out = {}
    for R, (w, se) in enumerate(zip(found.w, found.se, strict=True)):
        members = np.flatnonzero(found.of == R)
        out |= {int(members[i]): verdict for i, verdict in _bounds(library.net[members].T, w, se).items()}
    return out


def _net_productions(data: Slopes, library: Library, sigma: np.ndarray) -> _Productions:
    """w_R and its standard error, species by species."""
    complexes, of = np.unique(library.reactants, axis=0, return_inverse=True)
    rates = monomials(data.c, complexes)
    columns = [_least_squares(rates, slope, sd) for slope, sd in zip(data.dc.T, sigma.T, strict=True)]
    w, se, chi2 = (np.stack(part, axis=-1) for part in zip(*columns, strict=True))
    return _Productions(of.ravel(), w, se, chi2)


def _least_squares(A: np.ndarray, b: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """x = argmin |(A x - b) / sd|^2 over the rows where b was measured, the standard error of x, and the minimum."""
    seen = np.isfinite(b)
    A, b = A[seen] / sd[seen, None], b[seen] / sd[seen]
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1.0
    full, n = np.asarray(np.linalg.qr(np.column_stack([A / scale, b]), mode="r")), A.shape[1]
    R: np.ndarray = full[:n, :n]
    if len(R) < n or not np.diag(R).all():
        raise ValueError(INDISTINCT)
    inverse = scipy.linalg.solve_triangular(R, np.eye(n))
    if np.linalg.norm(R, 1) * np.linalg.norm(inverse, 1) > 1 / SINGULAR:
        raise ValueError(INDISTINCT)
    return inverse @ full[:n, n] / scale, np.linalg.norm(inverse, axis=1) / scale, float((full[n:, n] ** 2).sum())


def _bounds(N: np.ndarray, w: np.ndarray, se: np.ndarray) -> dict[int, tuple[Certainty, float, float | None]]:
    """Linear programmes min and max k_i subject to |N k - w| <= CONFIDENCE se, k >= 0."""
    size = float(np.abs(w).max())
    if size == 0:
        return {}
    out = {}
    for i in map(int, np.flatnonzero(_open(N, w, CONFIDENCE * se + ROUNDING * size))):
        low, high, wider = _extreme(N, w, se, i, 1), _extreme(N, w, se, i, -1), _extreme(N, w, 2 * se, i, -1)
        idle = 2 * high - wider < max(IDLE * high, ROUNDING * size)  # without noise there would be nothing left
        verdict: Certainty = "certain" if low > ROUNDING * size else "possible"
        if verdict == "certain" or not idle:
            out[i] = verdict, float(max(low, 0.0)), float(high) if np.isfinite(high) else None
    return out


def _open(N: np.ndarray, w: np.ndarray, slack: np.ndarray) -> Bool[np.ndarray, "reactions"]:
    """Reactions that may happen: not those that change a species which nothing changes back and the data do not."""
    alive, before = np.ones(N.shape[1], bool), -1
    while alive.sum() != before:
        before = alive.sum()
        for n, change, room in zip(N, w, slack, strict=True):
            for sign in (1, -1):
                if sign * change <= room and not (sign * n[alive] < 0).any():
                    alive &= sign * n <= 0
    return alive


def _extreme(N: np.ndarray, w: np.ndarray, se: np.ndarray, i: int, sign: int) -> float:
    """The least (sign 1) or largest (sign -1) k_i; 0 or infinity where no programme has a solution.

    Exact data leave no room at all: rounding error is given some, and more where that does not suffice.
    """
    size = float(np.abs(w).max())
    cost = np.zeros(N.shape[1])
    cost[i] = sign
    for rounding in (ROUNDING, 1e2 * ROUNDING, 1e4 * ROUNDING):
        slack = CONFIDENCE * se + rounding * size
        A, b = np.vstack([N, -N]) * 1.0, np.concatenate([w + slack, -w + slack]) / size
        solved = scipy.optimize.linprog(cost, A_ub=A, b_ub=b, bounds=(0, None), method="highs")
        if solved.status == 0:
            return sign * solved.fun * size
    return 0.0 if sign > 0 else np.inf
