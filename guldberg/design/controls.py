"""Ways to run a design other than as it was learned: finer steps, a finer grid, noise, and with parts of it replaced.

Each is a value with one method, so that another one is ten lines: what would be seen if the behaviour were an artefact
of the steps, of the grid, or of diffusion alone?
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.design.result import Designed
from guldberg.drive import AbstractDrive, AbstractNoisyDrive, FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow
from guldberg.rates import Plain
from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.stepper import AbstractStepper
from guldberg.system import ReactionDiffusion

State = Float[Array, "species *grid"]
RANDOMIZATIONS = 32  # Elliott (2022) D.4
FLOWS = 0.08  # of random parameters: f uniform in 0 to this, as in the code of Elliott (2022)
SLOWEST, FASTEST = 0.05, 0.2  # diffusivities within which an explicit step of 1 s is stable, Elliott (2022) A.3


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is simulated, how, and how its states are brought back to the grid of the design."""

    system: ReactionDiffusion
    c0: State
    z: Float[np.ndarray, "bits"]
    dt: float
    stepper: AbstractStepper
    noise: Key[Array, ""]  # of a drive that fluctuates
    until: float = np.inf  # later times are not looked at
    finer: int = 1  # cells here for one of the design, along each axis
    corner: tuple[int, ...] | None = None  # where the design's cells begin in a larger place


class AbstractControl(eqx.Module):
    """A design -> one run of it."""

    draws: int = eqx.field(static=True, default=1, kw_only=True)  # how many, each with a key of its own

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """As a reader sees it."""

    @abc.abstractmethod
    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        """What to run. Where the design starts from random bits, the key draws them."""


def as_designed(designed: Designed, key: Key[Array, ""]) -> Subject:
    """The design in the steps of its evaluation, a tenth of those of the optimisation or less. A flow that is drawn
    anew in each of those is followed between them, by the process of the same mean, deviation and intensity that has a
    limit as dt -> 0; five steps to each, since to draw is dear."""
    z, c0 = designed.z, jnp.asarray(designed.c0)
    if designed.recipe.used:
        z = np.asarray(designed.recipe.z(key))
        c0 = eqx.filter_jit(designed.start)(jnp.asarray(z))
    system, noisy = designed.system, isinstance(designed.system.drive, AbstractNoisyDrive)
    if isinstance(system.drive, NoisyFlow):
        flow = OrnsteinUhlenbeckFlow(system.drive, designed.dt / 2)
        system = eqx.tree_at(lambda s: s.drive, system, flow)
    # whole numbers, so that all steps meet at the same times
    parts = max(5 if noisy else 10, math.ceil(designed.dt / designed.evaluation_dt - 1e-9))
    return Subject(system, c0, z, designed.dt / parts, designed.evaluation_stepper, jax.random.fold_in(key, 2))


class AsDesigned(AbstractControl):
    """All as learned."""

    @property
    def name(self) -> str:
        return "as designed"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        return as_designed(designed, key)


class StepsOfOptimisation(AbstractControl):
    """The steps that the optimisation saw, up to T: beyond, it never asked them to be stable."""

    @property
    def name(self) -> str:
        return "steps of the optimisation"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = dataclasses.replace(as_designed(designed, key), system=designed.system, until=designed.horizon)
        return dataclasses.replace(subject, dt=designed.dt, stepper=designed.stepper)


class FinerSteps(AbstractControl):
    """Steps `factor` times shorter still."""

    factor: int = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return f"steps {self.factor} times finer"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        return dataclasses.replace(subject, dt=subject.dt / self.factor, until=self.until)


class LongSteps(AbstractControl):
    """Steps `factor` times longer, by the rule of the evaluation. Where they show the same, controls that only have to
    do worse are run in them."""

    factor: int = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return f"long steps, {self.factor} times"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        return dataclasses.replace(subject, dt=self.factor * subject.dt, until=self.until)


def longer(designed: Designed) -> list[int]:
    """By which factors steps can be longer and still meet those of the optimisation."""
    parts = round(designed.dt / as_designed(designed, jax.random.key(0)).dt)
    return [n for n in range(parts, 1, -1) if parts % n == 0]


