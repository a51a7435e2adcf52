"""A + A -> 0 on contact, on a line: how close survivors are, learned as a function of distance, without a lattice.

The pairs at a distance r, per distance, are exp(-nu(r, t)). Two that diffuse and react within a radius obey

    d nu / dt = 2 D (laplacian nu - |grad nu|^2) + lambda [r < radius] + three-body loss,

and the superposition closure (Kirkwood 1935) says that a third takes members of any pair as often as of a far one: the
last operator below, with the function 4 lambda before it. All five are learned; those of theory are printed beside.
`python examples/closeness.py [runs] [time]`
"""

import sys

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402

from guldberg import parse  # noqa: E402
from guldberg.closure.continuous.functional import AbstractOperator  # noqa: E402
from guldberg.learn.fit import run  # noqa: E402
from guldberg.reduce.space import terms  # noqa: E402
from guldberg.reduce.space.job import SpaceReduction  # noqa: E402
from guldberg.reduce.space.plan import Box, Cloud, SpacePlan  # noqa: E402
from guldberg.stochastic import particles  # noqa: E402
from guldberg.stochastic.contact import ContactRules  # noqa: E402

L, N, D, K, RADIUS, REACH, CELLS = 50.0, 50, 1.0, 1.0, 0.2, 6.0, 60
RATE = K / RADIUS  # lambda = 2 k / v(radius)
RULES = ContactRules(parse(f"A + A -> 0 @ {K}"), lengths=(L,), diffusivity=D, radius=RADIUS, dt=0.02)


class Contact(AbstractOperator):
    """[r < radius]."""

    def __call__(self, nu, species, grid):
        return jnp.where((np.arange(CELLS) + 0.5) * grid.spacing[0] < RADIUS, 1.0, 0.0)


class Superposition(AbstractOperator):
    """Contacts per particle, the same for every pair: integral of exp(-nu) over contact / (L exp(-nu(far)))^(1/2)."""

    def __call__(self, nu, species, grid):
        near = jnp.sum(jnp.exp(-nu[0]) * Contact()(nu, species, grid)) * grid.spacing[0]
        return jnp.ones(CELLS) * near / jnp.sqrt(L * jnp.exp(-nu[0, -1]))


def distances(start, *, runs, groups, times, seed):
    """Pairs by distance, the means of groups of runs."""
    history = particles.sample(RULES, *particles.scattered([N], (L,), runs=runs, seed=seed), times, seed=seed)
    counts = np.zeros((groups, len(times), 1, CELLS))
    for r, seen in enumerate(history.runs):
        for t, snapshot in enumerate(seen):
            apart = np.abs(snapshot.positions[:, 0, None] - snapshot.positions[None, :, 0])
            apart = np.minimum(apart, L - apart)[np.triu_indices(len(apart), 1)]
            counts[r % groups, t, 0] += np.histogram(apart, CELLS, (0, REACH))[0]
    return counts / (runs / groups)


def reduced(runs, time, seed=0):
    """Learned from `runs` runs, judged on as many others. The line is one of distances; the pairs are its particles."""
    line = Box(parse("A -> 0 @ 0"), (REACH,), (2 * D,), RADIUS, 0.02, periodic=False)
    plan = SpacePlan(line, (Cloud(0, N),), time, runs=runs, held_out=runs, cells=(CELLS,), elements=3, function=1)
    more = (terms.Wanted("[r < radius]", 0, Contact(), (0,)), terms.Wanted("superposition", 0, Superposition(), (0,)))
    return run(SpaceReduction(plan, distances, more=more), seed)


def main(runs="1000", time="2"):
    found = reduced(int(runs), float(time))
    theory = {"laplacian A": 2 * D, "|grad A|²": -2 * D, "1 A": 0.0, "[r < radius]": RATE, "superposition": 4 * RATE}
    for c in found.constants:
        print(f"{c.name:14s} {c.value:8.3f}  [{c.low:.3f}, {c.high:.3f}]  by theory {theory[c.name]:g}")
    learned, t = found.densities["constants"], found.times
    held_density, density = (np.sqrt(pairs[:, 0, -10:].mean(axis=1) / L) for pairs in (found.held, learned))
    print("time   density: held out, learned, mean field   closeness in contact: held out, learned")
    for i in range(0, len(t), 4):
        near = found.held[i, 0, 0] / held_density[i] ** 2 / L, learned[i, 0, 0] / density[i] ** 2 / L
        mean_field = 1 / (1 + 2 * K * t[i])
        print(f"{t[i]:4.1f} {held_density[i]:8.3f} {density[i]:8.3f} {mean_field:8.3f} {near[0]:16.3f} {near[1]:8.3f}")
    far = [found.outside[who].mean() for who in ("learned", "constants")]
    print(f"distances more than two standard errors from held-out runs: {far[0]:.1%}, constants {far[1]:.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
