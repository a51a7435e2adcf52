"""Rows of an ensemble on all devices that JAX sees: each has its share, and nothing else changes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float
from numpy.typing import ArrayLike


def shared(rows: ArrayLike) -> Float[Array, "padded *rest"]:
    """`rows`, the first axis divided among the devices in equal parts. As many copies of the last row follow as that
    takes: whoever maps over them by `jax.vmap` leaves the results of these out."""
    whole, devices = jnp.asarray(rows), jax.devices()
    if len(devices) == 1:
        return whole
    copies = jnp.repeat(whole[-1:], -len(whole) % len(devices), axis=0)
    mesh = Mesh(devices, ("ensemble",))
    return jax.device_put(jnp.concatenate([whole, copies]), NamedSharding(mesh, PartitionSpec("ensemble")))
