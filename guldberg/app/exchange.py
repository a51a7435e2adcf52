"""Trajectories out: a CSV table that `guldberg discover` reads, and NetCDF that xarray reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray

from guldberg.app.tables import write_experiments
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run
from guldberg.simulation import Trajectory


def check_out(path: Path, endings: Sequence[str]) -> None:
    """InputError unless a file of a known kind can be written at `path`: before the work, not after it."""
    if path.suffix not in endings:
        raise InputError(f"expected a file name that ends in {' or '.join(endings)}", file=str(path))
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError("expected a file name in a folder that exists and can be written to", file=str(path))


def to_experiments(
    names: Sequence[str], trajectories: Sequence[Trajectory], temperature: float | None = None
) -> Experiments:
    """As measurements without noise; times that a failed solve did not reach are left out."""

    def run(name: str, trajectory: Trajectory) -> Run:
        reached = int(trajectory.reached)
        values = np.asarray(trajectory.values, float)[:reached]
        times = np.asarray(trajectory.ts, float)[:reached]
        return Run(name, times, values, np.full_like(values, np.nan), temperature=temperature)

    runs = tuple(run(name, trajectory) for name, trajectory in zip(names, trajectories, strict=True))
    return Experiments(trajectories[0].species, runs)


def to_dataset(
    names: Sequence[str], trajectories: Sequence[Trajectory], provenance: Mapping[str, str | float]
) -> xarray.Dataset:
    """`concentration` over (experiment, time, species) and the `outcome` of each solve; NaN where it did not reach."""
    experiments = xarray.Variable("experiment", list(names))
    together = xarray.concat(
        [trajectory.to_dataset() for trajectory in trajectories], experiments, combine_attrs="drop"
    )
    outcomes = ("experiment", [trajectory.outcome() for trajectory in trajectories])
    return together.assign(outcome=outcomes).assign_attrs(provenance)


def write(
    path: Path,
    names: Sequence[str],
    trajectories: Sequence[Trajectory],
    *,
    temperature: float | None = None,
    provenance: Mapping[str, str | float],
) -> None:
    """Trajectories to `path`, as its ending says. The file appears whole or not at all."""
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        if path.suffix == ".nc":
            to_dataset(names, trajectories, provenance).to_netcdf(unfinished, engine="h5netcdf")
        else:
            write_experiments(to_experiments(names, trajectories, temperature), unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
