"""Means and neighbouring pairs as coordinates in which a learned map is smooth: logarithms of densities and ratios.

An energy with a bias for each species and a coupling for each pair of neighbours (an exponential family) is told by
its parameters theta or, as well, by the means of what they multiply: the means and the pairs. A closure learned in
these expectation coordinates is a closure of that energy, d theta / dt = Fisher^-1 d mu / dt, with nothing to sample.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

MEAN_SD, PAIR_SD = 5.0, 8.0  # counts: how far a closure may be off before it matters, the scale of its metric


def pairs_of(species: int) -> list[tuple[int, int]]:
    """The unordered pairs of species, like ones first: AA, BB, CC, AB, AC, BC."""
    return [(a, a) for a in range(species)] + list(itertools.combinations(range(species), 2))


@dataclasses.dataclass(frozen=True)
class LogMoments:
    """x = (log(p_a / p_empty), log(pairs_ab / pairs expected of independent sites)), and back."""

    species: int
    sites: int
    edges: int  # pairs of neighbouring sites

    def __call__(self, moments: Float[np.ndarray, "*batch moments"], floor: float) -> Float[np.ndarray, "*batch x"]:
        """From counts and pairs on the box; those below `floor` (half an event in all simulations) are set to it."""
        moments = np.maximum(moments, floor)
        p = moments[..., : self.species] / self.sites
        empty = np.maximum(1 - p.sum(axis=-1, keepdims=True), floor / self.sites)
        ratio = moments[..., self.species :] / np.asarray(self._independent(jnp.asarray(p)))
        return np.concatenate([np.log(p / empty), np.log(ratio)], axis=-1)

    def moments(self, x: Float[Array, "*batch x"]) -> Float[Array, "*batch moments"]:
        """Counts and pairs on the box."""
        odds = jnp.exp(x[..., : self.species])
        p = odds / (1 + odds.sum(axis=-1, keepdims=True))
        return jnp.concatenate([self.sites * p, self._independent(p) * jnp.exp(x[..., self.species :])], axis=-1)

    def metric(self, x: Float[np.ndarray, "*batch x"]) -> Float[np.ndarray, "*batch x x"]:
        """J^T diag(1 / sd^2) J with J = d moments / dx: a misfit in x by what it means in counts."""
        flat = jnp.asarray(x.reshape(-1, x.shape[-1]))
        slope = jax.vmap(jax.jacfwd(self.moments))(flat)
        sd = np.where(np.arange(x.shape[-1]) < self.species, MEAN_SD, PAIR_SD)
        metric = jnp.einsum("nak,a,nal->nkl", slope, jnp.asarray(1 / sd**2), slope)
        return np.asarray(metric).reshape(*x.shape, x.shape[-1])

    def _independent(self, p: Float[Array, "*batch species"]) -> Float[Array, "*batch pairs"]:
        factor = [1.0 if a == b else 2.0 for a, b in pairs_of(self.species)]
        return jnp.stack(
            [self.edges * f * p[..., a] * p[..., b] for f, (a, b) in zip(factor, pairs_of(self.species), strict=True)],
            axis=-1,
        )


def edges(size: tuple[int, ...], periodic: bool) -> int:
    """Pairs of neighbouring sites of a box."""
    sites = int(np.prod(size))
    return sum(sites // n * (n if periodic else n - 1) for n in size)
