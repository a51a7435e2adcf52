"""The particle simulator, as a reduction in continuous space is handed it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from guldberg.reduce.space.plan import Box, Cloud
from guldberg.stochastic import particles
from guldberg.stochastic.contact import ContactRules
from guldberg.stochastic.particles import History


def rules(box: Box) -> ContactRules:
    """InputError where the network cannot happen among particles."""
    ask = {"lengths": box.lengths, "radius": box.radius, "dt": box.dt, "periodic": box.periodic, "walls": box.walls}
    return ContactRules(box.network, diffusivity=box.diffusivity, **ask)


@dataclasses.dataclass(frozen=True)
class Particles:
    """Mean counts in cells of a box, from clouds of particles."""

    box: Box
    cells: tuple[int, ...]

    def __call__(
        self, start: Sequence[Cloud], *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Float[np.ndarray, "groups times species *grid"]:
        kinds, positions = placed(self.box, start, runs=runs, seed=seed)
        history = particles.sample(rules(self.box), kinds, positions, times, seed=seed)
        return np.stack([self._counted(history, range(g, runs, groups)) for g in range(groups)])

    def _counted(self, history: History, runs: range) -> Float[np.ndarray, "times species *grid"]:
        species, shape = len(self.box.species), (len(self.box.species), *self.cells)
        out = np.zeros((len(history.times), *shape))
        for r in runs:
            for t, (kinds, positions) in enumerate(history.runs[r]):
                cells = np.minimum((positions / self.box.lengths * self.cells).astype(int), np.array(self.cells) - 1)
                where = np.ravel_multi_index((kinds.astype(int), *cells.T), shape)
                out[t] += np.bincount(where, minlength=species * int(np.prod(self.cells))).reshape(shape)
        return out / len(runs)


def placed(box: Box, start: Sequence[Cloud], *, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The kinds of particles, and where they are in each run: Gaussian clouds wrapped around the box or folded at its
    walls, or anywhere."""
    rng, lengths = np.random.default_rng(seed), np.array(box.lengths)
    kinds = np.repeat([cloud.species for cloud in start], [cloud.count for cloud in start])
    return kinds, np.concatenate([_cloud(cloud, box, lengths, runs, rng) for cloud in start], axis=1)


def _cloud(cloud: Cloud, box: Box, lengths: np.ndarray, runs: int, rng: np.random.Generator) -> np.ndarray:
    shape = (runs, cloud.count, len(lengths))
    if not cloud.centre:
        return rng.random(shape) * lengths
    x = np.array(cloud.centre) + cloud.width * rng.normal(size=shape)
    if box.periodic:
        return x % lengths
    x = x % (2 * lengths)
    return np.minimum(x, 2 * lengths - x)
