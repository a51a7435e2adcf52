"""Algorithm 1 of Ernst et al.: awake and asleep phases, the adjoint equations, and descent in a moving window.

Kept to be compared with: the warm start and the refinement of this package reach lower in less time.
"""

from __future__ import annotations

import abc
import enum
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Int8, PRNGKeyArray, Shaped

from guldberg.closure.graphical import VISIBLE, Energy
from guldberg.closure.moments import AbstractEnsemble
from guldberg.closure.rhs import AbstractLinearFamily, rollout


class Begin(enum.Enum):
    """Where the chains of the asleep phase start at each update."""

    DATA = "at the data: contrastive divergence, CD-k"
    KEPT = "where they ended at the last one: persistent contrastive divergence"
    RANDOM = "at random lattices: neither contrastive divergence nor equilibrium, but the authors' code"


class AbstractAsleep(eqx.Module):
    """How the moments of the model are estimated."""

    @abc.abstractmethod
    def __call__(
        self, theta: Float[Array, "k"], states: Int8[Array, "batch sites"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "k"], Int8[Array, "batch sites"]]:
        """mu~(theta) by chains that start at `states`, and where they end."""


class Exact(AbstractAsleep):
    """mu~ = d log Z / d theta."""

    ensemble: AbstractEnsemble

    def __call__(
        self, theta: Float[Array, "k"], states: Int8[Array, "batch sites"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "k"], Int8[Array, "batch sites"]]:
        return self.ensemble.moments(theta), states


class Gibbs(AbstractAsleep):
    """`sweeps` Gibbs sweeps of an open chain of one visible species. ValueError: another energy."""

    energy: Energy = eqx.field(static=True)
    sweeps: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.energy.layers != (VISIBLE,) or len(self.energy.species()) != 1 or self.energy.dimension != 1:
            raise ValueError("Gibbs sweeps here are of chains of one visible species")

    def __call__(
        self, theta: Float[Array, "k"], states: Int8[Array, "batch sites"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "k"], Int8[Array, "batch sites"]]:
        keys = jax.random.split(key, self.sweeps)
        ended, _ = jax.lax.scan(lambda s, k: (self.sweep(theta, s, k), None), states.astype(theta.dtype), keys)
        return counted(self.energy, ended), ended.astype(jnp.int8)

    def sweep(
        self, theta: Float[Array, "k"], states: Float[Array, "batch sites"], key: PRNGKeyArray
    ) -> Float[Array, "batch sites"]:
        """Sites in classes that do not interact, each class at once: p(v_i = 1) = sigmoid(d(-E) / d v_i)."""
        offsets = [o[0] for feature in self.energy.interactions.values() for p in feature.products for _, o in p]
        colours = max(offsets) - min(offsets) + 1
        field = jax.vmap(jax.grad(lambda s: chain_sums(self.energy, s) @ theta))
        place = np.arange(states.shape[1]) % colours
        for colour, draw in enumerate(jax.random.split(key, colours)):
            taken = jax.random.uniform(draw, states.shape) < jax.nn.sigmoid(field(states))
            states = jnp.where((place == colour)[None], taken.astype(states.dtype), states)
        return states


def counted(energy: Energy, states: Shaped[Array, "batch sites"]) -> Float[Array, "k"]:
    """The features of open chains of one species, averaged over the batch."""
    return jnp.mean(jax.vmap(lambda state: chain_sums(energy, state.astype(float)))(states), axis=0)


def chain_sums(energy: Energy, state: Float[Array, "sites"]) -> Float[Array, "k"]:
    """The features of an open chain of one species, multilinear in its occupancies."""
    out = []
    for feature in energy.interactions.values():
        total = jnp.zeros((), state.dtype)
        for product in feature.products:
            offsets = [o[0] for _, o in product]
            low, length = min(offsets), len(state) - (max(offsets) - min(offsets))
            factors = [state[o - low : o - low + length] for o in offsets]
            total = total + jnp.sum(jnp.prod(jnp.stack(factors), axis=0))
        out.append(total)
    return jnp.stack(out)


class Gradient(NamedTuple):
    """dS/du, and the adjoint variables phi of times 1, 2, ..., one past the last."""

    slope: Float[Array, "dofs k"]
    adjoint: Float[Array, "times k"]


