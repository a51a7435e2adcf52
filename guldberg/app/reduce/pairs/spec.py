"""What is asked of a reduction to pairs, from a TOML file or the name of a preset.

    preset = "pairs"                     # or pairs-later, pairs-cube; or, for rates of your own:
    reactions = "A + A -> 0 @ 1"         # this reaction, on contact
    time = 2.0
    snapshots = 21                       # evenly spaced, from 0 to `time`

    [box]                                # periodic
    lengths = [50.0]                     # one to three
    diffusivity = [1.0]
    radius = 0.2                         # within which two particles react
    dt = 0.005                           # the longest step of the simulation

    [pairs]
    number = 50                          # of particles at first: the mean of Poisson's law
    reach = 6.0                          # the distance to which nu_2 is kept
    shells = 60                          # of equal width, from 0 to there
    sweeps = 1000                        # of each of 16 Markov chains

    [runs]
    training = 4000
    held_out = 1000

Every error names the file and the entry.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

from guldberg.app.reduce.entries import Entries
from guldberg.app.reduce.space.spec import box_of, runs_of
from guldberg.errors import InputError
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space.plan import Box
from guldberg.text import parse

MOST_NUMBER = 300  # of particles: pairs are counted one by one
MOST_SHELLS = 200


def pairs() -> PairPlan:
    """50 particles on a ring of 50, D = 1, lambda = 5 within .2."""
    return PairPlan(Box(parse("A + A -> 0 @ 1"), (50.0,), (1.0,), radius=0.2, dt=0.005), 50.0, time=2.0, reach=6.0)


def later() -> PairPlan:
    """40 particles on a ring of 40, to t = 8, when a tenth is left."""
    box = Box(parse("A + A -> 0 @ 1"), (40.0,), (1.0,), radius=0.2, dt=0.01)
    return PairPlan(box, 40.0, time=8.0, reach=10.0, snapshots=17, shells=50, sweeps=3000)


def cube() -> PairPlan:
    """112 particles in a periodic cube of 18, D = 1, lambda = 10 within 1: three dimensions."""
    box = Box(parse("A + A -> 0 @ 20.944"), (18.0,) * 3, (1.0,), radius=1.0, dt=0.008)
    return PairPlan(box, 112.0, time=6.0, reach=9.0, snapshots=13, runs=2000, shells=45, sweeps=200)


PRESETS: Mapping[str, Callable[[], PairPlan]] = {"pairs": pairs, "pairs-later": later, "pairs-cube": cube}


def plan(entries: Entries, before: PairPlan | None) -> PairPlan:
    """The plan of a spec, changed from a preset's if it names one."""
    old = before or pairs()
    box = box_of(entries, before.box if before else None, axes=(1, 2, 3))
    table, runs = entries.table("pairs"), entries.table("runs")
    asked = {
        "time": entries.number("time", old.time, lambda t: t > 0, "a positive time"),
        "snapshots": entries.whole("snapshots", old.snapshots, 3),
        "number": table.number("number", old.number, _countable, f"a positive number, at most {MOST_NUMBER}"),
        "reach": table.number("reach", min(old.reach, min(box.lengths) / 2), lambda r: r > 0, "a positive distance"),
        "shells": table.whole("shells", old.shells, 10),
        "sweeps": table.whole("sweeps", old.sweeps, 10),
        "runs": runs_of(runs, "training", old.runs),
        "held_out": runs_of(runs, "held_out", old.held_out),
    }
    if asked["shells"] > MOST_SHELLS:
        raise table.fail("shells", f"expected at most {MOST_SHELLS}, got {asked['shells']}")
    for each in (table, runs, entries):
        each.end()
    try:
        return dataclasses.replace(old, box=box, **asked)
    except InputError as error:
        raise InputError(str(error), file=entries.file) from None


def _countable(number: float) -> bool:
    return 0 < number <= MOST_NUMBER and math.isfinite(number)
