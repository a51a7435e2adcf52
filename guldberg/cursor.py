"""Reading a line of text from left to right, with errors that name file, line and column."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import NoReturn

from guldberg.errors import InputError

NAME = re.compile(r"[^\W\d][\w']*")  # a name that needs no quotes: letters, digits, _ and ', no digit first
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
LONGEST_LINE = 10_000  # characters

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?(?![\w.])")
_COUNT = re.compile(r"[+-]?\d+(\.\d*)?")
_TOKEN = re.compile(r'"[^"]*"?|<?[-=]+>|[+-]?[\w.\']+|\S')  # what an error message shows of the text that it met
_BLANK = re.compile(r"\s*((#|//).*)?")


class Cursor:
    """A place in one line of text. `take` reads what matches a pattern there; `fail` says where reading ended."""

    def __init__(self, text: str, file: str | None, line: int) -> None:
        self.text, self.file, self.line, self.position = text, file, line, 0
        if len(text) > LONGEST_LINE:
            self.fail(f"the line has {len(text)} characters, expected at most {LONGEST_LINE}: one reaction a line")
        self._skip()

    def _skip(self) -> None:
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position

    def at_end(self) -> bool:
        return self.position == len(self.text)

    def take(self, pattern: re.Pattern[str] | str) -> str | None:
        """The text that matches here, with the blanks after it passed over; None, and no move, if nothing does."""
        match = re.compile(re.escape(pattern) if isinstance(pattern, str) else pattern).match(self.text, self.position)
        if match is None:
            return None
        self.position = match.end()
        self._skip()
        return match.group()

    def expect(self, pattern: str, what: str) -> None:
        if self.take(pattern) is None:
            self.unexpected(what)

    def unexpected(self, what: str) -> NoReturn:
        """Fail: expected `what`, but the text goes on with something else."""
        token = _TOKEN.match(self.text, self.position)
        self.fail(f"expected {what}, got {token.group()!r}" if token else f"expected {what}, got the end of the line")

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        at = self.position if at is None else at
        raise InputError(message, file=self.file, line=self.line, column=at + 1)

    def name(self, what: str) -> str:
        """A name, bare or quoted."""
        return self.take(NAME) or self.quoted() or self.unexpected(f'{what} (names such as "Fe3+" are quoted)')

    def quoted(self) -> str | None:
        fail, text = self.here(), self.take(QUOTED)
        if text is None:
            return None
        try:
            return json.loads(text) or fail("a name must not be empty")
        except json.JSONDecodeError as error:
            fail(f"{text} is no quoted name: {error.msg}")

    def count(self) -> int:
        """A whole number from 1 on; 1, and no move, if no number stands here."""
        fail, text = self.here(), self.take(_COUNT)
        if text is None:
            return 1
        if not text.isdecimal() or int(text[:9]) == 0:
            fail(f"expected a whole number from 1 on, got {text}")
        return int(text[:9])

    def number(self, what: str) -> str:
        """A finite number, as it is written."""
        fail, text = self.here(), self.take(_NUMBER)
        if text is None:
            self.unexpected(what)
        if not math.isfinite(float(text)):
            fail(f"expected {what}, got {text}, which is too large")
        return text

    def amount(self, what: str) -> str:
        """A finite number that is not negative, as it is written."""
        fail, text = self.here(), self.number(f"{what}, a finite number that is not negative")
        return fail(f"{what} must not be negative, got {text}") if float(text) < 0 else text

    def here(self) -> Callable[[str], NoReturn]:
        """`fail`, for use later, about what stands here now."""
        at = self.position
        return lambda message: self.fail(message, at)
