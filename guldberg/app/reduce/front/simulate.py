"""Particles and Monte Carlo, as a reduction to a front is handed them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from guldberg.app.reduce.space.simulate import placed, rules
from guldberg.closure.continuous.sampled import Sample
from guldberg.closure.continuous.unlike import AB, A, B, Line
from guldberg.reduce.space.plan import Box, Cloud
from guldberg.stochastic import grand, particles
from guldberg.stochastic.words import spread


@dataclasses.dataclass(frozen=True)
class Clouds:
    """Runs that begin with clouds, the number in each from Poisson's law."""

    box: Box
    line: Line

    def __call__(
        self, start: Sequence[Cloud], *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Float[np.ndarray, "groups times 3 points"]:
        seeds = np.random.default_rng(seed).integers(2**62, size=runs).tolist()
        each = np.zeros((runs, len(times), AB + 1, self.line.cells))

        def chunk(first: int, last: int) -> None:
            for r in range(first, last):
                each[r] = self._run(start, times, seeds[r])

        spread(chunk, runs, None, pieces=particles.PIECES)
        return each.reshape(runs // groups, groups, *each.shape[1:]).mean(axis=0)

    def _run(
        self, start: Sequence[Cloud], times: Float[np.ndarray, "times"], seed: int
    ) -> Float[np.ndarray, "times 3 points"]:
        rng = np.random.default_rng(seed)
        drawn = [dataclasses.replace(cloud, count=int(rng.poisson(cloud.count))) for cloud in start]
        first, then = rng.integers(2**62, size=2).tolist()
        history = particles.sample(
            rules(self.box), *placed(self.box, drawn, runs=1, seed=first), times, seed=then, threads=1
        )
        number = history.density((self.line.cells,)) * self.line.cell
        pairs = history.pairs(self.box.species[A], self.box.species[B], self.line.shells.edges)
        return np.concatenate([number, pairs[:, None]], axis=1)


@dataclasses.dataclass(frozen=True)
class Chains:
    """Moments by grand-canonical Monte Carlo."""

    line: Line

    def __call__(self, nu: Float[np.ndarray, "3 points"], *, chains: int, sweeps: int, burn: int, seed: int) -> Sample:
        line = self.line
        gibbs = grand.Gibbs((line.length,), nu[:AB], nu[AB], line.shells.reach, periodic=False, between=(A, B))
        found = grand.sample(gibbs, line.shells.edges, chains=chains, sweeps=sweeps, burn=burn, seed=seed)
        return Sample(
            np.append(found.density.ravel() * line.cell, found.pairs),
            np.append(found.density_error.ravel() * line.cell, found.pairs_error),
            found.covariance,
        )
