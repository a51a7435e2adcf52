"""Dissipation, Elliott (2022) section 3.1: steep, steady gradients that a flow keeps up.

Three facts decide what is reached. The entropy production of diffusion scales with the unit of concentration (so
feeds run to whatever cap there is: here concentrations above `CAP` are punished, and it is quoted per molecule as
well). At unit spacing it is largest for filaments one cell wide, which no refinement of dt shows to be of the grid's
making. And exp(-sigma) is flat where sigma is large; its logarithm is not. Where sigma is to be that of the medium and
not of the grid, the medium alone is learned, from states it has long been in itself: `resolved`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from guldberg import thermo
from guldberg.design.chemistry import Reaction, sparse
from guldberg.design.disturb import Rough
from guldberg.design.model import Model, consistent, learnable
from guldberg.design.recipe import Recipe, Renew, Stage
from guldberg.design.start import AbstractStart, Direct, number
from guldberg.drive import AbstractDrive, AbstractNoisyDrive, FlowReactor
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import (
    FROM_START_TO_END,
    AbstractLoss,
    Ceiling,
    Dissipation,
    Seen,
    Steps,
    Sum,
    Unsteadiness,
    logarithmic,
)
from guldberg.learn.parameters import resolve
from guldberg.network import ReactionNetwork
from guldberg.rollout import rollout
from guldberg.space.boundary import along
from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.system import ReactionDiffusion

CAP = 9.0  # concentration
T = 64.0  # seconds, as in Elliott's Figure 3
BITS = 3
POOL = 2**BITS  # states
OLD = 3000.0  # seconds that a state of the pool lives, on average
SETTLED = 640.0  # seconds that the first ones have lived already
DEAD = 0.05  # k_B per cell: below it there is no pattern any more
LEVEL = 9.9  # concentration of what is fed there: all stays below the 10 at which Elliott's code cuts off
ENERGY = (4.0, 0.0, -4.0, -4.0, -4.0)  # mu / RT to start with: the feed X0 is rich, what it decays to is poor


def dissipation(*, shape: tuple[int, int] = (64, 64), updates: tuple[int, int] = (3600, 4400)) -> Recipe:
    """The largest entropy production of diffusion that is steady, with rates that one free energy for each species
    allows: first a smoothed initial state, then any."""
    loss = _steep() + 100 * Steps(0.05) + 20 * Ceiling(CAP, when=FROM_START_TO_END)
    stages = (
        Stage(T, updates[0], loss, _descent()),
        Stage(T, updates[1], loss, _descent(), enter=unsmoothed),
    )

    def build(key: Key[Array, ""]) -> Model:
        system, X = labyrinth(Grid.periodic(shape, stencil=NinePoint()), key=key)
        medium = consistent(learnable(system, relative=0.01), jnp.asarray(ENERGY), relative=0.01)
        return Model(medium, Direct.near(X, system.grid, smooth=True))

    return Recipe("dissipation", build, stages, accounted)


def resolved(*, shape: tuple[int, int] = (64, 64), updates: int = 400) -> Recipe:
    """Entropy production that is the medium's and not the grid's: gradients are kept to what the grid resolves, and
    only the medium is learned, from a pool of states that it has itself been making from random ones. It begins with
    two labyrinths in one place. What a pattern comes to shows only after hundreds of seconds, of which a gradient sees
    64: so in the end the first medium stays where the learned one does not dissipate more from random states."""
    grid = Grid.periodic(shape, stencil=NinePoint())
    system = labyrinths(grid)
    mean, sd = (LEVEL * jnp.asarray(x) for x in ([0.8, 0.8, 0.05, 0.05, 0.1], [0.1, 0.1, 0.2, 0.2, 0.02]))
    anywhere = Scattered(mean, sd, grid)
    loss = _steep() + 100 * Steps(0.05) + 10 * Ceiling(LEVEL) + 30 * Unresolved(0.875)
    renew = Renew(functools.partial(moved_on, anywhere=anywhere, seconds=T, dt=0.5), every=POOL)
    rates = Rates({"medium": 6e-4}, warmup=20, cosine=True, floor=0.05)
    rough = Rough(constants=0.01)
    stage = Stage(T, updates, loss, Descent(rates, clip_all=1.0), dt=0.5, disturb=rough, renew=renew)

    def build(key: Key[Array, ""]) -> Model:
        fresh = Pool(jax.vmap(anywhere.draw)(jax.random.split(key, POOL)))
        model = Model(learnable(system, relative=0.01), fresh)
        return eqx.filter_jit(moved_on)(model, key, anywhere=anywhere, seconds=SETTLED, dt=0.5)

    def leave(model: Model) -> Model:
        media = (resolve(model.medium), resolve(learnable(system)))
        return Model(max(media, key=lambda medium: float(lasting(medium, anywhere))), anywhere, model.decoder)

    return Recipe("dissipation", build, (stage,), judge, bits=16, used=16, leave=leave)


def labyrinths(
    grid: Grid, *, feed: float = 0.065, decay: float = 0.0625, pace: float = 1.75, level: float = LEVEL
) -> ReactionDiffusion:
    """Gray-Scott twice: X0 + 2 X2 -> 3 X2 and X1 + 2 X3 -> 3 X3, both decaying to X4. Two labyrinths in one place,
    which know nothing of one another, dissipate twice as much in gradients as steep as those of one."""
    k: dict[Reaction, float] = {((food, *2 * (j,)), 3 * (j,)): pace / level**2 for food, j in ((0, 2), (1, 3))}
    k |= {((j,), (4,)): decay * pace for j in (2, 3)}
    drive = FlowReactor(feed * pace, level * jnp.asarray([1.0, 1.0, 0.0, 0.0, 0.0]))
    return ReactionDiffusion(sparse(5, k), grid, jnp.asarray([0.2, 0.2, 0.1, 0.1, 0.2]), drive)


class Unresolved(AbstractLoss):
    """x^2 + x / 5 with x = max(0, least - resolution): 1 for what the grid resolves, 0 for filaments one cell wide."""

    least: float = eqx.field(static=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        system, X = seen.system, seen.states[-1]
        lack = jnp.maximum(self.least - resolution(system, X), 0)
        return lack**2 + lack / 5


def resolution(system: ReactionDiffusion, X: Float[Array, "species *grid"]) -> Float[Array, ""]:
    """Entropy production of diffusion with gradients over two cells, to that with gradients over one."""
    D = system.diffusivity
    squares = (system.grid.gradient(X, D) ** 2).sum(0)
    wide = (along(D, X) * squares / (X + thermo.STABILISER)).sum(0).mean()
    narrow = thermo.diffusion_by_gradient(system, X).mean()
    return wide / jnp.maximum(narrow, jnp.finfo(X.dtype).tiny)  # 0 where all is flat


class Scattered(AbstractStart):
    """Smooth random fields, of which z is the seed: a design that starts from these owes nothing to where it starts."""

    mean: Float[Array, "species"]
    sd: Float[Array, "species"]
    grid: Grid

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        return self.draw(jax.random.key(number(z)))

    def draw(self, key: Key[Array, ""]) -> Float[Array, "species *grid"]:
        """mean + sd noise at every cell, smooth over two cells, not below 0."""
        shape = len(self.mean), *self.grid.shape
        noise = gaussian(jax.random.normal(key, shape, jnp.float32), self.grid, sigma=2.0, radius=6)
        noise = noise / noise.std(tuple(range(1, noise.ndim)), keepdims=True)
        X = along(self.mean, noise) + along(self.sd, noise) * noise
        return jnp.maximum(X, 0)


class Pool(AbstractStart):
    """States that others left: the first bits of z tell which. Nothing of it is learned."""

    states: Float[Array, "states species *grid"]

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        return jax.lax.stop_gradient(self.states[number(z[:BITS])])


def moved_on(model: Model, key: Key[Array, ""], *, anywhere: Scattered, seconds: float, dt: float) -> Model:
    """Each state of the pool as the present medium leaves it `seconds` later, a little disturbed; now and then, and
    where nothing dissipates any more, a new random one instead."""
    assert isinstance(model.start, Pool)
    medium = resolve(model.medium)

    def one(X: Float[Array, "species *grid"], key: Key[Array, ""]) -> Float[Array, "species *grid"]:
        of_noise, of_end, of_new = jax.random.split(key, 3)
        after = rollout(medium, X, steps=round(seconds / dt), dt=dt).values[-1]
        alive = thermo.diffusion_by_gradient(medium, after).mean() > DEAD
        after = jnp.maximum(after + 0.02 * jax.random.normal(of_noise, X.shape, X.dtype), 0)
        kept = alive & (jax.random.uniform(of_end) > seconds / OLD)
        return jnp.where(kept, after, anywhere.draw(of_new))

    states = jax.lax.map(lambda at: one(*at), (model.start.states, jax.random.split(key, POOL)))
    return Model(model.medium, Pool(states), model.decoder)


@eqx.filter_jit
def lasting(medium: ReactionDiffusion, anywhere: Scattered) -> Float[Array, ""]:
    """The least that any of four random states dissipates 1000 s later, k_B per cell; 0 if one is not finite."""

    def one(key: Key[Array, ""]) -> Float[Array, ""]:
        X = rollout(medium, anywhere.draw(key), steps=2000, dt=0.5).values[-1]
        sigma = thermo.diffusion_by_gradient(medium, X).mean()
        return jnp.where(jnp.isfinite(sigma), sigma, 0)

    return jax.lax.map(one, jax.random.split(jax.random.key(0), 4)).min()


def _steep() -> Sum:
    """-ln sigma and its variance over time, Elliott (2022) eqs. (9) and (10) with ln for exp."""
    sigma = Dissipation(g=logarithmic)
    return sigma + Unsteadiness(sigma)


def _descent() -> Descent:
    rates = Rates({"start": 2e-2, "medium": 3e-3}, warmup=20, cosine=True, floor=0.05)
    return Descent(rates, clip_all=1.0, jump=2.0)


def unsmoothed(model: Model) -> Model:
    """The same initial state, each cell of which is now learned on its own."""
    return Model(model.medium, Direct.near(model.start(jnp.zeros(0)), model.medium.grid), model.decoder)


def labyrinth(
    grid: Grid,
    *,
    key: Key[Array, ""],
    feed: float = 0.05,
    decay: float = 0.062,
    pace: float = 2.0,
    level: float = 6.0,
    settled: float = 400.0,
) -> tuple[ReactionDiffusion, Float[Array, "5 *grid"]]:
    """Gray-Scott, X0 + 2 X1 -> 3 X1 and X1 -> X2, and what it makes of random spots within `settled` seconds, a
    labyrinth; two more species that nothing makes yet. `level` is the unit of concentration, `pace` that of rate."""
    k: dict[Reaction, float] = {((0, 1, 1), (1, 1, 1)): pace / level**2, ((1,), (2,)): decay * pace}
    drive = FlowReactor(feed * pace, jnp.asarray([level, 0.0, 0.0, 0.0, 0.0]))
    system = ReactionDiffusion(sparse(5, k), grid, jnp.asarray([0.2, 0.1, 0.1, 0.1, 0.1]), drive)
    spot = spots(grid, key=key)
    X = level * jnp.stack([1 - 0.5 * spot, 0.3 * spot, *[jnp.full(grid.shape, x, jnp.float32) for x in (0.1, 0, 0)]])
    return system, rollout(system, X.astype(jnp.float32), steps=round(settled / 0.1), dt=0.1).values[-1]


def spots(grid: Grid, *, key: Key[Array, ""]) -> Float[Array, "*grid"]:
    """1 in random spots a few cells wide, 0 elsewhere: where smoothed noise exceeds its standard deviation."""
    noise = gaussian(jax.random.normal(key, (1, *grid.shape), jnp.float32), grid, sigma=2.0, radius=6)[0]
    return (noise > noise.std()).astype(jnp.float32)


def judge(
    model: Model, z: Float[Array, "bits"], before: Float[Array, "..."], X: Float[Array, "species *grid"]
) -> Mapping[str, Float[Array, ""]]:
    """Entropy production of diffusion per cell in k_B: by Elliott's eq. (19), of the links of the grid exactly, and
    the latter per unit of concentration; what of it the grid resolves; the highest concentration."""
    links = thermo.diffusion(model.medium, X).mean()
    return {
        "sigma": thermo.diffusion_by_gradient(model.medium, X).mean(),
        "sigma_links": links,
        "sigma_per_molecule": links / X.sum(0).mean(),
        "resolution": resolution(model.medium, X),
        "highest": X.max(),
    }


def accounted(
    model: Model, z: Float[Array, "bits"], before: Float[Array, "..."], X: Float[Array, "species *grid"]
) -> Mapping[str, Float[Array, ""]]:
    """And what the flow supplies per cell, in k_B, of the free energy that consistent rates have, beside what
    reactions, diffusion and mixing spend of it: equal at rest, by the second law. Of a flow that fluctuates, its mean.
    """
    system = eqx.tree_at(lambda s: s.drive, model.medium, _mean_flow(model.medium, X), is_leaf=lambda x: x is None)
    supply = thermo.supply(system, X, free_energies(system.network)).mean()
    spent = sum(part(system, X).mean() for part in (thermo.reaction, thermo.diffusion, thermo.mixing))
    return {**judge(model, z, before, X), "supply": supply, "spent": jnp.asarray(spent)}


def _mean_flow(system: ReactionDiffusion, X: Float[Array, "species *grid"]) -> AbstractDrive:
    if isinstance(system.drive, AbstractNoisyDrive):
        return system.drive.frozen(jnp.zeros_like(X), system.grid)
    return FlowReactor(0.0, jnp.zeros(len(X))) if system.drive is None else system.drive


def free_energies(network: ReactionNetwork) -> Float[Array, "species"]:
    """`thermo.energies`, also of constants that are traced, for rates that are known to have them."""
    assert network.reverse is not None
    forward, reverse = network.forward(), network.reverse()
    active = (forward > 0) & (reverse > 0)
    dG = jnp.where(active, jnp.log(jnp.where(active, reverse / forward, 1)), 0)
    S = jnp.where(active[:, None], network.stoichiometry.astype(dG.dtype), 0)
    return jnp.linalg.lstsq(S, dG)[0]
