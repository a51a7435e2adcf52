"""What the header of a table says: which column holds what, of which species, in which unit."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from guldberg.app.units import parse
from guldberg.errors import InputError

Kind = Literal["time", "experiment", "temperature", "species", "amount", "sd", "derivative", "flow", "feed", "empty"]
Fail = Callable[..., InputError]  # fail(message, column) makes the error with file and line

LONGEST = 60  # characters of a name; more is a cell of prose
CONDITIONS: Mapping[str, Kind] = {"time": "time", "experiment": "experiment", "temperature": "temperature"}
WIDE: Mapping[str, Kind] = {**CONDITIONS, "flow": "flow"}
LONG: Mapping[str, Kind] = {**CONDITIONS, "species": "species", "value": "amount", "sd": "sd"}
_SD = re.compile(r"sd\s*\(\s*(.+?)\s*\)", re.IGNORECASE)
_FEED = re.compile(r"feed\s*\(\s*(.+?)\s*\)", re.IGNORECASE)
_DERIVATIVE = re.compile(r"d\s*(.+?)\s*/\s*dt", re.IGNORECASE)
_LIKE_SD = re.compile(
    r"(?:sd|std|sigma|err|error|se|sem)[\s_.]+(.+)|(.+)[\s_.]+(?:sd|std|sigma|err|error|se|sem)", re.I
)
_ATOMS = {
    "%",
    "min",
    "s",
    "h",
    "d",
    "K",
    "°C",
    "C",
    *(p + u for p in ("", "m", "u", "µ", "μ", "n", "k") for u in "Mgl"),
}
_ATOMS |= {p + u for p in ("", "m", "u", "µ", "μ", "n", "k", "d") for u in ("mol", "L", "m", "s", "g")}


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: `number` counts from 1, `label` is the header's own text."""

    number: int
    label: str
    kind: Kind
    species: str = ""  # of an amount, a derivative or an sd
    unit: str = ""


def read_header(cells: Sequence[str], fail: Fail) -> tuple[tuple[Column, ...], bool]:
    """The columns, and whether the table is long (`time, species, value`)."""
    if all(re.fullmatch(r"[-+\d.,eE ]*", cell) for cell in cells):
        raise fail(f"the first line holds numbers ({cells[0].strip()!r} ...): begin with a header, time, A, B")
    words = {_split(cell)[0].lower() for cell in cells}
    long = {"species", "value"} <= words
    if not long and "species" in words:
        raise fail("there is a column 'species' but none named 'value': the long form is time, species, value")
    columns = tuple(_column(i, cell.strip(), long, fail) for i, cell in enumerate(cells, start=1))
    _check(columns, long, fail)
    return columns, long


def species_name(text: str) -> str:
    """The name as it stands, without the brackets of chemists ([A]) and without spaces at its ends or in a row."""
    text = " ".join(text.split())
    return text[1:-1].strip() if text.startswith("[") and text.endswith("]") else text


def named(text: str, what: str, fail: Fail, column: int) -> str:
    """`text` without the spaces around it, if it can be a name at all."""
    text = text.strip()
    if not text.isprintable():
        raise fail(f"the name {text[:LONGEST]!r} of {what} holds a control character: retype it", column)
    if len(text) > LONGEST:
        raise fail(f"a name of {what} has {len(text)} characters, at most {LONGEST} can be: {text[:30]!r}...", column)
    return text


def _column(number: int, label: str, long: bool, fail: Fail) -> Column:
    named(label, "a column", fail, number)
    name, unit = _split(label)
    if not name:
        return Column(number, label, "empty")
    if kind := (LONG if long else WIDE).get(name.lower()):
        return Column(number, label, kind, unit=unit)
    if long:
        known = ", ".join(LONG)
        raise fail(f"column {label!r}: a table with species and value may have {known} and no other column", number)
    patterns: dict[Kind, re.Pattern[str]] = {"sd": _SD, "feed": _FEED, "derivative": _DERIVATIVE}
    for kind, pattern in patterns.items():
        if match := pattern.fullmatch(name):
            return Column(number, label, kind, _species(match[1], label, fail, number), unit)
    return Column(number, label, "amount", _species(name, label, fail, number), unit)


