"""What a reduction to pairs found, for programs and for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from guldberg.app import facts
from guldberg.app.reduce import output, words
from guldberg.app.reduce.pairs import report
from guldberg.app.spec import Spec
from guldberg.reduce.pairs.result import Mixture, PairReduced

UNIT = "density: particles per volume; pair correlation: 1"
ABSENT = {
    "projection": "superposition is what the reactions alone say of pairs",
    "pair_closure": "the learned model is one",
}


def write(folder: Path, found: PairReduced, spec: Spec, seconds: float) -> None:
    """Every file of a finished reduction."""
    page, table = report.page(found, spec, seconds), as_json(found, spec, seconds)
    output.write(folder, found.plan.box.network, fields(found), page, table, spec)


def as_json(found: PairReduced, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    blank = [None] * len(found.times)
    rmse = {who: words.orders(*errors(mixture, found.held)) for who, mixture in found.mixtures.items()}
    rmse |= {who: dict.fromkeys("1234", blank) for who in ABSENT}
    noise = found.held.density_error, np.sqrt((found.held.correlation_error**2).mean(axis=1))
    rmse["noise"] = words.orders(*noise)
    table = {
        "interactions": ["nu_1", "nu_2"],
        "moments": {
            "steps": list(range(len(found.times))),
            "times": found.times.tolist(),
            "unit": UNIT,
            "rmse": rmse,
            "beyond_two_standard_errors": {
                who: {"density": share.density.tolist(), "pair_correlation": share.correlation.tolist()}
                for who, share in found.outside.items()
            },
        },
        "functions": [
            {"name": c.name, "nu_1": c.points[:, 0].tolist(), "value": c.values.tolist(), "error": c.error.tolist()}
            for c in found.curves
        ],
        "gains": list(found.gains),
        **words.costs(found),
    }
    nulls = [f"moments.rmse.{who} is null: {why}" for who, why in ABSENT.items()]
    nulls.append("moments of order 3 and 4 are null: the model has one-body and pair functions")
    return facts.as_json(spec, seconds, [*found.warnings, *nulls], table)


def errors(found: Mixture, held: Mixture) -> tuple[Float[np.ndarray, "times"], Float[np.ndarray, "times"]]:
    """Of the density, and root mean square over shells of the pair correlation."""
    apart = found.correlation - held.correlation
    return np.abs(found.density - held.density), np.sqrt((apart**2).mean(axis=1))


def fields(found: PairReduced) -> xr.Dataset:
    """Densities and pair correlations of held-out runs and of each model, and the learned nu."""
    data: dict[str, Any] = {"nu_1": ("time", found.nu[:, 1, 0]), "nu_2": (("time", "r"), found.nu[:, 0])}
    for who, mixture in {"held_out": found.held, **found.mixtures}.items():
        data[f"{who}_density"] = ("time", mixture.density, {"units": "particles per volume"})
        data[f"{who}_density_error"] = ("time", mixture.density_error)
        data[f"{who}_pair_correlation"] = (("time", "r"), mixture.correlation)
        data[f"{who}_pair_correlation_error"] = (("time", "r"), mixture.correlation_error)
    return xr.Dataset(data, {"time": found.times, "r": found.plan.distances.centres})


def summary(found: PairReduced) -> str:
    """The whole result as text for a terminal."""
    lines = ["Beyond two standard errors of held-out runs (5 % by chance), and the density, by time:"]
    shown = output.shown(found.times, report.SHOWN)
    lines.append(f"  {'':36s}density   pairs" + "".join(f"{found.times[t]:9.3g}" for t in shown))
    lines.append(f"  {'held-out runs':36s}{'':15s}" + "".join(f"{found.held.density[t]:9.4g}" for t in shown))
    for who, share in found.outside.items():
        text = f"  {report.NAMES[who]:36s}{share.density[1:].mean():7.0%} {share.correlation[1:].mean():7.1%}"
        lines.append(text + "".join(f"{found.mixtures[who].density[t]:9.4g}" for t in shown))
    notes = [f"  {warning}" for warning in found.warnings]
    return "\n".join([*lines, *(["", "Warnings:", *notes] if notes else [])])
