"""The words of a reduction: what the outside names mean to a reader."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

NAMES = {
    "learned": "learned closure",
    "projection": "from the reactions alone",
    "pair_closure": "pair closure, fitted",
    "pair_closure_unfitted": "pair closure, from the reactions alone",
    "mean_field": "mean field, fitted",
    "static_floor": "best of its kind at each step",
    "noise": "noise of the simulations",
}
ORDERS = ("particles", "neighbouring pairs", "three in a row", "four in a row")

SIMULATING = ("simulate", "single", "many", "fresh")  # stages that are simulation, not training
JUDGING = ("judge", "phases", "outside", "layers", "recipes")


def pair_names(species: Sequence[str]) -> list[tuple[str, str]]:
    """Like pairs first: AA, BB, CC, AB, AC, BC."""
    return [(a, a) for a in species] + list(itertools.combinations(species, 2))


class Timed(Protocol):
    """What a reduction gives back, of whatever kind."""

    @property
    def seconds(self) -> Mapping[str, float]: ...


def costs(found: Timed) -> dict[str, Any]:
    """As `result.json` has it."""
    return {
        "seconds_training": round(training(found), 3),
        "seconds_simulation": round(simulation(found), 3),
        "seconds_by_stage": {stage: round(s, 3) for stage, s in found.seconds.items()},
    }


def training(found: Timed) -> float:
    """Seconds of fitting and learning, without simulations and without judging."""
    return sum(s for stage, s in found.seconds.items() if stage not in SIMULATING + JUDGING)


def simulation(found: Timed) -> float:
    """Seconds of simulating what was learned from and what was judged by."""
    return sum(s for stage, s in found.seconds.items() if stage in SIMULATING)
