"""Where learning starts: nu_1 at each time by itself, and one linear least-squares problem for all functions."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional
from guldberg.closure.continuous.likelihood import Seen

STEPS = 30
SMALL = 0.02  # particles in a cell that nobody was seen in
PULL = 1e-3  # of the penalty on the start of nu, in units of its curvature


class Fits(NamedTuple):
    """Maximum entropy at each time, the moments on elements being met: nu, and its sums of elements."""

    nu: Float[np.ndarray, "times species *grid"]
    dofs: Float[np.ndarray, "times species dofs"]


def static_fits(elements: Float[np.ndarray, "points dofs"], seen: Seen) -> Fits:
    """argmin of  mu . nu + integral exp(-nu)  over nu = elements . a: convex, by Newton's method."""
    mean = seen.mean.reshape(*seen.counts.shape[1:3], -1)
    dofs = np.stack([[_fitted(elements, counts, seen.cell) for counts in each] for each in mean])
    return Fits((dofs @ elements.T).reshape(seen.counts.shape[1:]), dofs)


def _fitted(elements: Float[np.ndarray, "points dofs"], counts: np.ndarray, cell: float) -> Float[np.ndarray, "dofs"]:
    a = np.linalg.lstsq(elements, -np.log(np.maximum(counts, SMALL * counts.mean() + 1e-12) / cell))[0]
    for _ in range(STEPS):
        modelled = cell * np.exp(-elements @ a)
        slope = elements.T @ (counts - modelled)
        curvature = (elements.T * modelled) @ elements
        pull = PULL * np.trace(curvature) / len(a) * np.eye(len(a)) / len(counts)
        step = scipy.linalg.solve(curvature + pull, slope, assume_a="pos")
        a = a - step / max(1.0, float(np.abs(elements @ step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return a


def least_squares(
    functional: Functional,
    fits: Fits,
    seen: Seen,
    directions: Float[np.ndarray, "q dofs"],
    known: Float[np.ndarray, "dofs"],
) -> Float[np.ndarray, "dofs"]:
    """nu(t + span) - nu(t) = span / 2 (F[nu(t)] + F[nu(t + span)]), linear in the coefficients of F: these are sought
    from `known` along `directions`, each difference weighted by the particles that are there."""
    rows = np.asarray(_rows(functional, jnp.asarray(fits.nu)))
    rows = 0.5 * seen.span * (rows[1:] + rows[:-1])
    changes, weights = np.diff(fits.nu, axis=0), seen.cell * np.exp(-(fits.nu[1:] + fits.nu[:-1]) / 2)
    flat, roots = rows.reshape(-1, rows.shape[-1]), np.sqrt(weights).ravel()
    left = (changes.ravel() - flat @ known) * roots
    return known + np.linalg.lstsq(flat @ directions.T * roots[:, None], left)[0] @ directions


@eqx.filter_jit
def _rows(functional: Functional, nus: Float[Array, "times species *grid"]) -> Float[Array, "times species *grid dofs"]:
    zero = functional.coefficients
    return jax.lax.map(lambda nu: jax.jacfwd(lambda u: functional.having(u)(nu))(zero), nus)
