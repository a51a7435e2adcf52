"""Densities and pair correlations, of runs and of models, and how far they are apart."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from guldberg.closure.continuous.functional import Functional
from guldberg.closure.continuous.radial import ONE, PAIRS
from guldberg.closure.continuous.sampled import Sample, gathered
from guldberg.closure.regression import sparse_rows
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.pairs.result import Mixture, Share
from guldberg.reduce.pairs.terms import theories
from guldberg.reduce.space.result import Curve

POINTS = 40  # of a curve


def seen(plan: PairPlan, counts: Float[np.ndarray, "groups times functions shells"]) -> Mixture:
    """Of runs; g is a ratio, and its standard error that of the ratio, linearised."""
    each = gathered(counts)
    mean, groups = each.mean(axis=0), len(each)
    number, pairs = mean[:, -1:], np.maximum(mean[:, :-1], 1e-12)
    apart = (each[..., :-1] - mean[:, :-1]) / pairs - 2 * (each[..., -1:] - number) / number
    root = np.sqrt(groups * (groups - 1))
    g = pairs / _mixed(plan, number)
    return Mixture(
        number[:, 0] / plan.box.volume,
        np.sqrt(((each[..., -1] - mean[:, -1]) ** 2).sum(axis=0)) / root / plan.box.volume,
        g,
        g * np.sqrt((apart**2).sum(axis=0)) / root,
    )


def sampled(plan: PairPlan, samples: tuple[Sample, ...]) -> Mixture:
    """Of Monte Carlo; the error of g is that of the pairs, that of the number being small beside it."""
    means, errors = (np.stack([each[k] for each in samples]) for k in (0, 1))
    number, mixed = means[:, -1:], _mixed(plan, means[:, -1:])
    return Mixture(
        number[:, 0] / plan.box.volume, errors[:, -1] / plan.box.volume, means[:, :-1] / mixed, errors[:, :-1] / mixed
    )


def read(w: Float[np.ndarray, "times functions shells"]) -> Mixture:
    """Of potentials of mean force: -log of the density and of g."""
    density, g = np.exp(-w[:, ONE, 0]), np.exp(-w[:, PAIRS])
    return Mixture(density, np.zeros_like(density), g, np.zeros_like(g))


def _mixed(plan: PairPlan, number: Float[np.ndarray, "times 1"]) -> Float[np.ndarray, "times shells"]:
    """Pairs by shell if so many particles were anywhere, independently of one another."""
    return number**2 / 2 * plan.distances.volumes / plan.box.volume


def outside(found: Mixture, held: Mixture) -> Share:
    """By the standard errors of the held-out runs alone."""
    return Share(
        (np.abs(found.density - held.density) > 2 * held.density_error).astype(float),
        (np.abs(found.correlation - held.correlation) > 2 * held.correlation_error).mean(axis=1),
    )


def curves(
    plan: PairPlan,
    functional: Functional,
    spread: Float[np.ndarray, "dofs dofs"],
    w: Float[np.ndarray, "times functions shells"],
) -> tuple[Curve, ...]:
    """Each function over the w_1 of a path, with its standard error, beside that of superposition."""
    points, out, end = np.linspace(w[0, ONE, 0], w[-1, ONE, 0], POINTS)[:, None], [], 0
    known = theories(plan)["superposition"]
    for term in functional.terms:
        begin, end = end, end + len(term.function.coefficients)
        rows = sparse_rows(term.function, points).toarray()
        error = np.sqrt(np.einsum("pi,ij,pj->p", rows, spread[begin:end, begin:end], rows))
        values = rows @ np.asarray(term.function.coefficients)[:, 0]
        out.append(Curve(term.name, term.of, points, values, error, np.full(POINTS, known[term.name])))
    return tuple(out)
