"""Algorithm 1 of Huang, Zhou and Yong on the three problems of their section 4, from random starts (8 unless told).

    python examples/freezing.py [STARTS]

For each start, the epoch at which all rows of its stoichiometry were whole numbers, and how many starts end in the
mechanism that the data were made with. What `guldberg discover DATA.csv --method freeze --reactions N` runs.
"""

import sys
import time

import jax
import numpy as np

from guldberg import parse
from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover.freezing import Freezing
from guldberg.learn.fit import run

jax.config.update("jax_enable_x64", True)

PROBLEMS = {
    "fast and slow": parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000"),
    "Michaelis-Menten": parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10"),
    "hydrogen": hydrogen_network(),
}


def rows(network):
    """The net changes of its reactions, whichever way they are written."""
    return {max(tuple(row), tuple(-x for x in row)) for row in np.asarray(network.stoichiometry).tolist()}


if __name__ == "__main__":
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    for name, truth in PROBLEMS.items():
        states = np.random.default_rng(0).uniform(size=(100, len(truth.species)))
        data = synthetic(truth, states, np.linspace(0, 1, 11), derivatives=True)
        began, settled = time.process_time(), np.zeros(0)

        def remember(state, metrics):
            global settled
            settled = state.settled

        found = run(Freezing(data, len(truth.reactants), starts), 0, on_step=remember)
        verdict = "the mechanism exactly" if rows(found.network()) == rows(truth) else "another mechanism"
        print(f"{name}: {verdict}; {found.warnings[0]}; epochs {', '.join(map(str, settled.tolist()))}")
        print(f"    {time.process_time() - began:.0f} s of CPU time")
