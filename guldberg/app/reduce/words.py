"""The words of a reduction: what the outside names mean to a reader."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from guldberg.reduce.result import Reduced

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


def training(found: Reduced) -> float:
    """Seconds of fitting and learning, without simulations and without judging."""
    return sum(s for stage, s in found.seconds.items() if stage not in SIMULATING + JUDGING)


def simulation(found: Reduced) -> float:
    """Seconds of simulating what was learned from and what was judged by."""
    return sum(s for stage, s in found.seconds.items() if stage in SIMULATING)
