"""What discover found, for programs (`result.json`, `network.crn`, `.xml`, `trajectories.nc`) and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from guldberg.app import energies, facts, netcdf, report, units, words
from guldberg.app.checkpoints import write_whole
from guldberg.app.sbml import library, writing
from guldberg.app.spec import Spec
from guldberg.discover.result import Discovered, Estimate, Fit, Profile, RunFit, Step
from guldberg.text import Model

MOST_RIVALS = 8  # in the terminal


def write(folder: Path, found: Discovered, spec: Spec, seconds: float) -> None:
    """Every file of a finished discovery; `result.json` last, since it is the sign that the run is finished."""
    write_whole(folder / "network.crn", words.crn(found).encode())
    if library.installed():
        known = units.common_unit(found.species, found.data.units)[0] or "", found.data.time_unit
        sbml = writing.write(Model(found.network(), {}), "network.xml", found.temperature, known)
        write_whole(folder / "network.xml", sbml.encode())
    netcdf.write(folder / "trajectories.nc", trajectories(found, spec))
    write_whole(folder / "report.html", report.page(found, spec, seconds).encode())
    write_whole(folder / "result.json", facts.written(as_json(found, spec, seconds)))


def as_json(found: Discovered, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    table = {
        "species": list(found.species),
        "reactions": [_reaction(found, step) for step in found.steps],
        "conservation_laws": [_named(found, row) for row in found.laws],
        "same_equations": [vars(rewriting) for rewriting in found.rewritings],
        "weight": found.weights()[0],
        "alternatives": [
            {**_rival(found, rival), "weight": weight}
            for rival, weight in zip(found.alternatives, found.weights()[1:], strict=True)
        ],
        "stability": [{**vars(one), "share": one.share} for one in found.stability],
        "combinations": [{"name": c.name, **_estimate(c.estimate, None)} for c in found.combinations],
        **energies.as_json(found),
        "profiles": [_profile(profile) for profile in found.profiles],
        "candidates": [vars(candidate) for candidate in found.candidates],
        "path": [vars(point) for point in found.path],
        "fit": _fit(found),
    }
    return facts.as_json(spec, seconds, words.warnings(found), table)


def trajectories(found: Discovered, spec: Spec) -> xr.Dataset:
    """Measured values and fitted curves of every experiment; NaN: not measured, or beyond a shorter run's end."""
    runs, fits = found.data.runs, found.fit.runs
    table, curve = ("experiment", "sample", "species"), ("experiment", "curve_point", "species")
    time = {"units": found.data.time_unit}
    values = {"units": units.common_unit(found.species, found.data.units)[0] or ""}
    data = {
        "measured": (table, _stack([run.values for run in runs]), values),
        "sd": (table, _stack([run.sd for run in runs]), {**values, "long_name": "standard deviation as given"}),
        "residual": (table, _stack([fit.residuals for fit in fits]), {"long_name": "(measured - fitted) / sd"}),
        "fitted": (curve, _stack([fit.curve for fit in fits]), values),
        "initial": (("experiment", "species"), np.array([fit.initial for fit in fits]), values),
    }
    coordinates = {
        "species": list(found.species),
        "unit": ("species", list(found.data.units or [""] * len(found.species))),
        "experiment": [run.name for run in runs],
        "time": (table[:2], _stack([run.times for run in runs]), time),
        "curve_time": (curve[:2], _stack([fit.curve_times for fit in fits]), time),
    }
    return xr.Dataset(data, coordinates, facts.attributes(spec, found.network()))


