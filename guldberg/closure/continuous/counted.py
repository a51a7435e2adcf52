"""What is counted of two species on a line, and the distribution of eq. (1) that has these moments: `sampled`, in a
field.

Fields are (u_A, u_B, w) of `unlike`, potentials of mean force: densities are exp(-u), the pair correlation of unlike
particles is exp(-w), and the moments follow exactly. To these belong one nu_A, nu_B and nu_AB. Around the moments mu
that were counted the relative entropy is

    S = (mu~ - mu) . C^-1 (mu~ - mu) / 2

to second order, C the covariance of what is counted, sampled at the nu that has them.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from guldberg.closure.continuous.sampled import Sample
from guldberg.closure.continuous.unlike import AB, Line

RIDGE = 0.001  # nats: of departures from what is expected, where nobody is
Path = Float[np.ndarray, "times 3 points"]


def moments(line: Line, fields: Float[Array, "3 points"]) -> Float[Array, "counted"]:
    """Particles of A and B in each cell, pairs of unlike ones in each shell."""
    density = jnp.exp(-fields[:AB])
    return jnp.concatenate([density.ravel() * line.cell, line.mixed(density) * jnp.exp(-fields[AB])])


class Counted(NamedTuple):
    """The entropy as a parabola around what was counted."""

    counts: Float[np.ndarray, "groups times 3 points"]
    span: float
    line: Line
    precision: Float[np.ndarray, "times counted counted"]

    def entropy(self, fields: Path, /) -> float:
        if not np.isfinite(fields).all():
            return np.inf
        away = self._away(fields)
        return 0.5 * float(np.sum(away * self._weighed(away)))

    def excess(self, fields: Path, /) -> Float[np.ndarray, "seen"]:
        return np.einsum("ti,tij->tj", self._weighed(self._away(fields)), _slopes(self.line, fields)).ravel()

    def bent(self, fields: Path, slopes: Float[np.ndarray, "q seen"], /) -> Float[np.ndarray, "q q"]:
        moved = self._moved(fields, slopes)
        return np.tensordot(moved, self._weighed(moved), axes=([1, 2], [1, 2]))

    def scattered(self, fields: Path, slopes: Float[np.ndarray, "q seen"], /) -> Float[np.ndarray, "groups q"]:
        apart = (self.counts - self.counts.mean(axis=0)).reshape(*self.counts.shape[:2], -1)
        return -np.tensordot(self._weighed(apart), self._moved(fields, slopes), axes=([1, 2], [1, 2]))

    def _away(self, fields: Path) -> Float[np.ndarray, "times counted"]:
        return np.asarray(_moments(self.line, fields)) - self.counts.mean(axis=0).reshape(len(fields), -1)

    def _weighed(self, away: Float[np.ndarray, "*any times counted"]) -> Float[np.ndarray, "*any times counted"]:
        return np.einsum("tij,...tj->...ti", self.precision, away)

    def _moved(self, fields: Path, slopes: Float[np.ndarray, "q seen"]) -> Float[np.ndarray, "q times counted"]:
        each = slopes.reshape(len(slopes), len(fields), -1)
        return np.einsum("tij,qtj->qti", _slopes(self.line, fields), each)


@eqx.filter_jit
def _moments(line: Line, fields: Path) -> Float[Array, "times counted"]:
    return jax.vmap(lambda each: moments(line, each))(jnp.asarray(fields))


def _slopes(line: Line, fields: Path) -> Float[np.ndarray, "times counted counted"]:
    """The derivatives of all moments by all fields, time by time."""
    return np.asarray(_derived(line, fields)).reshape(len(fields), fields[0].size, fields[0].size)


@eqx.filter_jit
def _derived(line: Line, fields: Path) -> Float[Array, "times counted 3 points"]:
    return jax.vmap(jax.jacfwd(lambda each: moments(line, each)))(jnp.asarray(fields))


def closer(
    nu: Float[np.ndarray, "3 points"],
    asked: Float[np.ndarray, "counted"],
    sample: Sample,
    expected: Float[np.ndarray, "3 points"],
    stiffness: float,
) -> Float[np.ndarray, "3 points"]:
    """A step of Newton's method towards the maximum of entropy with these moments at one time, each value moving by 1
    at most; `stiffness` of second differences of nu - `expected` keeps noise out, and where nobody is it stays."""
    second = np.diff(np.eye(nu.shape[1]), n=2, axis=0)
    rough = np.kron(np.eye(len(nu)), stiffness * second.T @ second) + RIDGE * np.eye(nu.size)
    slope = sample.mean - asked - rough @ (nu - expected).ravel()
    step = scipy.linalg.solve(sample.covariance + rough, slope, assume_a="pos")
    return nu + np.clip(step, -1, 1).reshape(nu.shape)
