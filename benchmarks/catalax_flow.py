"""The peer: a `RateFlowODE` of Catalax, rates by a neural network and stoichiometry as real numbers, trained on
concentrations as its README has it. It asks for another JAX than guldberg, hence runs in a Python of its own:

    OTHER_PYTHON benchmarks/catalax_flow.py DATA.csv REACTIONS

DATA.csv: experiment, time and the species. Prints each learned reaction's changes, in units of the largest.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

import numpy as np
import pandas as pd


def learned(path: str, reactions: int) -> np.ndarray:
    """The changes of the species, a row for each reaction."""
    catalax: Any = importlib.import_module("catalax")
    neural: Any = importlib.import_module("catalax.neural")
    table = pd.read_csv(path).rename(columns={"experiment": "measurementId"}).astype({"measurementId": str})
    starts = table.groupby("measurementId", sort=False).first().reset_index().drop(columns="time")
    data = catalax.Dataset.from_dataframe("made", table, starts)
    penalties = importlib.import_module("catalax.neural.penalties.penalties").Penalties.for_rateflow(alpha=1e-3)
    strategy = neural.Strategy(penalties=penalties)
    for rate, steps in ((1e-3, 1000), (1e-4, 2000)):
        strategy.add_step(lr=rate, steps=steps)
    model = catalax.Model(name="made")
    model.add_states(**{name: name for name in starts.columns[1:]})
    flow = neural.RateFlowODE.from_model(model, reaction_size=reactions, width_size=64, depth=3)
    trained = flow.train(data, strategy, progress_bar=False)
    order = [trained.get_state_order().index(name) for name in starts.columns[1:]]
    return np.asarray(trained.stoich_matrix)[order].T


if __name__ == "__main__":
    began = time.process_time()
    changes = learned(sys.argv[1], int(sys.argv[2]))
    for row in changes / np.abs(changes).max(axis=1, keepdims=True):
        print("  " + " ".join(f"{x:6.2f}" for x in row))
    print(f"  Catalax, {time.process_time() - began:.0f} s of CPU time")