def summary(found: Discovered) -> str:
    """The whole result as text for a terminal."""
    again = words.stability(found)
    kind = "Mechanism" if found.fit.fits else "No mechanism fits; the nearest"
    head = f"{kind}: {len(found.steps)} reactions among {len(found.species)} species"
    parts = [
        f"{head} (out of {found.library} candidates{found.search and f', {found.search}'})",
        "",
        *_columns(list(_rows(found))),
    ]
    warm = [("", "A", "b", "Ea, kJ/mol"), *energies.rows(found)] if found.energies else []
    parts += ["", f"Constants at {found.temperature:.1f} K; k = A T^b exp(-Ea / R T):", *_columns(warm)] if warm else []
    parts += ["", f"Fit: {words.quality(found.fit)}"]
    if len(found.laws):
        parts.append(f"Constant in time: {'; '.join(words.law(found.species, row) for row in found.laws)}")
    parts += [f"  {line}" if n else line for n, line in enumerate(energies.balance(found))]
    together = [f"  {c.name} = {words.value(c.estimate)} ({words.interval(c.estimate)})" for c in found.combinations]
    parts += ["", "Determined together, though not one by one:", *together] if together else []
    often = [
        f"  {name}  {count}{'' if inside else '  (not in the mechanism)'}"
        for name, count, inside in again[:MOST_RIVALS]
    ]
    parts += ["", "Found again in data made anew:", *often] if often else []
    same = [f"  {words.rewriting(rewriting)}" for rewriting in found.rewritings[:MOST_RIVALS]]
    same += [f"  and {more} more in the report"] if (more := len(found.rewritings) - MOST_RIVALS) > 0 else []
    parts += ["", "Has the same equations, so that no data can decide:", *same] if same else []
    rivals = [f"  {words.rival(rival)}" for rival in found.alternatives[:MOST_RIVALS]]
    rivals += [f"  and {more} more in the report"] if (more := len(found.alternatives) - MOST_RIVALS) > 0 else []
    parts += ["", "Cannot be told apart from it by these data:", *rivals] if rivals else []
    notes = [f"  {warning}" for warning in words.warnings(found)]
    parts += ["", "Warnings:", *notes] if notes else []
    return "\n".join(parts)


def _rows(found: Discovered) -> Iterator[tuple[str, ...]]:
    for step in found.steps:
        for i, (_, k, order) in enumerate(words.directed(found.species, step)):
            name = words.line(found.species, step) if i == 0 else ""
            sign = ("k", "k reverse")[i] if step.reverse else "k"
            doubt = "some rival does without it" if step.certainty == "possible" and i == 0 else ""
            yield name, sign, words.value(k), words.unit_of(found, order) or "", f"({words.interval(k)})", doubt


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _reaction(found: Discovered, step: Step) -> dict[str, Any]:
    ways = [_estimate(k, words.unit_of(found, order)) for _, k, order in words.directed(found.species, step)]
    return {
        "equation": words.line(found.species, step),
        "reactants": _named(found, step.reactants),
        "products": _named(found, step.products),
        "forward": ways[0],
        "reverse": ways[1] if step.reverse else None,
        "flux": step.flux,
        "certainty": step.certainty,
    }


def _estimate(k: Estimate, unit: str | None) -> dict[str, Any]:
    return {"value": k.value, "low": k.low, "high": k.high, "unit": unit, "verdict": k.verdict}


def _named(found: Discovered, row: Any) -> dict[str, int]:
    return {name: int(n) for name, n in zip(found.species, row, strict=True) if n}


def _profile(profile: Profile) -> dict[str, Any]:
    return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in vars(profile).items()}


def _rival(found: Discovered, rival: Any) -> dict[str, Any]:
    return {**vars(rival), "score": found.fit.score + rival.delta}


def _fit(found: Discovered) -> dict[str, Any]:
    fit: Fit = found.fit
    return {
        "kind": fit.kind,
        "chi2": fit.chi2,
        "points": fit.points,
        "parameters": fit.parameters,
        "score": fit.score,
        "quality": words.quality(fit),
        "fits": fit.fits,
        "checks": [{**vars(check), "failed": check.failed} for check in fit.checks],
        "sd": dict(zip(found.species, fit.sd.tolist(), strict=True)),
        "sd_given": fit.sd_given,
        "scales": {name: _estimate(scale, None) for name, scale in fit.scales.items()},
        "library": found.library,
        "solves": fit.solves,
        "failed_solves": fit.failed_solves,
        "rtol": fit.rtol,
        "experiments": [_experiment(found, run) for run in fit.runs],
    }


def _experiment(found: Discovered, run: RunFit) -> dict[str, Any]:
    fitted = [name for name, free in zip(found.species, run.initial_fitted, strict=True) if free]
    initial = dict(zip(found.species, run.initial.tolist(), strict=True))
    return {"name": run.name, "initial": initial, "initial_fitted": fitted, "chi2": float(np.nansum(run.residuals**2))}


def _stack(tables: list[np.ndarray]) -> np.ndarray:
    """Tables of unequal length as one array, NaN below the shorter ones."""
    longest = max(map(len, tables))
    pad = [((0, longest - len(table)), *[(0, 0)] * (table.ndim - 1)) for table in tables]
    return np.stack([np.pad(t, p, constant_values=np.nan) for t, p in zip(tables, pad, strict=True)])
