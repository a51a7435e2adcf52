"""What a reduction to a front found, for programs and for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from guldberg.app import facts
from guldberg.app.reduce import output, words
from guldberg.app.reduce.front import report
from guldberg.app.spec import Spec
from guldberg.reduce.front.result import FrontReduced, Gas

UNIT = "density: particles per length; pair correlation: 1"
ABSENT = {
    "projection": "smoluchowski is what the reactions alone say of pairs",
    "pair_closure": "the learned model is one",
}


def write(folder: Path, found: FrontReduced, spec: Spec, seconds: float) -> None:
    """Every file of a finished reduction."""
    page, table = report.page(found, spec, seconds), as_json(found, spec, seconds)
    output.write(folder, found.plan.box.network, fields(found), page, table, spec)


def as_json(found: FrontReduced, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    blank, held, every = [None] * len(found.times), found.held, {"held_out": found.held, **found.gases}
    rmse = {who: words.orders(*errors(gas, held)) for who, gas in found.gases.items()}
    rmse |= {who: dict.fromkeys("1234", blank) for who in ABSENT}
    rmse["noise"] = words.orders(_rms(held.density_error), _rms(held.correlation_error))
    table = {
        "interactions": list(found.interactions),
        "moments": {
            "steps": list(range(len(found.times))),
            "times": found.times.tolist(),
            "unit": UNIT,
            "rmse": rmse,
            "beyond_two_standard_errors": {
                who: {"density": s.density.tolist(), "pair_correlation": s.correlation.tolist(),
                      "number": s.number.tolist(), "front": s.front.tolist()} for who, s in found.outside.items()
            },
        },
        "functions": words.as_constants(found.constants),
        "front": {who: gas.front.tolist() for who, gas in every.items()} | {"error": held.front_error.tolist()},
        "left": {who: gas.number.tolist() for who, gas in every.items()} | {"error": held.number_error.tolist()},
        "overlap": {who: x.tolist() for who, x in found.overlaps.items()},
        "gains": list(found.gains),
        **words.costs(found),
    }  # fmt: skip
    nulls = [f"moments.rmse.{who} is null: {why}" for who, why in ABSENT.items()]
    nulls.append("moments of order 3 and 4 are null: the model has one-body and pair functions")
    return facts.as_json(spec, seconds, [*found.warnings, *nulls], table)


def errors(found: Gas, held: Gas) -> tuple[Float[np.ndarray, "times"], Float[np.ndarray, "times"]]:
    """Root mean square over places and species of the densities, over shells of the pair correlation."""
    return _rms(found.density - held.density), _rms(found.correlation - held.correlation)


def _rms(field: Float[np.ndarray, "times *any"]) -> Float[np.ndarray, "times"]:
    return np.sqrt((field.reshape(len(field), -1) ** 2).mean(axis=1))


def fields(found: FrontReduced) -> xr.Dataset:
    """Densities and pair correlations of held-out runs and of each model, and the learned nu."""
    place, line = ("time", "species", "x"), found.plan.line
    data: dict[str, Any] = {"nu": (place, found.nu[:, :2]), "nu_pair": (("time", "r"), found.nu[:, 2])}
    for who, gas in {"held_out": found.held, **found.gases}.items():
        data[f"{who}_density"] = (place, gas.density, {"units": "particles per length"})
        data[f"{who}_density_error"] = (place, gas.density_error)
        data[f"{who}_pair_correlation"] = (("time", "r"), gas.correlation)
        data[f"{who}_pair_correlation_error"] = (("time", "r"), gas.correlation_error)
    x = (np.arange(line.cells) + 0.5) * line.cell
    species = list(found.plan.box.species)
    return xr.Dataset(data, {"time": found.times, "species": species, "x": x, "r": line.shells.centres})


def summary(found: FrontReduced) -> str:
    """The whole result as text for a terminal."""
    lines = ["Functions learned as constants, with 95 % intervals:"]
    lines += [
        f"  {c.name:18s} {c.value:9.4g}  [{c.low:.4g}, {c.high:.4g}]   by the network {c.known:g}"
        for c in found.constants
    ]
    shown = output.shown(found.times, report.SHOWN)
    fewer, times = found.plan.box.species[1], "".join(f"{found.times[t]:9.3g}" for t in shown)
    lines += ["", f"Beyond two standard errors of held-out runs (5 % by chance), and {fewer} left, by time:"]
    lines.append(f"  {'':42s}places   pairs" + times)
    lines.append(f"  {'held-out runs':56s}" + "".join(f"{found.held.number[t, 1]:9.4g}" for t in shown))
    for who, share in found.outside.items():
        text = f"  {report.NAMES[who]:40s}{share.density[1:].mean():8.1%}{share.correlation[1:].mean():8.1%}"
        lines.append(text + "".join(f"{found.gases[who].number[t, 1]:9.4g}" for t in shown))
    lines += ["", f"{'The front, where both are as dense, at times':58s}" + times]
    lines += [
        f"  {report.NAMES[who]:56s}" + "".join(f"{gas.front[t]:9.4g}" for t in shown)
        for who, gas in {"held_out": found.held, **found.gases}.items()
    ]
    notes = [f"  {warning}" for warning in found.warnings]
    return "\n".join([*lines, *(["", "Warnings:", *notes] if notes else [])])
