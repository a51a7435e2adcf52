"""From a finished search or regression to what the user takes home: steps, curves, rivals and warnings."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import numpy as np
from jaxtyping import Bool, Float, Int

from guldberg.discover import equivalent, intervals, misfit, regression, rivals, settle, verdicts
from guldberg.discover.library import Complexes, Library
from guldberg.discover.problem import Problem, factors, integrate, natural, prepare
from guldberg.discover.refine import HIGHEST, LOWEST, Fitted
from guldberg.discover.result import (
    Candidate,
    Discovered,
    Estimate,
    Fit,
    PathPoint,
    Rival,
    RunFit,
    Stability,
    Step,
)
from guldberg.discover.search import Search, Setting, Visited
from guldberg.discover.select import saturated, tangent
from guldberg.discover.warmth import warmth
from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.network import equation

LARGE = 400  # candidates beyond which those that derivatives rule out are left out before the mechanism is sought
CURVE_POINTS = 120  # per run, beside the measured times


def from_search(
    setting: Setting,
    search: Search,
    estimates: tuple[Estimate, ...],
    counts: tuple[int, int],
    left_out: tuple[int, ...],
) -> Discovered:
    """The mechanism fitted to concentrations; constants without an interval yet are told as flat."""
    assert search.at is not None
    data, problem, library, at = setting.data, setting.problem, setting.library, search.at
    open_ = tuple(Estimate(float(v), None, None) for v in np.concatenate([at.k, at.phi])[len(estimates) :])
    every = (*estimates, *open_)
    others = rivals.within_margin(search, setting)
    sure = rivals.certain(search, setting, others)
    chosen = library.take(at.active)
    runs, flux = _run_fits(data, problem, chosen, at)
    parameters = at.parameters(problem)
    rise = intervals.threshold(problem.points, parameters, at.chi2, setting.criterion.noise_known)
    names, warm = _names(chosen, data.species), warmth(data)
    energies = () if warm is None else settle.energies(problem, chosen, at, warm, every, names, rise)
    temperature = None if warm is None else warm.reference
    doubts = [*_unmeasured(data, left_out, search.laws), *settle.doubts(energies, temperature)]
    return Discovered(
        data=data,
        steps=_steps(chosen, every[: len(at.k)], flux, sure),
        laws=search.laws,
        library=len(library.net),
        fit=Fit(
            kind="concentrations",
            chi2=at.chi2,
            points=problem.points,
            parameters=parameters,
            score=search.score,
            sd=_typical_sd(problem),
            sd_given=setting.criterion.noise_known,
            scales=dict(zip(problem.groups, every[len(at.k) :][: len(problem.groups)], strict=True)),
            runs=runs,
            solves=counts[0],
            failed_solves=counts[1],
            rtol=problem.rtol,
            checks=misfit.checks(
                misfit.of_fit(problem, chosen, at), data.species, noise_known=setting.criterion.noise_known
            ),
        ),
        alternatives=tuple(_rival(v, search, library, data.species) for v in others),
        combinations=tuple(intervals.combinations(at, names, rise, list(every))),
        path=_path(search.visited),
        candidates=tuple(_absent(setting, search, every, sure)),
        temperature=temperature,
        energies=energies,
        search="chosen step by step, each confirmed by a fit",
        warnings=tuple([*doubts, *_warnings(setting, search, parameters)]),
    )


def from_derivatives(
    data: Experiments, library: Library, laws: Int[np.ndarray, "laws species"], keep: frozenset[int]
) -> Discovered:
    """The mechanism fitted to measured derivatives; the curves are its simulation from each run's first row."""
    rows, all_of_them = regression.slopes(data), len(library.net)
    left_out = ""
    if all_of_them > LARGE:
        library, keep = _screened(rows, library, keep), frozenset(range(len(keep)))
        left_out = f" once {all_of_them - len(library.net)} impossible ones were left out"
    best = regression.fit(rows, library, keep)
    chosen, half = library.take(best.active), regression.half_width(best)
    estimates = tuple(_wald(k, half * se) for k, se in zip(best.k, best.se, strict=True))
    names, warnings = _names(library, data.species), []
    candidates: list[Candidate] = []
    try:
        sigma = regression.standard_deviation(best, rows, library)
        candidates = verdicts.certificate(rows, library, sigma, names)
    except ValueError as error:
        warnings.append(f"{error}: no reaction can be called certain; vary the initial states more")
    status = {c.equation: c.certainty == "certain" for c in candidates}
    sure = np.array([status.get(names[i], False) for i in best.active], bool)
    problem = prepare(data, np.maximum(_range(data), 1e-300))
    at = Fitted(best.active, best.k, np.ones(len(problem.groups)), problem.initial, np.nan, np.zeros((0, 0)))
    runs, flux = _run_fits(data, problem, chosen, at)
    slopes, by_k = _slopes(data, best, library)
    exact = best.noise < 1e3 * regression.ROUNDING  # what is left of exact slopes is rounding, and no noise
    return Discovered(
        data=data,
        steps=_steps(chosen, estimates, flux, sure),
        laws=laws,
        library=all_of_them,
        fit=Fit(
            kind="derivatives",
            chi2=best.chi2 / max(best.noise, 1e-300) ** 2,
            points=best.points,
            parameters=len(best.active),
            score=_path_point(best, len(best.active), best.chi2).score,
            sd=np.full(len(data.species), best.noise),
            sd_given=False,
            scales={},
            runs=tuple(dataclasses.replace(run, residuals=r) for run, r in zip(runs, slopes, strict=True)),
            solves=len(data.runs),
            failed_solves=0,
            rtol=problem.rtol,
            checks=() if exact else misfit.checks(misfit.of_slopes(slopes, by_k), data.species, noise_known=False),
        ),
        alternatives=tuple(_linear_rival(best, rival, library, data.species) for rival in best.rivals),
        combinations=(),
        path=tuple(_path_point(best, size, chi2) for size, chi2 in best.path),
        candidates=tuple(candidates),
        warnings=tuple(warnings),
        search=("the best of all their subsets" if best.exact else "chosen step by step") + left_out,
    )


