"""What reduce gives back: a learned closure beside those one would try first, judged by fresh simulations."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from guldberg.reduce.plan import BoxPlan, ChainPlan

WHO = ("learned", "projection", "pair_closure", "mean_field", "static_floor", "noise")  # the outside names
Errors = dict[str, Float[np.ndarray, "orders times"]]  # root mean square over held-out starts, counts per 1000 sites


@dataclasses.dataclass(frozen=True)
class Slice:
    """The learned right-hand sides on a plane through the middle of the trained region."""

    axes: tuple[str, str]
    x: Float[np.ndarray, "columns"]
    y: Float[np.ndarray, "rows"]
    values: Float[np.ndarray, "functions rows columns"]  # NaN where the plane leaves the trained region


@dataclasses.dataclass(frozen=True)
class Beyond:
    """Starts outside the region that was trained in: how wrong the closure is there, and whether it said so."""

    starts: Float[np.ndarray, "starts k"]
    error: Float[np.ndarray, "starts orders"]  # root mean square over time, counts per 1000 sites
    warned: Bool[np.ndarray, "starts"]


@dataclasses.dataclass(frozen=True)
class ChainReduced:
    """A chain of one species, its single-site and neighbour statistics followed by a learned ODE of (b, J, K)."""

    plan: ChainPlan
    interactions: tuple[str, ...]
    errors: Errors  # order 1: particles, 2: pairs, 3: triplets, 4: quadruplets of neighbouring sites
    poorer: Errors  # static floors of energies with fewer interactions, by these
    training: Float[np.ndarray, "starts times 4"]  # moments learned from, mean counts
    held: Float[np.ndarray, "starts times 4"]  # moments judged by
    modelled: Float[np.ndarray, "starts times 4"]  # the learned closure's, for the same starts
    thetas: Float[np.ndarray, "starts times k"]  # its parameters there
    fitted: Float[np.ndarray, "starts times k"]  # static fits of the training starts
    slices: tuple[Slice, ...]
    penalties: tuple[tuple[str, float], ...]  # each right-hand side tried, and its error in cross-validation
    beyond: Beyond | None
    layers: dict[str, tuple[Float[np.ndarray, "orders times"], ...]]  # hidden layers: (static floor, learned)
    recipes: Errors  # the paper's Algorithm 1 from F = 0, one change at a time
    seconds: dict[str, float]  # by stage
    per_start: float  # seconds of the learned closure for one start, moments of every step included
    per_lattice: float  # seconds of one simulated lattice
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """One closure of the box, against simulations: root mean square over starts and steps, counts on the box."""

    name: str
    means: Float[np.ndarray, "species"]
    pairs: Float[np.ndarray, "pairs"] | None  # None: it says nothing of them
    median: float = np.nan  # over starts, of the error of the means
    worst: float = np.nan
    coefficients: int = 0
    kind: str = "learned"  # learned, floor, baseline, noise


@dataclasses.dataclass(frozen=True)
class PhaseTest:
    """Chains of one energy from opposite states. `counts` of each species reached from each state."""

    name: str
    step: int
    data: Float[np.ndarray, "species"]
    counts: Float[np.ndarray, "states species"]
    error: Float[np.ndarray, "states species"]  # their standard errors

    @property
    def one_phase(self) -> bool:
        """Whether all agree within 5 per cent of a species, or within four standard errors of a difference."""
        gap = np.ptp(self.counts, axis=0)
        noise = 4 * np.sqrt(2) * self.error.max(axis=0)
        return bool((gap <= 0.05 * self.counts.mean(axis=0) + np.minimum(noise, 25.0)).all())


@dataclasses.dataclass(frozen=True)
class BoxReduced:
    """A box of several species, its means and neighbouring pairs followed by learned closures."""

    plan: BoxPlan
    interactions: tuple[str, ...]
    errors: Errors  # order 1: means, 2: pairs, of the starts that the learned closure is judged by
    single: tuple[Row, ...]  # one start: what each energy can represent, and its roll-out
    phases: tuple[PhaseTest, ...]
    many: tuple[Row, ...]  # fresh starts: every closure
    pictures: dict[str, Any]  # arrays that are drawn
    seconds: dict[str, float]
    warnings: tuple[str, ...]


Reduced = ChainReduced | BoxReduced
