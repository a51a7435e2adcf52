"""One start, followed: what each energy can represent at each time, and F along the one trajectory it has.

Two things are kept apart here. The static floor is the best fit of an energy at each time by itself. The roll-out
follows d theta / dt = F(b) from the first of these fits, and its chains are sampled anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int8

from guldberg.reduce import tube
from guldberg.reduce.persistent import Energy, Recorded, Track, phases, resampled, smoothed, track
from guldberg.reduce.plan import BoxPlan
from guldberg.reduce.result import Errors, PhaseTest, Row

CHAINS = 200
GENTLE = 200.0  # of the smoothing: with so many chains the fits are less noisy than those of many starts
SHAPED = 10  # the step at which hidden weights are found: at first the sites are independent and say nothing of them
HORIZONS = (30, 60, 100)
SNAPSHOTS = (0, 20, 40, 60, 80, 100)
OPPOSED = 48  # chains from each of the states of a test of phases
OPPOSITE = 0.8  # share of the sites that one species takes, for a test of phases
CROWDED = 0.5  # standard deviation of a count over simulations, as a share of its mean, that is no longer one phase


@dataclasses.dataclass(frozen=True)
class Followed:
    """Fresh chains along the static fits and along the roll-out of F."""

    fitted: Recorded
    rolled: Recorded
    path: Float[np.ndarray, "times k"]  # of the roll-out
    left: int | None  # the step in which it left the cells that F was learned on
    cells: int
    coefficients: int
    slopes: Float[np.ndarray, "times k"]  # F along the path
    example: Int8[np.ndarray, "*box"]  # one state drawn at `SNAPSHOTS[1]`
    active: Float[np.ndarray, "sites hidden"]  # its hidden units


def fit(energy: Energy, data: Recorded, sites: int, seed: int) -> Track:
    """Static fits at every step. Hidden weights are found where there are correlations, and taken back to the start."""
    density = data.counts[0] / sites
    theta, state = energy.first(density), energy.scattered(density, CHAINS, seed=seed)
    if any(name.startswith("W_") for name in energy.names):
        shaped = min(SHAPED, len(data.counts) - 1)
        there = track(energy, data.at(np.full(30, shaped)), theta, state, iterations=3, averaged=1, seed=seed + 1)
        back = data.at(np.arange(shaped, -1, -1))
        first = track(energy, back, there.theta[-1], there.state, iterations=8, averaged=3, seed=seed + 2)
        theta, state = first.theta[-1], first.state
    return track(energy, data, theta, state, iterations=16, averaged=8, seed=seed + 3)


def follow(energy: Energy, fits: Track, density: Float[np.ndarray, "species"], seed: int) -> Followed:
    """Learn F of the biases along the static fits, roll it out and sample both paths with fresh chains."""
    smooth = smoothed(fits, np.zeros(len(fits.theta), bool), strength=GENTLE)
    around = tube.along(smooth, arguments=len(density))
    path, left = around.follow(smooth[0], len(smooth) - 1)
    fitted = resampled(energy, fits.theta, energy.scattered(density, CHAINS, seed=seed), seed=seed)
    rolled = resampled(energy, path, energy.scattered(density, CHAINS, seed=seed + 1), seed=seed + 1)
    shown = min(SNAPSHOTS[1], len(path) - 1)
    example, _ = energy.sweep(path[shown], energy.scattered(density, 1, seed=seed + 2), 200, seed=seed + 2)
    return Followed(
        fitted,
        rolled,
        path,
        left,
        around.cells,
        around.coefficients.size,
        np.gradient(path, axis=0),
        example[0],
        energy.unseen(path[shown], example[0]),
    )


def phase_tests(
    name: str, energy: Energy, fits: Track, data: Recorded, steps: Sequence[int], seed: int
) -> list[PhaseTest]:
    """From states that are nearly full of one species, and from one with the densities of the data."""
    sites = int(np.prod(fits.state.shape[1:]))
    species = data.counts.shape[1]
    tests = []
    for step in steps:
        rest = (0.9 - OPPOSITE) / max(species - 1, 1)
        full = [np.where(np.arange(species) == a, OPPOSITE, rest) for a in range(species)]
        begin = [energy.scattered(p, OPPOSED, seed=seed + step) for p in (*full, data.counts[step] / sites)]
        counts, error = phases(energy, fits.theta[step], begin, seed=seed + step)
        tests.append(PhaseTest(name, step, data.counts[step], counts, error))
    return tests


def rows(names: Sequence[str], truth: Recorded, followed: Sequence[Followed]) -> tuple[Row, ...]:
    """For each horizon and energy: static fits sampled anew, and the roll-out. A path that ended is not scored."""
    out = []
    for horizon in (h for h in HORIZONS if h < len(truth.counts)):
        for name, one in zip(names, followed, strict=False):
            for kind, seen in (("floor", one.fitted), ("learned", one.rolled)):
                if len(seen.counts) > horizon:
                    out.append(_row(f"{name}, steps 0 to {horizon}", seen, truth, horizon, kind))
        error = truth.error[: horizon + 1]
        species = truth.counts.shape[1]
        rms = np.sqrt((error**2).mean(axis=0))
        out.append(Row(f"noise, steps 0 to {horizon}", rms[:species], rms[species:], kind="noise"))
    return tuple(out)


def _row(name: str, seen: Recorded, truth: Recorded, horizon: int, kind: str) -> Row:
    many = slice(0, horizon + 1)
    rms = np.sqrt(((seen.moments - truth.moments[: len(seen.moments)])[many] ** 2).mean(axis=0))
    species = truth.counts.shape[1]
    return Row(name, rms[:species], rms[species:], kind=kind)


def errors(truth: Recorded, followed: Followed, sites: int) -> Errors:
    """Of one start, at each step that the roll-out reached."""
    species, times = truth.counts.shape[1], len(followed.rolled.counts)
    target = truth.moments[:times]
    ways = {
        "learned": followed.rolled.moments,
        "static_floor": followed.fitted.moments[:times],
        "noise": target + truth.error[:times],
    }
    return {who: by_order((way - target)[None], species, sites) for who, way in ways.items()}


def by_order(
    miss: Float[np.ndarray, "starts times moments"], species: int, sites: int
) -> Float[np.ndarray, "orders times"]:
    """Root mean square over starts and species, and over starts and pairs; counts per 1000 sites."""
    parts = [miss[..., :species], miss[..., species:]]
    return np.array([np.sqrt((p**2).mean(axis=(0, 2))) for p in parts if p.shape[-1]]) * 1000 / sites


def warnings(
    plan: BoxPlan, data: Sequence[Recorded], followed: Sequence[Followed], names: Sequence[str],
    tests: Sequence[PhaseTest],
) -> list[str]:  # fmt: skip
    """What a reader must know before the figures."""
    said = []
    if not plan.lattice.periodic:
        said.append("The simulations have open sides, the energies periodic ones: they differ at the walls by design.")
    spread = data[1].error[:, : len(plan.counts)] * np.sqrt(data[1].simulations) / np.maximum(data[1].counts, 1.0)
    mixed = np.flatnonzero((spread > CROWDED).any(axis=1))
    if mixed.size:
        said.append(
            f"From step {mixed[0]} on the simulations of one start are spread over different phases of the cycle "
            f"(standard deviation above {CROWDED:.0%} of a mean): an energy can then match their means, and no lattice "
            f"of theirs looks like it."
        )
    if len(data) > 2 and data[2].extinct[-1].max() > 0.01:
        gone = ", ".join(
            f"{name} in {share:.0%}"
            for name, share in zip(plan.lattice.network.species, data[2].extinct[-1], strict=True)
        )
        said.append(
            f"By step {plan.long_steps} species have died out ({gone} of the simulations): "
            f"the relaxation of the means is in part extinction."
        )
    for name in dict.fromkeys(test.name for test in tests if not test.one_phase):
        steps = ", ".join(str(test.step) for test in tests if test.name == name and not test.one_phase)
        said.append(
            f"{name}: at steps {steps} chains from opposite states end in different phases; "
            f"its figures there hold for the phase near the data only."
        )
    for name, one in zip(names, followed, strict=False):
        if one.left is not None:
            said.append(f"{name}: the roll-out left the cells it was learned on in step {one.left} and stops there.")
    return said
