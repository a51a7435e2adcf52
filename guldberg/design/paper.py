"""The systems of Elliott (2022) as the paper has them: appendix A.4, D.1, Tables 1 and 2.

What the paper leaves open is taken from its code: Adam's epsilon of .01; "iterations" that are eight updates each;
RMSD and mean squares in centred units, x = 2c - 1; the weights of the cross entropy. They are here to be compared with.
Our own recipes reach the same in a fraction of the updates.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from guldberg.design import dissipation
from guldberg.design.chemistry import dense, initial_system
from guldberg.design.generator import Encoder, Generator
from guldberg.design.measure import reads, resembles
from guldberg.design.model import Model, flow, learnable
from guldberg.design.pattern import likeness
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.replication import PATCH, TORUS, TWINS, Judged
from guldberg.design.result import Picture
from guldberg.design.start import Placed
from guldberg.drive import NoisyFlow
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import (
    CrossEntropy,
    Dissipation,
    Replication,
    Spread,
    Steps,
    Unsteadiness,
    When,
    mean_square,
)
from guldberg.learn.parameters import Bounded, Frozen
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

PER_ITERATION = 8  # updates: `steps_per_epoch` of the code
BITS = 256  # of z, most of them 0
GROUPS = ("medium", "start", "decoder")  # one rate for all


def figure_2a(picture: Picture, *, species: int = 4, horizon: float = 32) -> Recipe:
    """A picture held for T = 32 s by four species, eq. (8), Table 1."""
    descent = _descent(1e-3, halved_at=(500, 1000, 1500), patience=500, give_up=1000)
    stage = Stage(horizon, 3000 * PER_ITERATION, likeness(picture, When(1.0, random=1)), descent)
    return Recipe("pattern", _built(species), (stage,), resembles(picture), bits=BITS, used=64, target=picture)


def figure_2b(picture: Picture) -> Recipe:
    """The same by five species for T = 64 s: a pattern that moves."""
    return figure_2a(picture, species=5, horizon=64)


def figure_3(*, reaction: bool = False) -> Recipe:
    """The most entropy from diffusion, T = 64 s, eqs. (10) and (15), Table 1; 3a and 3b are two seeds. Or from
    reactions, at a flow fixed at .03 per second: section 3.2, without spatial structure."""
    sigma = Dissipation(diffusion=not reaction, reaction=reaction)
    loss = sigma + Unsteadiness(sigma) + 1000 * Steps(0.05)
    stage = Stage(64, 20_000 * PER_ITERATION, loss, _descent(1e-3, patience=2000, give_up=6000, beta1=0.995))
    build = _built(5, flow_fixed=reaction)
    return Recipe("dissipation", build, (stage,), dissipation.judge, bits=BITS, used=64)


def figure_4() -> Recipe:
    """16 bits that a decoder reads from states under a noisy flow, T = 128 s, eqs. (10) to (12), Table 1."""
    sigma, steps = Dissipation(), 1000 * Steps(0.05)
    read = 2 * CrossEntropy(when=When(0.0, 1.0)) + 0.4 * CrossEntropy(when=When(random=1))
    descent = _descent(2.5e-4, halved_at=(10_000, 20_000), patience=2000, give_up=6000, beta1=0.995)
    stage = Stage(128, 30_000 * PER_ITERATION, read + sigma + 0.04 * Unsteadiness(sigma) + steps, descent, batch=2)
    return Recipe("bits", _built(5, noisy=True), (stage,), reads, bits=BITS, used=16)


def figure_5() -> Recipe:
    """A structure that is in two places after T = 352 s, eqs. (13) to (15), Table 2: 600 000 updates."""

    def stage(T: float, beta: float, updates: int, rate: float, *halved_at: int) -> Stage:
        alike = 8 * Replication(TWINS.window, TWINS.shifts, mean_square)  # the mean of two daughters, and (2c - 1)^2
        loss = alike + 4 * Spread(beta / 2, TWINS.window, TWINS.shifts) + Steps(0.3)
        return Stage(T, updates, loss, _descent(rate, halved_at=halved_at))

    stages = (
        stage(256, 1.0, 200_000, 1e-3, 100, 200, 300, 5000, 10_000, 15_000),
        stage(320, 1.0, 100_000, 5e-6, 500, 1000),
        stage(352, 0.5, 300_000, 1e-6, 2000, 4000),
    )
    return Recipe("replication", _parent, stages, Judged(TWINS), bits=BITS, used=24)


def _built(species: int, *, flow_fixed: bool = False, noisy: bool = False) -> Callable[[Key[Array, ""]], Model]:
    """A dense network and a generator on 64 x 64 cells; for a noisy flow also a decoder."""
    grid = Grid.periodic((64, 64), stencil=NinePoint())

    def build(key: Key[Array, ""]) -> Model:
        of_network, of_system, of_start, of_decoder = jax.random.split(key, 4)
        system = initial_system(dense(species, key=of_network), grid, key=of_system)
        if noisy:
            system = eqx.tree_at(lambda s: s.drive, system, NoisyFlow(flow(system).rate, flow(system).feed))
        medium = learnable(system)
        if flow_fixed:
            f = jnp.asarray(flow(system).rate, jnp.float32)
            medium = eqx.tree_at(lambda m: flow(m).rate, medium, Frozen(f))
        start = Generator.random(grid, species, bits=BITS, key=of_start)
        return Model(medium, start, Encoder.random(grid.shape, species, bits=BITS, key=of_decoder) if noisy else None)

    return build


def _parent(key: Key[Array, ""]) -> Model:
    """A dense network of five species on 48 x 96 cells, and a generator of 32 x 32 in their middle."""
    of_network, of_system, of_start = jax.random.split(key, 3)
    grid, inside = Grid.periodic(TORUS, stencil=NinePoint()), Grid(PATCH, 1.0, [NoFlux()] * 2)
    system = initial_system(dense(5, key=of_network), grid, key=of_system)
    generator = Generator.random(inside, 5, bits=BITS, key=of_start)
    corner = tuple((n - m) // 2 for n, m in zip(TORUS, PATCH, strict=True))
    feed = jnp.asarray(flow(system).feed, jnp.float32)
    start = eqx.tree_at(lambda p: p.background, Placed(generator, feed, grid, corner), Bounded.of(feed))
    return Model(learnable(system), start)


def _descent(
    rate: float,
    *,
    halved_at: tuple[int, ...] = (),
    patience: int | None = None,
    give_up: int | None = None,
    beta1: float = 0.95,
) -> Descent:
    """Adam with Keras' clipnorm of .5; numbers of iterations as in the tables."""
    rates = Rates(dict.fromkeys(GROUPS, rate), halved_at=tuple(n * PER_ITERATION for n in halved_at))
    return Descent(
        rates,
        beta1=beta1,
        epsilon=1e-2,
        clip_each=0.5,
        patience=patience and patience * PER_ITERATION,
        give_up=give_up and give_up * PER_ITERATION,
    )
