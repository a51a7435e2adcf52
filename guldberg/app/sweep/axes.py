"""What a sweep runs over: "seed=0..31", "k1=0.1,1,10"."""

from __future__ import annotations

import dataclasses
import itertools
import re
import tomllib
from collections.abc import Sequence

from guldberg.errors import InputError

MOST = 1_000_000  # members
_RANGE = re.compile(r"\s*(-?\d{1,15})\.\.(-?\d{1,15})\s*")

Value = str | int | float | bool | list  # as TOML has it


@dataclasses.dataclass(frozen=True)
class Axis:
    """A name, and the values that it takes one after another."""

    name: str
    values: Sequence[Value]

    def text(self) -> str:
        """As it is typed."""
        shown = self.values
        is_range = isinstance(shown, range)
        return f"{self.name}={shown[0]}..{shown[-1]}" if is_range else f"{self.name}={','.join(map(word, shown))}"


def axis(typed: str) -> Axis:
    """ "k1=0.1,1,10": numbers, true, false, text, or a [list] between commas; "0..31" stands for whole numbers."""
    name, equals, values = (part.strip() for part in typed.partition("="))
    if not (name and equals and values):
        raise InputError(f"expected NAME=VALUE,VALUE,... or NAME=0..31, got {typed!r}", file="--over")
    return Axis(name, _values(values))


def members(axes: Sequence[Axis]) -> int:
    """How many combinations there are. InputError where they are too many, or a name stands twice."""
    names = [axis.name for axis in axes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{twice[0]} is given twice", file="--over")
    count = 1
    for axis in axes:
        count *= len(axis.values)
        if count > MOST:
            raise InputError(f"more than {MOST} members; expected fewer values", file="--over")
    return count


def member(axes: Sequence[Axis], number: int) -> tuple[Value, ...]:
    """The combination of that number, from 0; the last axis goes fastest."""
    found: list[Value] = []
    for axis in reversed(axes):
        number, i = divmod(number, len(axis.values))
        found.append(axis.values[i])
    return tuple(reversed(found))


def word(value: Value) -> str:
    """A value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(typed: str) -> Sequence[Value]:
    parts = _parts(typed)
    ranges = [_range(part) for part in parts]
    if len(parts) == 1 and ranges[0] is not None:
        return ranges[0]
    spread = [[_value(part)] if span is None else span for part, span in zip(parts, ranges, strict=True)]
    return tuple(itertools.chain.from_iterable(spread))


def _parts(typed: str) -> list[str]:
    """Cut at commas outside brackets and quotation marks."""
    parts, depth, quoted = [""], 0, False
    for c in typed:
        quoted ^= c == '"'
        depth += 0 if quoted else (c == "[") - (c == "]")
        if c == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts]


def _range(part: str) -> range | None:
    match = _RANGE.fullmatch(part)
    if match is None:
        return None
    first, last = map(int, match.groups())
    if not first <= last < first + MOST:
        raise InputError(f"{part}: expected a range that rises, of at most {MOST} numbers", file="--over")
    return range(first, last + 1)


def _value(part: str) -> Value:
    try:
        value = tomllib.loads(f"x = {part}")
    except (tomllib.TOMLDecodeError, RecursionError):
        value = {}
    return value["x"] if value.keys() == {"x"} and isinstance(value["x"], bool | int | float | str | list) else part
