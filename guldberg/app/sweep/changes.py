"""The file that a command reads, with other numbers in it: constants and amounts of a network, entries of a spec."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guldberg import text
from guldberg.app import options
from guldberg.app import spec as specs
from guldberg.app.sweep.axes import Value
from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant

_CONSTANT = re.compile(r"k(-?)([1-9]\d{0,5})")
_TOP = {"design": ("preset", "updates"), "reduce": ("preset", "reactions", "steps", "rhs")}
_FILES = {"design": ("target", "picture"), "reduce": ("data", "moments")}  # the entry that names a file beside the spec


def network(path: Path, asked: Mapping[str, Value], known: Iterable[str]) -> str:
    """The network at `path` as text, with k1, k-1, ... and initial amounts as `asked`."""
    model = options.network(str(path), io.BytesIO(), lambda note: None)
    constants = {name: value for name, value in asked.items() if _place(name, model.network)}
    amounts = {name: value for name, value in asked.items() if name not in constants}
    for name in amounts:
        if name not in model.network.species:
            there = f"options {', '.join(sorted(known))}; constants k1 to k{len(model.network.reactants)}, k-1 ..."
            raise InputError(f"no {name!r} here; there are {there}; species {', '.join(model.network.species)}")
    initial = {**model.initial, **{name: _number(name, value) for name, value in amounts.items()}}
    return text.format(_with(model.network, constants), initial) + "\n"


def entries(path: Path, asked: Mapping[str, Value], command: str) -> str:
    """The spec at `path`, or of the preset of that name, with other entries: `steps`, `starts.number`; of a design also
    `species` for `options.species`; of a reduction also k1, k-1, ... of its reactions."""
    table = _read(path)
    constants = {name: value for name, value in asked.items() if command == "reduce" and _CONSTANT.fullmatch(name)}
    if constants:
        if "reactions" not in table:
            raise InputError('constants can be changed where the spec has reactions = "..."', file=str(path))
        table["reactions"] = str(_with(text.parse(table["reactions"], file=str(path)), constants))
    for name, value in asked.items():
        if name not in constants:
            bare = command == "design" and "." not in name and name not in _TOP["design"]
            _set(table, f"options.{name}" if bare else name, value, path)
    _beside(table, path, *_FILES[command])
    return specs.toml(table)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists() and not path.suffix:
        return {"preset": str(path)}
    return specs.load(path)


def _set(table: dict[str, Any], name: str, value: Value, path: Path) -> None:
    *outer, last = name.split(".")
    for key in outer:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise InputError(f"{name}: {key} is no table", file=str(path))
    table[last] = value


def _beside(table: Mapping[str, Any], path: Path, outer: str, key: str) -> None:
    """The file that the spec names is still where it was."""
    inner = table.get(outer)
    if isinstance(inner, dict) and isinstance(inner.get(key), str):
        inner[key] = str((path.parent / inner[key]).resolve())


def _with(network: ReactionNetwork, constants: Mapping[str, Value]) -> ReactionNetwork:
    if not constants:
        return network
    if not all(isinstance(law, Constant | None) for law in (network.forward, network.reverse)):
        raise InputError("these constants depend on temperature; only plain ones can be swept over", file="--over")
    forward, reverse = np.array(network.constants(), float)
    for name, value in constants.items():
        place = _place(name, network)
        if place is None:
            raise InputError(f"{name}: there are {len(forward)} reactions", file="--over")
        (reverse if place[0] else forward)[place[1]] = _number(name, value)
    back = Constant.of(reverse) if reverse.any() else None
    return ReactionNetwork(network.reactants, network.products, Constant.of(forward), back, network.species)


def _place(name: str, network: ReactionNetwork) -> tuple[bool, int] | None:
    """Whether it is a reverse constant, and of which reaction; None where it is none."""
    match = _CONSTANT.fullmatch(name)
    if match is None or int(match[2]) > len(network.reactants):
        return None
    return bool(match[1]), int(match[2]) - 1


def _number(name: str, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < np.inf:
        raise InputError(f"{name}: expected numbers that are not negative, got {value!r}", file="--over")
    return float(value)
