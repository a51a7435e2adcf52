"""What hidden units can say, as interactions of the visible sites.

Those of eq. (39) say exactly a chain of pairs whose coupling is not negative.

Summing out a unit that sees v_i and v_{i+1} with one weight leaves a factor 1 + exp(b' + W (v_i + v_{i+1})), so with
s(x) = log(1 + e^x) the visible chain has the field and the coupling

    b + 2 (s(b' + W) - s(b')),        J = s(b' + 2 W) + s(b') - 2 s(b' + W) >= 0,  as s is convex,

two numbers for three parameters. The gauge b' = -W leaves one W for every J: J = 2 log cosh(W / 2). W = 0 is a
stationary point of every likelihood; in (b, J) it is none. With a weight for each of the two sites J has the sign of
their product, and any value.

A unit over four sites that is on exactly where three in a row are taken, b' = -5 V / 2 with V large, gives its weight
W to the fourth: L v_i v_{i+1} v_{i+2} v_{i+3} with L = W of either sign, which no (b, J, K) has.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from guldberg.closure.rhs import AbstractRightHandSide


def pair_of_hidden(theta: Float[Array, "3"]) -> Float[Array, "2"]:
    """(b, J) of the visible chain inside, from (b, W, b') in the order of `HIDDEN_PAIRS`."""
    b, weight, bias = theta
    none, one, two = (jax.nn.softplus(bias + n * weight) for n in (0.0, 1.0, 2.0))
    return jnp.stack([b + 2 * (one - none), two + none - 2 * one])


def hidden_of_pair(pair: Float[Array, "2"]) -> Float[Array, "3"]:
    """(b, W, b' = -W) with the visible distribution of (b, J >= 0); W >= 0."""
    b, coupling = pair
    weight = 2 * jnp.arccosh(jnp.exp(coupling / 2))
    return jnp.stack([b - 2 * (jnp.log(2.0) - jax.nn.softplus(-weight)), weight, -weight])


SHARP = 60.0  # V: what is left of a unit where fewer than three sites are taken is exp(-V / 2)


def hidden_of_quadruplets(theta: Float[Array, "4"]) -> Float[Array, "6"]:
    """(b, J, K, V, W, b') of `HIDDEN_QUADRUPLETS` with the visible distribution of (b, J, K, L) on a ring, |L| far
    below V; at the open end of a chain the last three sites have no unit, and a weight V / 2 less."""
    b, pair, triplet, four = theta
    return jnp.stack([b, pair, triplet - SHARP / 2, jnp.asarray(SHARP), four, jnp.asarray(-2.5 * SHARP)])


class AtLeast(AbstractRightHandSide):
    """theta + F(theta), held at `low` where it would go below: a hidden chain stays at J = 0 where pairs repel."""

    rhs: AbstractRightHandSide
    low: Float[np.ndarray, "k"]

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        return jnp.maximum(theta + self.rhs(theta), self.low) - theta

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        return self.rhs.outside(theta)


NO_REPULSION = np.array([-np.inf, 0.0])  # for `AtLeast` in (b, J)
