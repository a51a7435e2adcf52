"""The files of a finished design, and its summary."""

from __future__ import annotations

import json
from pathlib import Path

from guldberg.app.checkpoints import write_whole
from guldberg.app.spec import Spec
from guldberg.design.result import Designed


def write(folder: Path, found: Designed, spec: Spec, seconds: float) -> None:
    """`result.json` last, since it is the sign that the run is finished."""
    write_whole(folder / "network.crn", f"{found.network}\n".encode())
    table = {
        "job": "design",
        "seed": spec.seed,
        "seconds": round(seconds, 3),
        "warnings": list(found.warnings),
        "loss": found.loss,
        "updates": found.updates,
        "metrics": {name: list(values) for name, values in found.metrics.items()},
        "nulls": {},
    }
    write_whole(folder / "result.json", json.dumps(table, indent=1, allow_nan=False).encode() + b"\n")


def summary(found: Designed) -> str:
    """For the terminal."""
    lines = [f"{found.behaviour}: {len(found.network.species)} species, loss {found.loss:.4g}"]
    wanted = {found.horizon, 100.0, 320.0, 1000.0}
    for i, t in enumerate(found.metrics["time"]):
        if t in wanted:
            told = "  ".join(f"{n} {v[i]:.3f}" for n, v in found.metrics.items() if n != "time")
            lines.append(f"  {t:6g} s  {told}")
    return "\n".join([*lines, *found.warnings])


def page(found: Designed, spec: Spec, seconds: float) -> str:
    """`report.html`."""
    return f"<!doctype html><title>{found.behaviour}</title>"
