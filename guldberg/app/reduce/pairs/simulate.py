"""Particles and Monte Carlo, as a reduction to pairs is handed them."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.app.reduce.space.simulate import rules
from guldberg.closure.continuous.radial import ONE, PAIRS, Shells
from guldberg.closure.continuous.sampled import Sample
from guldberg.reduce.space.plan import Box
from guldberg.stochastic import grand, particles


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Runs that begin with a number of particles from Poisson's law, anywhere."""

    box: Box
    shells: Shells

    def __call__(
        self, number: float, *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Float[np.ndarray, "groups times functions shells"]:
        rng = np.random.default_rng(seed)
        (species,) = self.box.species
        numbers, out = rng.poisson(number, runs), np.zeros((groups, len(times), 2, self.shells.count))
        for n in np.unique(numbers):  # runs of as many go together
            which = np.flatnonzero(numbers == n)
            first, then = rng.integers(2**62, size=2).tolist()
            start = particles.scattered([n], self.box.lengths, runs=len(which), seed=first)
            history = particles.sample(rules(self.box), *start, times, seed=then)
            for r, run in zip(which, history.runs, strict=True):
                one = dataclasses.replace(history, runs=[run])
                out[r % groups, :, PAIRS] += one.pairs(species, species, self.shells.edges)
                out[r % groups, :, ONE] += one.counts()[0] / self.shells.count
        return out / (runs / groups)


@dataclasses.dataclass(frozen=True)
class Chains:
    """Moments by grand-canonical Monte Carlo."""

    box: Box
    shells: Shells

    def __call__(
        self, nu: Float[np.ndarray, "functions shells"], *, chains: int, sweeps: int, burn: int, seed: int
    ) -> Sample:
        one = nu[ONE, :1].reshape((1,) * len(self.box.lengths))
        gibbs = grand.Gibbs(self.box.lengths, one, nu[PAIRS], self.shells.reach)
        found = grand.sample(gibbs, self.shells.edges, chains=chains, sweeps=sweeps, burn=burn, seed=seed)
        last = np.roll(np.arange(self.shells.count + 1), -1)  # the number comes first there, last here
        error = found.number.std(ddof=1) / np.sqrt(chains)
        return Sample(
            np.append(found.pairs, found.number.mean()),
            np.append(found.pairs_error, error),
            found.covariance[np.ix_(last, last)],
        )
