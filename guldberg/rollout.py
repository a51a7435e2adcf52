"""Fields in fixed steps: what a design is simulated and learned with."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int
from numpy.typing import ArrayLike

from guldberg.stepper import AbstractStepper, Euler
from guldberg.system import ReactionDiffusion

EULER = Euler()


class Rollout(eqx.Module):
    """A field at some times, and what was seen at every step on the way. Step n goes from n dt to (n + 1) dt."""

    ts: Float[Array, "saves"]
    values: Float[Array, "saves species *grid"]
    excess: Float[Array, "steps"]  # mean over cells and species of max(|dc/dt| - limit, 0), Elliott eq. (15)
    diffusion: Float[Array, "steps"] | None  # entropy production, mean over cells, k_B per volume and time
    reaction: Float[Array, "steps"] | None
    out_of_bounds: Int[Array, "steps"]  # how many values a step left negative, or not finite
    species: tuple[str, ...] = eqx.field(static=True)


def rollout(
    system: ReactionDiffusion,
    c0: Float[ArrayLike, "species *grid"],
    *,
    steps: int,
    dt: float = 1.0,
    stepper: AbstractStepper = EULER,
    saves: Int[ArrayLike, "saves"] | None = None,
    limit: float = 0.0,
) -> Rollout:
    """`steps` steps of `dt` from c0; differentiable in c0 and in the system, all in the type of c0.

    `saves` are step numbers from 0 (c0 itself) to `steps`, which may be traced; only those states are kept, by default
    the last. ValueError where one of them is outside; if it is traced, its state comes back as NaN.
    """
    c0 = jnp.asarray(c0)
    saves = _checked(np.asarray([steps]) if saves is None else saves, steps)
    slots, first = _slots(saves, steps)
    take = jax.checkpoint(lambda t, c: stepper(system, t, c, dt))  # recomputing a step is cheaper than storing it

    def step(carry, n):
        c, kept = carry
        new = take(n.astype(c0.dtype) * dt, c)
        excess = jnp.maximum(jnp.abs(new - c) / dt - limit, 0).mean()
        outside = (~(new >= 0)).sum()
        return (new, kept.at[slots[n + 1]].set(new)), (excess, outside)

    kept = jnp.full((len(saves) + 1, *c0.shape), jnp.nan, c0.dtype).at[slots[0]].set(c0)
    (_, kept), (excess, outside) = jax.lax.scan(step, (c0, kept), jnp.arange(steps))
    return Rollout(saves.astype(c0.dtype) * dt, kept[first], excess, None, None, outside, system.species)


def _checked(saves: ArrayLike, steps: int) -> Int[Array, "saves"]:
    saves = jnp.asarray(saves)
    if not isinstance(saves, Tracer) and not ((saves >= 0) & (saves <= steps)).all():
        raise ValueError(f"saves are numbers of steps from 0 to {steps}, got {saves}")
    return saves


def _slots(saves: Int[Array, "saves"], steps: int) -> tuple[Int[Array, "times"], Int[Array, "saves"]]:
    """Where the state after each step is kept (a row beyond the last: nowhere), and where to find each save again;
    of equal saves the first has the state."""
    first = jnp.argmax(saves[:, None] == saves[None, :], axis=1)
    return jnp.full(steps + 1, len(saves)).at[saves].set(first, mode="drop"), first
