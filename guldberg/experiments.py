"""Measured runs: what was measured when, how well, and under which conditions. Arrays only, no file formats.

One table per run, rows are times, columns are species; NaN means not measured. The first row of a run is its initial
state: a value there with a standard deviation of 0 is exact, one with another (or none) is a noisy measurement, and a
species without a value there starts at an unknown amount, which a fit determines.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

Table = Float[np.ndarray, "times species"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One experiment: concentrations `values` of every species at `times`, with what is known beside them."""

    name: str
    times: Float[np.ndarray, "times"]  # strictly increasing; the first is the start of the run
    values: Table  # NaN: not measured
    sd: Table  # standard deviation of each value; NaN: not given; 0: exact (first row only)
    derivatives: Table | None = None  # measured dc/dt; NaN: not measured
    temperature: float | None = None  # kelvin
    scale: str | None = None  # name of an unknown factor on all rates of this run; None: the factor is 1
    flow: float = 0.0  # of a stirred reactor, per time: what is there leaves, `feed` comes in; 0: a closed vessel
    feed: Float[np.ndarray, "species"] | None = None  # concentrations in the inflow; None: none

    def __post_init__(self) -> None:
        where = f"experiment {self.name!r}"
        if self.times.ndim != 1 or len(self.times) == 0 or not np.isfinite(self.times).all():
            raise ValueError(f"{where}: expected at least one finite time")
        if (np.diff(self.times) <= 0).any():
            raise ValueError(f"{where}: times must increase strictly")
        for name, table in (("values", self.values), ("sd", self.sd), ("derivatives", self.derivatives)):
            if table is not None and (table.ndim != 2 or len(table) != len(self.times)):
                raise ValueError(f"{where}: {name} has shape {table.shape}, expected ({len(self.times)}, species)")
            if table is not None and np.isinf(table).any():
                raise ValueError(f"{where}: {name} must be finite, or NaN where not measured")
        if (self.sd < 0).any() or (self.sd[1:] == 0).any():
            raise ValueError(f"{where}: a standard deviation must be positive (0, exact, only in the first row)")
        if not 0 <= self.flow < np.inf or not np.isfinite(self.inflow).all() or (self.inflow < 0).any():
            raise ValueError(f"{where}: flow and feed must be finite and not negative")

    @property
    def exact(self) -> np.ndarray:
        """Which initial amounts are known exactly, shape (species,)."""
        return np.isfinite(self.values[0]) & (self.sd[0] == 0)

    @property
    def inflow(self) -> Float[np.ndarray, "species"]:
        """flow feed: what comes in, concentration per time."""
        return np.zeros(self.values.shape[1]) if self.feed is None else self.flow * self.feed

    def washed(self) -> tuple[Table, Float[np.ndarray, "times"]]:
        """c - feed (1 - e^-ft) and e^-ft: without reactions, the one is c(0) times the other."""
        left = np.exp(-self.flow * (self.times - self.times[0]))
        feed = np.zeros(self.values.shape[1]) if self.feed is None else self.feed
        return self.values - feed * (1 - left)[:, None], left


