"""Densities, numbers and pair correlations of two species, of runs and of models, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Float

from guldberg.closure.continuous.functional import Functional, Term, level
from guldberg.closure.continuous.unlike import AB, A, B
from guldberg.closure.regression import sparse_rows
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.front.result import Gas, Share
from guldberg.reduce.front.terms import law
from guldberg.reduce.space import terms
from guldberg.reduce.space.judge import POINTS, SEEN, VISITED
from guldberg.reduce.space.result import Constant, Curve, front
from guldberg.reduce.space.terms import places


def seen(plan: FrontPlan, counts: Float[np.ndarray, "groups times 3 points"]) -> Gas:
    """Of runs; the standard errors are those of ratios, linearised."""
    mean, root = counts.mean(axis=0), np.sqrt(len(counts) * (len(counts) - 1))
    apart = counts - mean
    spread = np.sqrt((apart**2).sum(axis=0)) / root
    mixed = _mixed(plan, mean)
    moved = _moved(plan, mean, apart)
    g = mean[:, AB] / mixed
    error = np.sqrt(((apart[:, :, AB] - g * moved) ** 2).sum(axis=0)) / root / mixed
    number = np.sqrt((apart[:, :, :AB].sum(axis=-1) ** 2).sum(axis=0)) / root
    cell, most = plan.line.cell, len(counts) - 1
    without = np.stack([front((mean - each / most)[:, :AB], cell) for each in apart])  # the jackknife
    return Gas(
        mean[:, :AB] / cell, spread[:, :AB] / cell, g, error, mean[:, :AB].sum(axis=-1), number,
        front(mean[:, :AB], cell), np.sqrt(most * without.var(axis=0)),
    )  # fmt: skip


def sampled(
    plan: FrontPlan, mean: Float[np.ndarray, "times counted"], error: Float[np.ndarray, "times counted"]
) -> Gas:
    """Of Monte Carlo; the error of g is that of the pairs, those of the numbers and of the front are not known."""
    mean, error = (each.reshape(len(each), 3, -1) for each in (mean, error))
    cell, mixed = plan.line.cell, _mixed(plan, mean)
    number, here = mean[:, :AB].sum(axis=-1), front(mean[:, :AB], cell)
    return Gas(
        mean[:, :AB] / cell, error[:, :AB] / cell, mean[:, AB] / mixed, error[:, AB] / mixed,
        number, np.full_like(number, np.nan), here, np.full_like(here, np.nan),
    )  # fmt: skip


def read(plan: FrontPlan, fields: Float[np.ndarray, "times 3 points"]) -> Gas:
    """Of a theory, whose fields are logarithms of densities and of g."""
    density, g = np.exp(-fields[:, :AB]), np.exp(-fields[:, AB])
    number, here = density.sum(axis=-1) * plan.line.cell, front(density, plan.line.cell)
    exact = (np.zeros_like(each) for each in (density, g, number, here))
    return Gas(*(part for pair in zip((density, g, number, here), exact, strict=True) for part in pair))


def outside(found: Gas, held: Gas, runs: int) -> Share:
    """By the standard errors of the held-out runs alone, where so many runs saw somebody."""
    cell = held.number.sum() / held.density.sum()
    there = held.density * cell * runs >= SEEN
    far = (np.abs(found.density - held.density) > 2 * held.density_error) & there
    return Share(
        far.sum(axis=(1, 2)) / there.sum(axis=(1, 2)),
        (np.abs(found.correlation - held.correlation) > 2 * held.correlation_error).mean(axis=1),
        (np.abs(found.number - held.number) > 2 * held.number_error).mean(axis=1),
        (np.abs(found.front - held.front) > 2 * held.front_error).astype(float),
    )


def curves(
    plan: FrontPlan,
    functional: Functional,
    spread: Float[np.ndarray, "dofs dofs"],
    fields: Float[np.ndarray, "times 3 points"],
) -> tuple[Curve, ...]:
    """Each function over what particles visit, with its standard error, beside the network's constant."""
    known, out = law(plan), []
    for term, place in zip(functional.terms, places(functional), strict=True):
        points = _visited(term, fields)
        rows = sparse_rows(term.function, points).toarray()
        error = np.sqrt(np.einsum("pi,ij,pj->p", rows, spread[place, place], rows))
        values = rows @ np.asarray(term.function.coefficients)[:, 0]
        out.append(Curve(term.name, term.of, points, values, error, np.full(POINTS, known[term.name])))
    return tuple(out)


def _visited(term: Term, fields: Float[np.ndarray, "times 3 points"]) -> Float[np.ndarray, "points 1"]:
    """Of a species the potentials at which most of it is; of pairs the levels of a path."""
    if term.species == AB:
        first, last = (float(level(jnp.asarray(each[:AB]))) for each in (fields[0], fields[-1]))
        return np.linspace(first, last, POINTS)[:, None]
    values = np.sort(fields[:, term.species].ravel())
    share = np.cumsum(np.exp(-values)) / np.exp(-values).sum()
    low, high = values[np.searchsorted(share, VISITED)]
    return np.linspace(low, high, POINTS)[:, None]


def constants(
    functional: Functional, flat: np.ndarray, spread: np.ndarray, shown: Sequence[Curve], groups: int
) -> tuple[Constant, ...]:
    """Functions learned as constants, with intervals by Student's distribution of the groups of runs."""
    select = terms.constants(functional)
    select = select / select.sum(axis=1, keepdims=True)
    values, errors = select @ flat, np.sqrt(np.diag(select @ spread @ select.T))
    reach = float(scipy.stats.t.ppf(0.975, groups - 1))
    return tuple(
        Constant(
            curve.name, value, value - reach * error, value + reach * error, float(curve.known[0]),
            float((np.abs(curve.values - value) < 2 * curve.error).mean()),
        )
        for curve, value, error in zip(shown, values.tolist(), errors.tolist(), strict=True)
    )  # fmt: skip


def _mixed(plan: FrontPlan, counts: Float[np.ndarray, "*any 3 points"]) -> Float[np.ndarray, "*any shells"]:
    """Pairs by shell if all particles were independent of one another."""
    density = counts[..., :AB, :].reshape(-1, AB, counts.shape[-1]) / plan.line.cell
    return np.asarray(jax.jit(jax.vmap(plan.line.mixed))(jnp.asarray(density))).reshape(*counts.shape[:-2], -1)


def _moved(plan: FrontPlan, mean: np.ndarray, apart: np.ndarray) -> Float[np.ndarray, "groups times shells"]:
    """The derivatives of these along changes of the densities."""
    mean = np.broadcast_to(mean, apart.shape)
    one, other = (np.stack(pair, axis=2) for pair in ((apart[:, :, A], mean[:, :, B]), (mean[:, :, A], apart[:, :, B])))
    return _mixed(plan, one) + _mixed(plan, other)
