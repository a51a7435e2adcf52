"""How well each constant is known: profile likelihood wherever the quadratic form and a trial step disagree.

The 95 % interval of ln k holds the values at which chi2, minimised over everything else, rises by less than t^2 s^2
(t: Student's quantile, s^2: the noise variance where it is estimated). On the hydrogen data of Huang, Zhou and Yong's
grid the quadratic form alone covers the truth in 84 % of cases: the valley is curved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Float

from guldberg.discover import linear, refine
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, chi2_at, linearise, natural
from guldberg.discover.refine import Fitted
from guldberg.discover.result import Combination, Estimate, Profile

AGREES = (0.9, 1.12)  # ratio of true to quadratic rise that counts as agreement
CLOSE = 0.1  # relative accuracy of the rise at an end of the interval
REFITS = 6  # per end
FAR = 7.0  # a constant that may be a thousand times larger or smaller is not bounded on that side
STRIDE, HALVINGS = 3.5, 5  # of ln k along a plateau that is wider than that, and of the stride in which it ends
POINTS, BEYOND, OPEN = 7, 1.3, 4.0  # of a profile: per side, in units of the end, in ln k where there is none
PLATEAU = 0.5  # a constant whose ln k changes chi2 by less than this, per unit squared, may be lost near zero
DETERMINED = 0.25  # a combination is worth telling if its sd is below this part of either constant's own


def threshold(points: int, parameters: int, chi2: float, noise_known: bool) -> float:
    """The rise of chi2 that bounds a 95 % interval."""
    freedom = max(points - parameters, 1)
    quantile = float(scipy.special.stdtrit(freedom, 0.975)) ** 2
    return 3.84 if noise_known else quantile * max(chi2, 1e-12 * points) / freedom


def covariance(at: Fitted) -> Float[np.ndarray, "parameters parameters"]:
    """Inverse of the Hessian of chi2 / 2; what the data do not determine gets a huge variance, not an error."""
    diagonal = np.diag(at.hessian)
    scale = np.sqrt(np.maximum(diagonal, 1e-16 * (diagonal.max(initial=0.0) or 1.0)))
    values, vectors = np.linalg.eigh(at.hessian / np.outer(scale, scale))
    inverse = vectors / np.maximum(values, 1e-14) @ vectors.T
    return inverse / np.outer(scale, scale)


def interval(problem: Problem, library: Library, at: Fitted, index: int, rise: float) -> tuple[Estimate, Fitted]:
    """The interval of parameter `index` of (k, phi), and a better fit if one was met on the way (else `at`)."""
    theta = np.log(np.concatenate([at.k, at.phi]))
    spread = np.sqrt(rise * covariance(at)[index, index])
    ends, best = [], at
    for side in (-1, 1):
        end, best = _end(problem, library, at, best, index, side, spread, rise)
        ends.append(None if end is None else float(np.exp(end)))
    if ends == [None, None]:
        ends = [_plateau(problem, library, at, index, side, rise) for side in (-1, 1)]
    return Estimate(float(np.exp(theta[index])), ends[0], ends[1]), best


def profile(
    name: str, problem: Problem, library: Library, at: Fitted, index: int, rise: float, estimate: Estimate
) -> Profile:
    """chi2 along parameter `index`, everything else fitted anew from point to point, a little beyond its interval."""
    centre = float(np.log(np.append(at.k, at.phi)[index]))
    parts = [(centre, 0.0, np.append(at.k, at.phi))]
    for side, end in ((-1, estimate.low), (1, estimate.high)):
        limit = abs(_limit(problem, library, at, index, side) - centre)
        reach = min(OPEN if end is None else BEYOND * abs(np.log(end) - centre), limit)
        previous = at
        for part in np.linspace(0, 1, POINTS + 1)[1:]:
            there = _constrained(problem, library, at, previous, index, centre + side * part * reach)
            if there is None:
                break
            previous = there
            parts.append((centre + side * part * reach, there.chi2 - at.chi2, np.append(there.k, there.phi)))
    x, height, path = (np.array(column) for column in zip(*sorted(parts, key=lambda part: part[0]), strict=True))
    quadratic = (x - centre) ** 2 / covariance(at)[index, index]
    return Profile(name, np.exp(x), height, quadratic, path, rise)


def _end(problem, library, at, best, index, side, spread, rise) -> tuple[float | None, Fitted]:
    """One end of the interval, as ln of the value; None if the bound of the search comes first."""
    theta = np.log(np.concatenate([at.k, at.phi]))
    limit = _limit(problem, library, at, index, side)
    if spread < refine.LONGEST_STEP and _quadratic(problem, library, at, index, side * spread, rise):
        return theta[index] + side * spread, best
    inside, low, previous = 0.0, 0.0, at
    outside: tuple[float, float] | None = None
    step: float = FAR if spread > refine.LONGEST_STEP else min(spread, 1.0)
    for trial in range(REFITS):
        step = FAR if outside is None and trial == REFITS // 2 else step  # a plateau: does it end at all?
        at_limit = step >= abs(limit - theta[index])
        step = min(step, float(abs(limit - theta[index])))
        there = _constrained(problem, library, at, previous, index, theta[index] + side * step)
        height = np.inf if there is None else max(there.chi2 - at.chi2, 0.0)
        if there is not None and there.chi2 < best.chi2:
            best = there
        if abs(height - rise) < CLOSE * rise:
            return theta[index] + side * step, best
        if height > rise:
            outside = (step, height)
        elif at_limit or step >= FAR:
            return None, best
        else:
            inside, low, previous = step, height, there or previous
        step = crossing(inside, low, outside, rise)
    return None if outside is None else theta[index] + side * crossing(inside, low, outside, rise), best


def _plateau(problem: Problem, library: Library, at: Fitted, index: int, side: int, rise: float) -> float | None:
    """Where a plateau ends on which the constant lies far from either end, as a fit that ran away leaves it; None where
    the bound of the search comes first."""
    start, inside, previous = float(np.log(np.append(at.k, at.phi)[index])), 0.0, at
    reach = abs(_limit(problem, library, at, index, side) - start)
    for step in np.append(np.arange(FAR, reach, STRIDE), reach):
        there = _constrained(problem, library, at, previous, index, start + side * step)
        if there is None:
            return None
        if there.chi2 - at.chi2 > rise:
            break
        inside, previous = float(step), there
    else:
        return None
    outside = float(step)
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        there = _constrained(problem, library, at, previous, index, start + side * middle)
        if there is None or there.chi2 - at.chi2 > rise:
            outside = middle
        else:
            inside, previous = middle, there
    return float(np.exp(start + side * (inside + outside) / 2))


def crossing(inside: float, low: float, outside: tuple[float, float] | None, rise: float) -> float:
    """Where sqrt(rise) crosses its threshold, by the straight line through what is known."""
    if outside is None:
        growth = np.sqrt(rise / low) if low > 0 else 4.0
        return inside * float(np.clip(1.02 * growth, 1.3, 4.0))
    if not np.isfinite(outside[1]):
        return 0.5 * (inside + outside[0])
    a, b, target = np.sqrt(low), np.sqrt(outside[1]), np.sqrt(rise)
    part = (target - a) / max(b - a, 1e-300)
    return inside + float(np.clip(part, 0.05, 0.95)) * (outside[0] - inside)


def _limit(problem: Problem, library: Library, at: Fitted, index: int, side: int) -> float:
    """The bound of the search for a parameter."""
    if index >= len(at.k):
        return side * float(refine.largest_factors(problem, at.active)[index - len(at.k)])
    unit = float(np.log(natural(problem, library.take(at.active))[index]))
    return unit + (refine.HIGHEST if side > 0 else refine.LOWEST)


def _quadratic(problem: Problem, library: Library, at: Fitted, index: int, shift: float, rise: float) -> bool:
    """Whether chi2 at the end that the quadratic form promises has risen by what it promises."""
    C = covariance(at)
    theta = np.log(np.concatenate([at.k, at.phi]))
    moved = theta + C[:, index] / C[index, index] * shift
    if (np.abs(moved - theta) > refine.LONGEST_STEP).any():
        return False
    k, phi = np.split(np.exp(moved), [len(at.k)])
    chosen = library.take(at.active)
    here = linearise(problem, chosen, at.k, at.phi, at.c0)
    if here is None:
        return False
    c0 = at.c0.copy()
    change = np.concatenate([[0.0], moved[len(k) :] - theta[len(k) :], k - at.k])
    for e, (columns, recover) in enumerate(here.steps):
        c0[e, columns] = np.maximum(c0[e, columns] - recover @ change, 0.0)
    actual = chi2_at(problem, chosen, k, phi, c0) - at.chi2
    return AGREES[0] < actual / rise < AGREES[1]


def _constrained(problem, library, at, previous, index, value) -> Fitted | None:
    """The fit with one parameter held at `value`, from the last one moved along the valley."""
    theta = np.log(np.concatenate([previous.k, previous.phi]))
    C = covariance(previous) if previous is not at else covariance(at)
    shift = np.clip(C[:, index] / C[index, index] * (value - theta[index]), -refine.LONGEST_STEP, refine.LONGEST_STEP)
    theta = theta + shift
    theta[index] = value
    k, phi = np.split(np.exp(theta), [len(at.k)])
    there = refine.fit(problem, library, at.active, k, phi=phi, c0=previous.c0, **_held(index))
    return there if there is None else _lifted(problem, library, there, index)


def _held(index: int) -> dict[str, Any]:
    return {"frozen": np.array([index]), "decrement": 0.02, "iterations": 15}


def _lifted(problem: Problem, library: Library, there: Fitted, index: int) -> Fitted:
    """The fit, gone on with where a constant near zero is lost to it: ln k has no slope there, k itself has.

    The linear problem in k >= 0 proposes how large it should be.
    """
    others = np.arange(len(there.k)) != index
    lost = (np.diag(there.hessian)[: len(there.k)] < PLATEAU) & others
    here = linearise(problem, library.take(there.active), there.k, there.phi, there.c0) if lost.any() else None
    if here is None:
        return there
    columns, proposed = here.by_k[:, others], there.k.copy()
    proposed[others] = (
        linear.nnls(columns / (size := _sizes(columns)), columns @ there.k[others] - here.residual) / size
    )
    if not (proposed[lost] > 2 * there.k[lost]).any():
        return there
    start = np.where(proposed > 0, proposed, there.k)
    again = refine.fit(problem, library, there.active, start, phi=there.phi, c0=there.c0, **_held(index))
    return there if again is None or again.chi2 > there.chi2 else again


def _sizes(columns: np.ndarray) -> Float[np.ndarray, "columns"]:
    size = np.linalg.norm(columns, axis=0)
    return np.where(size > 0, size, 1.0)


def combinations(at: Fitted, names: list[str], rise: float, estimates: list[Estimate]) -> list[Combination]:
    """Ratios and products of two constants that are known much better than either of them."""
    C = covariance(at)
    sd = np.sqrt(np.diag(C))
    open_ = [i for i in range(len(at.k)) if estimates[i].verdict != "bounded" or rise**0.5 * sd[i] > np.log(2)]
    found, used = [], set()
    pairs = [(i, j, s) for n, i in enumerate(open_) for j in open_[n + 1 :] for s in (-1, 1)]
    width = {p: float(np.sqrt(max(C[p[0], p[0]] + C[p[1], p[1]] + 2 * p[2] * C[p[0], p[1]], 0.0))) for p in pairs}
    for i, j, sign in sorted(pairs, key=lambda p: width[p]):
        narrow = width[i, j, sign] < DETERMINED * min(sd[i], sd[j]) and width[i, j, sign] * rise**0.5 < np.log(2)
        if narrow and j not in used:
            half = width[i, j, sign] * rise**0.5
            value = float(at.k[i] * at.k[j] ** sign)
            name = f"k({names[i]}) {'/' if sign < 0 else '*'} k({names[j]})"
            found.append(Combination(name, Estimate(value, value * float(np.exp(-half)), value * float(np.exp(half)))))
            used.add(j)
    return found
