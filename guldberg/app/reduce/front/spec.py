"""What is asked of a reduction to a front, from a TOML file or the name of a preset.

    preset = "front"                     # or, for rates of your own:
    reactions = "A + B -> 0 @ 3"         # this reaction, on contact
    time = 2.0
    snapshots = 11                       # evenly spaced, from 0 to `time`

    [box]                                # a line
    sides = "reflecting"
    lengths = [20.0]
    diffusivity = [1.0, 0.25]
    radius = 0.2                         # within which two particles react
    dt = 0.005                           # the longest step of the simulation

    [front]
    reach = 5.0                          # the distance to which nu_AB is kept
    cells = 40                           # of the line, and shells of distance
    sweeps = 1000                        # of each of 16 Markov chains, while nu is sought

    [runs]
    training = 2000
    held_out = 2000

    [[start]]                            # any number of clouds; without a centre: anywhere
    species = "A"
    count = 26                           # the mean of Poisson's law
    centre = [7.0]
    width = 3.0

Every error names the file and the entry.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from guldberg.app.reduce.entries import Entries
from guldberg.app.reduce.space.spec import box_of, clouds_of, runs_of
from guldberg.errors import InputError
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.space.plan import Box, Cloud
from guldberg.text import parse

MOST_CELLS = 100
MOST_NUMBER = 300  # of particles: pairs are counted one by one


def front() -> FrontPlan:
    """A cloud of 30 A (D = 1) and one of 22 B (D = .25) on a line of 20, lambda = 7.5 within .2."""
    box = Box(parse("A + B -> 0 @ 3"), (20.0,), (1.0, 0.25), radius=0.2, dt=0.005, periodic=False)
    start = (Cloud(0, 26, (7.0,), 3.0), Cloud(0, 4), Cloud(1, 18, (13.0,), 3.0), Cloud(1, 4))
    return FrontPlan(box, start, time=2.0, reach=5.0)


PRESETS: Mapping[str, Callable[[], FrontPlan]] = {"front": front}


def plan(entries: Entries, before: FrontPlan | None) -> FrontPlan:
    """The plan of a spec, changed from a preset's if it names one."""
    old = before or front()
    box = box_of(entries, before.box if before else None, axes=(1,))
    clouds = clouds_of(entries, box, before.start if before else ())
    table, runs = entries.table("front"), entries.table("runs")
    asked = {
        "time": entries.number("time", old.time, lambda t: t > 0, "a positive time"),
        "snapshots": entries.whole("snapshots", old.snapshots, 3),
        "reach": table.number("reach", min(old.reach, min(box.lengths) / 2), lambda r: r > 0, "a positive distance"),
        "cells": table.whole("cells", old.cells, 10),
        "sweeps": table.whole("sweeps", old.sweeps, 10),
        "runs": runs_of(runs, "training", old.runs),
        "held_out": runs_of(runs, "held_out", old.held_out),
    }
    if asked["cells"] > MOST_CELLS:
        raise table.fail("cells", f"expected at most {MOST_CELLS}, got {asked['cells']}")
    if sum(cloud.count for cloud in clouds) > MOST_NUMBER:
        raise entries.fail("start", f"expected at most {MOST_NUMBER} particles")
    for each in (table, runs, entries):
        each.end()
    try:
        return dataclasses.replace(old, box=box, start=clouds, **asked)
    except InputError as error:
        raise InputError(str(error), file=entries.file) from None
