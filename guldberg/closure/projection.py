"""The closure that follows from the rules alone: d theta / dt = Fisher^-1 times the moment equations (entropic
matching), exact on a chain without ends. It needs no simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from guldberg.closure.chain import Chain, blocks_of, steps_of
from guldberg.closure.events import Process
from guldberg.closure.rhs import AbstractRightHandSide

DOUBLINGS = 12  # T^4096 has one direction left, for all interactions but the very strongest
RIDGE = 1e-12  # per site: of an empty lattice nothing can be told


class Bulk(NamedTuple):
    """A chain without ends: T / growth = right left^T in the long run, left . right = 1."""

    log_growth: Float[Array, ""]
    left: Float[Array, "states"]
    right: Float[Array, "states"]
    step: Float[Array, "states states"]  # T / growth


def bulk(chain: Chain, theta: Float[Array, "k"]) -> Bulk:
    """By repeated squaring."""
    matrix, scale = chain.transfer(theta)

    def squared(_: int, power: Float[Array, "states states"]) -> Float[Array, "states states"]:
        power = power @ power
        return power / jax.lax.stop_gradient(jnp.max(power))

    power = jax.lax.fori_loop(0, DOUBLINGS, squared, matrix)
    left, right = jnp.sum(power, axis=0), jnp.sum(power, axis=1)
    left = left / (left @ right)
    growth = left @ matrix @ right
    return Bulk(jnp.log(growth) + scale, left, right, matrix / growth)


class Projection(AbstractRightHandSide):
    """d theta / dt = H(theta)^-1 <generator of the rules applied to d log p / d theta>_theta, Ernst et al. refs. 2, 4,
    13; hidden units are summed out of p. The motion whose distribution stays nearest, in relative entropy, to what the
    rules make of it, moment by moment."""

    chain: Chain
    rates: Float[Array, "processes"]  # per step
    expected: Float[np.ndarray, "processes contexts blocks"]  # change of block numbers by a process of rate 1
    windows: Int[np.ndarray, "contexts places"]  # the blocks a context consists of
    substeps: int = eqx.field(static=True)  # of a lattice step

    def __init__(self, chain: Chain, processes: Sequence[Process], *, substeps: int = 16) -> None:
        longest = max(len(before) for process in processes for before, _, _ in process.changes)
        self.chain, self.substeps = chain, substeps
        self.rates = jnp.array([process.rate for process in processes])
        self.windows = _windows(chain, longest)
        self.expected = np.stack([_expected(chain, process, longest) for process in processes])

    def scores(self, theta: Float[Array, "k"]) -> Float[Array, "blocks k"]:
        """d log w(block) / d theta: what a block adds to d log p / d theta."""
        return jax.jacfwd(self.chain.weights)(theta)

    def drift(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        """d/dt of <score> per site under the rules, with the distribution as theta has it."""
        return self._drift(bulk(self.chain, theta), theta)

    def _drift(self, state: Bulk, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        states = self.chain.states ** (self.chain.width - 1)
        log_weights = self.chain.weights(theta) - state.log_growth
        first, last = self.windows[:, 0] // self.chain.states, self.windows[:, -1] % states
        inside = jnp.exp(jnp.sum(log_weights[self.windows], axis=1))
        probability = state.left[first] * inside * state.right[last]
        change = jnp.einsum("r,c,rcb->b", self.rates, probability, self.expected)
        return change @ self.scores(theta)

    def fisher(self, theta: Float[Array, "k"]) -> Float[Array, "k k"]:
        """Of the visible distribution, per site: the variance of the summed scores of a stationary chain."""
        return self._fisher(bulk(self.chain, theta), theta)

    def _fisher(self, state: Bulk, theta: Float[Array, "k"]) -> Float[Array, "k k"]:
        block, _ = steps_of(self.chain.states, self.chain.width)
        scores = self.scores(theta)[block]  # of the step from one state to the next
        ahead = jnp.einsum("st,stk,t->sk", state.step, scores, state.right)
        behind = jnp.einsum("s,st,stk->kt", state.left, state.step, scores)
        mean = state.left @ ahead
        stationary = jnp.outer(state.right, state.left)
        n = len(state.left)
        # sum over all later places of the correlation, the mean taken out of the geometric series
        later = jnp.linalg.inv(jnp.eye(n, dtype=theta.dtype) - state.step + stationary) - stationary
        lagged = behind @ later @ ahead
        same = jnp.einsum("s,st,stj,stk,t->jk", state.left, state.step, scores, scores, state.right)
        return same - jnp.outer(mean, mean) + lagged + lagged.T

    def velocity(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        """d theta / dt per lattice step."""
        state = bulk(self.chain, theta)
        fisher = self._fisher(state, theta) + RIDGE * jnp.eye(len(theta), dtype=theta.dtype)
        return jnp.linalg.solve(fisher, self._drift(state, theta))

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "k"]:
        """The change over one lattice step, by Heun's method: nearly full lattices are stiff, and need 16 substeps."""
        h = 1.0 / self.substeps

        def heun(_: int, theta: Float[Array, "k"]) -> Float[Array, "k"]:
            here = self.velocity(theta)
            return theta + h / 2 * (here + self.velocity(theta + h * here))

        return jax.lax.fori_loop(0, self.substeps, heun, theta) - theta

    def with_rates(self, rates: Float[Array, "processes"]) -> Projection:
        """The same rules at other rates, such as fitted ones."""
        return eqx.tree_at(lambda projection: projection.rates, self, rates)


def _windows(chain: Chain, longest: int) -> Int[np.ndarray, "contexts places"]:
    contexts = blocks_of(chain.states, longest + 2 * (chain.width - 1))
    powers = chain.states ** np.arange(chain.width - 1, -1, -1)
    return np.lib.stride_tricks.sliding_window_view(contexts, chain.width, axis=1) @ powers


def _expected(chain: Chain, process: Process, longest: int) -> Float[np.ndarray, "contexts blocks"]:
    """Changes start at site w - 1 of a context, so that every block they touch lies inside it."""
    contexts = blocks_of(chain.states, longest + 2 * (chain.width - 1))
    powers = chain.states ** np.arange(chain.width - 1, -1, -1)
    windows = _windows(chain, longest)
    out = np.zeros((len(contexts), chain.states**chain.width))
    for before, after, share in process.changes:
        at = slice(chain.width - 1, chain.width - 1 + len(before))
        hit = np.flatnonzero((contexts[:, at] == before).all(1))
        changed = contexts[hit]
        changed[:, at] = after
        later = np.lib.stride_tricks.sliding_window_view(changed, chain.width, axis=1) @ powers
        for place in range(windows.shape[1]):
            np.add.at(out, (hit, later[:, place]), share)
            np.add.at(out, (hit, windows[hit, place]), -share)
    return out
