"""The words of a reduction: what the outside names mean to a reader."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

NAMES = {
    "learned": "learned closure",
    "projection": "from the reactions alone",
    "pair_closure": "pair closure, fitted",
    "mean_field": "mean field, fitted",
    "static_floor": "best of its kind at each step",
    "noise": "noise of the simulations",
}
ORDERS = ("particles", "neighbouring pairs", "three in a row", "four in a row")


def pair_names(species: Sequence[str]) -> list[tuple[str, str]]:
    """Like pairs first: AA, BB, CC, AB, AC, BC."""
    return [(a, a) for a in species] + list(itertools.combinations(species, 2))
