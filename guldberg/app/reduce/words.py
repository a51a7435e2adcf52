"""The words of a reduction: what the outside names mean to a reader."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from guldberg.reduce.space.result import Constant

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


def as_constants(found: Sequence[Constant]) -> list[dict[str, Any]]:
    """Functions learned as constants, as `result.json` has them."""
    return [
        {"name": c.name, "constant": c.value, "low": c.low, "high": c.high, "known": c.known, "within_band": c.flat}
        for c in found
    ]


def orders(*known: Float[np.ndarray, "times"]) -> dict[str, list[Any]]:
    """Errors of moments of order 1 to 4 as `result.json` has them, null from where they are not known."""
    blank = [None] * len(known[0])
    return dict(zip("1234", [*(each.tolist() for each in known), *[blank] * (4 - len(known))], strict=True))


def training(found: Timed) -> float:
    """Seconds of fitting and learning, without simulations and without judging."""
    return sum(s for stage, s in found.seconds.items() if stage not in SIMULATING + JUDGING)


def simulation(found: Timed) -> float:
    """Seconds of simulating what was learned from and what was judged by."""
    return sum(s for stage, s in found.seconds.items() if stage in SIMULATING)
