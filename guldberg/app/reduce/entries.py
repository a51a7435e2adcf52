"""A table of a spec file, entry by entry; every error names the file and the entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from guldberg.errors import InputError


class Entries:
    """A table of a spec file, taken entry by entry; what is left over at the end is a slip of the pen."""

    def __init__(self, file: str, table: Mapping[str, Any], name: str = "") -> None:
        self.file, self.left, self.name = file, dict(table), name
        self.known: list[str] = []

    def fail(self, key: str, message: str) -> InputError:
        place = f"[{self.name}] {key}" if self.name else key
        return InputError(f"{place}: {message}", file=self.file)

    def take(self, key: str, default: Any = None) -> Any:
        self.known.append(key)
        return self.left.pop(key, default)

    def table(self, key: str) -> Entries:
        value = self.take(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, f"expected a table [{key}], got {value!r}")
        return Entries(self.file, value, key)

    def text(self, key: str) -> str | None:
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, f"expected text in quotation marks, got {value!r}")
        return value

    def flag(self, key: str) -> bool:
        value = self.take(key, False)
        if type(value) is not bool:
            raise self.fail(key, f"expected true or false, got {value!r}")
        return value

    def whole(self, key: str, default: int, least: int) -> int:
        value = self.take(key, default)
        if type(value) is not int or value < least:
            raise self.fail(key, f"expected a whole number, at least {least}, got {value!r}")
        return value

    def number(self, key: str, default: float, holds: Callable[[float], bool], expected: str) -> float:
        value = self.take(key, default)
        if type(value) not in (int, float) or not math.isfinite(value) or not holds(value):
            raise self.fail(key, f"expected {expected}, got {value!r}")
        return float(value)

    def end(self) -> None:
        for key in self.left:
            raise self.fail(key, f"no such entry; there are {', '.join(self.known)}")
