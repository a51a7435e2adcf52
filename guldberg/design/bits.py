"""Bits held against a flow, Elliott (2022) section 3.2.1: a medium that needs no training, and block codes in it.

Equal autocatalysts X_0 + 2 X_j -> 3 X_j compete for the feed X_0; at each point one of them excludes the others. All
are equivalent, so that a straight front between two does not drift: four of them are two bits for each block of cells.
What the fronts do otherwise is a matter of space: a curved one shrinks, in a time of about R^2 / 2D, unless it is
pinned by a grid that is coarse for it. Only a finer grid tells the two apart; a shorter step does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from guldberg.design.chemistry import sparse
from guldberg.design.generator import Encoder, Generator
from guldberg.design.measure import reads
from guldberg.design.model import Model, learnable
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.start import AbstractStart
from guldberg.drive import AbstractDrive, NoisyFlow
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.losses import CrossEntropy, Dissipation, Steps, When
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.stepper import AbstractStepper, Euler, Patankar
from guldberg.system import ReactionDiffusion

EULER = Euler()
SYMBOLS = 4  # competitors, two bits
SLOWEST = 0.05  # diffusivity, cells^2 per second: the least that Elliott (2022) A.3 allows


def competitors(
    grid: Grid, drive: AbstractDrive, *, flow: float, threshold: float, others: float = 0.0
) -> ReactionDiffusion:
    """X_0 + 2 X_j -> 3 X_j, j = 1 to 4, with k = flow / threshold; a feed of X_0 at 1.

    With a mean flow phi k a competitor holds at (1 + sqrt(1 - 4 phi)) / 2 beside the empty state; `threshold` is phi,
    below 1/4, where that state ends. All other constants are `others`.
    """
    if not 0 < threshold < 0.25:
        raise ValueError(f"expected a threshold between 0 and 1/4, where the occupied state ends, got {threshold}")
    k = {((0, j, j), (j, j, j)): flow / threshold for j in range(1, SYMBOLS + 1)}
    network = sparse(SYMBOLS + 1, k, others=others)
    return ReactionDiffusion(network, grid, jnp.full(SYMBOLS + 1, SLOWEST), drive)


def occupied(threshold: float) -> tuple[float, float]:
    """(X_0, X_j) where competitor j holds: (1 - xi, xi), xi = (1 + sqrt(1 - 4 phi)) / 2."""
    xi = 0.5 * (1 + math.sqrt(1 - 4 * threshold))
    return 1 - xi, xi


class Written(AbstractStart):
    """Two bits in each block of cells: the binary number j of competitor j + 1, which has the block to itself."""

    grid: Grid
    block: tuple[int, ...] = eqx.field(static=True)  # cells along each axis
    food: float = eqx.field(static=True)
    winner: float = eqx.field(static=True)

    @property
    def bits(self) -> int:
        """How many the grid holds."""
        return 2 * math.prod(blocks(self.grid.shape, self.block))

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        pairs = z.reshape(2, *blocks(self.grid.shape, self.block))
        number = pairs[0] + 2 * pairs[1]
        for axis, cells in enumerate(self.block):
            number = jnp.repeat(number, cells, axis)
        symbols = jnp.arange(SYMBOLS, dtype=z.dtype).reshape(-1, *(1,) * number.ndim)
        held = (number[None] == symbols).astype(z.dtype) * self.winner
        return jnp.concatenate([jnp.full_like(number, self.food)[None], held])


class Read(eqx.Module):
    """Which competitor has most of each block, as logits of the bits: what the best with the bit has more than the
    best without it."""

    block: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, c: Float[Array, "species *grid"]) -> Float[Array, "bits"]:
        counts = blocks(c.shape[1:], self.block)
        split = [n for pair in zip(counts, self.block, strict=True) for n in pair]
        mean = c[1:].reshape(SYMBOLS, *split).mean(tuple(range(2, 2 * len(counts) + 1, 2)))
        low = jnp.maximum(mean[1], mean[3]) - jnp.maximum(mean[0], mean[2])
        high = jnp.maximum(mean[2], mean[3]) - jnp.maximum(mean[0], mean[1])
        return jnp.stack([low, high]).ravel()


def blocks(shape: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    """How many along each axis. ValueError where the grid is no whole number of blocks."""
    if len(shape) != len(block) or any(n % b for n, b in zip(shape, block, strict=True)):
        raise ValueError(f"blocks of {block} cells do not fill a grid of {shape}")
    return tuple((np.asarray(shape) // np.asarray(block)).tolist())


class Recall(NamedTuple):
    """What was read of each word at each time, and how the runs went: one that blew up is void, not wrong."""

    right: Bool[Array, "words times bits"]
    fastest: Float[Array, "words"]  # mean |dc/dt| over cells and species, at the fastest step
    lost: Int[Array, "words"]  # how many values steps left negative or not finite


def recall(
    system: ReactionDiffusion,
    start: AbstractStart,
    decoder: Callable[[Float[Array, "species *grid"]], Float[Array, "bits"]],
    z: Float[Array, "words bits"],
    *,
    ts: Sequence[float],
    key: Key[Array, ""],
    dt: float = 1.0,
    stepper: AbstractStepper = EULER,
) -> Recall:
    """Each word written, left alone with the noise of the drive, and read at `ts`, whole numbers of steps of `dt`."""
    saves = [round(t / dt) for t in ts]
    piece = math.gcd(*saves)
    run = _Pieces(piece, max(saves) // piece, dt, stepper)
    found = _recall(run, system, start, decoder, z, jax.random.split(key, len(z)))
    return found._replace(right=found.right[:, np.asarray(saves) // piece - 1])


class _Pieces(NamedTuple):
    """A long run in pieces of so many steps: the noise of all its steps at once would need too much memory."""

    steps: int
    pieces: int
    dt: float
    stepper: AbstractStepper


@eqx.filter_jit
def _recall(
    run: _Pieces,
    system: ReactionDiffusion,
    start: AbstractStart,
    decoder: Callable[[Float[Array, "species *grid"]], Float[Array, "bits"]],
    z: Float[Array, "words bits"],
    keys: Key[Array, "words"],
) -> Recall:
    def one(word: tuple[Float[Array, "bits"], Key[Array, ""]]) -> Recall:
        z, key = word

        def on(c: Array, key: Array) -> tuple[Array, Recall]:
            ran = rollout(system, c, steps=run.steps, dt=run.dt, stepper=run.stepper, key=key)
            c = ran.values[-1]
            return c, Recall((decoder(c) > 0) == (z > 0.5), ran.excess.max(), ran.out_of_bounds.sum())

        _, seen = jax.lax.scan(on, start(z), jax.random.split(key, run.pieces))
        return Recall(seen.right, seen.fastest.max(), seen.lost.sum())

    return jax.lax.map(one, (z, keys))


# the recipe

FLOW, NOISE = 0.1, 0.8  # f, and the most that the noise adds to it: .4 on average


def bits(*, words: int = 16, updates: int = 1000) -> Recipe:
    """Bits that a decoder reads from states under a noisy flow: generator, medium and decoder learn together, from
    equal competitors on, and the states dissipate. T = 24 s is enough: what they hold so long they hold. Beside these
    constants steps of 1 s need a rule that stays positive; Euler's, in steps of 1/2 s too, leaves negative
    concentrations behind and blows up, more often as the states become sharp."""
    read = 2 * CrossEntropy(when=When(0.0, 1.0)) + 0.4 * CrossEntropy(when=When(random=1))
    loss = 2 / 2.4 * read + 0.3 * Dissipation() + 5 * Steps(0.7)
    rates = Rates({"start": 1.2e-3, "decoder": 1.2e-3, "medium": 1.2e-4}, warmup=20, cosine=True, floor=0.05)
    stage = Stage(24, updates, loss, Descent(rates, beta1=0.95, clip_all=1.0), stepper=Patankar(), batch=2)
    return Recipe("bits", lambda key: _built(words, key), (stage,), reads, bits=words, used=words)


def _built(words: int, key: Key[Array, ""]) -> Model:
    of_start, of_decoder = jax.random.split(key)
    grid = Grid.periodic((64, 64), stencil=NinePoint())
    drive = NoisyFlow(FLOW, jnp.eye(SYMBOLS + 1)[0], high=NOISE)
    medium = competitors(grid, drive, flow=FLOW + NOISE / 2, threshold=0.16, others=1e-4)
    start = Generator.random(grid, SYMBOLS + 1, bits=words, width=64, key=of_start)
    # all species together start at 1 on average, as much as the feed brings
    start = eqx.tree_at(lambda g: g.norms[-1].bias, start, start.norms[-1].bias - 0.6)
    decoder = Encoder.random(grid.shape, SYMBOLS + 1, bits=words, width=64, key=of_decoder)
    return Model(learnable(medium, relative=0.02), start, decoder)
