"""What design gives back: a network in a place, the state it starts from, and how well it does what was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float, Int

if TYPE_CHECKING:
    from guldberg.design.recipe import Recipe
    from guldberg.design.start import AbstractStart
    from guldberg.network import ReactionNetwork
    from guldberg.rollout import AbstractStepper
    from guldberg.space.grid import Grid
    from guldberg.system import ReactionDiffusion


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one species is to look like: X_i(u, v) = (1 + z(u, v)) / 2, where z is the picture at zero mean and unit
    standard deviation, clipped below at -1 (the centred units x = 2c - 1 of Elliott's code)."""

    species: int
    concentration: Float[np.ndarray, "*grid"]
    name: str = ""  # of the file, for captions


@dataclasses.dataclass(frozen=True)
class History:
    """The optimisation, one entry per point in time that was kept: loss and each of its terms, as weighted in it."""

    update: Int[np.ndarray, "points"]  # number of updates done
    horizon: Float[np.ndarray, "points"]  # T in force then, seconds
    loss: Float[np.ndarray, "points"]
    terms: Mapping[str, Float[np.ndarray, "points"]]


@dataclasses.dataclass(frozen=True, eq=False)
class Designed:
    """A design: `start(z)` evolves by `system` and shows `behaviour`. Concentrations and lengths in arbitrary units,
    times in seconds.

    Nothing is simulated until it is asked for, by `metrics` or by a verification.
    """

    recipe: Recipe  # what was asked, and the judge that measured it
    behaviour: str  # "pattern", "dissipation", "bits", "replication", or a user's own
    system: ReactionDiffusion  # network, grid, diffusivity and drive as learned
    initial: ReactionDiffusion  # the same before the first update: a control (Elliott D.4)
    start: AbstractStart  # z -> initial state: learned directly (z is ignored), or by a generator
    z: Float[np.ndarray, "bits"]  # an example; bits 0 and 1
    c0: Float[np.ndarray, "species *grid"]  # start(z)
    decoder: Any | None  # logits of z from a state, where one was trained (Elliott eq. 11)
    stepper: AbstractStepper  # of the optimisation
    dt: float
    horizon: float  # T, the longest that the optimisation looked ahead, seconds
    evaluation_stepper: AbstractStepper
    evaluation_dt: float
    target: Picture | None
    loss: float
    updates: int
    history: History
    seed: int
    warnings: tuple[str, ...] = ()

    @property
    def metrics(self) -> Mapping[str, tuple[float, ...]]:
        """Lists of equal length, the first of them "time", in the steps of the evaluation, to 10 T or 1000 s. For a
        pattern: "correlation" (Pearson's r), "contrast" (the standard deviation over that of the target), "rmsd"."""
        from guldberg.design import trials  # which are of designs

        seen = trials.reference(self)
        return {"time": tuple(seen.times.tolist()), **{name: tuple(x[0].tolist()) for name, x in seen.figures.items()}}

    @property
    def network(self) -> ReactionNetwork:
        """The reactions and their constants."""
        return self.system.network

    @property
    def grid(self) -> Grid:
        """Where it happens."""
        return self.system.grid

    def initial_state(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        """The state that the bits `z` start from."""
        return self.start(z)
