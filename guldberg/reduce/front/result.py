"""What a reduction to a front gives back."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.space.result import Constant, Curve


class Gas(NamedTuple):
    """Two species on a line at each time, with standard errors (0: exact)."""

    density: Float[np.ndarray, "times 2 cells"]
    density_error: Float[np.ndarray, "times 2 cells"]
    correlation: Float[np.ndarray, "times shells"]  # pairs of unlike particles over those of independent ones
    correlation_error: Float[np.ndarray, "times shells"]
    number: Float[np.ndarray, "times 2"]
    number_error: Float[np.ndarray, "times 2"]
    front: Float[np.ndarray, "times"]  # where both are as dense
    front_error: Float[np.ndarray, "times"]


class Share(NamedTuple):
    """How often held-out runs are more than two standard errors away; 5 per cent by chance."""

    density: Float[np.ndarray, "times"]  # of the places
    correlation: Float[np.ndarray, "times"]  # of the shells
    number: Float[np.ndarray, "times"]  # of the two species
    front: Float[np.ndarray, "times"]  # 0 or 1


@dataclasses.dataclass(frozen=True)
class FrontReduced:
    """nu_A(x, t), nu_B(x, t) and nu_AB(r, t) that follow learned functions, and what they say, beside theories."""

    plan: FrontPlan
    times: Float[np.ndarray, "times"]
    held: Gas
    gases: dict[str, Gas]  # learned, static_floor, smoluchowski, superposition, mean_field
    outside: dict[str, Share]
    nu: Float[np.ndarray, "times 3 points"]  # learned: nu_A, nu_B, nu_AB
    fitted: Float[np.ndarray, "times 3 points"]  # at each time by itself
    curves: tuple[Curve, ...]
    constants: tuple[Constant, ...]
    gains: tuple[float, ...]  # of penalised entropy in each round, nats per run
    seconds: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def interactions(self) -> tuple[str, ...]:
        first, other = self.plan.box.species
        return (f"nu_{first}", f"nu_{other}", f"nu_{first}{other}")

    @property
    def overlaps(self) -> dict[str, Float[np.ndarray, "times"]]:
        """The integral of the product of the densities: contacts there would be without correlations, by 2 radius."""
        gases = {"held_out": self.held, **self.gases}
        return {who: gas.density.prod(axis=1).sum(axis=-1) * self.plan.line.cell for who, gas in gases.items()}
