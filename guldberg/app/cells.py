"""The text of a table: bytes to cells with their lines, cells to numbers, and what is wrong with one that is none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from guldberg.app.columns import Column
from guldberg.errors import InputError

MOST_COLUMNS = 3000
MISSING = {"", "na", "nan", "n/a", "#n/a"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d*|(?:\.\d{3})+,\d*|(?:[ '\u2009\u202f\xa0]\d{3})+.*|(?:,\d{3}){2,})"
)


class Cells(NamedTuple):
    """The text of a file: its header and its rows, each with its line."""

    file: str
    separator: str
    header_line: int
    header: list[str]
    lines: list[int]
    rows: list[list[str]]

    def fail(self, message: str, row: int, column: Column | None = None) -> InputError:
        where = f"column {column.label!r}: " if column and column.label else ""
        return InputError(where + message, file=self.file, line=self.lines[row], column=column and column.number)


def read_cells(path: Path) -> Cells:
    text = _text(path)
    lines = list(io.StringIO(text, newline=""))
    skip = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    if skip == len(lines):
        raise InputError("the file is empty: expected a header (time, A, B) and rows", file=str(path))
    separator = _separator(lines[skip])
    records, starts = [], []
    start = skip + 1
    reader = csv.reader(lines[skip:], delimiter=separator, strict=True)
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                records.append(record)
                starts.append(start)
            start = skip + reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"not a table in CSV ({error}): is a quotation mark left open?", file=str(path), line=start
        ) from None
    if len(records[0]) > MOST_COLUMNS:
        said = f"{len(records[0])} columns; expected at most {MOST_COLUMNS}: is the table lying on its side?"
        raise InputError(said, file=str(path), line=starts[0])
    return Cells(str(path), separator, starts[0], records[0], starts[1:], records[1:])


def _text(path: Path) -> str:
    """The text of a file, a byte-order mark taken off."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file", file=str(path)) from None
    except IsADirectoryError:
        raise InputError("a folder: name the tables in it", file=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if raw.startswith(b"PK\x03\x04"):
        raise InputError("a workbook or zip archive, not text: save the sheet as CSV (UTF-8)", file=str(path))
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("UTF-16 text: save it as CSV (UTF-8)", file=str(path))
    if b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise InputError("a binary file (it holds a zero byte): expected text, CSV (UTF-8)", file=str(path), line=line)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        byte = f"byte {error.start + 1} is 0x{raw[error.start]:02x}"
        raise InputError(f"not UTF-8 text ({byte}): save it as CSV (UTF-8)", file=str(path), line=line) from None


def _separator(header: str) -> str:
    """The mark that stands most often in the header outside quotes; a tie goes to the semicolon, then the tab."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(";\t,", key=bare.count)


def numbers(cells: Cells, columns: Iterable[Column]) -> dict[int, Float[np.ndarray, "rows"]]:
    """The numeric columns, by their number; NaN where a cell is empty."""
    columns = list(columns)
    comma = cells.separator != "," and _decimal_comma(cells, columns)
    out = {}
    for column in columns:
        texts = [record[column.number - 1] for record in cells.rows]
        out[column.number] = np.array([_number(text, comma) for text in texts])
        if (bad := np.flatnonzero(np.isinf(out[column.number]))).size:
            row = int(bad[0])
            raise cells.fail(_complaint(texts[row].strip(), row, cells.separator), row, column)
    return out


def _decimal_comma(cells: Cells, columns: Sequence[Column]) -> bool:
    """Whether numbers are written 1,5. A file that has both 1,5 and 1.5 is refused: one of them may mean thousands."""
    first: dict[str, tuple[int, str]] = {}
    for row, record in enumerate(cells.rows):
        for column in columns:
            cell = record[column.number - 1].strip()
            for mark in ",.":
                if mark in cell and _NUMBER.fullmatch(cell.replace(",", ".")):
                    first.setdefault(mark, (row, cell))
                    if len(first) == 2:
                        other, text = first["," if mark == "." else "."]
                        line = cells.lines[other]
                        raise cells.fail(
                            f"{cell!r} here and {text!r} in line {line}: write all numbers with a decimal point, "
                            f"or all with a decimal comma",
                            row,
                            column,
                        )
    return "," in first


def _number(text: str, comma: bool) -> float:
    """The number, NaN for an empty cell, inf for what is neither."""
    text = text.strip().replace("\u2212", "-")
    if comma:
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text):
        return float(text)
    return np.nan if text.lower() in MISSING else np.inf


def _complaint(cell: str, row: int, separator: str) -> str:
    shown = repr(cell[:40])
    if _THOUSANDS.fullmatch(cell):
        return f"{shown} has a mark between thousands: write the digits alone, 1234.5"
    if _NUMBER.fullmatch(cell) or cell.lower().strip("+-") in ("inf", "infinity"):
        return f"{shown} is not finite: expected a finite number, or nothing where not measured"
    if cell[:1] in "<>≤≥":
        return f"{shown} is a limit, not a value: leave the cell empty, or write 0 with a standard deviation"
    if "," in cell and separator == "," and _NUMBER.fullmatch(cell.replace(",", ".")):
        return f"{shown} has a decimal comma: separate the columns by semicolons, or write a decimal point"
    if row == 0 and re.fullmatch(r"[\[(]?[^\W\d_]+.*", cell):
        return f"expected a number, got {shown}; a unit belongs into the header, as in time [min]"
    return f"expected a number, or nothing where not measured, got {shown}"
