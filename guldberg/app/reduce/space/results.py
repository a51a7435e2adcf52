"""What a reduction in continuous space found, for programs and for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from guldberg.app import facts
from guldberg.app.reduce import output, words
from guldberg.app.reduce.space import report
from guldberg.app.spec import Spec
from guldberg.reduce.result import WHO
from guldberg.reduce.space.result import SpaceReduced

UNIT = "particles per volume"
ABSENT = {
    "projection": "mean_field is what the reactions alone say of densities",
    "pair_closure": "no pairs are in this model",
}


def write(folder: Path, found: SpaceReduced, spec: Spec, seconds: float) -> None:
    """Every file of a finished reduction."""
    page, table = report.page(found, spec, seconds), as_json(found, spec, seconds)
    output.write(folder, found.plan.box.network, fields(found), page, table, spec)


def as_json(found: SpaceReduced, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    blank = [None] * len(found.times)
    rmse = {
        who: {"1": found.errors[who][0].tolist() if who in found.errors else blank, **dict.fromkeys("234", blank)}
        for who in WHO
    }
    table = {
        "interactions": list(found.interactions),
        "moments": {
            "steps": list(range(len(found.times))),
            "times": found.times.tolist(),
            "unit": UNIT,
            "rmse": rmse,
            "beyond_two_standard_errors": {who: share.tolist() for who, share in found.outside.items()},
        },
        "functions": words.as_constants(found.constants),
        "cross_validation": [{"penalty": penalty, "error": error} for penalty, error in found.penalties],
        **({"front": {who: x.tolist() for who, x in found.fronts.items()}} if found.fronts else {}),
        **words.costs(found),
    }  # fmt: skip
    nulls = [f"moments.rmse.{who} is null: {why}" for who, why in ABSENT.items()]
    nulls.append("moments of order 2, 3 and 4 are null: the model has one-body functions alone")
    nulls += [
        f"the known value of {c.name} is null: the network says nothing of it"
        for c in found.constants
        if c.known is None
    ]
    return facts.as_json(spec, seconds, [*found.warnings, *nulls], table)


def fields(found: SpaceReduced) -> xr.Dataset:
    """Densities of held-out runs and of each model."""
    grid, axes = found.plan.grid, ("x", "y")[: len(found.plan.cells)]
    dims, unit = ("time", "species", *axes), {"units": UNIT}
    data = {"held_out": (dims, found.held, unit)}
    data |= {who: (dims, density, unit) for who, density in found.densities.items()}
    centres = {axis: (np.arange(n) + 0.5) * h for axis, n, h in zip(axes, grid.shape, grid.spacing, strict=True)}
    return xr.Dataset(data, {"time": found.times, "species": list(found.plan.box.species), **centres})


def summary(found: SpaceReduced) -> str:
    """The whole result as text for a terminal."""
    lines = ["Functions that are constants by the network, learned as such, with 95 % intervals:"]
    for c in found.constants:
        known = "" if c.known is None else f"   by the network {c.known:g}"
        lines.append(f"  {c.name:18s} {c.value:9.4g}  [{c.low:.4g}, {c.high:.4g}]{known}")
    shown = np.linspace(0, len(found.times) - 1, 6).astype(int)
    lines += ["", f"Errors of densities on held-out runs, {UNIT}, at times "]
    lines[-1] += ", ".join(f"{t:.3g}" for t in found.times[shown])
    for who, errors in found.errors.items():
        lines.append(f"  {report.NAMES[who]:48s}" + "".join(f"{errors[0, t]:9.3g}" for t in shown))
    if found.fronts:
        lines += ["", "The front, where both are as dense:"]
        lines += [
            f"  {report.NAMES[who]:48s}" + "".join(f"{x[t]:9.4g}" for t in shown) for who, x in found.fronts.items()
        ]
    notes = [f"  {warning}" for warning in found.warnings]
    return "\n".join([*lines, *(["", "Warnings:", *notes] if notes else [])])
