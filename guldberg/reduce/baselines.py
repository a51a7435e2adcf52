"""What a physicist would try first, each behind one method: `predict(held)` gives the mean numbers of 1, 2, 3 and 4
consecutive taken sites at every step.

Mean field, pair closure and projection closure are one thing, the rules projected onto chains whose sites are
independent, correlated with their neighbour, or with two: on a pair chain <111> = <11>^2 / <1> and <101> =
<10>^2 / <0>, which is the closure of the moment equations (36) by pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.chain import Chain
from guldberg.closure.events import Process
from guldberg.closure.graphical import PAIRS, TRIPLETS, A, Energy
from guldberg.closure.projection import Projection
from guldberg.closure.rhs import rollout
from guldberg.closure.static import static_fits
from guldberg.reduce.learn import in_a_row

ORDER = 4
MEAN_FIELD = Energy({"b": A[0]})
ROUNDS, LONGEST, SETTLED = 7, 0.7, 1e-3  # of Gauss-Newton in the logarithms of the rates
NUDGE = 1e-4  # by which they are moved to see what follows: no derivative to compile beside the roll-out itself
FITTED_AT = 24  # times of a trajectory, as in the learning evenly in the logarithm of time


Rules = Sequence[Process]


class Held(NamedTuple):
    """Starts that predictions are judged on, and what simulations gave there."""

    ensemble: Chain  # of the start distributions
    thetas: Float[np.ndarray, "starts k"]
    moments: Float[np.ndarray, "starts times orders"]  # of 1, 2, 3, ... consecutive taken sites


class Baseline(Protocol):
    """One row of the table."""

    @property
    def name(self) -> str: ...

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]: ...


@dataclasses.dataclass(frozen=True)
class Projected:
    """The rules projected onto the chain of `projection`, from the start distribution's moments in it."""

    name: str
    projection: Projection

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        chain = self.projection.chain
        starts = starting(chain, held.ensemble, held.thetas)
        paths = _paths(self.projection, starts, held.moments.shape[1] - 1)
        return np.asarray(in_a_row(chain, paths, ORDER))


@dataclasses.dataclass(frozen=True)
class StaticFloor:
    """The distribution of the class with the true moments at each time: what no closure in it can beat."""

    name: str
    ensemble: Chain

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        return np.asarray(in_a_row(self.ensemble, self.fits(held), ORDER))

    def fits(self, held: Held) -> Float[Array, "starts times k"]:
        """Its parameters at each time."""
        k = len(self.ensemble.energy.names)
        moments = jnp.asarray(held.moments[..., :k])
        if k == 1:
            return independent(self.ensemble, moments)
        return static_fits(self.ensemble, moments, starting(self.ensemble, held.ensemble, held.thetas)).thetas


def mean_field(length: int, processes: Sequence[Process], *, periodic: bool = False) -> Projected:
    """Independent sites: dn/dt = -2 k n^2 / N for annihilation, fitted or not."""
    chain = Chain(MEAN_FIELD, length, periodic=periodic)
    return Projected("mean field", Projection(chain, processes, substeps=2))


def pair_closure(length: int, processes: Sequence[Process], *, periodic: bool = False) -> Projected:
    """Neighbours correlated: eq. (36) closed by pairs."""
    return Projected("pair closure", Projection(Chain(PAIRS, length, periodic=periodic), processes, substeps=8))


def projection(length: int, processes: Sequence[Process], *, periodic: bool = False) -> Projected:
    """The class that is learned, (b, J, K), moved by the rules alone."""
    return Projected("projection closure", Projection(Chain(TRIPLETS, length, periodic=periodic), processes))


def fitted(
    baseline: Projected,
    ensemble: Chain,
    thetas: Float[np.ndarray, "starts k"],
    moments: Float[np.ndarray, "starts times orders"],
) -> Projected:
    """The same with the rates of its processes fitted to training moments: least squares in counts, by Gauss-Newton."""
    closure = baseline.projection
    k, steps = len(closure.chain.energy.names), moments.shape[1] - 1
    times = np.unique(np.geomspace(1, steps, FITTED_AT).round().astype(int))
    starts = starting(closure.chain, ensemble, thetas)

    def missed(log_rates: Float[np.ndarray, "processes"]) -> Float[np.ndarray, "counts"]:
        paths = _paths(closure.with_rates(jnp.exp(jnp.asarray(log_rates))), starts, steps)
        found = _moments(closure.chain, paths[:, times].reshape(-1, k))
        return np.asarray(found).ravel() - moments[:, times, :k].ravel()

    log_rates = np.log(closure.rates)
    for _ in range(ROUNDS):
        here = missed(log_rates)
        slopes = [(missed(log_rates + NUDGE * e) - here) / NUDGE for e in np.eye(len(log_rates))]
        step = -np.linalg.lstsq(np.stack(slopes, axis=1), here, rcond=1e-6)[0]  # a rate that changes nothing stays
        log_rates = log_rates + np.clip(step, -LONGEST, LONGEST)
        if np.abs(step).max() < SETTLED:
            break
    return Projected(f"{baseline.name}, fitted", closure.with_rates(jnp.exp(jnp.asarray(log_rates))))


def starting(chain: Chain, ensemble: Chain, thetas: Float[np.ndarray, "starts k"]) -> Float[Array, "starts parameters"]:
    """The parameters of `chain` with the moments of each start distribution of `ensemble`."""
    if chain.energy == ensemble.energy:
        return jnp.asarray(thetas)
    ours = {f"start {name}": feature for name, feature in chain.energy.interactions.items()}
    observed = Chain(ensemble.energy.also(ours), ensemble.length, periodic=ensemble.periodic)
    known = _moments(observed, observed.pad(jnp.asarray(thetas)))[:, -len(ours) :]
    alone = independent(chain, known[:, :1])
    return alone if len(ours) == 1 else static_fits(chain, known[:, None], alone).thetas[:, 0]


def independent(chain: Chain, particles: Float[Array, "*batch 1"]) -> Float[Array, "*batch k"]:
    """Sites that know nothing of each other, with these mean numbers of particles on the chain."""
    density = particles / chain.length
    log_odds = jnp.log(density / (1 - density))
    rest = jnp.zeros((*density.shape[:-1], len(chain.energy.names) - 1), log_odds.dtype)
    return jnp.concatenate([log_odds, rest], axis=-1)


@eqx.filter_jit
def _moments(chain: Chain, thetas: Float[Array, "starts k"]) -> Float[Array, "starts k"]:
    return jax.vmap(chain.moments)(thetas)


@eqx.filter_jit
def _paths(closure: Projection, starts: Float[Array, "starts k"], steps: int) -> Float[Array, "starts times k"]:
    return jax.vmap(lambda theta: rollout(closure, theta, steps))(starts)