class FinerGrid(AbstractControl):
    """A grid twice as fine of the same place, X_0 interpolated; diffusivities are per area, so they stay. Finer steps
    cannot see what the grid alone holds in place."""

    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return "grid twice as fine"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        system, c0 = refined(subject.system), interpolated(subject.system.grid, subject.c0)
        stable = 0.5 * float(system.grid.longest_step(system.diffusivity))
        halvings = max(1, int(np.ceil(np.log2(subject.dt / stable))))
        return dataclasses.replace(
            subject, system=system, c0=c0, dt=subject.dt / 2**halvings, finer=2, until=self.until
        )


class NoReactions(AbstractControl):
    """The learned X_0, diffusivities and flow, and no chemistry: what remains is not its work."""

    @property
    def name(self) -> str:
        return "reactions off"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        return _linear(designed, dataclasses.replace(subject, system=with_constants(subject.system, 0.0)))


class OnlyDiffusion(AbstractControl):
    """The target itself, exact at the start (without one: the learned X_0), under diffusion as slow as the slowest
    learned one and nothing else: how long a pattern lasts if nobody does anything."""

    @property
    def name(self) -> str:
        return "diffusion only"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        system, c0 = with_constants(subject.system, 0.0), subject.c0
        slowest = jnp.full_like(system.diffusivity, system.diffusivity.min())
        system = ReactionDiffusion(system.network, system.grid, slowest, None, system.temperature)
        if designed.target is not None:
            c0 = c0.at[designed.target.species].set(jnp.asarray(designed.target.concentration, c0.dtype))
        return _linear(designed, dataclasses.replace(subject, system=system, c0=c0))


class RandomStart(AbstractControl):
    """X_0 replaced by white noise, truncated at 0: normal with the mean and sd of all species together (Elliott D.4),
    or of each species by itself."""

    until: float = eqx.field(static=True, default=np.inf)
    per_species: bool = eqx.field(static=True, default=False, kw_only=True)
    draws: int = eqx.field(static=True, default=RANDOMIZATIONS, kw_only=True)

    @property
    def name(self) -> str:
        return "random start by species" if self.per_species else "random start"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        axes = tuple(range(1, subject.c0.ndim)) if self.per_species else None
        mean, sd = subject.c0.mean(axes, keepdims=True), subject.c0.std(axes, keepdims=True)
        noise = jax.random.normal(_own(key), subject.c0.shape, subject.c0.dtype)
        return dataclasses.replace(subject, c0=jnp.maximum(mean + sd * noise, 0), until=self.until)


class InitialParameters(AbstractControl):
    """The learned X_0 under the parameters that the optimisation began with, Elliott (2022) D.4."""

    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return "initial parameters"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        first = designed.initial  # which may have begun in a smaller place
        system = ReactionDiffusion(first.network, designed.grid, first.diffusivity, first.drive, first.temperature)
        return dataclasses.replace(as_designed(designed, key), system=system, until=self.until)


class RandomParameters(AbstractControl):
    """Normal constants, diffusivities and feeds with the mean and sd of the learned ones, truncated at 0 and to stable
    diffusivities; f uniform in 0 to .08. Elliott (2022) D.4 and its code."""

    until: float = eqx.field(static=True, default=np.inf)
    draws: int = eqx.field(static=True, default=RANDOMIZATIONS, kw_only=True)

    @property
    def name(self) -> str:
        return "random parameters"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject, keys = as_designed(designed, key), jax.random.split(_own(key), 4)
        system = subject.system
        k = constants(system)
        D = system.diffusivity
        grid_unit = min(system.grid.spacing) ** 2
        low, high = min(SLOWEST * grid_unit, float(D.min())), max(FASTEST * grid_unit, float(D.max()))
        system = with_constants(system, jnp.maximum(_alike(k, keys[0]), 0))
        system = eqx.tree_at(lambda s: s.diffusivity, system, jnp.clip(_alike(D, keys[1]), low, high))
        if isinstance(system.drive, FlowReactor):
            flow = jax.random.uniform(keys[2], (), D.dtype, maxval=FLOWS)
            new = (jnp.broadcast_to(flow, system.drive.rate.shape), jnp.maximum(_alike(system.drive.feed, keys[3]), 0))
            system = eqx.tree_at(lambda s: (s.drive.rate, s.drive.feed), system, new)
        return dataclasses.replace(subject, system=system, until=self.until)


