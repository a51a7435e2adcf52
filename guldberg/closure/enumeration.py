"""Moments of small lattices of any dimension, by counting every state: the oracle of the faster ways."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.graphical import Energy
from guldberg.closure.moments import AbstractEnsemble

MOST_STATES = 2**22


class Enumeration(AbstractEnsemble):
    """Z = sum over all states of all layers of exp(theta . features). ValueError: more than 4 million states."""

    energy: Energy = eqx.field(static=True)
    features: Float[np.ndarray, "states k"]

    def __init__(self, energy: Energy, lattice: Sequence[int], *, periodic: bool) -> None:
        shapes = {layer: energy.shape(layer, lattice, periodic) for layer in energy.layers}
        choices = [
            range(1 + len(energy.species(layer))) for layer, shape in shapes.items() for _ in range(math.prod(shape))
        ]
        count = math.prod(map(len, choices))
        if count > MOST_STATES:
            raise ValueError(f"{count} states are too many to enumerate; at most {MOST_STATES}: take a smaller lattice")
        flat = np.array(list(itertools.product(*choices)), np.int8)
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        parts = np.split(flat, ends[:-1], axis=1)
        states = {layer: part.reshape(-1, *shapes[layer]) for layer, part in zip(shapes, parts, strict=True)}
        self.energy, self.features = energy, energy.sums(states, periodic)

    def log_partition(self, theta: Float[Array, "k"]) -> Float[Array, ""]:
        return jax.nn.logsumexp(jnp.asarray(self.features, theta.dtype) @ theta)
