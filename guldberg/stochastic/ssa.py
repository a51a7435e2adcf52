"""A well-mixed vessel, molecule by molecule: Gillespie's direct method, compiled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64, Integer

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.stochastic.events import Event, events
from guldberg.stochastic.words import GOLDEN, jit, mix, spread, streams, unit

if TYPE_CHECKING:
    import xarray

PIECES = 256  # runs differ in length; between pieces an interruption is heard
SLICE = 5_000_000  # reactions, about half a second, between which one is heard as well
ORDER = 3  # three molecules meet; four do not
LARGEST = 2**53  # up to here a number of molecules is exact as a float


@dataclasses.dataclass(frozen=True)
class Counts:
    """Molecules of each species in each run. Of a run that stopped at the limit of its events only the first
    `reached` times are known; the others hold -1."""

    times: Float[np.ndarray, "times"]
    counts: Int64[np.ndarray, "runs times species"]
    species: tuple[str, ...]
    volume: float
    reached: Int64[np.ndarray, "runs"]

    @property
    def stopped(self) -> int:
        """How many runs did not reach the last time."""
        return int((self.reached < len(self.times)).sum())

    def mean(self) -> Float[np.ndarray, "times species"]:
        """Of the number of molecules, over runs; NaN where not every run came: those that did would not be fair."""
        return self._where_all_came(self.counts.mean(axis=0))

    def variance(self) -> Float[np.ndarray, "times species"]:
        """Of the number of molecules among runs, without bias; NaN for a single run."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._where_all_came(self.counts.var(axis=0) * len(self.counts) / (np.float64(len(self.counts)) - 1))

    def histogram(self, species: str, row: int = -1) -> Float[np.ndarray, "counts"]:
        """The share of runs that have 0, 1, 2, ... molecules of a species at `times[row]`, of the runs that came."""
        seen = self.counts[:, row, self.species.index(species)]
        return np.bincount(seen[seen >= 0]) / max(1, (seen >= 0).sum())

    def to_dataset(self) -> xarray.Dataset:
        """`count` over (run, time, species), -1 where a run did not come; `mean` and `variance` over (time,
        species)."""
        import xarray

        moments = {"mean": self.mean(), "variance": self.variance()}
        return xarray.Dataset(
            {"count": (("run", "time", "species"), self.counts), "reached": ("run", self.reached)}
            | {name: (("time", "species"), values) for name, values in moments.items()},
            coords={"time": self.times, "species": list(self.species), "run": np.arange(len(self.counts))},
            attrs={"volume": self.volume},
        )

    def _where_all_came(self, moment: Float[np.ndarray, "times species"]) -> Float[np.ndarray, "times species"]:
        return np.where(np.arange(len(self.times))[:, None] < self.reached.min(), moment, np.nan)


def sample(
    network: ReactionNetwork,
    counts: Integer[np.ndarray, "runs species"],
    times: Float[np.ndarray, "times"],
    *,
    volume: float,
    seed: int,
    temperature: float | None = None,
    most_events: int = 10**9,
    threads: int | None = None,
    on_time: Callable[[float], None] = lambda t: None,
) -> Counts:
    """Let each run go from its `counts` at times[0] by its reactions, each with the propensity k V^(1-|nu|) prod
    n! / (n - nu)!: exact draws of the master equation (Gillespie, J. Phys. Chem. 81 (1977) 2340).

    `volume` is molecules per concentration. A run depends on `seed` and its number alone, whatever the number of
    threads; after `most_events` reactions it stops. `on_time` hears now and then how far a run is. InputError for
    reactions of more than three molecules, counts that are negative or not whole, times that do not rise.
    """
    if not 0 < volume < np.inf:
        raise InputError(f"a volume of {volume}; expected a positive one")
    counts, times = _counts(counts, len(network.species)), _times(times)
    runs, tables = len(counts), _tables(events(network, temperature), len(network.species), volume)
    keys, out = streams(seed, runs), np.full((runs, len(times), counts.shape[1]), -1, np.int64)
    reached = np.zeros(runs, np.int64)

    def chunk(first: int, last: int) -> None:
        for r in range(first, last):
            n, counter, t, row, left = np.append(counts[r], 1.0), keys[r], times[0], 0, most_events
            while True:
                counter, t, row, happened = _run(np.uint64(counter), n, t, row, times, tables, min(SLICE, left), out[r])
                left -= happened
                if row == len(times) or not left:
                    break
                on_time(t)
            reached[r] = row

    spread(chunk, runs, threads, pieces=PIECES)
    return Counts(times, out, network.species, float(volume), reached)


