"""Checkpoints of a run: written whole or not at all, checksummed, the last three kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guldberg.app import codec

KEPT = 3


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A State after `step` steps and `seconds` of work, in all sittings together."""

    step: int
    seconds: float
    state: Any


def save(folder: Path, step: int, seconds: float, state: bytes) -> None:
    """Add a checkpoint (`state` as `codec.encode` gives it) and drop those older than the last three."""
    folder.mkdir(exist_ok=True)
    head = {"step": step, "seconds": seconds, "sha256": hashlib.sha256(state).hexdigest()}
    write_whole(folder / f"{step:08d}.json", json.dumps(head).encode() + b"\n" + state + b"\n")
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def load(folder: Path, types: codec.Types, on_note: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None; each damaged one is told in one line."""
    for path in _newest_first(folder):
        try:
            return _read(path, types)
        except (OSError, ValueError) as error:
            on_note(f"{path} is damaged ({error}); going back to the one before")
    return None


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data` in one step: a crash leaves the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.json"), reverse=True)


def _read(path: Path, types: codec.Types) -> Checkpoint:
    head, _, rest = path.read_bytes().partition(b"\n")
    try:
        fields = json.loads(head)
        step, seconds, expected = int(fields["step"]), float(fields["seconds"]), fields["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("its first line is not a checkpoint's") from error
    state = rest.removesuffix(b"\n")
    if hashlib.sha256(state).hexdigest() != expected:
        raise ValueError("its checksum differs")
    return Checkpoint(step, seconds, codec.decode(state, types))
