"""Fields in fixed steps: what a design is simulated and learned with."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key
from numpy.typing import ArrayLike

from guldberg import thermo
from guldberg.drive import AbstractDrive, AbstractNoisyDrive, FlowReactor
from guldberg.stepper import AbstractStepper, Euler
from guldberg.system import ReactionDiffusion

EULER = Euler()
PIECE = 100  # steps whose noise is drawn at a time


class Rollout(eqx.Module):
    """A field at some times, and what was seen at every step on the way. Step n goes from n dt to (n + 1) dt."""

    ts: Float[Array, "saves"]
    values: Float[Array, "saves species *grid"]
    excess: Float[Array, "steps"]  # mean over cells and species of max(|dc/dt| - limit, 0), Elliott eq. (15)
    diffusion: Float[Array, "steps"] | None  # entropy production, mean over cells, k_B per volume and time
    reaction: Float[Array, "steps"] | None
    out_of_bounds: Int[Array, "steps"]  # how many values a step left negative, or not finite
    species: tuple[str, ...] = eqx.field(static=True)


class Entropy(NamedTuple):
    """Which entropy production is asked for; that of reactions costs several times the rest of a step."""

    diffusion: bool = False
    reaction: bool = False


NONE, BOTH = Entropy(), Entropy(diffusion=True, reaction=True)


class Seen(eqx.Module):
    """What is noted of one step, or of all steps one below the other."""

    excess: Float[Array, "*steps"]
    diffusion: Float[Array, "*steps"] | None
    reaction: Float[Array, "*steps"] | None
    out_of_bounds: Int[Array, "*steps"]


def rollout(
    system: ReactionDiffusion,
    c0: Float[ArrayLike, "species *grid"],
    *,
    steps: int,
    dt: float = 1.0,
    stepper: AbstractStepper = EULER,
    saves: Int[ArrayLike, "saves"] | None = None,
    limit: float = 0.0,
    entropy: Entropy = NONE,
    key: Key[Array, ""] | None = None,
    plain: bool = False,
) -> Rollout:
    """`steps` steps of `dt` from c0; differentiable in c0 and in the system, all in the type of c0.

    `saves` are step numbers from 0 (c0 itself) to `steps`, which may be traced; only those states are kept, by default
    the last. `limit` is that of `excess`. `entropy`: which entropy production is noted, of the state that each step
    starts from, by the formulas of Elliott (18) and (19), stabilised as there. A noisy drive needs a `key`.

    On a processor the steps are those of `guldberg.fused`, compiled; with `plain`, on other devices, and for what the
    kernels do not serve, they are a scan, which has derivatives of every order where the kernels have the first.

    Raises ValueError where a save is outside (if traced, its state comes back as NaN), a noisy drive has no key, or
    Euler's rule would make diffusion unstable.
    """
    c0 = jnp.asarray(c0)
    saves = _checked(np.asarray([steps]) if saves is None else saves, steps)
    stepper.check(system, dt)
    slots, first = _slots(saves, steps)
    advance = _plain if plain or jax.default_backend() != "cpu" else _fused
    kept, seen = advance(system, c0, Course(slots, len(saves), dt, stepper, limit, entropy, key))
    ts = saves.astype(c0.dtype) * dt
    return Rollout(ts, kept[first], seen.excess, seen.diffusion, seen.reaction, seen.out_of_bounds, system.species)


class Course(NamedTuple):
    """How a rollout goes, and what of it is kept: the state after each step in its slot, of so many rows."""

    slots: Int[Array, "times"]
    rows: int
    dt: float
    stepper: AbstractStepper
    limit: float
    entropy: Entropy
    key: Key[Array, ""] | None


def astray(
    system: ReactionDiffusion,
    c0: Float[ArrayLike, "species *grid"],
    *,
    steps: int,
    dt: float = 1.0,
    stepper: AbstractStepper = EULER,
    key: Key[Array, ""] | None = None,
) -> str | None:
    """When, how often and where this rollout leaves values that are negative or not finite; None if it never does."""

    def ran(steps: int) -> Rollout:
        return rollout(system, c0, steps=steps, dt=dt, stepper=stepper, key=key)

    counts = np.asarray(ran(steps).out_of_bounds)
    if not counts.any():
        return None
    first = int(np.argmax(counts > 0)) + 1
    state = np.asarray(ran(first).values[0])
    species, *cell = np.argwhere(~((state >= 0) & np.isfinite(state)))[0].tolist()
    where = f"{system.species[species]} = {state[species, *cell]:.3g} in cell {tuple(cell)}"
    return (
        f"{np.count_nonzero(counts)} of {steps} steps left values negative or not finite, at most {counts.max()} of "
        f"{state.size}; the first at t = {first * dt:.6g}: {where}"
    )


def _plain(
    system: ReactionDiffusion,
    c0: Float[Array, "species *grid"],
    course: Course,
) -> tuple[Float[Array, "rows species *grid"], Seen]:
    """The states kept, each in its slot, and what was seen: a scan whose step is computed again in the backward pass,
    which is faster than to store what it would need."""
    slots, rows, dt, stepper, limit, entropy, key = course

    @jax.checkpoint
    def advance(t: Array, c: Array, noise: Array | None) -> tuple[Array, Seen]:
        now = _at(system, noise)
        new = stepper(now, t, c, dt)
        return new, _seen(now, c, new, dt, limit, entropy)

    def step(carry: tuple, n: Array) -> tuple[tuple, Seen]:
        c, noise, kept = carry
        new, seen = advance(n.astype(c.dtype) * dt, c, noise)
        return (new, _next_noise(system, noise, dt, key, n), kept.at[slots[n + 1]].set(new)), seen

    kept = jnp.full((rows + 1, *c0.shape), jnp.nan, c0.dtype).at[slots[0]].set(c0)
    start = (c0, _first_noise(system, c0, key), kept)
    (_, _, kept), seen = jax.lax.scan(step, start, jnp.arange(len(slots) - 1))
    return kept, seen


def _fused(
    system: ReactionDiffusion,
    c0: Float[Array, "species *grid"],
    course: Course,
) -> tuple[Float[Array, "rows species *grid"], Seen]:
    """The same as `_plain`, by compiled kernels where they serve."""
    try:
        if isinstance(system.drive, AbstractNoisyDrive):
            kept, sums = _in_pieces(system, system.drive, c0, course)
        else:
            kept, sums = _kernels(system, c0, _flow(system.drive, c0), course)
    except NotImplementedError:
        return _plain(system, c0, course)
    produced = iter(sums[:, 2:].T * len(c0) / c0.size)
    diffusion, reaction = (next(produced) if asked else None for asked in course.entropy)
    return kept, Seen(sums[:, 0] / c0.size, diffusion, reaction, sums[:, 1].astype(int))


def _kernels(
    system: ReactionDiffusion, c0: Float[Array, "species *grid"], flows: Float[Array, "..."] | None, course: Course
) -> tuple[Float[Array, "rows species *grid"], Float[Array, "steps sums"]]:
    from guldberg.fused import call  # numba takes a second

    slots, rows, dt, stepper, limit, entropy, _ = course
    return call.rollout(system, c0, flows, slots, rows, dt, stepper, limit, entropy)


def _flow(drive: AbstractDrive | None, c0: Float[Array, "species *grid"]) -> Float[Array, "1 species *grid"] | None:
    """A flow that differs from place to place, the same at all steps."""
    if not (isinstance(drive, FlowReactor) and drive.rate.ndim):
        return None
    return jnp.broadcast_to(drive.rate.astype(c0.dtype), (1, *c0.shape))


def _in_pieces(
    system: ReactionDiffusion, drive: AbstractNoisyDrive, c0: Float[Array, "species *grid"], course: Course
) -> tuple[Float[Array, "rows species *grid"], Float[Array, "steps sums"]]:
    """The kernels, which read the flow of each step from an array, with so many steps at a time: the flow of all steps
    of a long run would fill the memory."""
    key, rows, dt = course.key, course.rows, course.dt
    noise, steps = _first_noise(system, c0, key), len(course.slots) - 1
    assert noise is not None and key is not None

    def flows(noise: Array, n: Array) -> tuple[Array, Array]:
        flow = jnp.broadcast_to(drive.frozen(noise, system.grid).rate, c0.shape)
        return drive.advance(noise, dt, key=jax.random.fold_in(key, n)), flow

    def piece(carry: tuple, numbers: Int[Array, "piece"]) -> tuple[tuple, Array]:
        c, noise, kept = carry
        own = jax.lax.dynamic_slice(course.slots, numbers[:1], (len(numbers) + 1,))
        nowhere = (own == rows) & (jnp.arange(len(own)) < len(numbers))
        own = jnp.where(nowhere, rows + 1, own)  # the last state is kept in any case, to go on from
        later, fields = jax.lax.scan(flows, noise, numbers)
        new, sums = _kernels(_at(system, noise), c, fields, course._replace(slots=own, rows=rows + 1))
        written = jnp.zeros(rows + 1, bool).at[own].set(True, mode="drop").reshape(-1, *(1,) * c.ndim)
        return (new[own[-1]], later, jnp.where(written, new, kept)), sums

    kept = jnp.full((rows + 1, *c0.shape), jnp.nan, c0.dtype)
    whole, numbers = steps // PIECE * PIECE, jnp.arange(steps)
    carry, sums = (c0, noise, kept), []
    if whole:
        carry, seen = jax.lax.scan(piece, carry, numbers[:whole].reshape(-1, PIECE))
        sums.append(seen.reshape(whole, -1))
    if steps > whole:
        carry, rest = piece(carry, numbers[whole:])
        sums.append(rest)
    return carry[2][:rows], jnp.concatenate(sums)


def _seen(
    system: ReactionDiffusion,
    c: Float[Array, "species *grid"],
    new: Float[Array, "species *grid"],
    dt: float,
    limit: float,
    entropy: Entropy,
) -> Seen:
    excess = jnp.maximum(jnp.abs(new - c) / dt - limit, 0).mean()
    diffusion = thermo.diffusion_by_gradient(system, c).mean() if entropy.diffusion else None
    reaction = thermo.reaction(system, c, floor=thermo.FLOOR).mean() if entropy.reaction else None
    return Seen(excess, diffusion, reaction, (~((new >= 0) & (new < jnp.inf))).sum())


def _first_noise(
    system: ReactionDiffusion, c0: Float[Array, "species *grid"], key: Key[Array, ""] | None
) -> Float[Array, "species *grid"] | None:
    if not isinstance(system.drive, AbstractNoisyDrive):
        return None
    if key is None:
        raise ValueError("a noisy drive needs a key: rollout(..., key=jax.random.key(0))")
    return system.drive.start(c0.shape, c0.dtype, key=key)


def _next_noise(
    system: ReactionDiffusion,
    noise: Float[Array, "species *grid"] | None,
    dt: float,
    key: Key[Array, ""] | None,
    n: Int[Array, ""],
) -> Float[Array, "species *grid"] | None:
    if not isinstance(system.drive, AbstractNoisyDrive) or noise is None or key is None:
        return None
    return system.drive.advance(noise, dt, key=jax.random.fold_in(key, n))


def _at(system: ReactionDiffusion, noise: Float[Array, "species *grid"] | None) -> ReactionDiffusion:
    """The system during one step."""
    if not isinstance(system.drive, AbstractNoisyDrive) or noise is None:
        return system
    return eqx.tree_at(lambda s: s.drive, system, system.drive.frozen(noise, system.grid))


def _checked(saves: ArrayLike, steps: int) -> Int[Array, "saves"]:
    if not isinstance(saves, Tracer):
        saves = np.asarray(saves)
        if not ((saves >= 0) & (saves <= steps)).all():
            raise ValueError(f"saves are numbers of steps from 0 to {steps}, got {saves}")
    return jnp.asarray(saves)


def _slots(saves: Int[Array, "saves"], steps: int) -> tuple[Int[Array, "times"], Int[Array, "saves"]]:
    """Where the state after each step is kept (a row beyond the last: nowhere), and where to find each save again;
    of equal saves the first has the state."""
    first = jnp.argmax(saves[:, None] == saves[None, :], axis=1)
    return jnp.full(steps + 1, len(saves)).at[saves].set(first, mode="drop"), first
