"""Exact moments of a chain by transfer matrices: CPU time, so that what else the machine does counts little."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np

from guldberg.closure.chain import Chain
from guldberg.closure.graphical import PAIRS, QUADRUPLETS, TRIPLETS

POINTS = 5000


def chains(seeds: int | None) -> None:
    """log Z and its gradient, N = 1000, open ends, time per point and core; the least of 5 repeats over 5000 points."""
    for energy in (PAIRS, TRIPLETS, QUADRUPLETS):
        chain = Chain(energy, 1000)
        thetas = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (POINTS, len(energy.names))))
        both = jax.jit(jax.vmap(jax.value_and_grad(lambda theta, chain=chain: chain.log_partition(theta))))
        jax.block_until_ready(both(thetas))
        seconds = []
        for _ in range(seeds or 5):
            began = time.process_time()
            jax.block_until_ready(both(thetas))
            seconds.append(time.process_time() - began)
        print(f"({', '.join(energy.names)}): {min(seconds) / POINTS * 1e6:.1f} us per point")


ALL = {"chains": chains}