def adjoint_gradient(
    family: AbstractLinearFamily,
    path: Float[Array, "times k"],
    mismatch: Float[Array, "times k"],
    *,
    weights: Float[Array, "times"],
    transposed: bool = True,
) -> Gradient:
    """dS/du = - sum_t dF/du(theta_t)^T phi_{t+1}, eq. (30), with phi of eq. (31) in steps of the lattice,

        phi_t = phi_{t+1} - weight_t (mu~_t - mu_t) + (dF/dtheta)^T phi_{t+1},    phi_{T+1} = 0,

    for S = sum_t weight_t D_KL(t): exact for the rollout theta_{t+1} = theta_t + F(theta_t). With `transposed` false
    the last term is what the authors' published code has in its place, dF_k/dtheta for the last k and without phi.
    """

    def back(phi: Float[Array, "k"], at: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        theta, miss, weight = at
        _, pull = jax.vjp(lambda u, t: family.having(u)(t), family.coefficients, theta)
        slope, term = pull(phi)
        if not transposed:
            term = jax.jacfwd(family)(theta)[-1]
        return phi - weight * miss + term, (-slope, phi)

    # the last time has a source but no step after it
    last = -weights[-1] * mismatch[-1]
    _, (slopes, phis) = jax.lax.scan(back, last, (path[:-1], mismatch[:-1], weights[:-1]), reverse=True)
    return Gradient(jnp.sum(slopes, axis=0), jnp.concatenate([phis, jnp.zeros_like(last)[None]]))


class Online(NamedTuple):
    """The settings of Algorithm 1; the defaults are those of section IV A."""

    rate: float = 1.0  # lambda, for F per time; of Adam: the largest change of a coefficient of F per step
    width: int = 5  # steps of the window of eq. (41)
    every: int = 2  # updates for each start, until the window moves on by a step
    updates: int = 200
    begin: Begin = Begin.DATA
    transposed: bool = True  # the adjoint of eq. (31); false: as in the authors' code
    adam: bool = False
    regularisation: float = 0.0  # lambda_r of eq. (32), toward theta = 0
    dt: float = 0.01  # time of a step
    batch: int = 10  # of the lattices of each start


def learn(
    family: AbstractLinearFamily,
    asleep: AbstractAsleep,
    energy: Energy,
    thetas: Float[Array, "starts k"],
    lattices: Int8[np.ndarray, "starts times lattices sites"],
    settings: Online,
    *,
    key: PRNGKeyArray,
) -> AbstractLinearFamily:
    """Descend dS/du, eq. (41) with the sign of eq. (30), start by start, the window moving along the trajectories."""
    optimiser: Any = optax.adam(settings.rate) if settings.adam else optax.sgd(settings.rate * settings.dt**2)
    state = optimiser.init(family.coefficients)
    chains = np.array(lattices[:, :, : settings.batch])
    for update in range(settings.updates):
        first = min(update // settings.every, lattices.shape[1] - 1 - settings.width)
        window = slice(first, first + settings.width + 1)
        for s in range(len(thetas)):
            key, picking, begin, sweeps = jax.random.split(key, 4)
            picked = jax.random.choice(picking, lattices.shape[2], (settings.batch,), replace=False)
            data = jnp.asarray(lattices[s, window][:, np.asarray(picked)])
            states = {
                Begin.DATA: lambda data=data: data,
                Begin.KEPT: lambda s=s, window=window: jnp.asarray(chains[s, window]),
                Begin.RANDOM: lambda data=data, k=begin: jax.random.bernoulli(k, 0.5, data.shape).astype(jnp.int8),
            }[settings.begin]()
            start = jnp.array(first)
            slope, ended = _update(family, asleep, energy, thetas[s], data, states, settings, start, sweeps)
            chains[s, window] = ended
            step, state = optimiser.update(slope, state)
            family = family.having(family.coefficients + step)
    return family


@eqx.filter_jit
def _update(
    family: AbstractLinearFamily,
    asleep: AbstractAsleep,
    energy: Energy,
    theta: Float[Array, "k"],
    data: Int8[Array, "times batch sites"],
    states: Int8[Array, "times batch sites"],
    settings: Online,
    first: Int[Array, ""],
    key: PRNGKeyArray,
) -> tuple[Float[Array, "dofs k"], Int8[Array, "times batch sites"]]:
    reached = jax.lax.fori_loop(0, first, lambda _, t: t + family(t), theta)
    path = rollout(family, reached, settings.width)
    awake = jax.vmap(lambda x: counted(energy, x))(data)
    dreamt, ended = jax.vmap(asleep)(path, states, jax.random.split(key, len(path)))
    mismatch = dreamt - awake + 2 * settings.regularisation * path  # eq. (33)
    weights = jnp.full(len(path), settings.dt)
    return adjoint_gradient(family, path, mismatch, weights=weights, transposed=settings.transposed).slope, ended
