"""Closures of many starts: parameters of static fits, smoothed, as targets of a learned map; and their scores."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from guldberg.reduce.persistent import Energy, Recorded, Track, resampled, smoothed, track
from guldberg.reduce.result import Row

CHAINS = 80
UNMATCHED = 25.0  # counts by which a mean may miss before a static fit counts as failed
FULLEST = 0.9  # share of the sites that the particles of a start may take


def drawn(count: int, low: int, high: int, species: int, sites: int, seed: int) -> Int[np.ndarray, "starts species"]:
    """Starts uniform in low..high particles of each species, those left out that would not fit with room to move."""
    rng, out = np.random.default_rng(seed), np.zeros((0, species), int)
    while len(out) < count:
        more = rng.integers(low, high + 1, (count, species))
        out = np.concatenate([out, more[more.sum(axis=1) <= FULLEST * sites]])
    return out[:count]


@dataclasses.dataclass(frozen=True)
class Targets:
    """Static fits of many starts at steps 1, 2, ..., ready to be learned from."""

    first: Float[np.ndarray, "starts k"]  # at step 0: independent sites
    theta: Float[np.ndarray, "starts steps k"]  # smoothed
    metric: Float[np.ndarray, "starts steps k k"]  # Fisher information of one lattice; next to none where a fit failed
    failed: Bool[np.ndarray, "starts steps"]


def targets(energy: Energy, firsts: list[Float[np.ndarray, "k"]], tracks: list[Track]) -> Targets:
    """From the static fits of each start."""
    failed = np.array([abs(t.misfit[:, : _species(energy)]).max(axis=1) > UNMATCHED for t in tracks])
    smooth = np.array([smoothed(t, bad) for t, bad in zip(tracks, failed, strict=True)])
    fisher = np.array([t.fisher for t in tracks]) + 1e-2 * np.eye(len(firsts[0]))
    return Targets(np.array(firsts), smooth, fisher * np.where(failed, 1e-5, 1.0)[:, :, None, None], failed)


def static_fit(energy: Energy, data: Recorded, theta: Float[np.ndarray, "k"], sites: int, seed: int) -> Track:
    """The fits of one start from step 1 on; at step 0 its sites are independent."""
    state = energy.scattered(np.maximum(data.counts[0], 0.5) / sites, CHAINS, seed=seed)
    return track(energy, data.at(slice(1, None)), theta, state, iterations=12, averaged=5, seed=seed)


def sampled_along(
    energy: Energy, path: Float[np.ndarray, "steps k"], density: Float[np.ndarray, "species"], seed: int
) -> Float[np.ndarray, "steps moments"]:
    """Moments of fresh chains at each of the parameters of a path."""
    state = energy.scattered(density, CHAINS, seed=seed)
    return resampled(energy, path, state, first=20, sweeps=10, looks=2, seed=seed).moments


def scored(
    name: str,
    modelled: Float[np.ndarray, "starts steps moments"],
    truth: Float[np.ndarray, "starts steps moments"],
    species: int,
    *,
    coefficients: int = 0,
    kind: str = "learned",
) -> Row:
    """Root mean square errors over starts and steps; where only means are modelled nothing is said of pairs."""
    miss = modelled - truth[..., : modelled.shape[-1]]
    rms = np.sqrt((miss**2).mean(axis=(0, 1)))
    per_start = np.sqrt((miss[..., :species] ** 2).mean(axis=(1, 2)))
    pairs = rms[species:] if len(rms) > species else None
    return Row(name, rms[:species], pairs, float(np.median(per_start)), float(per_start.max()), coefficients, kind)


def _species(energy: Energy) -> int:
    return sum(name.startswith("b_") and not name.startswith("b_h") for name in energy.names)
