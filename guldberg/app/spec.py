"""What was asked, complete: `spec.toml` of a run folder, enough to repeat the run on the copies of its data."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guldberg.errors import InputError

LIBRARIES = ("guldberg", "jax", "optax", "numpy", "scipy", "numba", "llvmlite")  # whose versions can change a figure

LARGEST = 2**16  # bytes of a spec; the time to read dotted names grows with the square of their length


@dataclasses.dataclass(frozen=True)
class Source:
    """One input file: its copy inside the run folder, what it was called, and the checksum of its bytes."""

    file: str  # "data/incubations.csv"
    original: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Spec:
    """A job by name with its options (strings, numbers, booleans, and lists and dicts of those), seed and inputs."""

    job: str
    seed: int
    command: str  # what to type to repeat it
    options: Mapping[str, Any]
    inputs: tuple[Source, ...]
    versions: Mapping[str, str]

    def text(self) -> str:
        """As TOML, readable by `read`."""
        tables = dataclasses.asdict(self)
        lines = [f"{key} = {_toml(tables.pop(key))}" for key in ("job", "seed", "command")]
        sources = tables.pop("inputs")
        for name, table in tables.items():
            lines += ["", f"[{name}]", *_pairs(table)]
        for source in sources:
            lines += ["", "[[inputs]]", *_pairs(source)]
        return "\n".join(lines) + "\n"


def read(path: Path) -> Spec:
    """The spec at `path`; InputError where it is not one."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        sources = tuple(Source(**source) for source in table.pop("inputs", []))
        return Spec(**{"options": {}, "versions": {}, **table}, inputs=sources)
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise InputError(f"cannot be read: {error}", file=str(path)) from error
    except TypeError as error:
        fields = ", ".join(field.name for field in dataclasses.fields(Spec))
        raise InputError(f"expected exactly {fields} in a spec ({error})", file=str(path)) from error


def typed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command line that were given, as a spec holds them."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asked.items() if v is not None and v != ()}


def load(path: Path) -> dict[str, Any]:
    """The table in a TOML file that somebody wrote. InputError where it is none, FileNotFoundError if it is missing."""
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.stat().st_size} bytes; expected a spec of at most {LARGEST}", file=str(path))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise InputError(f"not a spec in TOML: {error}", file=str(path)) from None


def versions() -> dict[str, str]:
    """Python's version and those of the libraries a result depends on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in LIBRARIES}}


def checksum(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def inside(originals: Sequence[Path]) -> list[Source]:
    """Where copies of `originals` go in a run folder. File names are kept, since experiments are named after them."""
    sources: list[Source] = []
    for path in originals:
        twins = sum(Path(source.file).name == path.name for source in sources)
        file = f"data/{twins + 1}/{path.name}" if twins else f"data/{path.name}"
        sources.append(Source(file, str(path), checksum(path)))
    return sources


def toml(table: Mapping[str, Any]) -> str:
    """A table of strings, numbers, booleans, and lists and dicts of those, as TOML."""
    return "\n".join(_pairs(table)) + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_toml(value)}" for key, value in table.items()]


def _toml(value: Any) -> str:
    """A TOML value. TypeError for what TOML has no word for; None among it, and numpy's numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if type(value) in (int, float):
        return repr(value)  # nan, inf and 1e-05 are TOML as well
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    raise TypeError(f"a spec holds strings, numbers, booleans, lists and dicts, got {type(value).__name__}")


def _key(name: str) -> str:
    return name if name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name) else _quoted(name)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
