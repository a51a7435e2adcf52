"""Learning from where particles are seen: relative entropy, its curvature, and intervals that hold for runs.

With one-body functions alone the distribution (1) is a Poisson process of density exp(-nu_1). Its relative entropy to
the truth, up to what no model changes, is eq. (5): sum over times of  mu . nu + integral exp(-nu),  with the derivative

    dS = sum over times, integral of  (mu - exp(-nu)) d nu,

that of eq. (6) with Delta mu = mu - mu~ (the paper's eq. (7) has the sign of a distribution exp(+nu)).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional, path

RIDGE = 1e-9  # of the mean curvature
HALVINGS = 12
CLOSE = 1e-5  # nats per run: a step that gains less is the last
BATCH = 64  # directions that are followed at once


class Evidence(Protocol):
    """What is known of the moments, and what a distribution at each time says of them."""

    @property
    def counts(self) -> Float[np.ndarray, "groups times species *grid"]: ...

    @property
    def span(self) -> float: ...

    def entropy(self, nu: Float[np.ndarray, "times species *grid"], /) -> float:
        """Relative to the truth, nats per run, up to what no model changes."""
        ...

    def excess(self, nu: Float[np.ndarray, "times species *grid"], /) -> Float[np.ndarray, "seen"]:
        """mu - mu~, the derivative of the entropy."""
        ...

    def bent(
        self, nu: Float[np.ndarray, "times species *grid"], slopes: Float[np.ndarray, "q seen"], /
    ) -> Float[np.ndarray, "q q"]:
        """Its expected second derivatives along directions: the covariance of what is counted."""
        ...

    def scattered(
        self, nu: Float[np.ndarray, "times species *grid"], slopes: Float[np.ndarray, "q seen"], /
    ) -> Float[np.ndarray, "groups q"]:
        """How far the slope of each group of runs is from that of all, along directions."""
        ...


class Seen(NamedTuple):
    """Counts in the cells of a grid at evenly spaced times, by groups of runs that are independent of one another; the
    distribution is a Poisson process."""

    counts: Float[np.ndarray, "groups times species *grid"]  # mean over the runs of a group
    span: float  # between two times
    cell: float  # volume of a cell

    @property
    def mean(self) -> Float[np.ndarray, "times species *grid"]:
        return self.counts.mean(axis=0)

    def of(self, groups: np.ndarray) -> Seen:
        return self._replace(counts=self.counts[groups])

    def entropy(self, nu: Float[np.ndarray, "times species *grid"]) -> float:
        return float(entropies(nu, self).mean())

    def excess(self, nu: Float[np.ndarray, "times species *grid"]) -> Float[np.ndarray, "seen"]:
        return (self.mean - self.cell * np.exp(-nu)).ravel()

    def bent(
        self, nu: Float[np.ndarray, "times species *grid"], slopes: Float[np.ndarray, "q seen"]
    ) -> Float[np.ndarray, "q q"]:
        return (slopes * (self.cell * np.exp(-nu)).ravel()) @ slopes.T

    def scattered(
        self, nu: Float[np.ndarray, "times species *grid"], slopes: Float[np.ndarray, "q seen"]
    ) -> Float[np.ndarray, "groups q"]:
        return (self.counts - self.mean).reshape(len(self.counts), -1) @ slopes.T


class Model(eqx.Module):
    """A functional, and nu_1 at the start as a sum of elements: all that is learned is (start, coefficients)."""

    functional: Functional
    elements: Float[np.ndarray, "points dofs"]  # of each species at the start
    substeps: np.ndarray  # from one time to the next; not static: other steps need no other program

    def split(self, parameters: Float[Array, "p"], species: int) -> tuple[Array, Functional]:
        """nu at the start, and the functional."""
        dofs = self.elements.shape[1] * species
        start = parameters[:dofs].reshape(species, -1) @ self.elements.T
        return start.reshape(species, *self.functional.grid.shape), self.functional.having(parameters[dofs:])


@eqx.filter_jit
def followed(
    model: Model, parameters: Float[Array, "p"], times: int, species: int, span: float
) -> Float[Array, "times species *grid"]:
    """nu at every time."""
    nu, functional = model.split(parameters, species)
    return path(functional, nu, span, times, model.substeps)


@eqx.filter_jit
def sensitivities(
    model: Model, parameters: Float[Array, "p"], directions: Float[Array, "q p"], times: int, species: int, span: float
) -> tuple[Float[Array, "times species *grid"], Float[Array, "q times species *grid"]]:
    """nu at every time, and its derivatives along directions of the parameters."""
    run = partial(followed, model, times=times, species=species, span=span)
    slopes = jax.lax.map(lambda d: jax.jvp(run, (parameters,), (d,))[1], directions, batch_size=BATCH)
    return run(parameters), slopes


def entropies(nu: Float[np.ndarray, "times species *grid"], seen: Seen) -> Float[np.ndarray, "groups"]:
    """Of each group of runs, nats per run, up to what no model changes; infinite where nu is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = seen.counts.reshape(len(seen.counts), -1) @ nu.ravel() + seen.cell * np.exp(-nu).sum()
    return np.where(np.isfinite(total), total, np.inf)


