"""The differential equation of a well-mixed vessel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import numpy as np
import xarray

from guldberg.app.devices import shared
from guldberg.app.simulate import plot
from guldberg.app.simulate.asked import Asked, Simulated, told
from guldberg.experiments import Experiments, Run
from guldberg.simulation import Trajectory, simulate
from guldberg.system import WellMixed


def run(asked: Asked, note: Callable[[str], None]) -> Simulated:
    """All experiments at once, shared among the devices there are."""
    system = WellMixed(asked.network, asked.temperature)
    together = eqx.filter_vmap(lambda c0: simulate(system, c0, asked.times, throw=False))(shared(asked.states))
    trajectories = [jax.tree.map(lambda leaf, i=i: leaf[i], together) for i in range(len(asked.states))]
    table = _table(asked, trajectories)
    failed = [f"experiment {n}: {t.outcome()}" for n, t in zip(asked.names, trajectories, strict=True) if not t.ok]
    return Simulated(
        table,
        _dataset(asked.names, trajectories),
        lambda: plot.curves(table),
        *told(failed, len(trajectories), "solves"),
    )


def _table(asked: Asked, trajectories: Sequence[Trajectory]) -> Experiments:
    """As measurements without noise; times that a failed solve did not reach are left out."""

    def run(name: str, trajectory: Trajectory) -> Run:
        reached = int(trajectory.reached)
        values = np.asarray(trajectory.values, float)[:reached]
        times = np.asarray(trajectory.ts, float)[:reached]
        return Run(name, times, values, np.full_like(values, np.nan), temperature=asked.temperature)

    runs = tuple(run(name, trajectory) for name, trajectory in zip(asked.names, trajectories, strict=True))
    return Experiments(asked.network.species, runs)


def _dataset(names: Sequence[str], trajectories: Sequence[Trajectory]) -> xarray.Dataset:
    """`concentration` over (experiment, time, species) and the `outcome` of each solve; NaN where it did not reach."""
    experiments = xarray.Variable("experiment", list(names))
    together = xarray.concat(
        [trajectory.to_dataset() for trajectory in trajectories], experiments, combine_attrs="drop"
    )
    return together.assign(outcome=("experiment", [trajectory.outcome() for trajectory in trajectories]))
