"""Gillespie's algorithm beside rebop (compiled Rust) and GillesPy2 (its Python solver), on one thread of one machine.

    python -m benchmarks.ssa

Each network is followed in its stationary state, from the same start, on the same times; seconds of processor time per
unit of simulated time, and means over runs, which must agree.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from guldberg import ReactionNetwork, parse
from guldberg.stochastic import ssa
from guldberg.stochastic.events import events

rebop: Any = importlib.import_module("rebop")  # no dependencies of guldberg: measured where they happen to be
gillespy2: Any = importlib.import_module("gillespy2")

POINTS = 11
ROUNDS = 3  # the fastest counts: others work on the machine


class Task(NamedTuple):
    """A network in numbers of molecules, where it starts, and how long a run of many goes, a single one, and one of
    GillesPy2."""

    text: str
    start: dict[str, int]
    each: float
    long: float
    short: float

    @property
    def network(self) -> ReactionNetwork:
        return parse(self.text)


TASKS = {
    "birth-death": Task("0 -> A @ 1000\nA -> 0 @ 1", {"A": 1000}, 1, 2000, 10),
    "dimerisation": Task("2 A <-> D @ 0.001, 1", {"A": 500, "D": 250}, 4, 4000, 20),
    "ten reactions": Task(
        "G -> G + M @ 1\nH -> H + M @ 0.1\nM -> 0 @ 0.1\nM -> M + P @ 5\nP -> 0 @ 0.05\n2 P <-> D @ 0.0005, 0.5\n"
        "D + G <-> H @ 0.01, 1\nD -> 0 @ 0.05",
        {"G": 2, "M": 5, "P": 200, "D": 50},
        10,
        8000,
        60,
    ),
}


def with_guldberg(task: Task, end: float, runs: int) -> np.ndarray:
    names = task.network.species
    start = np.tile([task.start.get(name, 0) for name in names], (runs, 1))
    found = ssa.sample(task.network, start, np.linspace(0, end, POINTS), volume=1.0, seed=0, threads=1)
    return found.counts[:, :, 0]


def with_rebop(task: Task, end: float, runs: int) -> np.ndarray:
    system, names = rebop.Gillespie(), task.network.species
    for event in events(task.network):
        system.add_reaction(event.k, [names[s] for s in event.reactants], [names[s] for s in event.products])
    return np.array([system.run(task.start, end, POINTS - 1, rng=seed)[names[0]].values for seed in range(runs)])


def with_gillespy2(task: Task, end: float, runs: int) -> np.ndarray:
    model, names = gillespy2.Model(), task.network.species
    model.add_species([gillespy2.Species(name=name, initial_value=task.start.get(name, 0)) for name in names])
    for i, event in enumerate(events(task.network)):
        rate = gillespy2.Parameter(name=f"k{i}", expression=event.k)
        sides = [{names[s]: side.count(s) for s in side} for side in (event.reactants, event.products)]
        model.add_parameter(rate)
        model.add_reaction(gillespy2.Reaction(name=f"r{i}", reactants=sides[0], products=sides[1], rate=rate))
    model.timespan(gillespy2.TimeSpan(np.linspace(0, end, POINTS)))
    found = model.run(solver=gillespy2.NumPySSASolver, number_of_trajectories=runs, seed=1)
    return np.array([one[names[0]] for one in found])


def per_time(run: Callable[[Task, float, int], np.ndarray], task: Task, end: float, runs: int) -> tuple[float, float]:
    """Seconds of processor time per unit of simulated time, and the mean number of the first species."""
    run(task, end / 100, 1)  # compiles
    seconds, seen = [], np.empty(0)
    for _ in range(ROUNDS):
        began = time.process_time()
        seen = run(task, end, runs)[:, 1:]
        seconds.append(time.process_time() - began)
    return min(seconds) / (end * runs), float(np.mean(seen))


def main() -> None:
    for name, task in TASKS.items():
        for what, end, runs in (("many runs", task.each, 1000), ("one run", task.long, 1)):
            ours, mean = per_time(with_guldberg, task, end, runs)
            print(f"{name}, {what}: guldberg {ours * end * runs:.3f} s of t = {runs} x {end:g}, mean {mean:.4g}")
            for other, run in (("rebop", with_rebop), ("GillesPy2", with_gillespy2)):
                few = (end, runs) if other == "rebop" else (min(end, task.short), min(runs, 10))
                theirs, mean = per_time(run, task, *few)
                print(f"    {other:<10} {theirs / ours:8.2f} times as long, mean {mean:.4g}", flush=True)


if __name__ == "__main__":
    main()
