"""Antimony in and out, through SBML, where the library of that name is installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from guldberg.app.sbml import reading, writing
from guldberg.errors import InputError
from guldberg.text import Model


def read(raw: bytes, file: str, note: Callable[[str], None]) -> Model:
    """The model of an Antimony text, the last if there are several. InputError as for SBML, and for imports of other
    files."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start + 1})", file=file) from None
    if re.search(r"(?m)^\s*import\b", text):
        raise InputError("imports of other files are not followed; put the models into one file", file=file)
    library = _library(file)
    if library.loadAntimonyString(text) < 0:
        raise InputError(" ".join(library.getLastError().split()), file=file)
    return reading.read(library.getSBMLString(library.getMainModuleName()).encode(), file, note)


def write(model: Model, file: str, temperature: float | None = None) -> str:
    """As `guldberg.app.sbml.writing.write`."""
    library = _library(file)
    if library.loadSBMLString(writing.write(model, file, temperature)) < 0:
        raise InputError(" ".join(library.getLastError().split()), file=file)
    return library.getAntimonyString(library.getMainModuleName())


def _library(file: str) -> Any:
    try:
        import antimony
    except ImportError:
        raise InputError("Antimony needs its library: pip install 'guldberg[sbml]'", file=file) from None
    antimony.clearPreviousLoads()
    return antimony
