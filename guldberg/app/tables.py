"""Tables of measurements: CSV in, `Experiments` out, and back to the same bits.

Wide (`time, A, B, ...`) and long (`time, species, value`) tables both become rows of (run, time, one value per
species); rows of one run at one time are then merged: a long table has one per species, and replicates are averaged.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from guldberg.app.sheet import Sheet, read_sheet
from guldberg.app.units import same
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run
from guldberg.network import NAME

REPLICATES = 4  # degrees of freedom from which on the scatter of replicates is a usable standard deviation


def read_experiments(paths: Sequence[str | Path]) -> Experiments:
    """The runs of one table or of several, species in order of first appearance.

    Without an `experiment` column one file is one run, named by its file. Rows of one run are sorted by time, and those
    at equal times averaged; what was changed on the way is told in `.notes`. Raises InputError with file, line and
    column where a table cannot be read or says two things.
    """
    if not paths:
        raise InputError("expected at least one table to read")
    tables = [read_sheet(Path(path)) for path in paths]
    _check_agreement(tables)
    labels = _run_names(tables)
    species = tuple(dict.fromkeys(name for table in tables for name in table.species))
    replicate_sd, notes = _replicate_sd(tables, species)
    runs = [
        _run(table, old, new, species, replicate_sd)
        for table, names in zip(tables, labels, strict=True)
        for old, new in enumerate(names)
    ]
    units = {name: table.units[name] for table in reversed(tables) for name in table.species}
    notes += _renamed(tables, labels) + _single_times(runs)
    return Experiments(
        species,
        tuple(runs),
        tables[0].time_unit,
        tuple(units[name] for name in species) if any(units.values()) else (),
        notes,
    )


def write_experiments(data: Experiments, path: str | Path) -> None:
    """A wide table that `read_experiments` reads back to the same numbers; factors on the rates are not written."""
    units = data.units or ("",) * len(data.species)
    with_sd = np.any([np.isfinite(run.sd).any(axis=0) for run in data.runs], axis=0)
    slopes = any(run.derivatives is not None for run in data.runs)
    warm, flows = any(run.temperature is not None for run in data.runs), any(run.flow for run in data.runs)
    header = ["experiment", *(["temperature [K]"] if warm else []), _labelled("time", data.time_unit)]
    names = [name if NAME.fullmatch(name) else f"[{name}]" for name in data.species]
    header += [_labelled(name, unit) for name, unit in zip(names, units, strict=True)]
    header += [f"sd({name})" for name, given in zip(names, with_sd, strict=True) if given]
    header += [f"d{name}/dt" for name in names] if slopes else []
    header += ["flow", *(f"feed({name})" for name in names)] if flows else []
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for run in data.runs:
            writer.writerows(_rows(run, with_sd, slopes, warm, flows))


def _check_agreement(tables: Sequence[Sheet]) -> None:
    """One unit of time, and one unit per species, in all files."""
    first = tables[0]
    known: dict[str, Sheet] = {}
    for table in tables:
        if table.file != first.file and not same(table.time_unit, first.time_unit):
            raise InputError(
                f"time is in {table.time_unit or 'no unit'} here, in {first.time_unit or 'no unit'} in {first.file}: "
                f"give one unit in all files",
                file=table.file,
            )
        for name in table.species:
            other = known.setdefault(name, table)
            if not same(table.units[name], other.units[name]):
                raise InputError(
                    f"{name} is in {table.units[name] or 'no unit'} here and in {other.units[name] or 'no unit'} "
                    f"in {other.file}: give one unit in all files",
                    file=table.file,
                    column=table.column[name],
                )


def _run_names(tables: Sequence[Sheet]) -> list[list[str]]:
    """Names that differ: a name that several files use gets its file before it."""
    files = [str(Path(table.file).resolve()) for table in tables]
    if twice := [table.file for table, file in zip(tables, files, strict=True) if files.count(file) > 1]:
        raise InputError("the same file is given twice: name it once", file=twice[0])
    stems = Counter(table.stem for table in tables)
    heads = [table.stem if stems[table.stem] == 1 else str(Path(table.file).with_suffix("")) for table in tables]
    own = [
        [head] if table.experiments is None else list(table.experiments)
        for table, head in zip(tables, heads, strict=True)
    ]
    uses = Counter(name for names in own for name in names)
    return [
        [name if uses[name] == 1 else f"{head}/{name}" for name in names]
        for names, head in zip(own, heads, strict=True)
    ]


def _renamed(tables: Sequence[Sheet], labels: Sequence[Sequence[str]]) -> tuple[str, ...]:
    pairs = [
        (old, new)
        for table, names in zip(tables, labels, strict=True)
        for old, new in zip(table.experiments or (table.stem,), names, strict=True)
    ]
    changed = [new for old, new in pairs if old != new]
    return (f"experiments of one name in several files are kept apart: {', '.join(changed)}",) if changed else ()


def _replicate_sd(tables: Sequence[Sheet], species: Sequence[str]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Pooled standard deviation of one measurement, for species with enough replicates and no deviation given."""
    squares, degrees = dict.fromkeys(species, 0.0), dict.fromkeys(species, 0)
    for table in tables:
        group = np.unique(np.stack([table.run, table.time]), axis=1, return_inverse=True)[1].ravel()
        for s, name in enumerate(table.species):
            bare = np.isfinite(table.values[:, s]) & np.isnan(table.sd[:, s])
            value, of = table.values[bare, s], group[bare]
            count = np.bincount(of, minlength=1)
            mean = np.bincount(of, value) / np.maximum(count, 1) if len(of) else np.zeros(1)
            squares[name] += float(((value - mean[of]) ** 2).sum()) if len(of) else 0.0
            degrees[name] += int((count[count > 0] - 1).sum())
    found = {s: (squares[s] / degrees[s]) ** 0.5 for s in species if degrees[s] >= REPLICATES and squares[s] > 0}
    notes = [f"{s}: standard deviation {found[s]:.3g} from {degrees[s]} replicates" for s in found]
    few = [s for s in species if degrees[s] and s not in found]
    if few:
        notes.append(f"replicates of {', '.join(few)} were averaged; too few to tell their standard deviation")
    return found, tuple(notes)


