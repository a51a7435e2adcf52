"""Whether a recipe fits into memory, told before anything is begun."""

from __future__ import annotations

import math
import os

from guldberg.design.job import Design
from guldberg.errors import InputError

BASE = 0.6  # GB: Python, JAX, compilation
COPIES = 3  # of a trajectory: forward, its cotangents, and what XLA keeps beside them


def check(job: Design) -> None:
    """InputError where the longest stage needs more memory than is free. Every state of a rollout is kept for its
    gradient: that is what grows with T."""
    free = available()
    for index, stage in enumerate(job.recipe.stages):
        if (needed := needs(job, index)) > free:
            longest = max(free - BASE, 0) / (needed - BASE) * stage.horizon
            raise InputError(
                f"stage {index + 1} (T = {stage.horizon:g} s in steps of {stage.dt:g} s) needs about {needed:.1f} GB "
                f"of memory, {free:.1f} GB are free: shorten T to {longest:.0f} s, or take a smaller grid"
            )


def needs(job: Design, index: int) -> float:
    """An estimate for a stage, in GB."""
    medium, stage = job.skeleton(0, index).medium, job.recipe.stages[index]
    values = math.prod(medium.grid.shape) * len(medium.species) * (stage.steps + 1) * stage.batch
    return BASE + COPIES * 4 * values / 1e9


def available() -> float:
    """GB that a process could take now."""
    try:
        with open("/proc/meminfo") as file:
            fields = dict(line.split(":") for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024 / 1e9
    except (OSError, KeyError):  # elsewhere than on Linux: what the machine has
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
