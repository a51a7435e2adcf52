"""Particles that hop on a lattice and react with those they meet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from guldberg.app import options
from guldberg.app.simulate import ssa
from guldberg.app.simulate.asked import Asked, Simulated
from guldberg.errors import InputError
from guldberg.stochastic import lattice, start
from guldberg.stochastic.rules import LatticeRules
from guldberg.stochastic.ssa import Counts


def run(
    asked: Asked,
    note: Callable[[str], None],
    *,
    grid: str = "",
    step: float = 1.0,
    boundary: str = "periodic",
    runs: int = 1,
) -> Simulated:
    """`grid` sites; concentrations are particles per site, and constants of two reactants are probabilities."""
    if not grid:
        raise InputError("a lattice needs its sites along each axis, as --grid 100x100", file="--grid")
    shape = options.cells("--grid", grid)
    every = asked.even(step)
    if abs(every * step - asked.times[1]) > 1e-6 * step:
        raise InputError(f"times {asked.times[1]:g} apart are no whole number of steps of {step:g}", file="--step")
    if asked.temperature is not None:
        raise InputError("a lattice has no temperature", file="--temperature")
    rules = LatticeRules(asked.network, periodic=boundary == "periodic", dt=step)
    found = []
    for _, counts, seed in asked.molecules(float(np.prod(shape)), note):
        scattered, simulated = np.random.default_rng(seed).integers(2**62, size=2).tolist()
        occupancy = start.scattered(counts.tolist(), shape, replicas=runs, seed=scattered)
        moments = lattice.sample(rules, occupancy, every * (len(asked.times) - 1), seed=simulated, every=every)
        if moments.dropped:
            note(f"{moments.dropped} reactions found no free site for a second product and did not happen")
        counted = moments.counts.astype(np.int64)
        whole = np.full(runs, len(asked.times))
        found.append(Counts(asked.times, counted, asked.network.species, float(np.prod(shape)), whole))
    return ssa.simulated(asked, found)
