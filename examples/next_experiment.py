"""Experiments chosen to tell mechanisms apart, against experiments chosen at random: how many settle the mechanism?

    python examples/next_experiment.py [TABLE.csv] [SEEDS] [NAME ...]

Both begin with the same experiment, random amounts and even times. Then one takes what `guldberg next` would propose,
the other another random one, until the mechanism found is the true one and no rival is left, eight experiments at
most. Normal noise of 0.05 on every value; amounts between 0 and 1; the conservation laws are told. A script that was
stopped goes on where it was.

The setting (noise, samples, length) was chosen on the mechanisms of `TUNED`, after a look at them. Those of `FIXED`
were written down, with the same setting and 20 seeds, before any of them was run, and are run once: all of
`examples/twelve.py` that have every species measured, one temperature, two molecules at most on a side and no twin in
`TUNED`; constants and lengths as there, amounts in units of the largest. They are what is run unless names are given.
"""

import csv
import dataclasses
import sys
import time
from pathlib import Path

import jax
import numpy as np

from guldberg import parse
from guldberg.app.synthetic import synthetic
from guldberg.discover import Options, discover, following, proposal
from guldberg.structure import conservation_laws

jax.config.update("jax_enable_x64", True)

TUNED = {
    "autocatalysis": ("A -> B @ 0.3\nA + B -> 2 B @ 2\nB -> C @ 1", 4.0),
    "enzyme": ("E + S <-> ES @ 10, 2\nES -> E + P @ 3", 3.0),
    "chain": ("A -> B @ 2\nB <-> C @ 1, 0.5", 3.0),
    "oligomers": ("2 A <-> B @ 3, 1\nA + B -> C @ 2", 3.0),
    "parallel": ("A -> B @ 1\nA -> C @ 0.5\nB + C -> D @ 2", 4.0),
}
FIXED = {
    "catalyst": ("A + C -> B + C @ 3\nB -> D @ 1", 2.0),
    "inhibition": ("E + S <-> ES @ 20, 2\nES -> E + P @ 5\nE + I <-> EI @ 10, 1", 2.0),
    "predator and prey": ("X -> 2 X @ 1\nX + Y -> 2 Y @ 2\nY -> 0 @ 2", 3.0),
    "futile cycle": ("S + E <-> SE @ 4, 1\nSE -> P + E @ 2\nP + F <-> PF @ 4, 1\nPF -> S + F @ 2", 4.0),
    "three-cycle": ("A <-> B @ 2, 1\nB <-> C @ 2, 1\nC <-> A @ 2, 1", 2.0),
}
SYSTEMS = TUNED | FIXED
NOISE, POINTS, MOST = 0.05, 8, 8


def measured(network, initial, times, seed):
    """One experiment."""
    return synthetic(network, initial[None], times, noise=NOISE, exact_start=False, seed=seed)


def together(experiments):
    """All of them as one set of data."""
    runs = [dataclasses.replace(one.runs[0], name=str(n)) for n, one in enumerate(experiments, 1)]
    return dataclasses.replace(experiments[0], runs=tuple(runs))


def truth(network):
    """Its directed reactions, as text."""
    both = zip(network.equations(), network.reversible, strict=True)
    ways = [(text.replace("<->", "->").split(" -> "), back) for text, back in both]
    return {" -> ".join(way) for (a, b), back in ways for way in ((a, b), (b, a))[: 1 + bool(back)]}


def proposed(found, last, seed):
    """What to do next."""
    free = dataclasses.replace(
        following.limits(found), low=np.zeros(len(found.species)), high=np.ones(len(found.species))
    )
    bounds = dataclasses.replace(free, first=last / 100, last=last, points=POINTS)
    done = proposal.propose(following.question(found), bounds, seed=seed)
    return done.initial, done.times


def settled_after(text, last, chosen, seed):
    """How many experiments until the true mechanism stands alone; one more than the most if it never does."""
    network, rng = parse(text), np.random.default_rng(seed)
    wanted, even = truth(network), np.linspace(0, last, POINTS)
    told = Options(laws=tuple(tuple(map(int, law)) for law in conservation_laws(network)))
    experiments = [measured(network, rng.uniform(size=len(network.species)), even, 100 * seed)]
    for n in range(1, MOST + 1):
        found = discover(together(experiments), told)
        if found.equals(wanted) and not found.alternatives:
            return n
        plan = rng.uniform(size=len(network.species)), even
        if chosen and found.steps:
            plan = proposed(found, last, seed)
        experiments.append(measured(network, *plan, 100 * seed + n))
    return MOST + 1


if __name__ == "__main__":
    table, seeds = Path((sys.argv[1:] + ["next.csv"])[0]), int((sys.argv[2:] + ["20"])[0])
    names = sys.argv[3:] or list(FIXED)
    rows = list(csv.reader(table.open())) if table.exists() else []
    began, done = time.process_time(), {tuple(row[:3]) for row in rows}
    for seed in range(seeds):
        for name in names:
            text, last = SYSTEMS[name]
            for way in ("random", "chosen"):
                if (name, way, str(seed)) not in done:
                    rows.append([name, way, str(seed), str(settled_after(text, last, way == "chosen", seed))])
                    with table.open("a", newline="") as file:
                        csv.writer(file).writerow(rows[-1])
    for name in names:
        counts = {way: [int(row[3]) for row in rows if row[:2] == [name, way]] for way in ("random", "chosen")}
        mean = {way: f"{np.mean(found):.1f} ({np.sum(np.array(found) > MOST)} never)" for way, found in counts.items()}
        print(f"{name}: random {mean['random']}, chosen {mean['chosen']} experiments, {len(counts['chosen'])} seeds")
    print(f"{time.process_time() - began:.0f} s of CPU time")
