"""A well-stirred vessel that keeps a bit: two states that both last. `python examples/bistable.py [updates] [seed]`

Nothing is asked for but that two starts end apart and where they began (`Apart`, `Persistence`, `Steps`), of a network
of three species that is as reversible as all of Elliott's. Shown at dt = .1 to 10 000 s, after noise on the starts,
and with less and more flow than was learned: between two folds both states are there, beyond them one.
"""

from __future__ import annotations

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.design.chemistry import dense, initial_system
from guldberg.design.disturb import Rough
from guldberg.design.job import design
from guldberg.design.model import Model, flow, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.start import Direct
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import Apart, Persistence, Steps, When, rmsd
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.stepper import Guarded
from guldberg.system import ReactionDiffusion

SPECIES = 3
SPREAD = 0.2  # of each species: half of what is between the two states
SEEN = 100, 1000, 10_000  # seconds
FLOWS = 0.25, 0.5, 2.0, 4.0, 16.0, 32.0  # as parts of what was learned
ROUGH = Rough(state=0.05, ramp=0.3)  # noise on the starts
State = Float[Array, "species *grid"]


def build(key: Key[Array, ""]) -> Model:
    of_network, of_system, of_start = jax.random.split(key, 3)
    vessel = Grid.periodic((1,))
    system = initial_system(dense(SPECIES, key=of_network), vessel, key=of_system)
    return Model(learnable(system), Direct.random(vessel, SPECIES, key=of_start, states=2, smooth=False))


def told(model: Model, z: Array, before: State, after: State) -> dict[str, Array]:
    return {"moved": rmsd(before, after)}


def recipe(updates: int) -> Recipe:
    loss = Persistence(distance=rmsd, when=When(0.0, 0.5, 1.0)) + 10 * Apart(SPREAD, when=When(1.0)) + 100 * Steps()
    descent = Descent(Rates({"start": 2e-2, "medium": 5e-3}, warmup=20, cosine=True), beta1=0.95, clip_each=0.5)
    stages = [Stage(T, updates // 2, loss, descent, batch=4, disturb=ROUGH) for T in (32.0, 256.0)]
    return Recipe("bistability", build, tuple(stages), told, bits=1, used=1)


@eqx.filter_jit
def followed(system: ReactionDiffusion, X: State) -> Float[Array, "times species *grid"]:
    saves = np.round(np.array(SEEN) / 0.1).astype(int)
    return rollout(system, X, steps=int(saves[-1]), dt=0.1, stepper=Guarded(), saves=saves).values


def line(name: str, both: list[Float[Array, "times species *grid"]]) -> None:
    """Concentrations of either state at the end, and how far apart they are at each time."""
    a, b = (np.asarray(states, float)[..., 0] for states in both)
    apart = np.abs(a - b).max(axis=1)
    states = "   ".join(" ".join(f"{x:.4f}" for x in end[-1]) for end in (a, b))
    print(f"{name:24}{states}   " + " ".join(f"{d:8.4f}" for d in apart), flush=True)


def main(updates: int = 1200, seed: int = 0) -> None:
    found = design(recipe(updates), seed=seed)
    system, starts = found.system, [found.start(jnp.asarray([float(bit)])) for bit in (0, 1)]
    print(f"{'':24}{'one state':23}{'the other':23}apart at " + ", ".join(map(str, SEEN)) + " s")
    line("as designed", [followed(system, X) for X in starts])
    keys = jax.random.split(jax.random.key(1))
    rough = [jnp.maximum(X + 0.05 * jax.random.normal(k, X.shape), 0) for k, X in zip(keys, starts, strict=True)]
    line("noise .05 at first", [followed(system, X) for X in rough])
    for part in FLOWS:
        other = eqx.tree_at(lambda s: flow(s).rate, system, part * flow(system).rate)
        line(f"{part:g} of the flow", [followed(other, X) for X in starts])


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
