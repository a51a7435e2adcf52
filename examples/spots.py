"""Where `guldberg design replication-lineage` begins: a medium in which spots divide, and their daughters as they did.
`python examples/spots.py [tries] [seed]`

Found without a gradient: the constants of Gray and Scott drift at random from where Pearson (1993) saw spots divide,
and what makes the worst of 14 daughters, all those of three generations, more like their ancestor is kept. Each is
put alone into a fresh place, turned as its parent lay. The ancestor is what serial transfer itself comes to.
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.design.division import PLACE, SISTERS, T, dividing, followed, settled
from guldberg.design.model import typed
from guldberg.design.replication import FEED, TORUS, likeness, surrounded

PEARSON = np.array([0.03, 0.062, 0.43, 0.1])  # F, kappa, pace, diffusivity of X1; that of X0 is .2
REACH = np.array([1e-3, 4e-4, 1e-2, 2e-3])  # of a first step
BACKGROUND = jnp.asarray(FEED, jnp.float32)


@jax.jit
def worst(constants: Float[Array, "4"]) -> Float[Array, "generations"]:
    """r within species of ancestor and daughter, the least of each of three generations."""
    feed, decay, pace, slower = constants
    medium = typed(dividing(PLACE, feed=feed, decay=decay, pace=pace, slower=slower), jnp.float32)
    ancestor = settled(medium)

    def family(parent: Array) -> Array:
        return jnp.stack(SISTERS.daughters(followed(medium, surrounded(parent, BACKGROUND, TORUS))))

    level, found = ancestor[None], []
    for _ in range(3):
        level = jax.lax.map(family, level).reshape(-1, *ancestor.shape)
        found.append(jax.vmap(lambda one: likeness(ancestor, one).within)(level).min())
    return jnp.stack(found)


def main(tries: str = "200", seed: str = "0") -> None:
    random, reach = np.random.default_rng(int(seed)), REACH
    best, found = PEARSON, worst(jnp.asarray(PEARSON))
    for n in range(1, int(tries) + 1):
        tried = best + reach * random.standard_normal(4)
        there = worst(jnp.asarray(tried))
        better = bool(there.min() > found.min())  # never where it is not finite
        best, found = (tried, there) if better else (best, found)
        reach = reach * (1.15 if better else 0.98)
        if better or n == int(tries):
            constants = ", ".join(f"{name} {x:.5f}" for name, x in zip(("F", "kappa", "pace", "D1"), best, strict=True))
            print(f"{n:4} tries  {constants}  r by generation {np.round(np.asarray(found), 3)}", flush=True)
    print(f"T = {T:g} s, {T * best[2]:.0f} at unit pace")


if __name__ == "__main__":
    main(*sys.argv[1:])
