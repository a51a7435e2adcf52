"""What a discovery says of itself, on made data with a known truth: bad fits, intervals."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.discover import PAPER_TIMES, data_of
from benchmarks.mechanisms import FAST_SLOW, HYDROGEN, MICHAELIS_MENTEN, TEN
from guldberg.discover import Discovered, Discovery, regression
from guldberg.discover.library import Library
from guldberg.experiments import Experiments, Run
from guldberg.learn.fit import run

Rate = Callable[[float, np.ndarray, np.ndarray], np.ndarray]  # of time, concentrations and initial amounts


def _saturation(t: float, c: np.ndarray, start: np.ndarray) -> np.ndarray:
    """S -> P by an enzyme that is nowhere written: V S / (K + S)."""
    rate = c[0] / (0.2 + c[0])
    return np.array([-rate, rate])


def _cooperation(t: float, c: np.ndarray, start: np.ndarray) -> np.ndarray:
    """S -> P at V S^4 / (K^4 + S^4), with P -> Q."""
    rate, decay = 2 * c[0] ** 4 / (0.4**4 + c[0] ** 4), 0.8 * c[1]
    return np.array([-rate, rate - decay, decay])


def _delay(t: float, c: np.ndarray, start: np.ndarray) -> np.ndarray:
    """A decays at 2; what leaves it appears as B 0.4 later, and B decays at 1."""
    arriving = 2 * start[0] * np.exp(-2 * (t - 0.4)) if t > 0.4 else 0.0
    return np.array([-2 * c[0], arriving - c[1]])


def _decays(t: float, c: np.ndarray, start: np.ndarray, k: float = 2.0) -> np.ndarray:
    """A -> B -> C."""
    return np.array([-k * c[0], k * c[0] - c[1], c[1]])


def _warming(t: float, c: np.ndarray, start: np.ndarray) -> np.ndarray:
    """A -> B -> C in a vessel that grows warmer: both constants double within the run."""
    return 2 ** (t / 2) * _decays(t, c, start)


def outside(name: str, seed: int) -> Experiments:
    """Ten experiments x 20 times, 1 % noise, from a law that no library holds."""
    rate, species = LAWS[name]
    rng, ts = np.random.default_rng(seed), np.linspace(0, 2, 20)
    tables = []
    for start in rng.uniform(0.05, 1, (10, len(species))):
        out = solve_ivp(rate, (0, 2), start, t_eval=ts, args=(start,), rtol=1e-8, atol=1e-10, max_step=0.05)
        tables.append(out.y.T + np.outer(ts / 2, DRIFT if name == "drift of a detector" else 0 * start))
    noise = 0.01 * np.ptp(np.vstack(tables), axis=0)
    tables = [table + noise * rng.standard_normal(table.shape) for table in tables]
    runs = tuple(Run(str(i + 1), ts, table, np.full(table.shape, np.nan)) for i, table in enumerate(tables))
    return Experiments(tuple(species), runs)


DRIFT = np.array([0.0, 0.2, 0.0])  # of the zero of each detector, until the end of the run
LAWS: dict[str, tuple[Rate, str]] = {
    "Michaelis-Menten rate": (_saturation, "SP"),
    "cooperative rate": (_cooperation, "SPQ"),
    "delay": (_delay, "AB"),
    "drift of a detector": (_decays, "ABC"),
    "warming": (_warming, "ABC"),
}


def misfits(seeds: int | None) -> None:
    """Data from five laws outside the library, and from ten within it: what is said not to fit (5 seeds each)."""
    for name in LAWS:
        _told(name, [outside(name, seed) for seed in range(seeds or 5)])
    for mechanism in TEN:
        times = np.linspace(0.0, mechanism.span, 20)
        how = {"runs": 10, "times": times, "noise": 0.01, "relative": True}
        _told(mechanism.name, [data_of(mechanism.network, seed, **how) for seed in range(seeds or 5)])


def _told(name: str, made: list[Experiments]) -> None:
    began = time.process_time()
    found = [_quietly(data) for data in made]
    said = sum(not f.fit.fits for f in found)
    chances = {check.name: 1.0 for f in found for check in f.fit.checks}
    for check in (check for f in found for check in f.fit.checks):
        chances[check.name] = min(chances[check.name], check.chance)
    size = [len(f.network().equations()) for f in found]
    least = ", ".join(f"{key} {p:.1e}" for key, p in chances.items())
    print(
        f"{name:24s} does not fit: {said}/{len(found)}; smallest chance: {least}; {size} reactions; "
        f"{time.process_time() - began:.0f} s CPU",
        flush=True,
    )


def _quietly(data: Experiments) -> Discovered:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(Discovery(data))


def slope_intervals(seeds: int | None) -> None:
    """95 % intervals of constants from derivatives, the paper's data: the share that holds the truth (500 seeds)."""
    for mechanism in (FAST_SLOW, MICHAELIS_MENTEN, HYDROGEN):
        network = mechanism.network
        rows = regression.slopes(data_of(network, 0, runs=100, times=PAPER_TIMES, derivatives=0.0))
        forward, reverse = network.constants()
        left, right = np.asarray(network.reactants), np.asarray(network.products)
        k, library = np.append(forward, reverse), Library(np.vstack([left, right]), np.vstack([right, left]))
        library, k = library.take(np.flatnonzero(k)), k[k > 0]
        for level in (1e-4, 1e-3, 1e-2, 1e-1):
            held = [_held(rows, library, k, level, seed) for seed in range(seeds or 500)]
            print(f"{mechanism.name}, noise {level:g}: {100 * np.mean(held):.1f} % of {np.size(held)}", flush=True)


def _held(rows: regression.Slopes, library: Library, k: np.ndarray, level: float, seed: int) -> np.ndarray:
    noise = 1 + level * np.random.default_rng([seed, int(1 / level)]).uniform(-1, 1, rows.dc.shape)
    best = regression.fit(rows._replace(dc=rows.dc * noise), library, frozenset(range(len(k))))
    return np.abs(best.k - k) < regression.half_width(best) * best.se


ALL: dict[str, Callable[[int | None], None]] = {"misfits": misfits, "slope_intervals": slope_intervals}
