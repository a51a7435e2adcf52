"""Exact moments of a one-dimensional lattice of any length, by transfer matrices; hidden units are summed out.

A block of w sites, w the widest interaction, carries every weight that ends at its last site, so that
Z = start^T T^(n) 1 over the (w-1)-site states of an open chain, and Z = tr T^N of a ring. T^n by repeated squaring:
N = 1000 costs ten products of 4 x 4 matrices for interactions over three sites.
"""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from guldberg.closure.graphical import VISIBLE, Energy, Factor
from guldberg.closure.moments import AbstractEnsemble


class Weights(eqx.Module):
    """log w(block) = visible . theta + sum_units log sum_states exp(hidden . theta): hidden units summed out."""

    visible: Float[np.ndarray, "blocks k"]
    hidden: tuple[Float[np.ndarray, "states blocks k"], ...]

    def __call__(self, theta: Float[Array, "k"]) -> Float[Array, "blocks"]:
        table = jnp.asarray(self.visible, theta.dtype) @ theta
        for unit in self.hidden:
            table = table + jax.nn.logsumexp(jnp.asarray(unit, theta.dtype) @ theta, axis=0)
        return table


class Chain(AbstractEnsemble):
    """A chain of `length` sites, open or a ring.

    ValueError: an energy of another dimension, hidden units that touch each other, a length below the widest block.
    """

    energy: Energy = eqx.field(static=True)
    length: int = eqx.field(static=True)
    periodic: bool = eqx.field(static=True)
    width: int = eqx.field(static=True)  # sites of a block, w
    weights: Weights
    start: Weights  # everything that lies inside the first w - 1 sites of an open chain

    def __init__(self, energy: Energy, length: int, *, periodic: bool = False) -> None:
        if energy.dimension != 1:
            raise ValueError(f"transfer matrices need one dimension, the energy has {energy.dimension}")
        spans = _spans(energy)
        width = max(2, *spans)
        if length < width + periodic - 1:
            raise ValueError(f"a chain of {length} sites is shorter than its interactions over {width} sites")
        self.energy, self.length, self.periodic, self.width = energy, length, periodic, width
        self.weights = _weights(energy, width, [width - 1])
        self.start = _weights(energy, width - 1, list(range(width - 1)))

    def transfer(self, theta: Float[Array, "k"]) -> tuple[Float[Array, "states states"], Float[Array, ""]]:
        """(T / max T, log max T): from the states of sites i..i+w-2 to those of i+1..i+w-1."""
        log_weights = self.weights(theta)
        scale = jax.lax.stop_gradient(jnp.max(log_weights))
        block, allowed = steps_of(self.states, self.width)
        return jnp.where(allowed, jnp.exp(log_weights - scale)[block], 0.0), scale

    @property
    def states(self) -> int:
        """Of one site: empty or one of the species."""
        return 1 + len(self.energy.species())

    def log_partition(self, theta: Float[Array, "k"]) -> Float[Array, ""]:
        matrix, scale = self.transfer(theta)
        if self.periodic:
            power, log_power = _power(matrix, self.length)
            return jnp.log(jnp.trace(power)) + log_power + self.length * scale
        first = self.start(theta)
        shift = jax.lax.stop_gradient(jnp.max(first))
        steps = self.length - self.width + 1
        end, log_end = _applied(jnp.exp(first - shift), matrix, steps)
        return jnp.log(jnp.sum(end)) + log_end + shift + steps * scale

    def sample(self, theta: Float[Array, "k"], *, key: PRNGKeyArray) -> Int[Array, "sites"]:
        """One exact draw of an open chain: messages backward, states forward. 0: empty, 1, 2, ...: the species."""
        if self.periodic:
            raise ValueError("exact draws are of open chains; of a ring, sample with Gibbs sweeps")
        matrix, _ = self.transfer(theta)

        def back(message: Float[Array, "states"], _: None) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
            before = matrix @ message
            return before / jnp.max(before), message

        def forward(state: Int[Array, ""], step: tuple[Float[Array, "states"], PRNGKeyArray]) -> tuple[Array, Array]:
            message, key = step
            state = jax.random.categorical(key, jnp.log(matrix[state] * message))
            return state, state

        n = len(matrix)
        message, messages = jax.lax.scan(back, jnp.ones(n, theta.dtype), None, self.length - self.width + 1)
        first, rest = jax.random.split(key)
        state = jax.random.categorical(first, self.start(theta) + jnp.log(message))
        keys = jax.random.split(rest, len(messages))
        _, later = jax.lax.scan(forward, state, (messages[::-1], keys))
        heads = jnp.asarray(blocks_of(self.states, self.width - 1))[state]
        return jnp.concatenate([heads, later % self.states])