class NoisyStart(AbstractControl):
    """White noise of standard deviation `sd` on X_0, truncated at 0; concentration."""

    sd: float = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)
    draws: int = eqx.field(static=True, default=5, kw_only=True)

    @property
    def name(self) -> str:
        return f"noise {self.sd:g} on the start"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        noise = jax.random.normal(_own(key), subject.c0.shape, subject.c0.dtype)
        return dataclasses.replace(subject, c0=jnp.maximum(subject.c0 + self.sd * noise, 0), until=self.until)


class NoisyConstants(AbstractControl):
    """Every rate constant off by a normal error of this relative size."""

    relative: float = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)
    draws: int = eqx.field(static=True, default=5, kw_only=True)

    @property
    def name(self) -> str:
        return f"noise {self.relative:.2g} on the constants"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        k = constants(subject.system)
        noisy = jnp.maximum(k * (1 + self.relative * jax.random.normal(_own(key), k.shape, k.dtype)), 0)
        return dataclasses.replace(subject, system=with_constants(subject.system, noisy), until=self.until)


class NoisyDrive(AbstractControl):
    """A flow that fluctuates in space and time about the learned one, f (1 + u), u uniform within +- `relative` and
    filtered as Elliott (2022) eq. (12), in its form that has a limit as dt -> 0. A drive that is noisy as learned, or
    none, stays as it is."""

    relative: float = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)
    draws: int = eqx.field(static=True, default=5, kw_only=True)

    @property
    def name(self) -> str:
        return f"noise {self.relative:.2g} in the drive"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        drive = subject.system.drive
        if isinstance(drive, FlowReactor) and steady(drive):
            reach = self.relative * float(drive.rate)
            noisy = OrnsteinUhlenbeckFlow(NoisyFlow(drive.rate, drive.feed, low=-reach, high=reach))
            system = eqx.tree_at(lambda s: s.drive, subject.system, noisy)
            subject = dataclasses.replace(subject, system=system)
        return dataclasses.replace(subject, until=self.until)