def _screened(rows: regression.Slopes, library: Library, keep: frozenset[int]) -> Library:
    try:
        return verdicts.screened(rows, library, keep)
    except ValueError as error:
        told = f"{len(library.net)} candidate reactions, and {error}"
        raise InputError(f"{told}: give more initial states, --law, --forbid or a smaller --max-order") from error


def _slopes(
    data: Experiments, best: regression.Regression, library: Library
) -> tuple[list[Float[np.ndarray, "times species"]], list[Float[np.ndarray, "times species reactions"]]]:
    """The residuals of the derivatives, run by run, and their derivatives by the constants, in standard deviations."""
    c = np.vstack([run.values for run in data.runs])
    dc = np.vstack([regression.measured_slopes(run) for run in data.runs])
    ends = np.cumsum([len(run.times) for run in data.runs])[:-1]
    r, by_k = regression.residuals(best, regression.Slopes(c, dc), library)
    return np.split(r, ends), np.split(by_k, ends)


def _residuals(problem: Problem, chosen: Library, at: Fitted) -> Float[np.ndarray, "times species"]:
    """Weighted residuals in the shape of the tables."""
    return (integrate(problem, chosen, at.k, at.phi, at.c0).values - problem.values) * problem.weights


def _run_fits(
    data: Experiments, problem: Problem, chosen: Library, at: Fitted
) -> tuple[tuple[RunFit, ...], Float[np.ndarray, "reactions"]]:
    """Curves and residuals of every run, and the mean rate of each directed reaction over all curves."""
    factor, times = factors(problem, at.phi), [_dense(run.times) for run in data.runs]
    curves = integrate(problem, chosen, at.k, at.phi, at.c0, times=times).values
    residuals = _residuals(problem, chosen, at)
    out, first, rates = [], 0, []
    for e, run in enumerate(data.runs):
        curve = curves[first : first + len(times[e])]
        first += len(times[e])
        rows = slice(problem.offsets[e], problem.offsets[e + 1])
        shown = np.where(problem.weights[rows] > 0, -residuals[rows], np.nan)
        free = tuple(bool(f) for f in problem.free[e])
        out.append(RunFit(run.name, at.c0[e], free, shown, times[e], curve))
        rates.append((factor[e] * at.k * regression.monomials(np.maximum(curve, 0.0), chosen.reactants)).mean(axis=0))
    return tuple(out), np.nanmean(rates, axis=0) if len(at.k) else np.zeros(0)


