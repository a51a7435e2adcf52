"""A recipe: what is learned, in which stages, and by what it is judged. Plain values, so that a preset is data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
from jaxtyping import Array, Float, Key

from guldberg.design.measure import Judge
from guldberg.design.model import Model
from guldberg.design.result import Picture
from guldberg.learn.descent import Descent
from guldberg.learn.losses import Sum
from guldberg.stepper import AbstractStepper, Euler, Guarded
from guldberg.system import ReactionDiffusion

Disturb = Callable[
    [ReactionDiffusion, Float[Array, "species *grid"], Float[Array, ""], Key[Array, ""]],
    tuple[ReactionDiffusion, Float[Array, "species *grid"]],
]  # (system, X_0, share of the stage done, key) -> what is simulated instead


@dataclasses.dataclass(frozen=True)
class Renew:
    """What happens to the model every so many updates beside learning, as a pool of states that moves on."""

    change: Callable[[Model, Key[Array, ""]], Model]
    every: int


@dataclasses.dataclass(frozen=True)
class Stage:
    """One optimisation, from where the one before ended. A curriculum is a row of stages whose T grows."""

    horizon: float  # T, seconds
    updates: int
    loss: Sum
    descent: Descent
    dt: float = 1.0
    stepper: AbstractStepper = Euler()
    batch: int = 1  # samples of z per update
    disturb: Disturb | None = None
    mirrors: tuple[int, ...] = ()  # axes of the grid along which the lower half, its mirror image, is not simulated
    enter: Callable[[Model], Model] | None = None  # what changes at its beginning, as the grid does
    renew: Renew | None = None

    def __post_init__(self) -> None:
        if not (self.updates >= 1 and self.steps >= 1 and self.batch >= 1):
            raise ValueError(
                f"a stage needs a step, an update and a sample at least, got T = {self.horizon:g} s in steps of "
                f"{self.dt:g} s, {self.updates} updates, {self.batch} samples"
            )

    @property
    def steps(self) -> int:
        """Of one rollout."""
        return round(self.horizon / self.dt)


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """All of a design but its seed."""

    behaviour: str
    build: Callable[[Key[Array, ""]], Model]
    stages: tuple[Stage, ...]
    judge: Judge  # what is told of the state at a time
    bits: int = 0  # the length of z; 0: one initial state
    used: int = 0  # how many of them are drawn; the others are 0
    leave: Callable[[Model], Model] | None = None  # what changes at the end, as where the result starts from
    target: Picture | None = None
    evaluation_dt: float = 0.1
    evaluation_stepper: AbstractStepper = Guarded()

    def within(self, updates: int) -> Recipe:
        """The same stages, shortened or prolonged in proportion to `updates` in all; one each at least."""
        share = updates / sum(stage.updates for stage in self.stages)
        return dataclasses.replace(
            self, stages=tuple(dataclasses.replace(s, updates=max(1, round(s.updates * share))) for s in self.stages)
        )

    def z(self, key: Key[Array, ""]) -> Float[Array, "bits"]:
        """Random bits, as numbers 0 and 1."""
        drawn = jax.random.bernoulli(key, 0.5, (self.bits,)).astype("float32")
        return drawn.at[self.used :].set(0.0)
