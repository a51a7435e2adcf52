"""The paper's hidden model (39) in the gauge where it can be learned: (b, J) with J >= 0.

Its visible distributions are those of `closure.gauge`: pair chains that attract. Where particles repel, the best it
can do is independent sites.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.chain import Chain
from guldberg.closure.gauge import NO_REPULSION, AtLeast, hidden_of_pair
from guldberg.closure.graphical import PAIRS
from guldberg.closure.rhs import AbstractRightHandSide, rollout
from guldberg.reduce.baselines import MEAN_FIELD, ORDER, Held, starting
from guldberg.reduce.learn import in_a_row, static_fits


def pair_chain(like: Chain) -> Chain:
    """The chain of pairs that stands for the hidden model, as long as `like`."""
    return Chain(PAIRS, like.length, periodic=like.periodic)


def attracting_fits(
    pairs: Chain, moments: Float[np.ndarray, "starts times 2"], guesses: Float[Array, "starts 2"]
) -> Float[np.ndarray, "starts times 2"]:
    """Static fits of numbers and pairs under J >= 0: a negative J becomes 0, and b that of independent sites."""
    free = np.asarray(static_fits(pairs, jnp.asarray(moments), guesses).thetas)
    density = moments[..., 0] / pairs.length
    alone = np.stack([np.log(density / (1 - density)), np.zeros_like(density)], axis=-1)
    return np.where(free[..., 1:] < 0, alone, free)


@dataclasses.dataclass(frozen=True)
class HiddenFloor:
    """The best hidden model at each time."""

    name: str = "hidden model, static floor"

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        pairs = pair_chain(held.ensemble)
        fits = attracting_fits(pairs, held.moments[..., :2], starting(pairs, held.ensemble, held.thetas))
        return np.asarray(in_a_row(pairs, jnp.asarray(fits), ORDER))


@dataclasses.dataclass(frozen=True)
class HiddenModel:
    """A right-hand side for (b, J), held at J >= 0."""

    rhs: AbstractRightHandSide
    name: str = "hidden model"

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        paths = self.paths(held)
        return np.asarray(in_a_row(pair_chain(held.ensemble), paths, ORDER))

    def paths(self, held: Held) -> Float[Array, "starts times 2"]:
        """(b, J) of every start."""
        pairs = pair_chain(held.ensemble)
        starts = starting(pairs, held.ensemble, held.thetas)
        alone = Chain(MEAN_FIELD, pairs.length, periodic=pairs.periodic)
        independent = starting(alone, held.ensemble, held.thetas)[:, 0]
        allowed = jnp.where(starts[:, 1:] < 0, jnp.stack([independent, 0 * independent], axis=1), starts)
        return _paths(AtLeast(self.rhs, NO_REPULSION), allowed, held.moments.shape[1] - 1)

    def weights(self, held: Held) -> Float[Array, "starts times 3"]:
        """(b, W, b' = -W) of every start."""
        return jax.vmap(jax.vmap(hidden_of_pair))(self.paths(held))


@eqx.filter_jit
def _paths(rhs: AbstractRightHandSide, starts: Float[Array, "starts k"], steps: int) -> Float[Array, "starts times k"]:
    return jax.vmap(lambda theta: rollout(rhs, theta, steps))(starts)
