"""Stability: data made anew from a fit and its residuals (Efron 1979), on which the search can be repeated.

A residual of a fit is smaller than the noise by sqrt(1 - h), h its leverage; it is enlarged by as much before it is
drawn for another measurement of its species.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.discover import misfit, regression
from guldberg.discover.library import Library
from guldberg.discover.misfit import Residuals
from guldberg.discover.problem import Problem, integrate
from guldberg.discover.refine import Fitted
from guldberg.discover.regression import Regression, Slopes
from guldberg.discover.search import Setting

LEAST = 0.2  # 1 - h: a measurement that the fit all but reproduces tells nothing of the noise

Table = Float[np.ndarray, "times species"]


def concentrations(problem: Problem, chosen: Library, at: Fitted, rng: np.random.Generator) -> Table:
    """Fitted values with residuals of others; NaN where nothing was measured."""
    fitted, seen = integrate(problem, chosen, at.k, at.phi, at.c0).values, problem.weights > 0
    values = np.full(fitted.shape, np.nan)
    values[seen] = fitted[seen] + drawn(misfit.of_fit(problem, chosen, at), rng) / problem.weights[seen]
    return values


def slopes(given: Slopes, library: Library, best: Regression, rng: np.random.Generator) -> Slopes:
    """The same of derivatives; the concentrations stay."""
    r, by_k = regression.residuals(best, given, library)
    seen, another = np.isfinite(r), np.full(r.shape, np.nan)
    another[seen] = drawn(misfit.of_slopes([r], [by_k]), rng)
    return given._replace(dc=given.dc + (another - r) * regression.standard_deviation(best, given, library))


def drawn(given: Residuals, rng: np.random.Generator) -> Float[np.ndarray, "points"]:
    """For each measurement the enlarged residual of some measurement of the same species, its mean taken off."""
    own = 1 - np.sum(given.Q**2, axis=1)
    enlarged, out = given.r / np.sqrt(np.maximum(own, LEAST)), np.zeros(len(given.r))
    for s in np.unique(given.species):
        here = given.species == s
        pool = enlarged[here & (own > LEAST)] if (own[here] > LEAST).any() else enlarged[here]
        out[here] = rng.choice(pool - pool.mean(), here.sum())
    return out


def again(setting: Setting, values: Table) -> Setting:
    """The same search on other values."""
    problem, measured = setting.problem, np.isfinite(values)
    runs, initial = [], problem.initial.copy()
    for e, run in enumerate(setting.data.runs):
        rows = slice(problem.offsets[e], problem.offsets[e + 1])
        runs.append(dataclasses.replace(run, values=np.where(measured[rows], values[rows], run.values)))
        first = measured[rows][0] & problem.free[e]
        initial[e, first] = np.maximum(values[rows][0, first], 0.1 / problem.weights[rows][0, first])
    data = dataclasses.replace(setting.data, runs=tuple(runs))
    problem = dataclasses.replace(problem, values=np.where(measured, values, problem.values), initial=initial)
    return setting._replace(data=data, problem=problem)
