"""The generator z -> X_0 and the encoder X_t -> z of Elliott (2022) A.4, for one sample at a time.

Batches there hold one or two samples, whose statistics normalise; here those of the one sample do, over its cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.design.start import AbstractStart
from guldberg.design.upsample import upsample
from guldberg.learn.parameters import Bounded
from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid

HIGHEST = 10.0  # concentration that a generator can make
SOFT = 0.1  # added to variances, as in Elliott's code


class Norm(eqx.Module):
    """gain (x - mean) / sqrt(var + .1) + bias for each channel, over the cells."""

    gain: Float[Array, "channels"]
    bias: Float[Array, "channels"]

    @classmethod
    def of(cls, channels: int, gain: float = 1.0) -> Self:
        return cls(jnp.full(channels, gain, jnp.float32), jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Float[Array, "height width channels"]) -> Float[Array, "height width channels"]:
        mean, variance = (f((0, 1), keepdims=True) for f in (x.mean, x.var))
        return (x - mean) * jax.lax.rsqrt(variance + SOFT) * self.gain[None, None] + self.bias[None, None]


class Generator(AbstractStart):
    """h = tanh(norm(upsample(h))) block by block from the bits as +-1, then X_0 = G * (s (1 + h) / 2 + b): each block
    doubles the image, G is the Gaussian filter, s in [.1, 10] and the background b of each species are learned.

    The last block has a norm as well, of gain 1/2: so it is in Elliott's code, although A.4 says otherwise.
    """

    kernels: tuple[Float[Array, "inputs 4 4 outputs"], ...]
    norms: tuple[Norm, ...]
    scale: Float[Array, ""]  # s
    background: Float[Array, "species"]  # b
    grid: Grid

    @classmethod
    def random(cls, grid: Grid, species: int, *, bits: int, width: int = 256, key: Key[Array, ""]) -> Generator:
        """Widths fall evenly from `width` to the number of species. ValueError unless the grid is a square of
        2^blocks cells."""
        blocks = round(math.log2(grid.shape[0]))
        if grid.shape != (2**blocks,) * 2 or blocks < 1:
            raise ValueError(f"a generator makes squares of 2, 4, 8, ... cells, got a grid of {grid.shape}")
        widths = widths_between(width, species, blocks)
        keys = jax.random.split(key, blocks)
        kernels = (_glorot(k, a, b, (a, 4, 4, b)) for k, a, b in zip(keys, (bits, *widths), widths, strict=False))
        norms = (*(Norm.of(w) for w in widths[:-1]), Norm.of(species, 0.5))
        scale, background = jnp.asarray(1.0, jnp.float32), jnp.full(species, 1e-4, jnp.float32)
        made = cls(tuple(kernels), norms, scale, background, grid)
        bounded = Bounded.of(scale, 0.1, HIGHEST), Bounded.of(background, 0.0, HIGHEST)
        return eqx.tree_at(lambda g: (g.scale, g.background), made, bounded)

    def __call__(self, z: Float[Array, "bits"]) -> Float[Array, "species *grid"]:
        h = (2 * z - 1)[None, None]
        for kernel, norm in zip(self.kernels, self.norms, strict=True):
            h = jnp.tanh(norm(upsample(h, kernel)))
        X = self.scale * (1 + h) / 2 + self.background[None, None]
        return gaussian(jnp.moveaxis(X, -1, 0), self.grid, sigma=1.0, radius=1)


class Encoder(eqx.Module):
    """h = norm(tanh(conv(h))) block by block, each halving the image; the last convolution is linear and gives the
    logits of the bits, Elliott (2022) eq. (11)."""

    kernels: tuple[Float[Array, "4 4 inputs outputs"], ...]
    norms: tuple[Norm, ...]

    @classmethod
    def random(
        cls, shape: Sequence[int], species: int, *, bits: int, width: int | None = None, key: Key[Array, ""]
    ) -> Encoder:
        """Widths rise evenly from the number of species to `width`, by default that of the bits. ValueError unless
        the shape is a square of 2^blocks cells."""
        blocks = round(math.log2(shape[0]))
        if tuple(shape) != (2**blocks,) * 2 or blocks < 1:
            raise ValueError(f"an encoder reads squares of 2, 4, 8, ... cells, got a grid of {tuple(shape)}")
        widths = (*widths_between(species, width or bits, blocks)[1:], bits)
        keys = jax.random.split(key, blocks)
        pairs = zip((species, *widths), widths, strict=False)
        kernels = tuple(_glorot(k, a, b, (4, 4, a, b)) for k, (a, b) in zip(keys, pairs, strict=True))
        return cls(kernels, tuple(Norm.of(w) for w in widths[:-1]))

    def __call__(self, X: Float[Array, "species *grid"]) -> Float[Array, "bits"]:
        h = jnp.moveaxis(2 * X - 1, 0, -1)
        for kernel, norm in zip(self.kernels[:-1], self.norms, strict=True):
            h = norm(jnp.tanh(_halved(h, kernel)))
        return _halved(h, self.kernels[-1]).reshape(-1)


def widths_between(first: int, last: int, blocks: int) -> tuple[int, ...]:
    """So many whole numbers, evenly from `first` to `last`; the last alone if there is one."""
    return tuple(round(w) for w in np.linspace(first, last, blocks).tolist()) if blocks > 1 else (last,)


def _halved(x: Float[Array, "height width inputs"], kernel: Array) -> Float[Array, "height/2 width/2 outputs"]:
    return jax.lax.conv_general_dilated(x[None], kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]


def _glorot(key: Key[Array, ""], inputs: int, outputs: int, shape: tuple[int, ...]) -> Float[Array, "..."]:
    most = math.sqrt(6 / (16 * (inputs + outputs)))
    return jax.random.uniform(key, shape, jnp.float32, -most, most)