class FreeSpace(AbstractControl):
    """A place twice as long along each axis, filled up with what stands at the design's edge: no wave meets its own
    image around a torus."""

    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return "free space"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        grid = subject.system.grid
        wide = Grid([2 * n for n in grid.shape], grid.spacing, grid.boundaries, stencil=grid.stencil)
        corner = tuple(n // 2 for n in grid.shape)
        around = _edge(subject.c0).reshape(-1, *(1,) * len(grid.shape))
        background = jnp.broadcast_to(around, (len(subject.c0), *wide.shape))
        c0 = jax.lax.dynamic_update_slice(background, subject.c0, (0, *corner))
        system = eqx.tree_at(lambda s: s.grid, subject.system, wide)
        return dataclasses.replace(subject, system=system, c0=c0, corner=corner, until=self.until)


def constants(system: ReactionDiffusion) -> Float[Array, "constants"]:
    """All rate constants: the forward ones, then the reverse ones if there are any."""
    return system.constants(system.diffusivity.dtype)


def with_constants(system: ReactionDiffusion, k: Any) -> ReactionDiffusion:
    """The same system with other rate constants, as `constants` lists them; a number stands for all."""
    network, k = system.network, jnp.broadcast_to(jnp.asarray(k), constants(system).shape)
    n = len(network.reactants)
    network = eqx.tree_at(lambda w: w.forward, network, Plain(k[:n]))
    if network.reverse is not None:
        network = eqx.tree_at(lambda w: w.reverse, network, Plain(k[n:]))
    return eqx.tree_at(lambda s: s.network, system, network)


def refined(system: ReactionDiffusion, factor: int = 2) -> ReactionDiffusion:
    """The same system on a grid `factor` times as fine; a flow that varies in space is the same in all cells of one."""
    drive = system.drive
    if isinstance(drive, AbstractNoisyDrive):
        drive = Repeated(drive, system.grid, factor)
    elif isinstance(drive, FlowReactor) and drive.rate.ndim:
        drive = FlowReactor(_repeated(drive.rate, factor, len(system.grid.shape)), drive.feed)
    return ReactionDiffusion(system.network, system.grid.refined(factor), system.diffusivity, drive, system.temperature)


class Repeated(AbstractNoisyDrive):
    """The fluctuations of a drive on a coarser grid, the same in all cells of one there."""

    drive: AbstractNoisyDrive
    coarse: Grid
    factor: int = eqx.field(static=True)

    def start(self, shape: tuple[int, ...], dtype: np.dtype, *, key: Key[Array, ""]) -> State:
        return self.drive.start((shape[0], *self.coarse.shape), dtype, key=key)

    def advance(self, raw: State, dt: float, *, key: Key[Array, ""]) -> State:
        return self.drive.advance(raw, dt, key=key)

    def frozen(self, raw: State, grid: Grid) -> FlowReactor:
        flow = self.drive.frozen(raw, self.coarse)
        return FlowReactor(_repeated(flow.rate, self.factor, len(grid.shape)), flow.feed)


def _repeated(x: Array, factor: int, axes: int) -> Array:
    for axis in range(x.ndim - axes, x.ndim):
        x = jnp.repeat(x, factor, axis)
    return x


def interpolated(grid: Grid, c: State) -> State:
    """`c` on the grid twice as fine: linear between cell centres, with what the boundaries put beyond the faces. The
    amounts stay as they are on a torus and behind walls."""
    for axis, ((lower, upper), h) in enumerate(zip(grid.boundaries, grid.spacing, strict=True), start=1):
        n = c.shape[axis]
        first, last = (jax.lax.slice_in_dim(c, i, i + 1, axis=axis) for i in (0, n - 1))
        padded = jnp.concatenate([lower.ghost(first, last, h, 1.0), c, upper.ghost(last, first, h, 1.0)], axis)
        below, here, above = (jax.lax.slice_in_dim(padded, i, i + n, axis=axis) for i in range(3))
        pair = jnp.stack([0.75 * here + 0.25 * below, 0.75 * here + 0.25 * above], axis + 1)
        c = pair.reshape(*c.shape[:axis], 2 * n, *c.shape[axis + 1 :])
    return c


def on_own_grid(
    subject: Subject, states: Float[Array, "times species *cells"], shape: tuple[int, ...]
) -> Float[Array, "times species *grid"]:
    """States of a subject as the design's own grid would show them: the part where that lies, means over fine cells."""
    if subject.corner is not None:
        states = jax.lax.dynamic_slice(states, (0, 0, *subject.corner), (*states.shape[:2], *shape))
    if subject.finer > 1:
        split = [m for n in shape for m in (n, subject.finer)]
        fine = tuple(range(3, 3 + 2 * len(shape), 2))
        states = states.reshape(*states.shape[:2], *split).mean(fine)
    return states


def steady(drive: AbstractDrive | None) -> bool:
    """Whether it is a flow that is the same everywhere and at all times."""
    return type(drive) is FlowReactor and not drive.rate.ndim  # a subclass may do otherwise


def closed(grid: Grid) -> bool:
    """Whether nothing passes its faces, so that totals follow from the drive alone: a torus, or a place with walls."""
    return all(isinstance(face, Periodic | NoFlux) for faces in grid.boundaries for face in faces)


def _linear(designed: Designed, subject: Subject) -> Subject:
    """Without reactions: in half the steps of the optimisation, or shorter ones where diffusion is fast, the rule of
    the evaluation is exact to the thousandth."""
    stable = 0.4 * float(subject.system.grid.longest_step(subject.system.diffusivity))
    return dataclasses.replace(subject, dt=designed.dt / max(2, math.ceil(designed.dt / stable)))


def _own(key: Key[Array, ""]) -> Key[Array, ""]:
    """For the control itself; the key as it is draws the bits z."""
    return jax.random.fold_in(key, 1)


def _alike(x: Array, key: Key[Array, ""]) -> Array:
    return x.mean() + x.std() * jax.random.normal(key, x.shape, x.dtype)


def _edge(c: State) -> Float[Array, "species"]:
    """The mean over the faces of the grid."""
    inner = (slice(None), *(slice(1, -1) for _ in c.shape[1:]))
    mask = jnp.ones(c.shape[1:], c.dtype).at[inner[1:]].set(0)
    return (c * mask[None]).sum(tuple(range(1, c.ndim))) / mask.sum()
