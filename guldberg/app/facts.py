"""What every `result.json` has: who made it and how, and numbers that are finite."""

from __future__ import annotations

import importlib.metadata
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from guldberg.app.spec import Spec


def as_json(spec: Spec, seconds: float, warnings: Sequence[str], table: dict[str, Any]) -> dict[str, Any]:
    """`table` within the frame common to all jobs. Every number finite; null where something is not known, with a
    warning that says why."""
    odd: list[str] = []
    head = {
        "job": spec.job,
        "guldberg": importlib.metadata.version("guldberg"),
        "seed": spec.seed,
        "seconds": round(seconds, 3),
        "warnings": [],
    }
    provenance = {
        "command": spec.command,
        "options": dict(spec.options),
        "inputs": [vars(source) for source in spec.inputs],
        "versions": dict(spec.versions),
    }
    whole = _finite(head | table | {"provenance": provenance}, "", odd)
    whole["warnings"] = [*warnings, *odd]
    return whole


def written(table: dict[str, Any]) -> bytes:
    """The bytes of `result.json`."""
    return json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def attributes(spec: Spec, network: object) -> dict[str, Any]:
    """The provenance of a NetCDF file: plain text and numbers."""
    kept = {"job": spec.job, "seed": spec.seed, "command": spec.command, "network": str(network)}
    sums = json.dumps({source.original: source.sha256 for source in spec.inputs})
    return {**kept, "inputs_sha256": sums, "versions": json.dumps(dict(spec.versions))}


def _finite(value: Any, where: str, odd: list[str]) -> Any:
    """`value` as JSON has it; a number that is none becomes null, and its place is told."""
    if isinstance(value, dict):
        return {key: _finite(item, f"{where}.{key}" if where else key, odd) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, f"{where}[{i}]", odd) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        odd.append(f"{where} is null: it came out as {value}")
        return None
    return float(value) if isinstance(value, np.floating) else value