class Tables(NamedTuple):
    """Directed reactions for compiled code. A propensity is c prod_i (n[slot_i] - offset_i), n being followed by a 1
    for the slots of reactions of fewer than three molecules."""

    c: Float[np.ndarray, "events"]
    slots: Int[np.ndarray, "events order"]
    offsets: Float[np.ndarray, "events order"]
    changed: Int[np.ndarray, "events width"]  # species, each by ...
    by: Float[np.ndarray, "events width"]
    affected: Int[np.ndarray, "events listed"]  # whose propensity changes ...
    listed: Int[np.ndarray, "events"]  # ... how many of these


def _tables(happening: list[Event], species: int, volume: float) -> Tables:
    for event in happening:
        if len(event.reactants) > ORDER:
            raise InputError(f"{event.text}: {len(event.reactants)} molecules react; expected at most {ORDER}")
    met = [(species,) * (ORDER - len(event.reactants)) + event.reactants for event in happening]
    before = [[row[:i].count(s) if s < species else 0 for i, s in enumerate(row)] for row in met]
    changes = [_change(event) for event in happening]
    affected = [[j for j, event in enumerate(happening) if change.keys() & {*event.reactants}] for change in changes]
    return Tables(
        np.array([event.k * volume ** (1 - len(event.reactants)) for event in happening], float),
        np.array(met, np.int64).reshape(-1, ORDER),
        np.array(before, float).reshape(-1, ORDER),
        _rectangle([list(change) for change in changes], np.int64),
        _rectangle([list(change.values()) for change in changes], np.float64),
        _rectangle(affected, np.int64),
        np.array([len(row) for row in affected], np.int64),
    )


def _change(event: Event) -> dict[int, int]:
    """The net change of each species that changes."""
    net = {s: event.products.count(s) - event.reactants.count(s) for s in {*event.reactants, *event.products}}
    return {s: n for s, n in net.items() if n}


def _rectangle(rows: list[list[int]], dtype: type[np.generic]) -> np.ndarray:
    """Rows of different lengths, filled up with zeros."""
    out = np.zeros((len(rows), max([1, *map(len, rows)])), dtype)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _counts(counts: np.ndarray, species: int) -> Int64[np.ndarray, "runs species"]:
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != species or len(counts) == 0:
        raise InputError(f"counts of shape {counts.shape}; expected (runs, {species}): a row for each run")
    if (counts != np.round(counts)).any() or (counts < 0).any() or (counts > LARGEST).any():
        raise InputError("numbers of molecules must be whole, not negative and at most 2^53")
    return counts.astype(np.int64)


def _times(times: np.ndarray) -> Float[np.ndarray, "times"]:
    times = np.ascontiguousarray(times, float)
    if times.ndim != 1 or len(times) < 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("expected one or more times that are finite and rise, the first being the start")
    return times


@jit
def _run(counter, n, t, row, times, tables: Tables, most, out):
    """At most so many reactions of one run; the counter and the time to go on from, the times written, the reactions
    that happened. `n` goes with them. A waiting time that is drawn and not used is drawn again, the same, next time."""
    species, a = n.size - 1, np.empty(tables.c.size)
    for r in range(a.size):
        a[r] = _propensity(tables, n, r)
    sums, happened = np.empty(a.size), 0
    while True:
        total = 0.0
        for r in range(a.size):
            total += a[r]
            sums[r] = total  # anew each time: differences would gather rounding errors where propensities fall
        drawn, later = counter, np.inf
        if total > 0.0:
            drawn = counter + GOLDEN
            later = t - np.log(unit(mix(drawn))) / total
        while times[row] < later:
            for s in range(species):
                out[row, s] = np.int64(n[s])
            row += 1
            if row == times.size:
                return drawn, later, row, happened
        if happened == most:
            return counter, t, row, happened
        happened += 1
        counter, t = drawn + GOLDEN, later
        level = unit(mix(counter)) * total
        r = 0
        while sums[r] < level:  # level > 0, and the last sum is the total: r has a propensity that is positive
            r += 1
        for i in range(tables.changed.shape[1]):
            n[tables.changed[r, i]] += tables.by[r, i]
        for i in range(tables.listed[r]):
            a[tables.affected[r, i]] = _propensity(tables, n, tables.affected[r, i])


@jit
def _propensity(tables, n, r):
    return (
        tables.c[r]
        * (n[tables.slots[r, 0]] - tables.offsets[r, 0])
        * (n[tables.slots[r, 1]] - tables.offsets[r, 1])
        * (n[tables.slots[r, 2]] - tables.offsets[r, 2])
    )
