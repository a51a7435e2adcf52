"""Do 95 % intervals hold the truth in 95 of 100 experiments? Constants of known mechanisms, from made measurements.

    python examples/calibration.py [TABLE.csv] [EXPERIMENTS] [NAME ...]

Six runs of twelve even times from random initial states; normal noise on every value, also on the initial one. The
standard deviation is not given: it is estimated as `guldberg discover` does it. Each experiment adds its intervals to
TABLE.csv; a script that was stopped goes on where it was. 500 experiments unless told, of all systems unless named:
one of hydrogen takes ten seconds.
"""

import csv
import itertools
import sys
import time
from collections import defaultdict
from pathlib import Path

import jax
import numpy as np

from guldberg import parse
from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover import known
from guldberg.discover.library import Library

jax.config.update("jax_enable_x64", True)

SYSTEMS = {
    "chain": ("A -> B @ 2\nB <-> C @ 1, 0.5", 2.0),
    "enzyme": ("E + S <-> ES @ 20, 5\nES -> E + P @ 10", 1.0),
    "autocatalysis": ("A + B -> 2 B @ 4\nB -> C @ 1", 2.0),
    "fast and slow": ("F <-> R @ 1, 1\nR <-> P @ 60, 60", 1.0),
    "oligomers": ("2 A <-> B @ 3, 1\nA + B <-> C @ 2, 0.5", 2.0),
    "hydrogen": (str(hydrogen_network()), 1.0),
}
LEVELS = (0.001, 0.01, 0.03, 0.1)
COLUMNS = ("system", "noise", "seed", "constant", "truth", "value", "low", "high")


def directed(network):
    """The reactions that happen, one direction at a time, and their constants."""
    left, right = np.asarray(network.reactants), np.asarray(network.products)
    forward, reverse = network.constants()
    library = Library(np.vstack([left, right]), np.vstack([right, left]))
    k = np.concatenate([forward, reverse])
    return library.take(np.flatnonzero(k)), k[k > 0]


def experiment(text, span, noise, seed):
    """Truth, value and interval of each constant, from one made experiment."""
    network, seed = parse(text), 10_000 * LEVELS.index(noise) + seed
    states = np.random.default_rng(seed).uniform(0.05, 1, (6, len(network.species)))
    data = synthetic(network, states, np.linspace(0, span, 12), noise=noise, exact_start=False, seed=seed)
    library, k = directed(network)
    found = known.fit(data, library, k).estimates()
    return [(i, truth, e.value, e.low, e.high) for i, (truth, e) in enumerate(zip(k, found, strict=True))]


def told(rows):
    """Coverage by system and noise: how many intervals, how many hold the truth, how many have both ends."""
    cells = defaultdict(list)
    for row in rows:
        low, high = (float(row[name]) if row[name] else open_ for name, open_ in (("low", 0.0), ("high", np.inf)))
        cells[row["system"], row["noise"]].append((low <= float(row["truth"]) <= high, low > 0 and high < np.inf))
    for (system, noise), found in cells.items():
        held, closed = np.mean(found, axis=0)
        print(f"{system}, noise {noise}: {100 * held:.1f} % of {len(found)} intervals hold the truth; ", end="")
        print(f"{100 * closed:.0f} % have both ends")


if __name__ == "__main__":
    table, experiments = Path((sys.argv[1:] + ["calibration.csv"])[0]), int((sys.argv[2:] + ["500"])[0])
    done, names = set(), sys.argv[3:] or list(SYSTEMS)
    if table.exists():
        with table.open() as file:
            done = {(row["system"], row["noise"], row["seed"]) for row in csv.DictReader(file)}
    began = time.process_time()
    with table.open("a", newline="") as file:
        out = csv.writer(file)
        if not done:
            out.writerow(COLUMNS)
        for seed in range(experiments):
            for name, noise in itertools.product(names, LEVELS):
                if (name, str(noise), str(seed)) not in done:
                    rows = experiment(*SYSTEMS[name], noise, seed)
                    out.writerows([(name, noise, seed, *row) for row in rows])
                    file.flush()
    with table.open() as file:
        told(csv.DictReader(file))
    print(f"{time.process_time() - began:.0f} s of CPU time")
