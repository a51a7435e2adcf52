"""A spot that travels and stays itself: designed, not found. `python examples/traveller.py [updates]`

Elliott (2022) asks for a structure that is at two places in the end; with one place instead, eq. (13) asks for motion.
In a medium of activator and feed alone a spot in two dimensions spreads or dies. This one has a direction only by its
shape, and keeps both long after the time it was learned for.
"""

from __future__ import annotations

import sys

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from guldberg.design.job import design
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.replication import Family, judged, parent
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Outside, Replication, Spread, Steps, When
from guldberg.rollout import rollout

SHAPE, PATCH = (48, 64), (24, 24)
WINDOW = ((8, 40), (16, 48))
SPEED = 1 / 8  # cells per second, to the right


def family(seconds: float) -> Family:
    """Where the spot is to be after some time."""
    return Family(WINDOW, ((0, round(SPEED * seconds)),))


def stage(T: float, updates: int, rate: float, dt: float) -> Stage:
    half, whole = family(T / 2), family(T)
    loss = Replication(WINDOW, half.shifts, when=When(0.0, 0.5)) + Replication(WINDOW, whole.shifts)
    loss += 4 * Spread(0.2, WINDOW, whole.shifts) + 0.25 * Outside(jnp.asarray(whole.outside(SHAPE))) + Steps(0.3)
    rates = Rates({"start": 2e-2 * rate, "medium": 3e-3 * rate}, warmup=20, cosine=True, floor=0.03)
    return Stage(T, updates, loss, Descent(rates, clip_all=1.0, jump=2.0), dt=dt)


def recipe(updates: int) -> Recipe:
    stages = (stage(64, updates, 1.0, dt=1.0), stage(128, updates, 0.5, dt=0.5), stage(256, updates, 0.3, dt=0.5))
    return Recipe("traveller", lambda key: parent(key, shape=SHAPE, patch=PATCH), stages, judged(family(256)))


def main(updates: int = 300) -> None:
    found = design(recipe(updates))
    seconds = np.arange(0, 513, 64)
    ran = eqx.filter_jit(rollout)(found.system, found.c0, steps=5120, dt=0.1, saves=10 * seconds)
    print("   time  distance  r within")
    for t, state in zip(seconds, ran.values, strict=True):
        (alike,) = family(float(t)).likeness(jnp.asarray(found.c0), state)
        print(f"{t:7g} {SPEED * t:9g} {alike.within:9.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