def _species(text: str, label: str, fail: Fail, number: int) -> str:
    name = species_name(text)
    if not any(letter.isalpha() for letter in name):
        raise fail(f"column {label!r}: a species' name needs a letter, as in A or X1", number)
    if name.lower() in (*LONG, *WIDE):
        raise fail(f"column {label!r}: {name.lower()!r} cannot name a species in a table: call it {name}_1", number)
    return name


def _split(label: str) -> tuple[str, str]:
    """`A [mmol/L]`, `A (mM)` or `A(mM)` -> name and unit. `Fe(III)`, `sd(A)` and `[A]` are names."""
    label = label.strip()
    for open_, close in ("[]", "()"):
        start = _opening(label, open_, close)
        if start > 0:
            name, unit = label[:start], label[start + 1 : -1].strip()
            if open_ == "(" and (_SD.fullmatch(label) or _FEED.fullmatch(label)):
                return label, ""
            if open_ == "[" or name[-1].isspace() or _is_unit(unit) or name.lower() in LONG:
                return name.strip(), unit
    return label, ""


def _opening(label: str, open_: str, close: str) -> int:
    """Where the bracket opens that the last character closes; -1 if there is none."""
    depth = 0
    for i in range(len(label) - 1, -1, -1) if label.endswith(close) else ():
        depth += (label[i] == close) - (label[i] == open_)
        if depth == 0:
            return i
    return -1


def _is_unit(text: str) -> bool:
    return bool(text) and set(parse(text)) <= _ATOMS


def _check(columns: Sequence[Column], long: bool, fail: Fail) -> None:
    _check_time(columns, fail)
    _check_twice(columns, fail)
    if long:
        return
    species = [c.species for c in columns if c.kind == "amount"]
    if not species:
        raise fail("expected at least one species beside the time, as in time, A, B")
    for c in columns:
        if c.kind in ("sd", "feed", "derivative") and c.species not in species:
            raise fail(f"column {c.label!r} belongs to no column: {_nearest(c.species, species)}", c.number)
        _check_lookalike(c, species, fail)


def _check_time(columns: Sequence[Column], fail: Fail) -> None:
    if any(c.kind == "time" for c in columns):
        return
    labels = [c.label for c in columns if c.label]
    if len(columns) == 1:
        raise fail(f"only one column, {labels[0] if labels else ''!r}: separate columns by comma, semicolon or tab")
    names = {_split(label)[0].lower(): label for label in reversed(labels)}
    near = difflib.get_close_matches("time", names, n=1, cutoff=0.5)
    guess = names[near[0]] if near else labels[0]
    raise fail(f"no column named time: rename the one that holds it ({guess!r}?), with its unit, as in time [min]")


def _check_twice(columns: Sequence[Column], fail: Fail) -> None:
    seen: dict[tuple[str, str], Column] = {}
    for c in columns:
        first = seen.setdefault((c.kind, c.species), c)
        if first is not c and c.kind != "empty":
            raise fail(
                f"column {c.label!r} says the same as column {first.number} {first.label!r}: rename or delete one",
                c.number,
            )


def _check_lookalike(column: Column, species: Sequence[str], fail: Fail) -> None:
    match = _LIKE_SD.fullmatch(_split(column.label)[0]) if column.kind == "amount" else None
    of = species_name(match[1] or match[2]) if match else ""
    if of in species:
        raise fail(
            f"column {column.label!r} looks like the standard deviation of {of}: name it sd({of}), "
            f"or rename the species if it is one",
            column.number,
        )


def _nearest(name: str, species: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, species, n=1)
    return f"is {near[0]!r} meant?" if near else f"the species here are {', '.join(species)}"
