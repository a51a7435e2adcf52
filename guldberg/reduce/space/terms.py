"""Which functions are learned, and how rough they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from guldberg.closure.continuous.functional import (
    AbstractOperator,
    Functional,
    Laplacian,
    One,
    SquaredGradient,
    Term,
)
from guldberg.closure.fem import CubicElements
from guldberg.network import ReactionNetwork
from guldberg.space.grid import Grid

MARGIN = 0.1  # of an element, beyond the values of nu that were fitted
LEAST = 0.02  # of the largest function: the size that a small one is taken to have


class Wanted(NamedTuple):
    """f(nu of these species) operator[nu] in the equation of one species."""

    name: str
    species: int
    operator: AbstractOperator
    of: tuple[int, ...]


def standard(network: ReactionNetwork) -> tuple[Wanted, ...]:
    """{1, laplacian nu, |grad nu|^2} of each species: what moves them by their own nu, what reacts by that of their own
    and of all that react where their number changes."""
    return tuple(
        wanted
        for s, name in enumerate(network.species)
        for wanted in (
            Wanted(f"laplacian {name}", s, Laplacian(), (s,)),
            Wanted(f"|grad {name}|²", s, SquaredGradient(), (s,)),
            Wanted(f"1 {name}", s, One(), (s, *(other for other in reacting(network, s) if other != s))),
        )
    )


def reacting(network: ReactionNetwork, species: int) -> tuple[int, ...]:
    """Those whose nu the rates of reactions are of that change the number of a species."""
    changes = np.asarray(network.stoichiometry)[:, species] != 0
    sides = np.asarray(network.reactants), np.where(network.reversible[:, None], np.asarray(network.products), 0)
    return tuple(np.flatnonzero((sides[0] + sides[1])[changes].any(axis=0)).tolist())


def blank(wanted: Sequence[Wanted], nu: Float[np.ndarray, "times species *grid"], grid: Grid, cells: int) -> Functional:
    """F = 0, its functions on so many elements along each axis over the values that `nu` takes."""
    flat = np.moveaxis(nu, 1, -1).reshape(-1, nu.shape[1])
    return Functional(
        tuple(Term(w.name, w.species, w.operator, w.of, over(flat[:, w.of], cells)) for w in wanted), grid
    )


def over(points: Float[np.ndarray, "points arguments"], cells: int) -> CubicElements:
    """0 on so many elements along each axis over these points."""
    width = np.maximum(np.ptp(points, axis=0), 1e-3) / (cells - 2 * MARGIN)
    family = CubicElements.covering(points, cell=width, margin=MARGIN)
    return family.having(jnp.zeros((len(family.coefficients), 1)))


def roughness(functional: Functional, sizes: Float[np.ndarray, "terms"]) -> Float[np.ndarray, "dofs dofs"]:
    """The mean square of second derivatives of each function, over the square of its size."""
    sizes = np.maximum(np.abs(sizes), LEAST * np.abs(sizes).max() or 1.0)
    blocks = [term.function.roughness() / size**2 for term, size in zip(functional.terms, sizes, strict=True)]
    return np.asarray(scipy.linalg.block_diag(*blocks))


def constants(functional: Functional) -> Float[np.ndarray, "terms dofs"]:
    """The coefficients of 1 in each function: values at vertices are 1, all slopes 0."""
    return np.asarray(scipy.linalg.block_diag(*(_ones(term) for term in functional.terms)))


def means(functional: Functional, coefficients: Float[np.ndarray, "dofs"]) -> Float[np.ndarray, "terms"]:
    """The mean of each function over its vertices."""
    flat = constants(functional)
    return flat @ coefficients / flat.sum(axis=1)


def places(functional: Functional) -> list[slice]:
    """Where the coefficients of each function stand."""
    ends = np.cumsum([len(term.function.coefficients) for term in functional.terms]).tolist()
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def _ones(term: Term) -> Float[np.ndarray, "dofs"]:
    return (np.arange(len(term.function.coefficients)) % 2 ** len(term.function.counts) == 0).astype(float)
