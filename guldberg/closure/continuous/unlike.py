"""Two species on a line that keep apart: densities of A and B, and the pair correlation g(r) of unlike particles.

Fields are potentials of mean force, (u_A, u_B, w) of as many points each: densities exp(-u), g = exp(-w). Particles
that diffuse (D_A, D_B) and react (rate lambda within a radius) obey

    d u_A / dt = D_A (laplacian u_A - |grad u_A|^2) + lambda contacts,       the same of B,
    d w / dt = D (w'' - w'^2 + 2 (log O)' w') + lambda [r < radius] + crowding,   D = D_A + D_B,

contacts being the integral over |s| < radius of exp(-u_B(x + s)) g(s), and O(r) that of exp(-u_A(x) - u_B(y)) over
|x - y| = r: g O, the density of distances, diffuses. The first is exact; the second is with crowding, what third
particles take from a pair beyond what they take from any two.

    p = exp(-sum nu_A(x_i) - sum nu_B(y_j) - sum nu_AB(|x_i - y_j|)) / (n_A! n_B! Z),  Ernst et al. eq. (1),

has these moments for one nu_A, nu_B and nu_AB. One of A stands in the way of every B near it; to first order in the
density of what it keeps away from, nu_AB is w (to second order: like particles ignore each other), and

    nu_A(x) = u_A(x) - integral exp(-u_B(y)) (1 - exp(-w(|x - y|))) dy.
"""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import AbstractOperator
from guldberg.closure.continuous.radial import Shells
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid

A, B, AB = 0, 1, 2  # among the fields; w is AB


@dataclasses.dataclass(frozen=True)
class Line:
    """Cells of a line between walls, and the distances between points of two of them."""

    length: float
    cells: int
    shells: Shells

    @property
    def cell(self) -> float:
        return self.length / self.cells

    @property
    def grid(self) -> Grid:
        return Grid((self.cells,), (self.cell,), [NoFlux()])

    @property
    def farthest(self) -> int:
        """Cells between those of two points that are within reach."""
        return min(self.cells - 1, math.ceil(self.shells.reach / self.cell))

    def chances(self, radius: float = math.inf) -> Float[np.ndarray, "apart shells"]:
        """That a point anywhere in a cell and one in the cell so many further are in a shell, and within a radius:
        `farthest` to the left first."""
        apart = np.arange(-self.farthest, self.farthest + 1)[:, None] * self.cell
        edges = np.minimum(self.shells.edges, radius)
        return np.diff(self._below(edges - apart) - self._below(-edges - apart), axis=-1)

    def _below(self, x: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """The distribution of the distance between two places in one cell."""
        x = np.clip(x / self.cell, -1, 1)
        return np.where(x < 0, (1 + x) ** 2 / 2, 1 - (1 - x) ** 2 / 2)

    def beside(self, field: Float[Array, "cells"]) -> Float[Array, "cells apart"]:
        """The values of a field so many cells further, 0 beyond the walls."""
        padded = jnp.pad(field, self.farthest)
        return jnp.stack([padded[k : k + self.cells] for k in range(2 * self.farthest + 1)], axis=-1)

    def mixed(self, density: Float[Array, "2 cells"]) -> Float[Array, "shells"]:
        """Pairs of unlike particles in each shell, were they independent."""
        products = density[A] @ self.beside(density[B])
        return products @ jnp.asarray(self.chances()) * self.cell**2


def bare(line: Line, fields: Float[Array, "3 points"]) -> Float[Array, "3 points"]:
    """(u_A, u_B, w) -> (nu_A, nu_B, nu_AB), to first order."""
    hole = jnp.asarray(line.chances()) @ (1 - jnp.exp(-fields[AB])) * line.cell
    kept = [line.beside(jnp.exp(-fields[other])) @ hole for other in (B, A)]
    return jnp.stack([fields[A] - kept[A], fields[B] - kept[B], fields[AB]])


class Between(AbstractOperator):
    """An operator of functions of distance, on w."""

    operator: AbstractOperator
    shells: Shells = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return self.operator(nu[AB][None], 0, self.shells.grid)


class Contacts(AbstractOperator):
    """integral over |s| < radius of exp(-u(x + s)) exp(-w(s)), u that of the other species."""

    line: Line = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        near = dataclasses.replace(self.line, shells=self._near)
        g = jnp.exp(-nu[AB, : self._near.count])
        return near.beside(jnp.exp(-nu[A + B - species])) @ (jnp.asarray(near.chances(self.radius)) @ g) * near.cell

    @property
    def _near(self) -> Shells:
        """Those that are within the radius, or in part."""
        shells = self.line.shells
        count = int(np.count_nonzero(shells.contact(self.radius)))
        return Shells(shells.dimensions, float(shells.edges[count]), count)


class Overlap(AbstractOperator):
    """2 (log O)' w', O(r) the integral of exp(-u_A(x) - u_B(y)) over |x - y| = r: by differences between shells, 0
    beyond the first and the last."""

    line: Line = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        overlap = self.line.mixed(jnp.exp(-nu[:AB]))
        slopes = jnp.diff(jnp.log(overlap)) * jnp.diff(nu[AB]) / self.line.shells.grid.spacing[0] ** 2
        return jnp.pad(slopes, (0, 1)) + jnp.pad(slopes, (1, 0))
