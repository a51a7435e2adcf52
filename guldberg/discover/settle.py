"""What is settled once the reactions are known: bent Arrhenius lines, and whether detailed balance holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.special
from jaxtyping import Float

from guldberg.discover import balance, intervals, refine
from guldberg.discover.library import Library, reversible_pairs
from guldberg.discover.problem import Problem, linearise
from guldberg.discover.refine import Fitted
from guldberg.discover.result import ArrheniusLaw, Balance, Cycle, Estimate, Range
from guldberg.discover.search import Setting
from guldberg.discover.warmth import Warmth
from guldberg.rates import GAS_CONSTANT

PRUNED = 6  # of the reactions that the data say least about are tried to be dropped
UNNOTICED = 1.5  # standard deviation of an exponent b that the data do not tell: within 3 of 0, as tables have them
NORMAL = 1.96
USEFUL = 1.0  # half width of an interval of b that is worth telling even if it holds 0


def bend(setting: Setting, at: Fitted, warm: Warmth, rise: float) -> tuple[Fitted, frozenset[int]]:
    """Free the exponents b that the data tell from Ea: the new fit, and the reactions it concerns.

    First all are freed, and reactions dropped that had only stood in for a bent line. Those exponents stay whose
    interval is narrow or leaves out 0, with their reverses, to which detailed balance binds them.
    """
    everything = frozenset(range(len(setting.library.net)))
    curved = dataclasses.replace(setting.problem, warmth=warm.columns(curved=True), bent=everything)
    common, straight = np.split(at.phi, [len(curved.groups)])
    phi = np.append(common, np.column_stack([straight, np.ones_like(straight)]))
    freed = refine.fit(curved, setting.library, at.active, at.k, phi=phi, c0=at.c0)
    if freed is None:
        return at, frozenset()
    freed = _pruned(setting._replace(problem=curved), freed)
    told = {n for n in range(len(freed.active)) if _useful(_exponent(freed, len(common), n, warm, rise))}
    told |= {back for n, back in reversible_pairs(setting.library.take(freed.active)) if n in told}
    bent = frozenset(int(freed.active[n]) for n in told)
    if not bent:
        return at, bent
    held = dataclasses.replace(curved, bent=bent)
    again = refine.fit(held, setting.library, freed.active, freed.k, phi=freed.phi, c0=freed.c0)
    return (at, frozenset()) if again is None else (again, bent)


def _pruned(setting: Setting, at: Fitted) -> Fitted:
    """Without the reactions that do not earn their price, weakest first, each confirmed by a fit."""
    problem, library, criterion = setting.problem, setting.library, setting.criterion
    weakest = np.argsort(-np.diag(intervals.covariance(at))[: len(at.active)])
    for i in (int(at.active[n]) for n in weakest[:PRUNED] if int(at.active[n]) not in setting.keep):
        chosen = at.active[at.active != i]
        k, phi = at.k[at.active != i], at.factors_of(problem, chosen)
        target = criterion.reach(library, at, chosen)
        other = refine.fit(problem, library, chosen, k, phi=phi, c0=at.c0, target=target)
        if other is not None and other.chi2 < target:
            return _pruned(setting, other)
    return at


def _exponent(at: Fitted, groups: int, n: int, warm: Warmth, rise: float) -> Range:
    row = np.zeros(len(at.hessian))
    row[len(at.k) + groups + 2 * n + 1] = warm.exponent(1.0)
    return _combined(at, row, rise)


def _useful(b: Range) -> bool:
    assert b.low is not None and b.high is not None
    return b.high - b.low < 2 * USEFUL or b.low > 0 or b.high < 0


def _combined(at: Fitted, row: Float[np.ndarray, "parameters"], rise: float) -> Range:
    """A sum of row times (ln k, ln phi), its interval by the quadratic form."""
    value = float(row @ np.log(np.concatenate([at.k, at.phi])))
    half = float(np.sqrt(rise * max(row @ intervals.covariance(at) @ row, 0.0)))
    return Range(value, value - half, value + half)


def energies(
    problem: Problem,
    chosen: Library,
    at: Fitted,
    warm: Warmth,
    estimates: tuple[Estimate, ...],
    names: list[str],
    rise: float,
) -> tuple[ArrheniusLaw, ...]:
    """A, b and Ea of each reaction of `chosen`. Where no line is bent, the interval of Ea is that of the profile
    likelihood, made wider by what any lines that are bent unnoticed would do to it."""
    powers, first = problem.warmth.shape[1], len(at.k) + len(problem.groups)
    T0, by_r, by_q, unseen = warm.reference, warm.energy(1.0), warm.exponent(1.0), _bends(problem, chosen, at, warm)
    out = []
    for n, (i, name) in enumerate(zip(at.active, names, strict=True)):
        r, b, Ea, log_A = (np.zeros(first + powers * len(at.k)) for _ in range(4))
        r[first + powers * n] = 1.0
        if int(i) in problem.bent:
            b[first + powers * n + 1] = by_q
        Ea = by_r * r - GAS_CONSTANT * T0 * b
        log_A[n] = 1.0
        log_A += Ea / (GAS_CONSTANT * T0) - b * np.log(T0)
        ratio = estimates[first + powers * n]
        energy = _combined(at, Ea, rise) if b.any() else _scaled(ratio, by_r)
        amplitude = _wider(_combined(at, log_A, rise), log_A @ unseen)
        if ratio.verdict != "bounded":
            amplitude = dataclasses.replace(amplitude, low=None, high=None)
        exponent = _scaled(estimates[first + powers * n + 1], by_q) if b.any() else None
        out.append(ArrheniusLaw(name, amplitude, exponent, _wider(energy, Ea @ unseen)))
    return tuple(out)


def _bends(problem: Problem, chosen: Library, at: Fitted, warm: Warmth) -> Float[np.ndarray, "parameters held"]:
    """How far ln k and ln phi are off where an exponent b that is held at 0 is UNNOTICED, one column for each.

    The fit minimises |r + J_s s + J_q q|^2 over s alone: s moves by -(J_s^T J_s)^-1 J_s^T J_q q.
    """
    powers, first = problem.warmth.shape[1], len(at.k) + len(problem.groups)
    common, own = np.split(at.phi, [len(problem.groups)])
    straight = own.reshape(-1, powers)
    phi = np.append(common, np.column_stack([straight, np.ones_like(straight)])[:, :2])
    curved = dataclasses.replace(problem, warmth=warm.columns(curved=True))
    here = linearise(curved, chosen, at.k, phi, at.c0)
    exponents = first + 2 * np.arange(len(at.k)) + 1
    held = exponents[[int(i) not in problem.bent for i in at.active]]
    if here is None:
        return np.zeros((len(at.hessian), len(held)))
    J = np.hstack([here.by_k * at.k, here.by_phi])
    fitted = np.setdiff1d(np.arange(J.shape[1]), held if powers > 1 else exponents)
    place = fitted if powers > 1 else np.arange(len(fitted))
    q, out = UNNOTICED / warm.exponent(1.0), np.zeros((len(at.hessian), len(held)))
    out[place] = -intervals.covariance(at)[np.ix_(place, place)] @ J[:, fitted].T @ J[:, held] * q
    return out


def doubts(laws: tuple[ArrheniusLaw, ...], temperature: float | None) -> list[str]:
    """What is said of exponents that the data do not tell from energies."""
    names = [law.equation for law in laws if law.b is None]
    if not names:
        return []
    which = "any reaction" if len(names) == len(laws) else ", ".join(names)
    held = f"b is held at 0, Ea is that around {temperature:.0f} K, its interval allows for b from -3 to 3"
    return [f"b and Ea of {which} cannot be told apart within these temperatures: {held}"]


def _wider(known: Range, shifts: Float[np.ndarray, "held"]) -> Range:
    """An interval that allows for independent shifts of these standard deviations as well."""
    more = NORMAL**2 * float(shifts @ shifts)
    low, high = (
        None if end is None else known.value + side * float(np.hypot(end - known.value, np.sqrt(more)))
        for side, end in ((-1, known.low), (1, known.high))
    )
    return Range(known.value, low, high)


def _scaled(estimate: Estimate, unit: float) -> Range:
    """The logarithm of a factor in other units."""
    low, high = (None if end is None else unit * float(np.log(end)) for end in (estimate.low, estimate.high))
    return Range(unit * float(np.log(estimate.value)), low, high)


def tested(
    problem: Problem, library: Library, at: Fitted, names: list[str], rise: float, variance: float
) -> tuple[Balance | None, Fitted]:
    """How far each cycle is from balance, and the fit in which all are balanced; (None, `at`) without a cycle."""
    turns = balance.cycles(library.take(at.active))
    if len(turns) == 0:
        return None, at
    spare = np.zeros(len(at.hessian) - len(at.k))
    found = tuple(_cycle(turn, names, _combined(at, np.append(turn, spare), rise)) for turn in turns)
    held = dataclasses.replace(problem, balanced=True)
    other = refine.fit(held, library, at.active, at.k, phi=at.phi, c0=at.c0)
    if other is None:
        return Balance(found, 0.0, held=False), at
    conditions = len(balance.conditions(held, library.take(at.active)))
    chance = float(scipy.special.chdtrc(conditions, max(other.chi2 - at.chi2, 0.0) / variance))
    return Balance(found, chance, held=False), other


def _cycle(turn: np.ndarray, names: list[str], deviation: Range) -> Cycle:
    ways = np.flatnonzero(turn > 0)  # each reaction in the direction in which the cycle runs through it
    return Cycle(tuple(names[i] for i in ways), tuple(int(turn[i]) for i in ways), deviation)
