"""Where `guldberg design replication-lineage` begins: a medium in which spots divide, and their daughters as they did.
`python examples/spots.py [tries] [seed]`

Found without a gradient: the constants of Gray and Scott drift at random from where Pearson (1993) saw spots divide,
and what makes the worst of 14 daughters, all those of three generations, more like their ancestor is kept, while next
to nothing lies outside their windows: what is cut off there is brought back into step by the cut itself. Each is put
alone into a fresh place, turned as its parent lay. The ancestor is what serial transfer comes to.
"""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.design.division import PLACE, SISTERS, T, dividing, followed, settled
from guldberg.design.model import typed
from guldberg.design.replication import FEED, TORUS, likeness, surrounded
from guldberg.system import ReactionDiffusion

PEARSON = np.array([0.03, 0.062, 0.43, 0.1])  # F, kappa, pace, diffusivity of X1; that of X0 is .2
REACH = np.array([1e-3, 4e-4, 1e-2, 2e-3])  # of a first step
ALLOWED = 0.2  # outside, of the ancestor's sd
BACKGROUND = jnp.asarray(FEED, jnp.float32)


def medium(constants: Float[np.ndarray, "4"]) -> ReactionDiffusion:
    feed, decay, pace, slower = map(float, constants)
    return typed(dividing(PLACE, feed=feed, decay=decay, pace=pace, slower=slower), jnp.float32)


@eqx.filter_jit
def judged(medium: ReactionDiffusion) -> tuple[Float[Array, "generations"], Float[Array, ""]]:
    """r within species of ancestor and daughter, the least of each of three generations; and the largest sd over
    species of what is outside the daughters' windows, over the ancestor's."""
    ancestor = settled(medium)

    def followed_from(parent: Array) -> Array:
        return followed(medium, surrounded(parent, BACKGROUND, TORUS))

    level, found = ancestor[None], []
    for _ in range(3):
        ends = jax.lax.map(followed_from, level)
        level = jax.vmap(lambda end: jnp.stack(SISTERS.daughters(end)))(ends).reshape(-1, *ancestor.shape)
        found.append(jax.vmap(lambda one: likeness(ancestor, one).within)(level).min())
    outside = followed_from(ancestor)[:, SISTERS.outside(TORUS)]
    return jnp.stack(found), (outside.std(1) / ancestor.std((1, 2))).max()


def main(tries: str = "120", seed: str = "0") -> None:
    random, reach, best, most = np.random.default_rng(int(seed)), REACH, PEARSON, -np.inf
    for n in range(int(tries)):
        tried = best + reach * random.standard_normal(4) * (n > 0)
        r, outside = map(np.asarray, judged(medium(tried)))
        score = r.min() - max(0.0, float(outside) - ALLOWED)
        better = bool(score > most)  # never where it is not finite
        reach = reach * (1.15 if better else 0.98)
        if better:
            best, most = tried, score
            constants = ", ".join(f"{name} {x:.5f}" for name, x in zip(("F", "kappa", "pace", "D1"), best, strict=True))
            print(f"{n:4} tries: {constants}, outside {outside:.2f}, r by generation {np.round(r, 3)}", flush=True)
    print(f"T = {T:g} s, {T * best[2]:.0f} at unit pace")


if __name__ == "__main__":
    main(*sys.argv[1:])