def _run(table: Sheet, index: int, name: str, species: Sequence[str], replicate_sd: dict[str, float]) -> Run:
    """The rows of one run, sorted, those at one time merged."""
    rows = np.flatnonzero(table.run == index)
    times, group = np.unique(table.time[rows], return_inverse=True)
    if not np.isfinite(table.values[rows]).any():
        raise table.fail(f"experiment {name!r} has no measured value: fill in or delete its rows", int(rows[0]))
    values, sd = np.full((2, len(times), len(species)), np.nan)
    slopes = None if table.slopes is None else np.full((len(times), len(species)), np.nan)
    for s, own in enumerate(table.species):
        column = list(species).index(own)
        seen = np.isfinite(table.values[rows, s])
        _check_order(table, rows[seen])
        _check_exact(table, rows[seen], s, times[0])
        values[:, column], sd[:, column] = _merged(
            table.values[rows, s], table.sd[rows, s], group, len(times), replicate_sd.get(own, np.nan)
        )
        if slopes is not None and table.slopes is not None:
            slopes[:, column] = _mean(table.slopes[rows, s], group, len(times))
    told = {own: _one(table, rows, name, table.feed[:, s], f"feeds of {own}") for s, own in enumerate(table.species)}
    feed = np.array([told.get(own) or 0.0 for own in species])
    flow = _one(table, rows, name, table.flow, "flows") or 0.0
    if feed.any() and not flow:
        raise table.fail(f"experiment {name!r} has a feed but no flow: give flow, the volumes per time", int(rows[0]))
    kelvin = _one(table, rows, name, table.temperature, "temperatures", " K")
    return Run(name, times, values, sd, slopes, kelvin, flow=flow, feed=feed if flow else None)


def _check_order(table: Sheet, rows: Int[np.ndarray, "_"]) -> None:
    """Times may stand in any order or repeat, not both: two runs below one another look like that."""
    time = table.time[rows]
    falls = np.flatnonzero(np.diff(time) < 0)
    if len(falls) and len(np.unique(time)) < len(time):
        row = int(rows[falls[0] + 1])
        raise table.fail(
            f"the time falls from {time[falls[0]]:g} to {time[falls[0] + 1]:g} and times repeat: if another experiment "
            f"begins here, add an experiment column; if these are replicates, sort the rows by time",
            row,
        )


