"""Static fits of energies that can only be sampled: natural-gradient ascent of the likelihood, by persistent chains.

At each time the energy's parameters are moved until the chains' statistics equal those of the data; the covariance of
the statistics over the chains is the Fisher matrix, so a step is Newton's. The chains and the parameters go on to the
next time as they are.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

SWEEPS = 4  # of all chains before each look at them
MEMORY = 0.6  # of the Fisher matrix from one iteration to the next: that of few chains is noisy
DAMPING = 0.05  # of its diagonal
CAP = 0.3  # on the change of any parameter in an iteration
SMOOTH = 2e3  # of the second differences of the parameters in time, against their Fisher information
JUMP = 2  # steps in which the parameters jump away from independent sites: not smoothed over
DATA_RIDGE = 0.05  # toward the parameters of the time before, against directions that the data hardly see


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What simulations of one start were like at each step: means over all of them, counts on the whole box."""

    counts: Float[np.ndarray, "times species"]
    pairs: Float[np.ndarray, "times pairs"]  # nearest neighbours, AA, BB, CC, AB, AC, BC
    diagonals: Float[np.ndarray, "times pairs"]  # face diagonals
    cubes: Float[np.ndarray, "times classes"]  # 2 x 2 x 2 blocks by content, in the order of the energies' own
    error: Float[np.ndarray, "times moments"]  # standard errors of counts and pairs
    extinct: Float[np.ndarray, "times species"]  # share of the simulations in which a species is gone
    simulations: int

    @property
    def moments(self) -> Float[np.ndarray, "times moments"]:
        """Counts, then pairs."""
        return np.concatenate([self.counts, self.pairs], axis=1)

    def at(self, times: slice | Int[np.ndarray, "_"]) -> Recorded:
        """The same at some of the steps."""
        arrays = {k: v[times] for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return dataclasses.replace(self, **arrays)


class Energy(Protocol):
    """A Boltzmann distribution on a box that is sampled; the implementation is handed in."""

    names: tuple[str, ...]

    def first(self, density: Float[np.ndarray, "species"]) -> Float[np.ndarray, "k"]:
        """Parameters of sites that are nearly independent, with these shares of each species."""
        ...

    def scattered(self, density: Float[np.ndarray, "species"], chains: int, *, seed: int) -> Int8[np.ndarray, "..."]:
        """States of independent sites with these shares of each species."""
        ...

    def sweep(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "chains *box"], sweeps: int, *, seed: int
    ) -> tuple[Int8[np.ndarray, "chains *box"], Float[np.ndarray, "chains k"]]:
        """The chains after some sweeps, and the statistics that `theta` multiplies in each."""
        ...

    def awake(self, theta: Float[np.ndarray, "k"], data: Recorded, time: int) -> Float[np.ndarray, "k"]:
        """The mean of these statistics over the data, hidden units given the visible ones."""
        ...

    def unseen(
        self, theta: Float[np.ndarray, "k"], state: Int8[np.ndarray, "*box"]
    ) -> Float[np.ndarray, "sites hidden"]:
        """How active the hidden units of one state are; no columns where nothing is hidden."""
        ...

    def observe(self, state: Int8[np.ndarray, "chains *box"]) -> Recorded:
        """What the chains are like now, as one time."""
        ...


@dataclasses.dataclass(frozen=True)
class Track:
    """Parameters over time, with what is known of their fit."""

    theta: Float[np.ndarray, "times k"]
    misfit: Float[np.ndarray, "times k"]  # statistics of the data less those of the chains
    fisher: Float[np.ndarray, "times k k"]
    state: Int8[np.ndarray, "chains *box"]  # the chains at the last time


