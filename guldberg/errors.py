"""What a user can mend: one line that says what was wrong, where, what was expected and what to do."""

from __future__ import annotations

LONGEST = 1000  # characters of a message


class InputError(ValueError):
    """Bad input. `str()` is one line, `file:line:column: message`, with those parts that are known."""

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        if len(message) > LONGEST:  # a name of ten thousand characters would hide what is said of it
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)
        self.file, self.line, self.column = file, line, column
