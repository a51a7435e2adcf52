"""What was learned, beside what one would try first, on runs that nothing was learned from."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional, Laplacian, One, SquaredGradient, Term, path
from guldberg.closure.continuous.likelihood import Model, Seen
from guldberg.closure.regression import sparse_rows
from guldberg.reduce.space import terms
from guldberg.reduce.space.known import Known
from guldberg.reduce.space.result import Constant, Curve

VISITED = (0.005, 0.995)  # shares of particles between which a function is shown
POINTS = 40  # of a curve
SCATTER = 300  # points of a function of several species
EQUAL = 1e-9  # relative
SEEN = 10  # particles in all held-out runs: where there are fewer their errors are not those of a normal law
COARSE = {1: 20, 2: 8}  # cells along each axis, by dimensions, in which two standard errors are looked at


@eqx.filter_jit
def known_path(known: Known, nu: Float[Array, "species *grid"], span: float, times: int, substeps: np.ndarray) -> Array:
    """nu by the network alone."""
    return path(known, nu, span, times, substeps)


def rmse(density: Float[np.ndarray, "times species *grid"], truth: np.ndarray) -> Float[np.ndarray, "1 times"]:
    """Root mean square over species and cells."""
    return np.sqrt(((density - truth) ** 2).reshape(len(truth), -1).mean(axis=1))[None]


def outside(density: Float[np.ndarray, "times species *grid"], held: Seen, runs: int) -> Float[np.ndarray, "times"]:
    """The share of coarse cells, where so many held-out runs saw some, in which these are more than two standard errors
    away: 5 per cent by chance."""
    axes = density.ndim - 2
    groups = np.stack([_coarse(group, axes) for group in held.counts])
    error = groups.std(axis=0, ddof=1) / np.sqrt(len(groups))
    mean = groups.mean(axis=0)
    there = mean * runs >= SEEN
    far = (np.abs(_coarse(density * held.cell, axes) - mean) > 2 * error) & there
    return far.reshape(len(far), -1).sum(axis=1) / np.maximum(there.reshape(len(far), -1).sum(axis=1), 1)


def _coarse(field: Float[np.ndarray, "times species *grid"], axes: int) -> np.ndarray:
    for axis in range(2, 2 + axes):
        edges = np.linspace(0, field.shape[axis], COARSE[axes] + 1).astype(int)[:-1]
        field = np.add.reduceat(field, edges, axis=axis)
    return field


def curves(
    model: Model, parameters: np.ndarray, spread: np.ndarray, nu: Float[np.ndarray, "times species *grid"], known: Known
) -> tuple[Curve, ...]:
    """Each function where particles are, with its standard error."""
    dofs = len(parameters) - len(model.functional.coefficients)
    out, flat = [], np.moveaxis(nu, 1, -1).reshape(-1, nu.shape[1])
    for term in model.functional.terms:
        end = dofs + len(term.function.coefficients)
        points = _visited(flat, term)
        rows = sparse_rows(term.function, points).toarray()
        error = np.sqrt(np.einsum("pi,ij,pj->p", rows, spread[dofs:end, dofs:end], rows))
        out.append(Curve(term.name, term.of, points, rows @ parameters[dofs:end], error, _said(term, points, known)))
        dofs = end
    return tuple(out)


def _visited(flat: Float[np.ndarray, "cells species"], term: Term) -> Float[np.ndarray, "points arguments"]:
    """Values of nu that particles of the species have: evenly for one argument, some of them for several."""
    weights = np.exp(-flat[:, term.species])
    if len(term.of) == 1:
        values = flat[:, term.of[0]]
        order = np.argsort(values)
        share = np.cumsum(weights[order]) / weights.sum()
        low, high = values[order][np.searchsorted(share, VISITED)]
        return np.linspace(low, high, POINTS)[:, None]
    chosen = np.random.default_rng(0).choice(len(flat), SCATTER, p=weights / weights.sum())
    return flat[chosen][:, term.of]


def _said(term: Term, points: Float[np.ndarray, "points arguments"], known: Known) -> Float[np.ndarray, "points"]:
    """The function that the network has there; NaN for operators that it knows nothing of."""
    D = float(known.diffusivity[term.species])
    if isinstance(term.operator, One):
        nu = np.zeros((len(known.diffusivity), len(points)))
        nu[np.array(term.of)] = points.T
        return np.asarray(known.reactions(jnp.asarray(nu)))[term.species]
    if isinstance(term.operator, Laplacian | SquaredGradient):
        return np.full(len(points), D if isinstance(term.operator, Laplacian) else -D)
    return np.full(len(points), np.nan)


def steady(functional: Functional, nu: Float[np.ndarray, "times species *grid"], known: Known) -> list[bool]:
    """Which functions are constants by the network, or unknown to it."""
    flat = np.moveaxis(nu, 1, -1).reshape(-1, nu.shape[1])
    said = [_said(term, _visited(flat, term), known) for term in functional.terms]
    return [not np.ptp(values) > EQUAL * np.abs(values).max() for values in said]


def as_constants(
    model: Model, flat: np.ndarray, spread: np.ndarray, shown: Sequence[Curve], which: list[bool], groups: int
) -> tuple[Constant, ...]:
    """Functions learned as constants, with intervals by Student's distribution of the groups of runs."""
    dofs = len(flat) - len(model.functional.coefficients)
    select = terms.constants(model.functional)
    select = select / select.sum(axis=1, keepdims=True)
    values, errors = select @ flat[dofs:], np.sqrt(np.diag(select @ spread[dofs:, dofs:] @ select.T))
    reach = float(scipy.stats.t.ppf(0.975, groups - 1))
    out = []
    for curve, value, error, constant in zip(shown, values.tolist(), errors.tolist(), which, strict=True):
        if not constant:
            continue
        known = float(curve.known[0]) if np.isfinite(curve.known[0]) else None
        held = np.abs(curve.values - value) < 2 * curve.error
        out.append(Constant(curve.name, value, value - reach * error, value + reach * error, known, float(held.mean())))
    return tuple(out)


def noise(held: Seen) -> Float[np.ndarray, "times species *grid"]:
    """Half the difference of the densities of two halves of the groups."""
    return (held.counts[::2].mean(axis=0) - held.counts[1::2].mean(axis=0)) / (2 * held.cell)


def by_penalty(tried: tuple[tuple[float, np.ndarray], ...]) -> dict[float, Float[np.ndarray, "groups"]]:
    """The entropies of all groups of runs, each learned from the others."""
    every = dict.fromkeys(penalty for penalty, _ in tried)
    return {p: np.concatenate([errors for penalty, errors in tried if penalty == p]) for p in every}


def chosen(tried: tuple[tuple[float, np.ndarray], ...]) -> float:
    """The largest penalty that costs less than one standard error more than the best (Breiman et al. 1984)."""
    errors = by_penalty(tried)
    best = min(errors, key=lambda penalty: float(errors[penalty].mean()))
    more = {penalty: e - errors[best] for penalty, e in errors.items()}
    return max(p for p, e in more.items() if e.mean() <= e.std(ddof=1) / np.sqrt(len(e)))
