"""What a discovery leaves open, as a question to the next experiment."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.discover import known, noise, regression
from guldberg.discover.known import Known
from guldberg.discover.library import Library
from guldberg.discover.proposal import Aim, Limits, Model, Question, curves
from guldberg.discover.result import Discovered, Rival
from guldberg.text import parse

MOST = 6  # rivals looked at
FLOOR = 1e-9  # of the information on factors on the rates


def question(found: Discovered, aim: Aim | None = None) -> Question:
    """The mechanisms in the running, each refitted to the data: which of them is it? Where no rival is left, or `aim`
    says so, the question is for the constants.

    ValueError where no reaction was found; ArithmeticError where a fit fails.
    """
    best = [name for step in found.steps for name in step.equations(found.species)]
    constants = [k.value for step in found.steps for k in (step.forward, step.reverse) if k is not None]
    if not best:
        raise ValueError("no reaction was found: there is nothing to plan an experiment from")
    others = [(rival.equations, rival.constants) for rival in rivals(found)]
    models = [_model(found, library(e, found.species), np.array(k)) for e, k in [(best, constants), *others]]
    margin = 2 * float(np.log(max(found.fit.points, 2)))
    return Question(models, margin, aim or ("mechanism" if others else "worst"))


def rivals(found: Discovered) -> list[Rival]:
    """Those that are looked at, best first."""
    return [rival for rival in found.alternatives if rival.equations][:MOST]


def library(equations: tuple[str, ...] | list[str], species: tuple[str, ...]) -> Library:
    """Directed reactions from their text."""
    network = parse("\n".join([f"species: {', '.join(species)}", *(f"{equation} @ 1" for equation in equations)]))
    return Library(np.asarray(network.reactants), np.asarray(network.products))


def _model(found: Discovered, chosen: Library, k: Float[np.ndarray, "reactions"]) -> Model:
    if found.fit.kind == "derivatives":
        return _from_slopes(found, chosen)
    return _from_curves(known.fit(found.data, chosen, k))


def _from_curves(fit: Known) -> Model:
    """Information on ln k; that on factors on the rates is taken out."""
    m, H = len(fit.at.k), fit.at.hessian / fit.variance
    factors = H[m:, m:] + FLOOR * np.eye(len(H) - m)
    return Model(fit.library, fit.at.k, H[:m, :m] - H[:m, m:] @ np.linalg.solve(factors, H[m:, :m]))


def _from_slopes(found: Discovered, chosen: Library) -> Model:
    """The same of measured derivatives, which the rates of all reactions of `chosen` are fitted to."""
    rows = regression.slopes(found.data)
    fit = regression.fit(rows, chosen, frozenset(range(len(chosen.net))))
    residuals, by_k = regression.residuals(fit, rows, chosen)
    J = (by_k * fit.k)[np.isfinite(residuals)]
    return Model(chosen.take(fit.active), fit.k, J.T @ J)


def limits(found: Discovered) -> Limits:
    """As the experiments so far: amounts up to the largest start of each species, as many samples, as long."""
    runs = found.data.runs
    starts = np.array([fit.initial for fit in found.fit.runs])
    gaps = [run.times[1] - run.times[0] for run in runs if len(run.times) > 1]
    spans = [run.times[-1] - run.times[0] for run in runs]
    seen = (found.data.measured > 0).any(axis=0)
    freedom = max(found.fit.points - found.fit.parameters, 1)
    scale = 1.0 if found.fit.sd_given else np.sqrt(found.fit.chi2 / freedom)
    sd = found.fit.sd * scale if found.fit.kind == "concentrations" else noise.usable(found.data)
    return Limits(
        low=np.zeros(starts.shape[1]),
        high=starts.max(axis=0),
        first=float(min(gaps, default=max(spans))),
        last=float(max(spans)),
        points=int(np.median([len(run.times) for run in runs])),
        sd=np.where(seen, sd, np.inf),
        exact=all(run.exact[np.isfinite(run.values[0])].all() for run in runs),
    )


def predicted(model: Model, given: Limits, initial: Float[np.ndarray, "species"]) -> Float[np.ndarray, "times species"]:
    """The curves of a mechanism from `initial` at all times of `given.pool`."""
    plain = dataclasses.replace(given, sd=np.ones_like(given.sd))
    return curves(model, plain, initial[None]).values[0]
