"""Algorithm 1 of Huang, Zhou and Yong on the three problems of their section 4, from random starts (8 unless told).

    python examples/freezing.py [STARTS [PROBLEM ...]]

How many starts end in the mechanism that the data were made with, and at which epochs all rows of their stoichiometry
were whole numbers: by guldberg's rules, which `guldberg discover DATA.csv --method freeze --reactions N` follows, and
by those of the authors' code, which may end with a row of zeros for a reaction.
"""

import sys
import time

import jax
import numpy as np

from guldberg import parse
from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover.freezing import Freezing

jax.config.update("jax_enable_x64", True)

PROBLEMS = {
    "fast and slow": parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000"),
    "Michaelis-Menten": parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10"),
    "hydrogen": hydrogen_network(),
}


def rows(v):
    """The net changes of reactions, whichever way they are written."""
    return {max(tuple(row), tuple(-x for x in row)) for row in np.asarray(v, int).tolist()}


def problem(name):
    """The paper's data: 100 initial states at 11 times up to 1, with derivatives."""
    truth = PROBLEMS[name]
    states = np.random.default_rng(0).uniform(size=(100, len(truth.species)))
    return synthetic(truth, states, np.linspace(0, 1, 11), derivatives=True)


def learn(name, starts, **how):
    """The last State of the descent of all starts, and the seconds of CPU time."""
    job = Freezing(problem(name), len(PROBLEMS[name].reactants), starts, **how)
    began, state = time.process_time(), job.init(0)
    while not job.done(state):
        state, _ = job.step(state)
    return state, time.process_time() - began


def right(name, state):
    """Which starts ended in the mechanism."""
    ended = [rows(v) == rows(PROBLEMS[name].stoichiometry) for v in np.round(state.weights[0])]
    return (state.settled >= 0) & ended


if __name__ == "__main__":
    starts, names = int(sys.argv[1]) if len(sys.argv) > 1 else 8, sys.argv[2:] or list(PROBLEMS)
    for name in names:
        for rules in ("ours", "published"):
            state, seconds = learn(name, starts, published=rules == "published")
            good, whole = right(name, state), state.settled >= 0
            print(f"{name}, {rules}, {starts} starts, {seconds:.0f} s of CPU time:", end=" ")
            print(
                f"{good.sum()} in the mechanism, {(whole & ~good).sum()} in another, {(~whole).sum()} in none", end=" "
            )
            print("after epochs " + ", ".join(map(str, np.sort(state.settled[good]).tolist())), flush=True)
