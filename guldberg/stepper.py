"""Steppers: one step of fixed length. A field that is learned through needs many cheap ones, all alike."""

from __future__ import annotations

import abc

import equinox as eqx
from jax.core import Tracer
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from guldberg.system import ReactionDiffusion


class AbstractStepper(eqx.Module):
    """c(t) -> c(t + dt), a pure function."""

    @abc.abstractmethod
    def __call__(
        self, system: ReactionDiffusion, t: ArrayLike, c: Float[Array, "species *grid"], dt: float
    ) -> Float[Array, "species *grid"]:
        """The state after a step of `dt`."""

    @abc.abstractmethod
    def check(self, system: ReactionDiffusion, dt: float) -> None:
        """ValueError where steps of `dt` cannot be stable; a system that is traced is not checked."""


class Euler(AbstractStepper):
    """c + dt f(t, c), Elliott (2022) eq. (1): first order, and stable only while dt is short enough."""

    def __call__(
        self, system: ReactionDiffusion, t: ArrayLike, c: Float[Array, "species *grid"], dt: float
    ) -> Float[Array, "species *grid"]:
        return c + dt * system(t, c)

    def check(self, system: ReactionDiffusion, dt: float) -> None:
        if isinstance(system.diffusivity, Tracer):
            return
        longest = float(system.grid.longest_step(system.diffusivity))
        if dt > longest:
            raise ValueError(
                f"steps of {dt:.4g} are too long for this diffusion, which is unstable beyond {longest:.4g} by Euler's "
                "rule: shorter steps, a coarser grid or Patankar()"
            )
