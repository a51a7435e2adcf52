"""libsbml, where it is installed; and what no model needs, kept from it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any
from xml.parsers import expat

from guldberg.errors import InputError

LARGEST = 2**26  # bytes
DEEPEST = 200  # elements within elements: what reads a document may call itself for each


def installed() -> bool:
    """Whether there is a libsbml."""
    return find_spec("libsbml") is not None


def libsbml(file: str) -> Any:
    """The module. InputError where it is not installed."""
    try:
        import libsbml
    except ImportError:
        raise InputError("SBML needs libsbml: pip install 'guldberg[sbml]'", file=file) from None
    return libsbml


def checked(raw: bytes, file: str) -> str:
    """The text of an XML document that is well formed, has no entities of its own, is not nested too deeply and asks
    for no package that must be understood. InputError otherwise."""
    if len(raw) > LARGEST:
        raise InputError(f"{len(raw) / 2**20:.0f} MiB; expected at most {LARGEST / 2**20:.0f}", file=file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8, as SBML must be (byte {error.start + 1})", file=file) from None
    parser, depth = expat.ParserCreate("utf-8"), 0

    def refuse(message: str) -> None:
        raise InputError(message, file=file, line=parser.CurrentLineNumber, column=parser.CurrentColumnNumber + 1)

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            refuse(f"elements within elements, deeper than {DEEPEST}")
        needed = (
            [key.partition(":")[0] for key, value in attributes.items() if key.endswith(":required")]
            if depth == 1
            else []
        )
        needed = [package for package in needed if attributes[f"{package}:required"] == "true"]
        if needed:
            refuse(f"this model needs the package {needed[0]!r} of SBML, which is not read")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = lambda *declared: refuse("a document type is declared; SBML has none")
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise InputError(
            f"no XML: {expat.ErrorString(error.code)}", file=file, line=error.lineno, column=error.offset + 1
        ) from None
    return text
