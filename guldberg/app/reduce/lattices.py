"""The samplers, as the job reduce is handed them: simulations of a lattice, and Gibbs chains of energies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int8

from guldberg.reduce.coordinates import pairs_of
from guldberg.reduce.persistent import Recorded
from guldberg.reduce.plan import Lattice
from guldberg.stochastic import bitlattice, counting, gibbs, lattice, start
from guldberg.stochastic.rules import LatticeRules

SHELLS = (1, 2)  # squared distances at which pairs are counted: nearest neighbours and face diagonals


def rules(place: Lattice) -> LatticeRules:
    """InputError where the network cannot happen on a lattice."""
    return LatticeRules(place.network, hop=place.hop, periodic=place.periodic, dt=place.dt)


@dataclasses.dataclass(frozen=True)
class ChainLattices:
    """Chains of one species, drawn from (b, J, K) and simulated."""

    place: Lattice

    def __call__(
        self, starts: Float[np.ndarray, "starts 3"], *, lattices: int, steps: int, seed: int
    ) -> Float[np.ndarray, "starts times 4"]:
        """Mean counts of particles and of 2, 3 and 4 of them on neighbouring sites, at steps 0, 1, ..."""
        happen, simulated = rules(self.place), self._seed(seed, 0)
        occupancy = np.concatenate(list(self._drawn(starts, lattices, seed)))
        if bitlattice.allows(happen, 1):  # 25 times faster
            together = max(n for n in range(1, bitlattice.BITS + 1) if lattices % n == 0)
            moments = bitlattice.sample(happen, occupancy, steps, seed=simulated, together=together)
        else:
            moments = lattice.sample(happen, occupancy, steps, seed=simulated)
        return moments.chains[:, :, 0].reshape(len(starts), -1, steps + 1, counting.LENGTHS).sum(axis=1) / lattices

    def states(
        self, starts: Float[np.ndarray, "starts 3"], *, lattices: int, steps: int, seed: int
    ) -> Int8[np.ndarray, "starts times lattices sites"]:
        """The chains themselves, at steps 0, 1, ..."""
        happen, every = rules(self.place), tuple(range(steps + 1))
        return np.stack([
            lattice.sample(happen, state, steps, seed=self._seed(seed, i), snapshots=every).snapshots
            for i, state in enumerate(self._drawn(starts, lattices, seed))
        ])  # fmt: skip

    def _drawn(
        self, starts: Float[np.ndarray, "starts 3"], lattices: int, seed: int
    ) -> Iterator[Int8[np.ndarray, "lattices sites"]]:
        ask = {"sites": self.place.sites, "replicas": lattices, "periodic": self.place.periodic}
        for i, (b, J, K) in enumerate(starts.tolist()):
            yield start.chain(b, J, K, seed=self._seed(seed, 1 + len(starts) + i), **ask)

    def _seed(self, seed: int, number: int) -> int:
        return int(np.random.default_rng([seed, number]).integers(2**62))


@dataclasses.dataclass(frozen=True)
class BoxLattices:
    """Boxes of several species, from given numbers of particles at random sites."""

    place: Lattice

    def __call__(self, counts: tuple[int, ...], *, simulations: int, steps: int, seed: int) -> Recorded:
        """What the simulations are like at steps 0, 1, ..."""
        drawn, simulated = map(int, np.random.default_rng(seed).integers(2**62, size=2))
        states = start.scattered(counts, self.place.size, replicas=simulations, seed=drawn)
        seen = lattice.sample(rules(self.place), states, steps, seed=simulated, shells=SHELLS, cubes=True)
        pairs = seen.mean(seen.pairs)
        return Recorded(
            counts=seen.mean(seen.counts),
            pairs=pairs[:, 0],
            diagonals=pairs[:, 1],
            cubes=seen.cubes / simulations,
            error=np.concatenate([seen.error(seen.counts), seen.error(seen.pairs)[:, 0]], axis=1),
            extinct=(seen.counts == 0).mean(axis=0),
            simulations=simulations,
        )

    def snapshots(self, counts: tuple[int, ...], steps: tuple[int, ...], *, seed: int) -> Int8[np.ndarray, "n *box"]:
        """One simulation as it looks at some steps; 0 is an empty site."""
        states = start.scattered(counts, self.place.size, replicas=1, seed=seed)
        return lattice.sample(rules(self.place), states, max(steps), seed=seed, snapshots=steps).snapshots[:, 0]


@dataclasses.dataclass(frozen=True)
class _Chains:
    """What every energy on a box shares: its species, its size and how its chains are looked at."""

    species: tuple[str, ...]
    size: tuple[int, ...]

    def scattered(self, density: Float[np.ndarray, "species"], chains: int, *, seed: int) -> Int8[np.ndarray, "..."]:
        """Independent sites."""
        until = np.cumsum(density)
        u = np.random.default_rng(seed).random((chains, *self.size))
        return np.where(u < until[-1], 1 + np.searchsorted(until, u, side="right"), 0).astype(np.int8)

    def observe(self, state: Int8[np.ndarray, "chains *box"]) -> Recorded:
        """What the chains are like now, as one time."""
        seen = counting.measure(state, species=len(self.species), shells=SHELLS)
        pairs = seen.pairs.mean(axis=0)
        return Recorded(
            counts=seen.counts.mean(axis=0)[None],
            pairs=pairs[:1],
            diagonals=pairs[1:],
            cubes=seen.cubes.mean(axis=0)[None],
            error=np.concatenate([seen.counts, seen.pairs[:, 0]], axis=1).std(axis=0)[None] / np.sqrt(len(state)),
            extinct=(seen.counts == 0).mean(axis=0)[None],
            simulations=len(state),
        )


@dataclasses.dataclass(frozen=True)
class PairChains(_Chains):
    """p(v) ~ exp(sum_a b_a n_a + sum_ab J_ab n_ab), n_ab the neighbouring pairs: nothing hidden."""

    @property
    def names(self) -> tuple[str, ...]:
        pairs = counting.pair_names(self.species)
        return (*(f"b_{a}" for a in self.species), *(f"J_{a}{b}" for a, b in pairs))

    def sweep(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "chains *box"], sweeps: int, *, seed: int
    ) -> tuple[Int8[np.ndarray, "chains *box"], Float[np.ndarray, "chains k"]]:
        """The chains after some sweeps, and the particles and pairs in each."""
        count = len(self.species)
        J = np.zeros((count, count))
        for value, (a, b) in zip(theta[count:], pairs_of(count), strict=True):
            J[a, b] = J[b, a] = value
        state = gibbs.pair_sweeps(state, theta[:count], J, sweeps=sweeps, seed=seed)
        seen = counting.measure(state, species=count, cubes=False)
        return state, np.concatenate([seen.counts, seen.pairs[:, 0]], axis=1).astype(float)

    def awake(self, theta: Float[np.ndarray, "k"], data: Recorded, time: int) -> Float[np.ndarray, "k"]:
        """The particles and pairs of the data."""
        return np.concatenate([data.counts[time], data.pairs[time]])

    def unseen(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "*box"]
    ) -> Float[np.ndarray, "sites hidden"]:
        """Nothing is hidden."""
        return np.zeros((state.size, 0))

    def first(self, density: Float[np.ndarray, "species"]) -> Float[np.ndarray, "k"]:
        """Independent sites."""
        return np.concatenate([_log_odds(density), np.zeros(len(self.names) - len(self.species))])


@dataclasses.dataclass(frozen=True)
class HiddenChains(_Chains):
    """Ernst et al. eq. (44): a hidden unit on each block of 2 x 2 x 2 sites, of as many species as there are visible.

    theta = (b, W, b'). With `full` every hidden species sees every visible one, else each its own. What hidden units
    are given the visible ones follows from the contents of the blocks alone, so data enter as a histogram of them.
    """

    full: bool

    @property
    def names(self) -> tuple[str, ...]:
        hidden = [f"h{a}" for a in self.species]
        joined = [f"W_{a}{h}" for i, a in enumerate(self.species) for j, h in enumerate(hidden) if self.full or i == j]
        return (*(f"b_{a}" for a in self.species), *joined, *(f"b_{h}" for h in hidden))

    def sweep(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "chains *box"], sweeps: int, *, seed: int
    ) -> tuple[Int8[np.ndarray, "chains *box"], Float[np.ndarray, "chains k"]]:
        """The chains after some sweeps, and in each the particles and what its hidden units are expected to be."""
        b, W, hidden_b = self.parts(theta)
        state = gibbs.cube_sweeps(state, b, W, hidden_b, sweeps=sweeps, seed=seed)
        seen = counting.measure(state, species=len(self.species))
        return state, np.concatenate([seen.counts, seen.cubes @ self._expected(theta)], axis=1)

    def awake(self, theta: Float[np.ndarray, "k"], data: Recorded, time: int) -> Float[np.ndarray, "k"]:
        """The same of the data: the awake phase, exactly and without sampling."""
        return np.concatenate([data.counts[time], data.cubes[time] @ self._expected(theta)])

    def first(self, density: Float[np.ndarray, "species"]) -> Float[np.ndarray, "k"]:
        """Negative weights: a hidden unit says that its block lacks a species. From zero weights nothing could be
        learned (a saddle), and from positive ones species condense and the chains with them."""
        count = len(self.species)
        W, hidden_b = np.diag(np.full(count, -0.5)), np.ones(count)
        if self.full:
            W = W + 0.05 * np.cos(np.arange(count**2)).reshape(count, count)  # no symmetry to be stuck in
        odds = np.exp(hidden_b + 8 * density @ W)
        b = _log_odds(density) - 8 * W @ (odds / (1 + odds.sum()))
        return np.concatenate([b, W.ravel() if self.full else np.diag(W), hidden_b])

    def parts(self, theta: Float[np.ndarray, "k"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """b, W as a matrix of visible by hidden species, and b'."""
        count = len(self.species)
        W = theta[count:-count].reshape(count, count) if self.full else np.diag(theta[count:-count])
        return theta[:count], W, theta[-count:]

    def unseen(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "*box"]
    ) -> Float[np.ndarray, "sites hidden"]:
        """p(hidden species | block) of every block."""
        taken = np.stack([state == a + 1 for a in range(len(self.species))], axis=-1).astype(int)
        for axis in range(3):
            taken = taken + np.roll(taken, -1, axis=axis)
        return self._active(theta, taken.reshape(-1, len(self.species)))

    def _active(self, theta: Float[np.ndarray, "k"], content: np.ndarray) -> Float[np.ndarray, "blocks species"]:
        _, W, hidden_b = self.parts(theta)
        weights = np.exp(hidden_b + content @ W)
        return weights / (1 + weights.sum(axis=1, keepdims=True))

    def _expected(self, theta: Float[np.ndarray, "k"]) -> Float[np.ndarray, "classes weights+hidden"]:
        n = counting.cube_classes(len(self.species))
        p = self._active(theta, n)
        both = n[:, :, None] * p[:, None, :]
        joined = both.reshape(len(n), -1) if self.full else np.einsum("caa->ca", both)
        return np.concatenate([joined, p], axis=1)


def _log_odds(density: Float[np.ndarray, "species"]) -> Float[np.ndarray, "species"]:
    return np.log(density / (1 - density.sum()))