def _dense(times: Float[np.ndarray, "times"]) -> Float[np.ndarray, "dense"]:
    """Measured times and evenly spaced ones between; spaced by a factor where the measured ones are."""
    if len(times) < 2:
        return times
    start, end = times[1] - times[0], times[-1] - times[0]
    logarithmic = end / start > 1e3
    inner = np.geomspace(start / 10, end, CURVE_POINTS) if logarithmic else np.linspace(0, end, CURVE_POINTS)
    return np.union1d(times, times[0] + inner[inner < end])


def _steps(
    chosen: Library,
    estimates: tuple[Estimate, ...],
    rates: Float[np.ndarray, "reactions"],
    sure: Bool[np.ndarray, "reactions"],
) -> tuple[Step, ...]:
    """Directed reactions paired with their reverses; the way that runs faster on average is written forward."""
    where = chosen.where()
    back = [
        where.get((b.astype(np.int64).tobytes(), a.astype(np.int64).tobytes())) for a, b in zip(*chosen, strict=True)
    ]
    steps = []
    for i, j in enumerate(back):
        if j is not None and (rates[j], -j) > (rates[i], -i):
            continue
        flux = abs(rates[i] - (0.0 if j is None else rates[j]))
        certain = bool(sure[i]) and (j is None or bool(sure[j]))
        reverse = None if j is None else estimates[j]
        reactants, products = tuple(map(int, chosen.reactants[i])), tuple(map(int, chosen.products[i]))
        verdict = "certain" if certain else "possible"
        steps.append(Step(reactants, products, estimates[i], reverse, float(flux), verdict))
    return tuple(sorted(steps, key=lambda s: (sum(s.reactants), [-n for n in s.reactants], [-n for n in s.products])))


def _rival(other: Visited, search: Search, library: Library, species: tuple[str, ...]) -> Rival:
    assert search.at is not None
    names, best = _names(library, species), set(map(int, search.at.active))
    chosen = set(map(int, other.active))
    return Rival(
        gained=tuple(names[i] for i in sorted(chosen - best)),
        lost=tuple(names[i] for i in sorted(best - chosen)),
        equations=tuple(names[i] for i in other.active),
        constants=tuple(map(float, other.k)),
        delta=float(other.score - search.score),
        chi2=float(other.chi2),
    )


def _absent(
    setting: Setting, search: Search, estimates: tuple[Estimate, ...], sure: Bool[np.ndarray, "reactions"]
) -> list[Candidate]:
    """The reactions of the mechanism, and of the absent ones the largest constant that the data allow, to first order.

    Beside the mechanism as it stands, a further reaction has k = max(k^, 0) + 1.96 sd at most: possible, not more.
    """
    assert search.at is not None
    library, at = setting.library, search.at
    names = _names(library, setting.data.species)
    out = [
        Candidate(names[i], "certain" if certain else "possible", estimate.low or 0.0, estimate.high)
        for i, estimate, certain in zip(at.active, estimates, sure, strict=False)
    ]
    lin = tangent(setting.problem, library, at, saturated(setting.problem, library, at))
    if lin is None:
        return out
    basis, _ = np.linalg.qr(lin.Q[:, at.active])
    sd = np.sqrt(setting.criterion.variance(at.chi2))
    rest = lin.y - basis @ (basis.T @ lin.y)
    for j in np.setdiff1d(np.arange(len(library.net)), at.active):
        column = lin.Q[:, j] - basis @ (basis.T @ lin.Q[:, j])
        size = float(np.linalg.norm(column))
        high = None if size < 1e-6 else max(float(column @ rest) / size, 0.0) / size + 1.96 * sd / size
        out.append(Candidate(names[j], "possible", 0.0, None if high is None else float(high / lin.scale[j])))
    return out


def with_rewritings(
    found: Discovered, pool: Complexes, allowed: equivalent.Allowed, required: frozenset[str]
) -> Discovered:
    """Beside the mechanism, all others with the same equations; a reaction that one of them lacks is only possible."""
    others = equivalent.classes(found, pool, allowed, required)
    lost = {name for other in others for name in other.present if name not in other.instead}
    steps = tuple(
        dataclasses.replace(step, certainty="possible") if lost & set(step.equations(found.species)) else step
        for step in found.steps
    )
    found = dataclasses.replace(found, steps=steps, rewritings=others)
    rivals_ = tuple(rival for rival in found.alternatives if not found.equals(rival.equations))
    return dataclasses.replace(found, alternatives=rivals_)