@dataclasses.dataclass(frozen=True)
class Experiments:
    """Runs over the same species, with the units of the table they came from (text, carried and never guessed)."""

    species: tuple[str, ...]
    runs: tuple[Run, ...]
    time_unit: str = ""
    units: tuple[str, ...] = ()  # one per species; empty: none was given
    notes: tuple[str, ...] = ()  # what a reader changed or doubted on the way here, in words

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("expected at least one experiment, got none")
        for what, names in (("species", self.species), ("experiment", tuple(run.name for run in self.runs))):
            twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
            if twice:
                raise ValueError(f"{what} names must differ, got {', '.join(twice)} more than once")
        if self.units and len(self.units) != len(self.species):
            raise ValueError(f"{len(self.units)} units for {len(self.species)} species")
        for run in self.runs:
            if run.values.shape[1] != len(self.species) or run.sd.shape != run.values.shape:
                raise ValueError(f"experiment {run.name!r}: tables do not have {len(self.species)} columns")

    @property
    def measured(self) -> np.ndarray:
        """How often each species was measured (exact initial amounts not counted), shape (runs, species)."""
        return np.array([(np.isfinite(run.values) & (run.sd != 0)).sum(axis=0) for run in self.runs])

    @property
    def points(self) -> int:
        """The number of measured concentrations, exact initial amounts not counted."""
        return int(self.measured.sum())

    @property
    def still(self) -> tuple[int, ...]:
        """Species that were measured and change in no run by more than rounding."""
        return tuple(s for s in range(len(self.species)) if _is_still([run.values[:, s] for run in self.runs]))

    @property
    def has_derivatives(self) -> bool:
        """Whether every run brings measured derivatives."""
        return all(run.derivatives is not None and np.isfinite(run.derivatives).any() for run in self.runs)

    def with_initial(self, amounts: Mapping[str, float]) -> Experiments:
        """The same runs with exact initial `amounts` wherever the table leaves a species' first row empty."""
        unknown = sorted(set(amounts) - set(self.species))
        if unknown:
            raise ValueError(f"unknown species {', '.join(unknown)}; the data have {', '.join(self.species)}")
        return dataclasses.replace(self, runs=tuple(_settled(run, self.species, amounts) for run in self.runs))

    def with_species(self, names: tuple[str, ...]) -> Experiments:
        """The same runs with further species that exist but were not measured."""
        known = sorted(set(names) & set(self.species))
        if known:
            raise ValueError(f"{', '.join(known)}: in the table already, so not unmeasured")
        units = self.units + (self.units[0],) * len(names) if self.units else ()
        runs = tuple(_widened(run, len(names)) for run in self.runs)
        return dataclasses.replace(self, species=self.species + tuple(names), runs=runs, units=units)

    def without(self, names: tuple[str, ...]) -> Experiments:
        """The same runs without the columns `names`."""
        keep = [i for i, name in enumerate(self.species) if name not in names]
        units = tuple(self.units[i] for i in keep) if self.units else ()
        runs = tuple(_narrowed(run, keep) for run in self.runs)
        return dataclasses.replace(self, species=tuple(self.species[i] for i in keep), runs=runs, units=units)

    def unmeasured(self, columns: tuple[int, ...]) -> Experiments:
        """The same runs as if the species in `columns` had not been measured; exact initial amounts stay."""
        return dataclasses.replace(self, runs=tuple(_emptied(run, list(columns)) for run in self.runs))

    def settled(self, columns: tuple[int, ...]) -> Experiments:
        """The same runs as if the species in `columns` had been set to what was measured first, and no more."""
        return dataclasses.replace(self, runs=tuple(_exact_from_the_start(run, columns) for run in self.runs))

    def with_scale(self, runs: tuple[str, ...]) -> Experiments:
        """The same runs, those named sharing one more unknown factor on all their rates."""
        missing = sorted(set(runs) - {run.name for run in self.runs})
        if missing:
            names = ", ".join(run.name for run in self.runs)
            raise ValueError(f"no experiment named {', '.join(missing)}; the data have {names}")
        label = ",".join(runs)
        changed = tuple(dataclasses.replace(r, scale=label) if r.name in runs else r for r in self.runs)
        return dataclasses.replace(self, runs=changed)


def _is_still(series: list[np.ndarray]) -> bool:
    repeated = [seen for values in series if len(seen := values[np.isfinite(values)]) > 1]
    return bool(repeated) and all(np.ptp(seen) <= 1e-12 * np.abs(seen).max() for seen in repeated)


def _settled(run: Run, species: tuple[str, ...], amounts: Mapping[str, float]) -> Run:
    values, sd = run.values.copy(), run.sd.copy()
    for name, amount in amounts.items():
        column = species.index(name)
        if np.isnan(values[0, column]):
            values[0, column], sd[0, column] = amount, 0.0
    return dataclasses.replace(run, values=values, sd=sd)


def _widened(run: Run, extra: int) -> Run:
    def wider(table: Table) -> Table:
        return np.hstack([table, np.full((len(table), extra), np.nan)])

    derivatives = None if run.derivatives is None else wider(run.derivatives)
    feed = None if run.feed is None else np.append(run.feed, np.zeros(extra))
    return dataclasses.replace(run, values=wider(run.values), sd=wider(run.sd), derivatives=derivatives, feed=feed)


def _narrowed(run: Run, keep: list[int]) -> Run:
    derivatives = None if run.derivatives is None else run.derivatives[:, keep]
    feed = None if run.feed is None else run.feed[keep]
    return dataclasses.replace(run, values=run.values[:, keep], sd=run.sd[:, keep], derivatives=derivatives, feed=feed)


def _emptied(run: Run, columns: list[int]) -> Run:
    values, sd, exact = run.values.copy(), run.sd.copy(), run.exact
    values[1:, columns], sd[1:, columns] = np.nan, np.nan
    noisy = [c for c in columns if not exact[c]]
    values[0, noisy], sd[0, noisy] = np.nan, np.nan
    return dataclasses.replace(run, values=values, sd=sd)


def _exact_from_the_start(run: Run, columns: tuple[int, ...]) -> Run:
    values, sd = run.values.copy(), run.sd.copy()
    for c in columns:
        seen = run.values[np.isfinite(run.values[:, c]), c]
        values[:, c], sd[:, c] = np.nan, np.nan
        if len(seen):
            values[0, c], sd[0, c] = seen[0], 0.0
    return dataclasses.replace(run, values=values, sd=sd)