class Learned(NamedTuple):
    parameters: Float[np.ndarray, "p"]
    values: tuple[float, ...]  # penalised entropy after each step
    converged: bool


def learn(
    model: Model,
    parameters: Float[np.ndarray, "p"],
    seen: Evidence,
    stiffness: Float[np.ndarray, "p p"],
    directions: Float[np.ndarray, "q p"],
    *,
    iterations: int,
    around: Float[np.ndarray, "p"] | float = 0.0,
) -> Learned:
    """Fisher scoring: Newton's method with the curvature that is expected, and steps that are halved until they gain.
    `stiffness` is the penalty, (p - around)^T K (p - around) / 2, in nats per run; parameters move along `directions`
    alone."""

    def value(p: Float[np.ndarray, "p"]) -> float:
        nu = np.asarray(followed(model, jnp.asarray(p), *_shape(seen)))
        return seen.entropy(nu) + 0.5 * float((p - around) @ stiffness @ (p - around))

    values = [value(parameters)]
    for _ in range(iterations):
        nu, flat = _moved(model, parameters, seen, directions)
        slope, curvature = flat @ seen.excess(nu), seen.bent(nu, flat)
        slope = slope + directions @ stiffness @ (parameters - around)
        step = _solved(curvature + directions @ stiffness @ directions.T, slope) @ directions
        tries = ((parameters - step / 2**halving) for halving in range(HALVINGS))
        better = next(((p, after) for p in tries if (after := value(p)) < values[-1]), None)
        if better is None:
            return Learned(parameters, tuple(values), True)
        parameters = better[0]
        values.append(better[1])
        if values[-2] - values[-1] < CLOSE:
            return Learned(parameters, tuple(values), True)
    return Learned(parameters, tuple(values), False)


def covariance(
    model: Model,
    parameters: Float[np.ndarray, "p"],
    seen: Evidence,
    stiffness: Float[np.ndarray, "p p"],
    directions: Float[np.ndarray, "q p"],
) -> Float[np.ndarray, "p p"]:
    """Of the learned parameters, from how the slopes of the groups scatter (Huber 1967; White 1982): snapshots of one
    run see the same particles, which the likelihood of each by itself does not know."""
    nu, flat = _moved(model, parameters, seen, directions)
    groups, each, curvature = len(seen.counts), seen.scattered(nu, flat), seen.bent(nu, flat)
    spread = each.T @ each / (groups * (groups - 1))
    bent = curvature + directions @ stiffness @ directions.T
    return directions.T @ _solved(bent, _solved(bent, spread).T) @ directions


def _moved(
    model: Model, parameters: Float[np.ndarray, "p"], seen: Evidence, directions: Float[np.ndarray, "q p"]
) -> tuple[Float[np.ndarray, "times species *grid"], Float[np.ndarray, "q seen"]]:
    """nu at every time, and its derivatives."""
    nu, slopes = sensitivities(model, jnp.asarray(parameters), jnp.asarray(directions), *_shape(seen))
    return np.asarray(nu), np.asarray(slopes).reshape(len(directions), -1)


def _shape(seen: Evidence) -> tuple[int, int, float]:
    """Times, species, and the span between two times."""
    return seen.counts.shape[1], seen.counts.shape[2], seen.span


def _solved(matrix: Float[np.ndarray, "q q"], target: np.ndarray) -> np.ndarray:
    ridge = RIDGE * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
    return scipy.linalg.solve(matrix + ridge, target, assume_a="pos")
