"""A well-mixed vessel, molecule by molecule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import xarray

from guldberg.app.progress import INTERVAL
from guldberg.app.simulate import plot
from guldberg.app.simulate.asked import Asked, Simulated
from guldberg.experiments import Experiments, Run
from guldberg.stochastic import ssa
from guldberg.stochastic.ssa import Counts


def run(asked: Asked, note: Callable[[str], None], *, runs: int = 1, volume: float = 1.0) -> Simulated:
    """`runs` of each experiment in a volume of `volume` molecules per concentration."""
    found = [
        ssa.sample(
            asked.network,
            np.tile(counts, (runs, 1)),
            asked.times,
            volume=volume,
            seed=seed,
            temperature=asked.temperature,
            on_time=_now_and_then(asked.times[-1], note),
        )
        for _, counts, seed in asked.molecules(volume, note)
    ]
    return simulated(asked, found, "a thousand million reactions")


def _now_and_then(end: float, note: Callable[[str], None]) -> Callable[[float], None]:
    """Tell how far a long run is, every ten seconds."""
    began = last = time.monotonic()

    def on_time(t: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= INTERVAL:
            last = now
            left = (now - began) * (end - t) / t if t > 0 else math.inf
            note(f"{now - began:6.1f} s  t = {t:.4g} of {end:.4g}  about {left:.0f} s left")

    return on_time


def simulated(asked: Asked, found: Sequence[Counts], limit: str = "") -> Simulated:
    """Runs of each experiment, with their means, a few of them drawn; `limit` is where runs stop."""
    table = _means(asked, found)
    few = [one.counts[: plot.FEW] / one.volume for one in found]
    return Simulated(table, _dataset(asked, found), lambda: plot.curves(table, few), *_failure(found, limit))


def _means(asked: Asked, found: Sequence[Counts]) -> Experiments:
    """Mean concentrations of the times that every run reached; their standard errors, where there are several runs."""
    return Experiments(
        asked.network.species,
        tuple(_mean(name, one, asked.temperature) for name, one in zip(asked.names, found, strict=True)),
    )


def _dataset(asked: Asked, found: Sequence[Counts]) -> xarray.Dataset:
    """`count` over (experiment, run, time, species), -1 where a run did not come, with its moments."""
    experiments = xarray.Variable("experiment", list(asked.names))
    return xarray.concat([one.to_dataset() for one in found], experiments)


def _mean(name: str, found: Counts, temperature: float | None) -> Run:
    reached = int(found.reached.min())
    error = np.sqrt(found.variance()[:reached] / len(found.counts)) / found.volume
    mean = found.mean()[:reached] / found.volume
    return Run(name, found.times[:reached], mean, np.where(error > 0, error, np.nan), temperature=temperature)


def _failure(found: Sequence[Counts], limit: str) -> tuple[str, str]:
    stopped, runs = sum(one.stopped for one in found), sum(len(one.counts) for one in found)
    if not stopped:
        return "", ""
    last = min(one.times[one.reached.min() - 1] for one in found)
    return f"{stopped} of {runs} runs stopped at {limit}", f"the first after t = {last:.6g}"