def track(
    energy: Energy,
    data: Recorded,
    theta: Float[np.ndarray, "k"],
    state: Int8[np.ndarray, "chains *box"],
    *,
    iterations: int,
    averaged: int,
    seed: int,
    ridge: float = DATA_RIDGE,
) -> Track:
    """Fit each time of `data` in turn, from the parameters and chains of the one before.

    The last `averaged` of the iterations take half steps and their mean is the fit: it is less noisy than any of them.
    """
    rng = np.random.default_rng(seed)
    fisher: np.ndarray | None = None
    out: list[tuple[np.ndarray, ...]] = []
    for time in range(len(data.counts)):
        anchor, visited, missed = theta, [], []
        for iteration in range(iterations):
            state, sums = energy.sweep(theta, state, SWEEPS, seed=int(rng.integers(2**62)))
            now = np.cov(sums.T)
            fisher = now if fisher is None else MEMORY * fisher + (1 - MEMORY) * now
            miss = energy.awake(theta, data, time) - sums.mean(axis=0)
            settling = iteration >= iterations - averaged
            if settling:
                visited.append(theta)
                missed.append(miss)
            theta = theta + (0.5 if settling else 1.0) * _newton(miss, fisher, anchor - theta, ridge)
        theta = np.mean(visited, axis=0)
        out.append((theta, np.mean(missed, axis=0), np.asarray(fisher)))
    thetas, misfits, fishers = (np.array(column) for column in zip(*out, strict=True))
    return Track(thetas, misfits, fishers, state)


def _newton(
    miss: Float[np.ndarray, "k"], fisher: Float[np.ndarray, "k k"], back: Float[np.ndarray, "k"], ridge: float
) -> Float[np.ndarray, "k"]:
    metric = fisher + np.diag(DAMPING * np.diag(fisher) + ridge)
    change = np.linalg.solve(metric, miss + ridge * back)
    return change * min(1.0, CAP / np.abs(change).max())


def smoothed(
    fit: Track, failed: Bool[np.ndarray, "steps"], *, strength: float = SMOOTH
) -> Float[np.ndarray, "steps k"]:
    """argmin sum_t |theta_t - fit_t|^2_Fisher + strength |second differences|^2."""
    steps, k = fit.theta.shape
    samples = 4 * len(fit.state)  # of which a fit is the mean, nearly
    weight = samples * fit.fisher * np.where(failed, 1e-6, 1.0)[:, None, None] + 0.5 * np.eye(k)
    second = np.diff(np.eye(steps), 2, axis=0)
    gentle = np.where(np.arange(steps - 2) < JUMP, 0.05, 1.0)
    system = strength * np.kron((second.T * gentle) @ second, np.eye(k))
    for t in range(steps):
        system[t * k : t * k + k, t * k : t * k + k] += weight[t]
    right = np.einsum("tkl,tl->tk", weight, fit.theta).ravel()
    return np.linalg.solve(system, right).reshape(steps, k)


def resampled(
    energy: Energy,
    theta: Float[np.ndarray, "times k"],
    state: Int8[np.ndarray, "chains *box"],
    *,
    first: int = 40,
    sweeps: int = 20,
    looks: int = 4,
    seed: int,
) -> Recorded:
    """What fresh chains are like at each time: `first` sweeps from `state`, then `sweeps` from time to time."""
    rng, seen = np.random.default_rng(seed), []
    for time, at in enumerate(theta):
        now = []
        for look in range(looks):
            many = (first if time == 0 else sweeps) if look == 0 else SWEEPS
            state, _ = energy.sweep(at, state, many, seed=int(rng.integers(2**62)))
            now.append(energy.observe(state))
        seen.append(_together(now, np.mean, len(state) * looks))
    return _together(seen, np.concatenate, len(state) * looks)


def _together(parts: list[Recorded], how, simulations: int) -> Recorded:
    """The looks at one time averaged, or the times one after another."""
    names = [k for k, v in vars(parts[0]).items() if isinstance(v, np.ndarray)]
    return Recorded(**{k: how([getattr(p, k) for p in parts], axis=0) for k in names}, simulations=simulations)


def phases(
    energy: Energy,
    theta: Float[np.ndarray, "k"],
    starts: list[Int8[np.ndarray, "chains *box"]],
    *,
    sweeps: int = 400,
    looks: int = 4,
    seed: int,
) -> tuple[Float[np.ndarray, "starts species"], Float[np.ndarray, "starts species"]]:
    """The mean counts that chains from opposite states reach, and their standard errors. Where they differ the
    distribution has two phases, and moments that were matched from one of them prove nothing."""
    seen = [
        resampled(energy, theta[None], state, first=sweeps, looks=looks, seed=seed + number)
        for number, state in enumerate(starts)
    ]
    species = seen[0].counts.shape[1]
    return np.array([one.counts[0] for one in seen]), np.array([one.error[0, :species] for one in seen])