def _check_exact(table: Sheet, rows: Int[np.ndarray, "_"], s: int, start: float) -> None:
    for row in rows[table.sd[rows, s] == 0]:
        if table.time[row] > start:
            raise table.fail(
                f"a standard deviation of 0 for {table.species[s]} (exact) stands after the first time of its "
                f"experiment, {start:g}: only an initial amount can be exact; leave it empty",
                int(row),
                table.column[table.species[s]],
            )
        others = rows[table.time[rows] == start]
        if (table.values[others, s] != table.values[row, s]).any() or (table.sd[others, s] != 0).any():
            raise table.fail(
                f"an exact initial amount of {table.species[s]} and another one: give one",
                int(others[-1]),
                table.column[table.species[s]],
            )


def _merged(
    values: Float[np.ndarray, "rows"], sd: Float[np.ndarray, "rows"], group: np.ndarray, times: int, replicate_sd: float
) -> tuple[Float[np.ndarray, "times"], Float[np.ndarray, "times"]]:
    """Mean and standard deviation at each time. Weighted by 1/sd^2 where every replicate brings its own."""
    seen = np.isfinite(values)
    count = np.bincount(group[seen], minlength=times)
    out, out_sd = np.full((2, times), np.nan)
    single = seen & (count[group] == 1)
    out[group[single]], out_sd[group[single]] = values[single], sd[single]
    for g in np.flatnonzero(count > 1):
        v, e = values[seen & (group == g)], sd[seen & (group == g)]
        given = np.isfinite(e).all() and (e > 0).all()
        w = 1 / e**2 if given else np.ones(len(v))
        out[g] = (w @ v) / w.sum()
        out_sd[g] = w.sum() ** -0.5 if given else (0.0 if (e == 0).all() else np.nan)
    bare = np.isnan(out_sd) & (count > 0)
    out_sd[bare] = replicate_sd / np.sqrt(count[bare])
    return out, out_sd


def _mean(values: Float[np.ndarray, "rows"], group: np.ndarray, times: int) -> Float[np.ndarray, "times"]:
    seen = np.isfinite(values)
    count = np.bincount(group[seen], minlength=times)
    total = np.bincount(group[seen], values[seen], minlength=times)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _one(
    table: Sheet, rows: Int[np.ndarray, "_"], name: str, column: np.ndarray, what: str, unit: str = ""
) -> float | None:
    """The one value of a condition in an experiment; None where it is not told."""
    given = rows[np.isfinite(column[rows])]
    if len(given) == 0:
        return None
    first = column[given[0]]
    if (other := given[column[given] != first]).size:
        raise table.fail(
            f"experiment {name!r} has two {what}, {first:g} and {column[other[0]]:g}{unit}: "
            f"expected one; split it into two experiments",
            int(other[0]),
        )
    return float(first)


def _single_times(runs: Sequence[Run]) -> tuple[str, ...]:
    """Runs that show no change; InputError if there is no other run."""
    single = [run.name for run in runs if len(run.times) == 1 and run.derivatives is None]
    if len(single) == len(runs):
        raise InputError(f"experiment {single[0]!r} has one time only: at least two are needed to see a change")
    return (f"experiments with one time only show no change: {', '.join(single)}",) if single else ()


def _labelled(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name


def _rows(run: Run, with_sd: np.ndarray, slopes: bool, warm: bool, flows: bool) -> Iterable[list[str]]:
    tables = [run.values, run.sd[:, with_sd]]
    if slopes:
        tables.append(np.full_like(run.values, np.nan) if run.derivatives is None else run.derivatives)
    if flows:
        feed = np.zeros(run.values.shape[1]) if run.feed is None else run.feed
        tables += [np.full((len(run.times), 1), run.flow), np.tile(feed, (len(run.times), 1))]
    head = [run.name, *([_cell(run.temperature)] if warm else [])]
    for time, *row in np.hstack([run.times[:, None], *tables]).tolist():
        yield [*head, repr(time), *map(_cell, row)]


def _cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else repr(value)
