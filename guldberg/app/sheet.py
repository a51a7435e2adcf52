"""One file of measurements, read: its rows as they stand, one column per species, checked against its header."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from guldberg.app.cells import Cells, numbers, read_cells
from guldberg.app.columns import Column, Fail, Kind, named, read_header, species_name
from guldberg.app.units import same
from guldberg.errors import InputError

COLDEST = 150.0  # kelvin; a temperature without a unit below this is taken for degrees Celsius, and refused


@dataclasses.dataclass
class Sheet:
    """One file, read: rows as they stand, one column per species; NaN where a cell is empty."""

    file: str
    stem: str
    experiments: tuple[str, ...] | None  # names in the file; None: it has no such column
    run: Int[np.ndarray, "rows"]
    line: Int[np.ndarray, "rows"]
    time: Float[np.ndarray, "rows"]
    values: Float[np.ndarray, "rows species"]
    sd: Float[np.ndarray, "rows species"]
    slopes: Float[np.ndarray, "rows species"] | None
    temperature: Float[np.ndarray, "rows"]
    flow: Float[np.ndarray, "rows"]
    feed: Float[np.ndarray, "rows species"]
    species: tuple[str, ...]
    units: dict[str, str]
    time_unit: str
    column: dict[str, int]  # number of each species' column, for messages

    def fail(self, message: str, row: int, column: int | None = None) -> InputError:
        return InputError(message, file=self.file, line=int(self.line[row]), column=column)


def read_sheet(path: Path) -> Sheet:
    cells = read_cells(path)

    def fail(message: str, column: int | None = None) -> InputError:
        return InputError(message, file=cells.file, line=cells.header_line, column=column)

    columns, long = read_header(cells.header, fail)
    if not cells.rows:
        raise InputError("a header and no rows: expected measurements below it", file=cells.file)
    _check_widths(cells, columns)
    return _assemble(path, cells, columns, long)


def _check_widths(cells: Cells, columns: Sequence[Column]) -> None:
    width = len(cells.header)
    for row, record in enumerate(cells.rows):
        if len(record) < width or any(cell.strip() for cell in record[width:]):
            comma = " (a decimal comma? then separate columns by semicolons)" if cells.separator == "," else ""
            more = len(record) > width
            raise cells.fail(
                f"{len(record)} cells, the header has {width}" + (comma if more else ": leave cells empty, not out"),
                row,
            )
        for column in columns:
            if column.kind == "empty" and record[column.number - 1].strip():
                raise cells.fail(
                    f"{record[column.number - 1]!r} stands in a column without a name: name it", row, column
                )


def _assemble(path: Path, cells: Cells, columns: Sequence[Column], long: bool) -> Sheet:
    number = numbers(cells, [c for c in columns if c.kind not in ("experiment", "species", "empty")])
    one = {c.kind: c for c in columns}
    time = number[one["time"].number]
    if (gaps := np.flatnonzero(np.isnan(time))).size:
        raise cells.fail("a row without a time: fill it in or delete the row", int(gaps[0]), one["time"])
    names, run = _experiments(cells, one.get("experiment"))
    amounts = [c for c in columns if c.kind == "amount"]
    if long:
        species, which = _long_species(cells, one["species"])
        amounts *= len(species)
    else:
        species, which = tuple(c.species for c in amounts), None
    _check_sd_and_slopes(cells, columns, number, one["time"].unit)

    def spread(kind: Kind) -> Float[np.ndarray, "rows species"]:
        out = np.full((len(time), len(species)), np.nan)
        for c in columns:
            if c.kind == kind:
                out[np.arange(len(time)), species.index(c.species) if which is None else which] = number[c.number]
        return out

    return Sheet(
        file=cells.file,
        stem=path.stem,
        experiments=names,
        run=run,
        line=np.array(cells.lines),
        time=time,
        values=spread("amount"),
        sd=spread("sd"),
        slopes=spread("derivative") if "derivative" in one else None,
        temperature=_kelvin(cells, one.get("temperature"), number),
        flow=_flow(cells, one.get("flow"), number, one["time"].unit),
        feed=spread("feed"),
        species=species,
        units={name: c.unit for name, c in zip(species, amounts, strict=True)},
        time_unit=one["time"].unit,
        column={name: c.number for name, c in zip(species, amounts, strict=True)},
    )


def _long_species(cells: Cells, column: Column) -> tuple[tuple[str, ...], Int[np.ndarray, "rows"]]:
    """Names in order of first appearance, and which of them each row is about."""
    index: dict[str, int] = {}
    where = np.empty(len(cells.rows), int)
    for row, record in enumerate(cells.rows):
        name = species_name(named(record[column.number - 1], "a species", _in_row(cells, row, column), column.number))
        if not any(letter.isalpha() for letter in name):
            raise cells.fail(f"{name!r} cannot name a species: a name needs a letter", row, column)
        where[row] = index.setdefault(name, len(index))
    return tuple(index), where


def _experiments(cells: Cells, column: Column | None) -> tuple[tuple[str, ...] | None, Int[np.ndarray, "rows"]]:
    if column is None:
        return None, np.zeros(len(cells.rows), int)
    index: dict[str, int] = {}
    run = np.empty(len(cells.rows), int)
    for row, record in enumerate(cells.rows):
        text = record[column.number - 1]
        if not text.strip():
            raise cells.fail("a row without the name of its experiment: fill it in", row, column)
        name = named(text, "an experiment", _in_row(cells, row, column), column.number)
        run[row] = index.setdefault(name, len(index))
    return tuple(index), run


def _in_row(cells: Cells, row: int, column: Column) -> Fail:
    return lambda message, _: cells.fail(message, row, column)


def _check_sd_and_slopes(
    cells: Cells, columns: Sequence[Column], number: dict[int, Float[np.ndarray, "rows"]], time_unit: str
) -> None:
    amount = {c.species: c for c in columns if c.kind == "amount"}
    for column in columns:
        if column.kind not in ("sd", "feed", "derivative"):
            continue
        of = amount[column.species]
        expected = of.unit if column.kind in ("sd", "feed") else f"({of.unit or '1'})/({time_unit or '1'})"
        if column.unit and not same(column.unit, expected):
            raise InputError(
                f"column {column.label!r} is in {column.unit} and {of.label!r} in {of.unit or 'no unit'}: "
                f"give both in one unit" + (f", this one in {expected}" if column.kind == "derivative" else ""),
                file=cells.file,
                line=cells.header_line,
                column=column.number,
            )
        if column.kind == "derivative":
            continue
        if column.kind == "feed":
            _not_negative(cells, column, number[column.number])
            continue
        sd, value = number[column.number], number[of.number]
        if (bad := np.flatnonzero(sd < 0)).size:
            row = int(bad[0])
            raise cells.fail(f"a standard deviation of {sd[row]:g}: expected a positive one", row, column)
        if (bad := np.flatnonzero(np.isfinite(sd) & np.isnan(value))).size:
            raise cells.fail(
                f"a standard deviation but no value of {of.label!r}: give both or none", int(bad[0]), column
            )


def _flow(cells: Cells, column: Column | None, number: dict[int, np.ndarray], time_unit: str) -> np.ndarray:
    """Volumes of the vessel per time that run through it."""
    if column is None:
        return np.full(len(cells.rows), np.nan)
    expected = f"1/{time_unit or '1'}"
    if column.unit and not same(column.unit, expected):
        told = f"a flow in {column.unit!r} beside a time in {time_unit or 'no unit'}: it is the part of the vessel's"
        raise InputError(
            f"{told} volume renewed per time, expected [{expected}]",
            file=cells.file,
            line=cells.header_line,
            column=column.number,
        )
    _not_negative(cells, column, number[column.number])
    return number[column.number]


def _not_negative(cells: Cells, column: Column, values: np.ndarray) -> None:
    for row in np.flatnonzero(values < 0):
        raise cells.fail(f"{column.label} is {values[row]:g}: expected none or a positive one", int(row), column)


def _kelvin(cells: Cells, column: Column | None, number: dict[int, Float[np.ndarray, "rows"]]) -> np.ndarray:
    if column is None:
        return np.full(len(cells.rows), np.nan)
    temperature = number[column.number]
    unit = column.unit.lstrip("°").upper()
    if unit not in ("", "K", "C"):
        raise InputError(
            f"a temperature in {column.unit!r}: expected [K] or [°C]", file=cells.file, line=cells.header_line,
            column=column.number,
        )  # fmt: skip
    if unit == "C":
        temperature = temperature + 273.15
    lowest = COLDEST if unit == "" else 0.0
    if (bad := np.flatnonzero(temperature <= lowest)).size:
        row = int(bad[0])
        remedy = "without a unit means kelvin: write temperature [K] or [°C]" if unit == "" else "is below zero kelvin"
        raise cells.fail(f"a temperature of {number[column.number][row]:g} {remedy}", row, column)
    return temperature
