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
from guldberg.closure.static import match, static_fits
from guldberg.reduce.learn import in_a_row

ORDER = 4
MEAN_FIELD = Energy({"b": A[0]})
ROUNDS, LONGEST = 7, 0.7  # of Gauss-Newton in the logarithms of the rates
FITTED_AT = 24  # times of a trajectory, as in the learning evenly in the logarithm of time


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
        k = len(self.ensemble.energy.names)
        guesses = starting(self.ensemble, held.ensemble, held.thetas)
        fits = static_fits(self.ensemble, jnp.asarray(held.moments[..., :k]), guesses)
        return np.asarray(in_a_row(self.ensemble, fits.thetas, ORDER))


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
    k = len(closure.chain.energy.names)
    times = np.unique(np.geomspace(1, moments.shape[1] - 1, FITTED_AT).round().astype(int))
    starts = starting(closure.chain, ensemble, thetas)
    truth = jnp.asarray(moments[:, times, :k])

    @jax.jit
    def missed(log_rates: Float[Array, "processes"]) -> tuple[Array, Array]:
        def residuals(log_rates: Float[Array, "processes"]) -> tuple[Array, Array]:
            paths = _paths(closure.with_rates(jnp.exp(log_rates)), starts, int(times[-1]))[:, times]
            out = (jax.vmap(jax.vmap(closure.chain.moments))(paths) - truth).ravel()
            return out, out

        return jax.jacfwd(residuals, has_aux=True)(log_rates)

    log_rates = np.log(closure.rates)
    for _ in range(ROUNDS):
        slopes, residuals = missed(jnp.asarray(log_rates))
        step = -np.linalg.lstsq(slopes, residuals, rcond=1e-6)[0]  # a rate that changes nothing stays
        log_rates = log_rates + np.clip(step, -LONGEST, LONGEST)
    return Projected(f"{baseline.name}, fitted", closure.with_rates(jnp.exp(jnp.asarray(log_rates))))


@eqx.filter_jit
def starting(chain: Chain, ensemble: Chain, thetas: Float[np.ndarray, "starts k"]) -> Float[Array, "starts parameters"]:
    """The parameters of `chain` with the moments of each start distribution of `ensemble`."""
    ours = {f"start {name}": feature for name, feature in chain.energy.interactions.items()}
    observed = Chain(ensemble.energy.also(ours), ensemble.length, periodic=ensemble.periodic)
    known = jax.vmap(observed.moments)(observed.pad(jnp.asarray(thetas)))[:, -len(ours) :]
    density = known[:, 0] / ensemble.length
    guesses = jnp.zeros((len(known), len(ours))).at[:, 0].set(jnp.log(density / (1 - density)))
    return jax.vmap(lambda mu, theta: match(chain, mu, theta)[0])(known, guesses)


@eqx.filter_jit
def _paths(closure: Projection, starts: Float[Array, "starts k"], steps: int) -> Float[Array, "starts times k"]:
    return jax.vmap(lambda theta: rollout(closure, theta, steps))(starts)
