"""d nu / dt = sum_s f_s(nu) operator_s[nu]: interaction functions that move in continuous space, Ernst et al. eqs. (8),
(15).

nu_1(x) of each species is kept at the centres of cells (the method of lines), its operators are differences of second
order there, and each f_s is an ordinary function on C1 elements.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.fem import CubicElements
from guldberg.space.grid import Grid

SAFETY = 2.0  # of 2.785, where the rule of Runge and Kutta is no longer stable on the negative axis


class AbstractOperator(eqx.Module):
    """What of nu stands behind one of the functions."""

    moves: ClassVar[float] = 0.0  # its function where particles diffuse, in units of D

    @abc.abstractmethod
    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        """operator[nu] for the equation of one species."""


class One(AbstractOperator):
    """1: what happens to particles where they are."""

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return jnp.ones_like(nu[species])


class Laplacian(AbstractOperator):
    """laplacian nu."""

    moves = 1.0

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return grid.laplacian(nu[species][None])[0]


class SquaredGradient(AbstractOperator):
    """|grad nu|^2."""

    moves = -1.0

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return squared_gradient(nu[species][None], grid)[0]


def squared_gradient(nu: Float[Array, "species *grid"], grid: Grid) -> Float[Array, "species *grid"]:
    """|grad nu|^2 = laplacian nu + exp(nu) laplacian exp(-nu), to second order; so that laplacian nu - |grad nu|^2 is
    the diffusion of the density exp(-nu) between cells, which keeps its amount, walls or not."""
    return grid.laplacian(nu) + jnp.exp(nu) * grid.laplacian(jnp.exp(-nu))


class Term(eqx.Module):
    """f(nu_i, nu_j, ...) operator[nu], a part of d nu / dt of one species."""

    name: str = eqx.field(static=True)
    species: int = eqx.field(static=True)  # whose equation it stands in
    operator: AbstractOperator
    of: tuple[int, ...] = eqx.field(static=True)  # the species whose nu the function is of
    function: CubicElements  # of one column

    def values(self, nu: Float[Array, "species *grid"]) -> Float[Array, "*grid"]:
        """f(nu) in each cell."""
        points = nu[np.array(self.of)].reshape(len(self.of), -1).T
        return _at(self.function, points).reshape(nu.shape[1:])


class Levelled(Term):
    """f(level) operator[nu], the level being -log of the mean of the sum of exp(-nu) over some species: the function is
    of how many particles there are."""

    def values(self, nu: Float[Array, "species *grid"]) -> Float[Array, "*grid"]:
        point = level(nu[np.array(self.of)]).reshape(1, 1)
        return jnp.broadcast_to(_at(self.function, point), nu.shape[1:])


def level(nu: Float[Array, "species *grid"]) -> Float[Array, ""]:
    """-log of the mean over the grid of the sum of exp(-nu)."""
    return -jnp.log(jnp.mean(jnp.sum(jnp.exp(-nu), axis=0)))


@jax.custom_jvp
def _at(function: CubicElements, points: Float[Array, "points arguments"]) -> Float[Array, "points"]:
    return _elements(function, points)[0] @ function.coefficients[:, 0]


@_at.defjvp
def _at_and_beside(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    """Elements and slopes once for all directions: left to itself, JAX takes them anew for each."""
    (function, points), (moved, shifts) = primals, tangents
    elements, slopes = _elements(function, points)
    u = function.coefficients[:, 0]
    return elements @ u, jnp.sum((slopes @ u) * shifts, axis=1) + elements @ moved.coefficients[:, 0]


def _elements(
    function: CubicElements, points: Float[Array, "points arguments"]
) -> tuple[Float[Array, "points dofs"], Float[Array, "points arguments dofs"]]:
    """All elements at points, zeros included, and their derivatives by each argument. They are `function.rows`, which
    looks up the few that are not zero: in the innermost loop that takes six times as long."""

    def at(point: Float[Array, "arguments"]) -> tuple[Array, Array]:
        where = point, function.low, function.cell, function.counts
        axes = [_line(x, low, cell, n) for x, low, cell, n in zip(*where, strict=True)]
        derived = [[slope if i == j else value for j, (value, slope) in enumerate(axes)] for i in range(len(axes))]
        return _product([value for value, _ in axes]), jnp.stack([_product(each) for each in derived])

    return jax.vmap(at)(points)


def _line(
    x: Array, low: Array, cell: Array, cells: int
) -> tuple[Float[Array, "vertices 2"], Float[Array, "vertices 2"]]:
    """Hermite's cubics of every vertex of an axis, for value and slope there, and their derivatives."""
    inside = (x - low) / cell
    within = jnp.clip(inside, 0.0, float(cells))
    d = within - jnp.arange(cells + 1.0)
    a = jnp.minimum(jnp.abs(d), 1.0)
    values = jnp.stack([(1 + 2 * a) * (1 - a) ** 2, d * (1 - a) ** 2], axis=-1)
    slopes = jnp.stack([-6 * jnp.sign(d) * a * (1 - a), (1 - a) * (1 - 3 * a)], axis=-1)
    return values, slopes * jnp.where(within == inside, 1 / cell, 0.0)


