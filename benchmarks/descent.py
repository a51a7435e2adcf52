"""What an epoch of Algorithm 1 costs, beside PyTorch in the authors' style in the same run."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.discover import data_of
from benchmarks.mechanisms import FAST_SLOW, HYDROGEN, MICHAELIS_MENTEN
from guldberg.discover import freezing, regression
from guldberg.experiments import Experiments

TIMES = np.linspace(0.0, 1.0, 10)  # of the authors' code


def epoch(seeds: int | None) -> None:
    """An epoch and start of Algorithm 1, 800 rows: 1, 8 and 32 starts at once; PyTorch where it is installed."""
    repeats = seeds or 5
    peer = importlib.util.find_spec("torch") is not None
    for mechanism in (FAST_SLOW, MICHAELIS_MENTEN, HYDROGEN):
        reactions = len(mechanism.network.reactants)
        training, validation = (
            data_of(mechanism.network, seed, runs=runs, times=TIMES, derivatives=0.0)
            for seed, runs in ((0, 80), (1, 20))
        )
        ours = min(_line(mechanism.name, training, reactions, starts, repeats) for starts in (1, 8, 32))
        if peer:
            from benchmarks.torch_descent import descend, torch

            torch.set_num_threads(1)
            step = descend(_rows(training), _rows(validation), reactions)
            theirs = _told(f"{mechanism.name}, PyTorch", lambda step=step: step(200), 200, repeats)
            print(f"  PyTorch / guldberg: {theirs / ours:.0f}")
    if not peer:
        print("PyTorch is not installed: not measured (pip install torch)")


def _line(name: str, data: Experiments, reactions: int, starts: int, repeats: int) -> float:
    job = freezing.Freezing(data, reactions, starts)
    state: Any = job.step(job.init(0))[0]
    return _told(f"{name}, {starts} starts", lambda: job.step(state), freezing.BACK * starts, repeats)


def _told(name: str, work: Callable[[], Any], epochs: int, repeats: int) -> float:
    """Print and return microseconds of CPU time for an epoch and start, the best of the repeats."""
    seconds = []
    for _ in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = (1e6 * x / epochs for x in min(seconds[1:]))
    print(f"{name:40s} {cpu:8.1f} us of CPU time an epoch and start ({wall:.1f} us of wall time)", flush=True)
    return cpu


def _rows(data: Experiments) -> tuple[np.ndarray, np.ndarray]:
    rows = regression.slopes(data)
    return np.maximum(rows.c, freezing.SMALLEST), rows.dc


ALL: dict[str, Callable[[int | None], None]] = {"epoch": epoch}
