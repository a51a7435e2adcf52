"""Static learning: the maximum-entropy distribution with given moments, by Newton's method where moments are exact."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from guldberg.closure.moments import AbstractEnsemble

ROUNDS = 40
LONGEST = 1.0  # of one step in one parameter: the Fisher matrix of a nearly full lattice is nearly singular
PRIOR = 1e-3  # counts per unit of theta from the guess: without a single triplet in the data, K would be -inf
CLOSE = 1e-5  # counts: a gradient this small is zero


class StaticFits(NamedTuple):
    """theta*(t) of every start, with its distance from the moments: `gap` in counts on the whole lattice."""

    thetas: Float[Array, "starts times k"]
    gap: Float[Array, "starts times"]


def match(
    ensemble: AbstractEnsemble, moments: Float[Array, "k"], theta: Float[Array, "k"]
) -> tuple[Float[Array, "k"], Float[Array, ""]]:
    """argmin_theta log Z(theta) - theta . mu, Ernst et al. eq. (28) at one time, and the largest moment left unmatched.

    Newton with the covariance as Hessian; of six step lengths, each half of the one before, the best is taken.
    """
    guess = theta

    def objective(theta: Float[Array, "k"]) -> Float[Array, ""]:
        return ensemble.log_partition(theta) - theta @ moments + PRIOR / 2 * jnp.sum((theta - guess) ** 2)

    def steep(carry: tuple[Array, ...]) -> Array:
        _, slope, rounds = carry
        return (jnp.max(jnp.abs(slope)) > CLOSE) & (rounds < ROUNDS)

    def newton(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        theta, slope, rounds = carry
        curvature = ensemble.covariance(theta) + PRIOR * jnp.eye(len(theta), dtype=theta.dtype)
        step = -jnp.linalg.solve(curvature, slope)
        step = step * jnp.minimum(1.0, LONGEST / jnp.max(jnp.abs(step)))
        lengths = 0.5 ** jnp.arange(6, dtype=theta.dtype)
        values = jax.vmap(lambda a: objective(theta + a * step))(lengths)
        theta = theta + lengths[jnp.argmin(values)] * step
        return theta, jax.grad(objective)(theta), rounds + 1

    theta, _, _ = jax.lax.while_loop(steep, newton, (theta, jax.grad(objective)(theta), jnp.array(0)))
    return theta, jnp.max(jnp.abs(ensemble.moments(theta) - moments))


@eqx.filter_jit
def static_fits(
    ensemble: AbstractEnsemble, moments: Float[Array, "starts times k"], thetas: Float[Array, "starts k"]
) -> StaticFits:
    """`match` at every time, each from the fit of the time before; `thetas` are guesses for the first time."""

    def along(moments: Float[Array, "times k"], theta: Float[Array, "k"]) -> tuple[Array, Array]:
        def step(theta: Float[Array, "k"], mu: Float[Array, "k"]) -> tuple[Array, tuple[Array, Array]]:
            theta, gap = match(ensemble, mu, theta)
            return theta, (theta, gap)

        return jax.lax.scan(step, theta, moments)[1]

    return StaticFits(*jax.vmap(along)(moments, thetas))
