"""What a behaviour must come to: the figures that a verdict rests on, and how far each may move."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Kept:
    """One figure: what it must come to at T, and how much it may change where only the accuracy does."""

    steps: float  # by finer steps; in the figure's own unit, or as a share of it
    place: float  # by a finer grid or a larger place, where X_0 is interpolated or surrounded
    relative: bool = False
    least: float | None = None  # at T
    factor: float | None = None  # at T, at most this many times more or less than 1

    def moved(self, value: float, reference: float) -> float:
        """By how much `value` differs from the reference, as `steps` and `place` count it."""
        gap = abs(value - reference)
        return gap / max(abs(reference), 1e-12) if self.relative else gap


@dataclasses.dataclass(frozen=True)
class Criteria:
    """Of one behaviour. The first figure says how well a design does; more of it is better."""

    kept: Mapping[str, Kept]
    fades: float = math.inf  # how much of the first figure may be lost from T to 10 T; infinite: it is a passing event
    tolerates: float = 0.05  # how much of it noise may cost
    start_matters: bool = True  # whether a random start must do worse: the design is of the initial state as well
    per_cell: bool = False  # figures are read on whatever grid there is; else states are brought to the design's own
    spreads: bool = False  # whether it must also show in free space, where no wave meets its own image


BEHAVIOURS = {
    "pattern": Criteria(
        {"correlation": Kept(0.02, 0.05, least=0.85), "contrast": Kept(0.05, 0.1, relative=True, factor=1.25)},
        fades=0.15,
    ),
    "replication": Criteria(
        {"within": Kept(0.03, 0.05, least=0.9), "contrast": Kept(0.1, 0.15, relative=True, factor=1.25)}, spreads=True
    ),
    "dissipation": Criteria(
        {"sigma": Kept(0.1, 0.1, relative=True, least=0.01), "sigma_links": Kept(0.1, 0.1, relative=True)},
        fades=0.1,
        tolerates=0.1,
        start_matters=False,
        per_cell=True,
    ),
    "bits": Criteria({"words": Kept(0.05, 0.05, least=0.95)}, fades=0.05),
}


def criteria(behaviour: str, figures: tuple[str, ...]) -> Criteria:
    """Of a behaviour by name; of one of a user's own: no figure may change by more than a tenth."""
    return BEHAVIOURS.get(behaviour, Criteria({name: Kept(0.1, 0.1, relative=True) for name in figures}))
