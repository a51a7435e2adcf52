"""What every method of `guldberg simulate` is given, and what it leaves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray
from jaxtyping import Float, Int

from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Asked(NamedTuple):
    """A network, and what it starts from: a row of concentrations for each experiment."""

    network: ReactionNetwork
    names: tuple[str, ...]
    states: Float[np.ndarray, "experiments species"]
    times: Float[np.ndarray, "times"]
    temperature: float | None
    seed: int

    def molecules(
        self, volume: float, note: Callable[[str], None]
    ) -> list[tuple[str, Int[np.ndarray, "species"], int]]:
        """Each experiment by name, its numbers of molecules, and a seed of its own; `note` is told what was rounded."""
        exact = self.states * volume
        if (exact > 2**53).any():
            raise InputError(f"{exact.max():.3g} molecules are too many to count", file="--volume")
        counts = np.round(exact)
        i, j = np.unravel_index(np.abs(counts - exact).argmax(), exact.shape)
        if abs(counts[i, j] - exact[i, j]) > 1e-6:
            rounded = f"{exact[i, j]:.6g} of {self.network.species[j]} became {counts[i, j]:.0f}"
            note(f"molecules are whole, initial numbers were rounded: {rounded}")
        seeds = np.random.default_rng(self.seed).integers(2**62, size=len(counts)).tolist()
        return list(zip(self.names, counts.astype(int), seeds, strict=True))

    def even(self, step: float) -> int:
        """How many steps of at most `step` lie between two times, all of which must be as far apart."""
        gaps = np.diff(self.times)
        if np.ptp(gaps) > 1e-9 * gaps[0]:
            raise InputError("steps of one length need times at equal distances", file="--log")
        if not 0 < step < np.inf:
            raise InputError(f"expected a positive step, got {step}", file="--step")
        return max(1, math.ceil(gaps[0] / step * (1 - 1e-9)))


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Concentrations as a table, all there is as a dataset, a picture; how much failed, if anything did, and why."""

    table: Experiments
    dataset: xarray.Dataset
    figure: Callable[[], Figure]
    failure: str = ""
    why: str = ""


def told(failed: Sequence[str], of: int, what: str) -> tuple[str, str]:
    """How many failed, and the first of them."""
    return (f"{len(failed)} of {of} {what} failed", failed[0]) if failed else ("", "")


def times(end: float, points: int, first: float | None) -> Float[np.ndarray, "times"]:
    """From 0 to `end` at equal distances; or 0 and then from `first` on, spaced by a factor."""
    if not 0 < end < math.inf:
        raise InputError(f"expected a last time that is positive and finite, got {end}", file="--to")
    if first is None:
        return np.linspace(0.0, end, points)
    if not 0 < first < end:
        raise InputError(f"expected a first time between 0 and {end:g}, got {first:g}", file="--log")
    return np.concatenate([[0.0], np.geomspace(first, end, points - 1)])