def _applied(
    vector: Float[Array, "n"], matrix: Float[Array, "n n"], steps: int
) -> tuple[Float[Array, "n"], Float[Array, ""]]:
    """(x, s) with vector^T matrix^steps = x e^s. Scales are taken out as constants: the derivative of the product
    of a quantity and its inverse is zero, so none needs to be kept."""

    def square(carry: tuple[Array, ...], bit: Array) -> tuple[tuple[Array, ...], None]:
        vector, matrix, log_vector, log_matrix = carry
        further = vector @ matrix
        scale = jax.lax.stop_gradient(jnp.max(further))
        vector = jnp.where(bit, further / scale, vector)
        log_vector = jnp.where(bit, log_vector + log_matrix + jnp.log(scale), log_vector)
        matrix = matrix @ matrix
        scale = jax.lax.stop_gradient(jnp.max(matrix))
        return (vector, matrix / scale, log_vector, 2 * log_matrix + jnp.log(scale)), None

    zero = jnp.zeros((), vector.dtype)
    bits = np.array([bool(steps >> i & 1) for i in range(steps.bit_length())], bool)
    # a loop and not ten copies of its body: derivatives of it are compiled in half the time
    (vector, _, log_vector, _), _ = jax.lax.scan(square, (vector, matrix, zero, zero), jnp.asarray(bits))
    return vector, log_vector


def _power(matrix: Float[Array, "n n"], steps: int) -> tuple[Float[Array, "n n"], Float[Array, ""]]:
    """(X, s) with matrix^steps = X e^s, one row at a time from the identity."""
    rows, logs = jax.vmap(lambda row: _applied(row, matrix, steps))(jnp.eye(len(matrix), dtype=matrix.dtype))
    scale = jax.lax.stop_gradient(jnp.max(logs))
    return rows * jnp.exp(logs - scale)[:, None], scale


def blocks_of(states: int, width: int) -> Int[np.ndarray, "blocks width"]:
    """All blocks of `width` sites, the last site fastest."""
    return np.array(list(itertools.product(range(states), repeat=width)), int).reshape(-1, width)


def steps_of(states: int, width: int) -> tuple[Int[np.ndarray, "n n"], np.ndarray]:
    """The block that joins two (w-1)-site states, and whether they overlap at all."""
    n = states ** (width - 1)
    before, after = np.divmod(np.arange(n * n).reshape(n, n), n)
    overlap = before % (n // states) == after // states
    return before * states + after % states, overlap


def _spans(energy: Energy) -> list[int]:
    products = [product for feature in energy.interactions.values() for product in feature.products]
    if any(sum(unit.layer != VISIBLE for unit, _ in product) > 1 for product in products):
        raise ValueError("hidden units that touch each other cannot be summed out one by one")
    visible = [[o[0] for _, o in product] for product in products if all(u.layer == VISIBLE for u, _ in product)]
    hidden = [energy.window(layer) for layer in energy.layers[1:]]
    return [max(o) - min(o) + 1 for o in visible] + [high[0] - low[0] + 1 for low, high in hidden]


def _weights(energy: Energy, width: int, ends: list[int]) -> Weights:
    """The log weights of everything that ends at one of the sites `ends` of a block and lies inside it."""
    blocks = blocks_of(1 + len(energy.species()), width)
    visible = np.zeros((len(blocks), len(energy.names)))
    for k, feature in enumerate(energy.interactions.values()):
        for product in feature.products:
            if all(unit.layer == VISIBLE for unit, _ in product):
                offsets = [o[0] for _, o in product]
                origins = [end - max(offsets) for end in ends if end - max(offsets) + min(offsets) >= 0]
                visible[:, k] += sum((_present(energy, product, blocks, origin) for origin in origins), np.zeros(()))
    hidden = []
    for layer in energy.layers[1:]:
        (low,), (high,) = energy.window(layer)
        centres = [end - high for end in ends if end - high + low >= 0]
        hidden += [_unit(energy, layer, blocks, centre) for centre in centres]
    return Weights(visible, tuple(hidden))


def _unit(energy: Energy, layer: str, blocks: Int[np.ndarray, "blocks width"], centre: int) -> Float[np.ndarray, "..."]:
    """The exponents of the unit of `layer` at `centre`, by its state; 0 where it is empty."""
    table = np.zeros((1 + len(energy.species(layer)), len(blocks), len(energy.names)))
    for k, feature in enumerate(energy.interactions.values()):
        for product in feature.products:
            for unit, (offset,) in product:
                if unit.layer == layer:
                    seen = tuple(factor for factor in product if factor[0].layer == VISIBLE)
                    table[energy.state(unit), :, k] += _present(energy, seen, blocks, centre - offset)
    return table


def _present(
    energy: Energy, product: tuple[Factor, ...], blocks: Int[np.ndarray, "blocks width"], origin: int
) -> Float[np.ndarray, "blocks"]:
    held = [blocks[:, origin + offset[0]] == energy.state(unit) for unit, offset in product]
    return np.all(held, axis=0).astype(float) if held else np.ones(len(blocks))