def stability(
    resampled: tuple[tuple[int, ...], ...], library: Library, species: tuple[str, ...]
) -> tuple[Stability, ...]:
    """How often each reaction of the library was found again; those never found are left out."""
    counts, names = Counter(itertools.chain.from_iterable(resampled)), _names(library, species)
    return tuple(Stability(names[i], count, len(resampled)) for i, count in counts.most_common())


def _linear_rival(best: regression.Regression, rival, library: Library, species: tuple[str, ...]) -> Rival:
    active, k, delta = rival
    names = _names(library, species)
    gained, lost = np.setdiff1d(active, best.active), np.setdiff1d(best.active, active)
    equations = tuple(names[i] for i in active)
    chi2 = best.chi2 / max(best.noise, 1e-300) ** 2 + delta - 2 * np.log(best.points) * (len(active) - len(best.active))
    return Rival(
        tuple(names[i] for i in gained), tuple(names[i] for i in lost), equations, tuple(map(float, k)), delta, chi2
    )


def _names(library: Library, species: tuple[str, ...]) -> list[str]:
    return [equation(a, b, species) for a, b in zip(library.reactants, library.products, strict=True)]


def _path(visited: tuple[Visited, ...]) -> tuple[PathPoint, ...]:
    best: dict[int, Visited] = {}
    for v in visited:
        if len(v.active) not in best or v.score < best[len(v.active)].score:
            best[len(v.active)] = v
    return tuple(PathPoint(size, float(best[size].chi2), float(best[size].score)) for size in sorted(best))


def _path_point(best: regression.Regression, size: int, chi2: float) -> PathPoint:
    n = best.points
    score = float(n * np.log(max(chi2, 1e-300) / n) + 2 * np.log(n) * size)
    return PathPoint(size, float(chi2 / max(best.noise, 1e-300) ** 2), score)


def _wald(k: float, half: float) -> Estimate:
    low = float(k - half)
    return Estimate(float(k), low if low > 0 else None, float(k + half))


def _typical_sd(problem: Problem) -> Float[np.ndarray, "species"]:
    with np.errstate(divide="ignore"):
        sd = np.where(problem.weights > 0, 1.0 / problem.weights, np.nan)
    out = np.full(sd.shape[1], np.nan)
    seen = np.isfinite(sd).any(axis=0)
    out[seen] = np.nanmedian(sd[:, seen], axis=0)
    return out


def _range(data: Experiments) -> Float[np.ndarray, "species"]:
    return np.nanmax([np.nanmax(np.abs(np.nan_to_num(run.values)), axis=0) for run in data.runs], axis=0)


def _unmeasured(data: Experiments, left_out: tuple[int, ...], laws: Int[np.ndarray, "laws species"]) -> list[str]:
    """Species that change, and that the fit knows only through others."""
    out = [
        f"the column {data.species[s]} looks computed, not measured: the fit does without it (give its sd to use it), "
        "and the data cannot say which reaction makes it"
        for s in left_out
    ]
    alone = laws[np.count_nonzero(laws, axis=1) == 1]  # a law of one species: nothing changes it
    told = (data.measured > 0).any(axis=0) | (alone != 0).any(axis=0)
    for s, name in enumerate(data.species):
        if not told[s] and s not in left_out:
            out.append(f"{name} was not measured: its reactions rest on the other species alone")
    return out


def _warnings(setting: Setting, search: Search, parameters: int) -> list[str]:
    """What a reader must know before believing the mechanism."""
    assert search.at is not None
    at, out = search.at, []
    bounds = np.log(at.k / natural(setting.problem, setting.library.take(at.active)))
    names = _names(setting.library.take(at.active), setting.data.species)
    for name, x in zip(names, bounds, strict=True):
        if x > HIGHEST - 0.1 or x < LOWEST + 0.1:
            out.append(f"the constant of {name} ran to the bound of the search: only a limit of it is known")
    if setting.problem.points < 3 * parameters:
        out.append(f"{setting.problem.points} measurements for {parameters} parameters: expect wide intervals")
    return out
