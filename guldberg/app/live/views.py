"""The live page of a run, or of a network by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guldberg.app import jobs, options, runs
from guldberg.app.design import film as films
from guldberg.app.live import model
from guldberg.app.live.model import Curve, Facts
from guldberg.design.result import Designed
from guldberg.discover.result import Discovered
from guldberg.errors import InputError
from guldberg.text import Model


def of_run(folder: Path) -> tuple[Facts, str]:
    """What the run in `folder` found, and a title. InputError where that cannot run in a page."""
    found, _, _ = runs.reached(folder, jobs.KINDS)
    if isinstance(found, Discovered):
        return _mechanism(found), "The mechanism, live"
    if isinstance(found, Designed):
        return model.field(found.system, found.c0, _frames(folder, found)), f"A design, live: {found.behaviour}"
    raise InputError("a reduced model has no live page: what it was learned from is a lattice", file=str(folder))


def _frames(folder: Path, found: Designed) -> films.Frames:
    try:
        return films.load(folder / "fields.nc", found).states
    except (OSError, ValueError, KeyError):  # not there yet, or damaged
        return films.film(found).states


def of_network(network: Model, states: options.States, end: float, temperature: float | None) -> Facts:
    """A network in a stirred vessel, from each of the initial states."""
    none = np.zeros((0, len(network.network.species)))
    curves = [Curve(name, c, none[:, 0], none) for name, c in zip(*states, strict=True)]
    return model.mixed(network.network, curves, end, ("", ""), temperature)


def _mechanism(found: Discovered) -> Facts:
    data = found.data
    curves = [
        Curve(run.name, fit.initial, run.times - run.times[0], run.values)
        for run, fit in zip(data.runs, found.fit.runs, strict=True)
    ]
    end = max(run.times[-1] - run.times[0] for run in data.runs)
    units = sorted(set(data.units))
    unit = units[0] if len(units) == 1 else ""
    return model.mixed(found.network(), curves, end, (data.time_unit, unit), found.temperature)
