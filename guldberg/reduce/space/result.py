"""What a reduction in continuous space gives back."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.reduce.space.plan import SpacePlan


@dataclasses.dataclass(frozen=True)
class Curve:
    """A learned function over the values of nu that particles visit."""

    name: str
    of: tuple[int, ...]  # species
    points: Float[np.ndarray, "points arguments"]
    values: Float[np.ndarray, "points"]
    error: Float[np.ndarray, "points"]  # standard
    known: Float[np.ndarray, "points"]  # what the network says


@dataclasses.dataclass(frozen=True)
class Constant:
    """A function that is a constant by the network, learned as one: its 95 per cent interval, and how much of the
    curve's band holds it."""

    name: str
    value: float
    low: float
    high: float
    known: float | None  # None: the network says nothing of it
    flat: float  # share of the visited particles where |curve - value| is within two standard errors

    @property
    def deviation(self) -> float | None:
        """Of the known value."""
        return None if not self.known else self.value / self.known - 1


@dataclasses.dataclass(frozen=True)
class SpaceReduced:
    """Densities exp(-nu_1) that follow learned functions, beside those one would try first."""

    plan: SpacePlan
    interactions: tuple[str, ...]
    errors: dict[str, Float[np.ndarray, "1 times"]]  # root mean square over cells and species, particles per volume
    outside: dict[str, Float[np.ndarray, "times"]]  # share of coarse cells beyond two standard errors of held-out runs
    times: Float[np.ndarray, "times"]
    held: Float[np.ndarray, "times species *grid"]  # densities judged by
    densities: dict[str, Float[np.ndarray, "times species *grid"]]
    curves: tuple[Curve, ...]
    constants: tuple[Constant, ...]
    penalties: tuple[tuple[float, float], ...]  # penalty, entropy in cross-validation, nats per run
    seconds: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def fronts(self) -> dict[str, Float[np.ndarray, "times"]]:
        """Where two species in a line are as dense as each other, the first to the left; NaN where they nowhere are.
        Empty for others than two in a line."""
        if self.held.ndim != 3 or self.held.shape[1] != 2:
            return {}
        return {
            who: front(density, self.plan.grid.spacing[0])
            for who, density in {"held_out": self.held, **self.densities}.items()
        }


def front(density: Float[np.ndarray, "times species cells"], cell: float) -> Float[np.ndarray, "times"]:
    """The first place where the difference falls through zero, along straight lines between centres of cells."""
    more = density[:, 0] - density[:, 1]
    through = (more[:, :-1] > 0) & (more[:, 1:] <= 0)
    at, t = through.argmax(axis=1), np.arange(len(more))
    here, there = more[t, at], more[t, at + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(through.any(axis=1), (at + 0.5 + here / (here - there)) * cell, np.nan)