def _product(axes: list[Float[Array, "vertices 2"]]) -> Float[Array, "dofs"]:
    """Of each axis's elements; dof = vertex * 2^d + derivative."""
    out = axes[0]
    for more in axes[1:]:
        out = (out[:, None, :, None] * more[None, :, None, :]).reshape(len(out) * len(more), -1)
    return out.reshape(-1)


class Functional(eqx.Module):
    """F[nu], the sum of its terms; linear in `coefficients`, those of all functions in a row."""

    terms: tuple[Term, ...]
    grid: Grid

    def __call__(self, nu: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
        parts = [jnp.zeros_like(nu[0]) for _ in nu]
        for term in self.terms:
            parts[term.species] += term.values(nu) * term.operator(nu, term.species, self.grid)
        return jnp.stack(parts)

    @property
    def coefficients(self) -> Float[Array, "dofs"]:
        return jnp.concatenate([jnp.asarray(term.function.coefficients)[:, 0] for term in self.terms])

    def having(self, coefficients: Float[Array, "dofs"]) -> Functional:
        """The same terms with other coefficients."""
        ends = np.cumsum([len(term.function.coefficients) for term in self.terms]).tolist()
        parts = [coefficients[a:b, None] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        return eqx.tree_at(lambda f: [term.function.coefficients for term in f.terms], self, parts)

    def substeps(self, span: float, fastest: float) -> int:
        """Steps in a `span` of time that are stable where nothing diffuses faster than `fastest`."""
        stiffest = fastest * self.grid.stencil.stiffest(self.grid.spacing)
        return max(1, math.ceil(span * stiffest / SAFETY))


def runge_kutta(
    functional: Callable[[Array], Array], nu: Float[Array, "species *grid"], dt: float | Array
) -> Float[Array, "species *grid"]:
    """nu(t) -> nu(t + dt), the classical rule of fourth order."""
    first = functional(nu)
    second = functional(nu + dt / 2 * first)
    third = functional(nu + dt / 2 * second)
    return nu + dt / 6 * (first + 2 * second + 2 * third + functional(nu + dt * third))


def path(
    functional: Callable[[Array], Array],
    nu: Float[Array, "species *grid"],
    span: float,
    snapshots: int,
    substeps: int | np.ndarray,
) -> Float[Array, "snapshots species *grid"]:
    """nu at times 0, span, 2 span, ..., with `substeps` steps from each to the next. Derivatives go forward through it;
    backwards too where `substeps` is a plain number."""
    dt = span / jnp.asarray(substeps, nu.dtype)

    def leap(nu: Array, _: None) -> tuple[Array, Array]:
        after = jax.lax.fori_loop(0, substeps, lambda _, nu: runge_kutta(functional, nu, dt), nu)
        return after, after

    _, later = jax.lax.scan(leap, nu, None, snapshots - 1)
    return jnp.concatenate([nu[None], later])
