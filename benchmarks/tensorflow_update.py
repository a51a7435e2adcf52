"""The peer: Elliott's method as his code has it, written anew in TensorFlow: species last, a power for each species and
reaction, steps unrolled in Python, `tf.function`, Adam."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from guldberg.design.chemistry import dense

tf: Any = importlib.import_module("tensorflow")  # no dependency of guldberg: measured where it happens to be


def design(shape: tuple[int, int], species: int, steps: int) -> tuple[Any, Callable[[Any], Any]]:
    """As `design_update._design` has it, in their way; the parameters are TensorFlow's own variables."""
    network = dense(species, key=jax.random.key(0))
    left, right = np.asarray(network.reactants), np.asarray(network.products)
    orders = tf.constant(np.concatenate([left, right]).T, tf.float32)  # species, reactions
    change = tf.constant(np.concatenate([right - left, left - right]), tf.float32)
    stencil = np.array([[0.25, 0.5, 0.25], [0.5, -3, 0.5], [0.25, 0.5, 0.25]], np.float32)
    kernel = tf.constant(np.repeat(stencil[:, :, None, None], species, 2))
    rng = np.random.default_rng(0)
    k = np.concatenate([network.forward(), network.reverse()])  # pyright: ignore[reportOptionalCall]
    values = [
        k,
        np.full(species, 0.15),
        4.0 ** -np.arange(species),
        np.array(0.03),
        rng.uniform(0, 0.6, (*shape, species)),
    ]
    variables = [tf.Variable(value, dtype=tf.float32, constraint=tf.nn.relu) for value in values]
    picture = tf.constant(rng.uniform(size=shape), tf.float32)
    optimiser = tf.keras.optimizers.Adam(1e-3, beta_1=0.95, clipnorm=0.5)

    def slope(c: Any) -> Any:
        k, D, feed, flow, _ = variables
        padded = tf.concat([c[-1:], c, c[:1]], 0)
        padded = tf.concat([padded[:, -1:], padded, padded[:, :1]], 1)
        spread = tf.nn.depthwise_conv2d(padded[None], kernel, (1, 1, 1, 1), "VALID")[0]
        powers = tf.pow(tf.where(c == 0, 1e-10, c)[..., None], orders)  # height, width, species, reactions
        return D * spread + flow * (feed - c) + tf.linalg.matmul(tf.reduce_prod(powers, -2) * k, change)

    def loss(save: Any) -> Any:
        c, states, penalty = variables[-1], [variables[-1]], 0.0
        for _ in range(steps):
            dc = slope(c)
            c = tf.clip_by_value(c + dc, 0.0, 10.0)
            states.append(c)
            penalty += tf.reduce_mean(tf.maximum(tf.abs(dc) - 0.05, 0.0)) / steps
        at = tf.stack([tf.gather(tf.stack(states), save), c])[..., 1]
        return tf.reduce_mean(tf.sqrt(tf.reduce_mean((at - picture) ** 2, (1, 2)))) + 100.0 * penalty

    @tf.function
    def update() -> Any:
        save = tf.random.uniform((), 0, steps + 1, tf.int32)
        with tf.GradientTape() as tape:
            value = loss(save)
        optimiser.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    return None, lambda _: update().numpy()
