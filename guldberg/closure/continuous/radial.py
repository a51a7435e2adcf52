"""Pair functions of distance, in one to three dimensions, with a function of time of a homogeneous mixture beside them.

Both are kept in shells of distance, the second the same in all, so that `guldberg.closure.continuous.functional`
carries them: species 0 of its fields is of pairs, species 1 of one particle. As potentials of mean force, density
exp(-w_1) and pair correlation g = exp(-w_2), which nu_1 and nu_2 of eq. (1) are in a thin gas, two that diffuse (D) and
react (rate lambda within a radius) obey

    d w_2 / dt = 2 D (laplacian w_2 - |grad w_2|^2) + lambda [r < radius] + 2 lambda crowding,
    d w_1 / dt = lambda exp(-w_1) integral over contact of g,

where crowding is what a third particle takes from a pair beyond what it takes from any two (`Crowding`): 0 by the
equation of a pair (Smoluchowski 1917), and by superposition (Kirkwood 1935) the integral written there. All else is
exact.
"""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import AbstractOperator
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid

PAIRS, ONE = 0, 1  # w_2 and w_1 among the fields
ANGLES = 16  # at which a third particle is looked at


@dataclasses.dataclass(frozen=True)
class Shells:
    """Distances from 0 to `reach`, in shells of equal width."""

    dimensions: int
    reach: float
    count: int

    @property
    def edges(self) -> Float[np.ndarray, "shells+1"]:
        return np.linspace(0, self.reach, self.count + 1)

    @property
    def centres(self) -> Float[np.ndarray, "shells"]:
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def volumes(self) -> Float[np.ndarray, "shells"]:
        return np.diff(self.within(self.edges))

    @property
    def grid(self) -> Grid:
        """Of the distances; what w_2 is beyond the last shell it is in it."""
        return Grid((self.count,), (self.reach / self.count,), [NoFlux()])

    def within(self, r: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """2 r, pi r^2, 4/3 pi r^3."""
        d = self.dimensions
        return math.pi ** (d / 2) / math.gamma(d / 2 + 1) * np.asarray(r) ** d

    def contact(self, radius: float) -> Float[np.ndarray, "shells"]:
        """The volume of each shell that lies within a radius."""
        return np.diff(self.within(np.minimum(self.edges, radius)))


class RadialLaplacian(AbstractOperator):
    """r^(1-d) d/dr (r^(d-1) d w_2 / dr), by flows through the shells' surfaces."""

    shells: Shells = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        surfaces = self.shells.dimensions * self.shells.within(self.shells.edges[1:-1]) / self.shells.edges[1:-1]
        flow = surfaces * jnp.diff(nu[PAIRS]) / grid.spacing[0]
        return jnp.diff(flow, prepend=0.0, append=0.0) / self.shells.volumes


class Contact(AbstractOperator):
    """[r < radius]."""

    shells: Shells = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return jnp.asarray(self.shells.contact(self.radius) / self.shells.volumes)


class Collisions(AbstractOperator):
    """exp(-w_1) integral over |s| < radius of g(s): contacts of a particle."""

    shells: Shells = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        return jnp.exp(-nu[ONE]) * jnp.sum(self.shells.contact(self.radius) * jnp.exp(-nu[PAIRS]))


class Crowding(AbstractOperator):
    """exp(-w_1) integral over |s| < radius of g(s) (g(|r + s|) - 1): contacts of one of a pair at a
    distance r with a third, beyond those of any particle, by superposition (Kirkwood 1935)."""

    shells: Shells = eqx.field(static=True)
    radius: float = eqx.field(static=True)

    def __call__(self, nu: Float[Array, "species *grid"], species: int, grid: Grid) -> Float[Array, "*grid"]:
        contact = self.shells.contact(self.radius)
        near = int(np.count_nonzero(contact))
        g = jnp.exp(-nu[PAIRS])
        taken = _seen_from(self.shells, near) @ (g - 1)
        return jnp.exp(-nu[ONE]) * (taken @ (contact[:near] * g[:near]))


def _seen_from(shells: Shells, near: int) -> Float[np.ndarray, "shells near shells"]:
    """Weights of a function's values in shells for its mean over |r + s|, r and s given, all directions alike; by
    straight lines between the centres, 0 beyond the last."""
    cosines, weights = _directions(shells.dimensions)
    r, s = shells.centres[:, None, None], shells.centres[:near, None]
    apart = np.sqrt(np.maximum(r**2 + s**2 + 2 * r * s * cosines, 0))
    at = np.clip(apart / shells.reach * shells.count - 0.5, 0, None)
    out, low = np.zeros((shells.count, near, shells.count + 2)), np.minimum(at.astype(int), shells.count)
    part = np.minimum(at - low, 1.0)
    i, j, _ = np.indices(at.shape)
    np.add.at(out, (i, j, low), weights * (1 - part))
    np.add.at(out, (i, j, low + 1), weights * part)
    return out[..., : shells.count]


def _directions(dimensions: int) -> tuple[Float[np.ndarray, "angles"], Float[np.ndarray, "angles"]]:
    """Cosines, and the share of directions that have them: two on a line, evenly on a circle, by Gauss on a sphere."""
    if dimensions == 1:
        return np.array([-1.0, 1.0]), np.full(2, 0.5)
    if dimensions == 2:
        return np.cos((np.arange(ANGLES) + 0.5) * math.pi / ANGLES), np.full(ANGLES, 1 / ANGLES)
    nodes, weights = np.polynomial.legendre.leggauss(ANGLES)
    return nodes, weights / 2
