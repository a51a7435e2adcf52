"""Particles that diffuse in a box and react on contact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray

from guldberg.app import options
from guldberg.app.simulate import plot, ssa
from guldberg.app.simulate.asked import Asked, Simulated
from guldberg.errors import InputError
from guldberg.stochastic import particles
from guldberg.stochastic.contact import ContactRules
from guldberg.stochastic.particles import History
from guldberg.stochastic.ssa import Counts


def run(
    asked: Asked,
    note: Callable[[str], None],
    *,
    box: str = "",
    diffusivity: str = "",
    radius: float | None = None,
    step: float | None = None,
    boundary: str = "periodic",
    runs: int = 1,
) -> Simulated:
    """Evenly scattered at first. FILE.nc has where all particles were at all times."""
    if not (box and diffusivity and radius and step):
        raise InputError("--method particles needs --box, --diffusivity, --radius and --step")
    rules = ContactRules(
        asked.network,
        lengths=options.sizes("--box", box),
        diffusivity=options.each("--diffusivity", diffusivity, asked.network.species).tolist(),
        radius=radius,
        dt=step,
        periodic=boundary == "periodic",
        temperature=asked.temperature,
    )
    histories = []
    for _, counts, seed in asked.molecules(rules.volume, note):
        scattered, simulated = np.random.default_rng(seed).integers(2**62, size=2).tolist()
        kinds, places = particles.scattered(counts.tolist(), rules.lengths, runs=runs, seed=scattered)
        histories.append(particles.sample(rules, kinds, places, asked.times, seed=simulated))
    found = [Counts(h.times, h.counts(), rules.species, rules.volume, h.reached) for h in histories]
    done = ssa.simulated(asked, found, "a million particles")
    return Simulated(
        done.table,
        xarray.merge([done.dataset, _sightings(histories)], combine_attrs="override"),
        lambda: plot.snapshots(histories[0], done.table),
        done.failure,
        done.why,
    )


def _sightings(histories: Sequence[History]) -> xarray.Dataset:
    """Each particle at each time: its species, its place, and the run, time and experiment of the sighting."""
    seen = {
        (e, r, t): snapshot
        for e, history in enumerate(histories)
        for r, run in enumerate(history.runs)
        for t, snapshot in enumerate(run)
    }
    each = [len(snapshot.kinds) for snapshot in seen.values()]
    indices = {
        f"{name}_index": ("sighting", np.repeat([key[i] for key in seen], each).astype(np.int32))
        for i, name in enumerate(("experiment", "run", "time"))
    }
    kinds = np.concatenate([snapshot.kinds for snapshot in seen.values()])
    places = np.concatenate([snapshot.positions for snapshot in seen.values()])
    axes = list("xyz"[: places.shape[1]])
    own = {"species_index": ("sighting", kinds), "position": (("sighting", "axis"), places)}
    return xarray.Dataset(indices | own, coords={"axis": axes})
