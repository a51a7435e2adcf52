"""What reduce found, for programs (`result.json`, `network.crn`, `trajectories.nc`) and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from guldberg.app import facts
from guldberg.app.reduce import output, report, words
from guldberg.app.spec import Spec
from guldberg.reduce.result import WHO, BoxReduced, ChainReduced, Reduced, Row

UNIT = "counts per 1000 sites"
ORDERS = ("1", "2", "3", "4")
SHOWN = (10, 20, 30, 40, 50, 60, 80, 100, 200)
ABSENT = {
    "projection": "the closure that follows from the reactions alone needs exact moments: those of a chain",
    "pair_closure": "there is one for one species on a chain only",
    "mean_field": "there is none of a single start",
}


def write(folder: Path, found: Reduced, spec: Spec, seconds: float) -> None:
    """Every file of a finished reduction."""
    dataset = chain_trajectories(found) if isinstance(found, ChainReduced) else box_trajectories(found)
    page, table = report.page(found, spec, seconds), as_json(found, spec, seconds)
    output.write(folder, found.plan.lattice.network, dataset, page, table, spec)


def as_json(found: Reduced, spec: Spec, seconds: float) -> dict[str, Any]:
    """`result.json`: every number finite; null where something is not known, with a warning that says why."""
    times = next(iter(found.errors.values())).shape[1]
    blank = [None] * times
    rmse = {who: {order: _listed(found.errors.get(who), int(order) - 1) or blank for order in ORDERS} for who in WHO}
    table = {
        "interactions": list(found.interactions),
        "moments": {"steps": list(range(times)), "unit": UNIT, "rmse": rmse},
        **words.costs(found),
    }
    more = _chain(found) if isinstance(found, ChainReduced) else _box(found)
    return facts.as_json(spec, seconds, [*found.warnings, *_nulls(found)], table | more)


def _nulls(found: Reduced) -> Iterator[str]:
    for who in WHO:
        if who not in found.errors:
            yield f"moments.rmse.{who} is null: {ABSENT.get(who, 'it was not computed')}"
    orders = max(len(errors) for errors in found.errors.values())
    if orders < len(ORDERS):
        yield f"moments of order {' and '.join(ORDERS[orders:])} are null: they are not gathered on a box"
    for who, errors in found.errors.items():
        if len(errors) < orders:
            yield f"moments.rmse.{who} of order {' and '.join(ORDERS[len(errors) : orders])} is null: it says none"


def _listed(errors: np.ndarray | None, order: int) -> list[float] | None:
    return None if errors is None or order >= len(errors) else errors[order].tolist()


def _chain(found: ChainReduced) -> dict[str, Any]:
    beyond = found.beyond
    outside = None if beyond is None else {
        "starts": beyond.starts.tolist(),
        "rmse": dict(zip(ORDERS, np.sqrt((beyond.error**2).mean(axis=0)).tolist(), strict=True)),
        "warned": int(beyond.warned.sum()),
    }  # fmt: skip
    blank = [[None] * found.held.shape[1]] * len(ORDERS)
    more = found.errors.get("pair_closure_unfitted")
    return {
        "pair_closure_unfitted": dict(zip(ORDERS, blank if more is None else more.tolist(), strict=True)),
        "cross_validation": [{"penalty": name, "error": error} for name, error in found.penalties],
        "seconds_per_start": found.per_start,
        "seconds_per_lattice": found.per_lattice,
        "outside": outside,
        "hidden_layers": {
            name: {"static_floor": _by_order(floor), "learned": _by_order(learned)}
            for name, (floor, learned) in found.layers.items()
        },
        "published_recipe": {name: _by_order(table) for name, table in found.recipes.items()},
    }


def _by_order(table: np.ndarray) -> dict[str, list[float]]:
    return dict(zip(ORDERS, table.tolist(), strict=True))


def _box(found: BoxReduced) -> dict[str, Any]:
    return {
        "single_start": [_row(row) for row in found.single],
        "fresh_starts": [_row(row) for row in found.many],
        "phases": [
            {"energy": t.name, "step": t.step, "one_phase": t.one_phase, "counts": t.counts.tolist()}
            for t in found.phases
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    known = {"median": row.median, "worst": row.worst} if np.isfinite(row.median) else {}
    pairs = None if row.pairs is None else row.pairs.tolist()
    return {"name": row.name, "kind": row.kind, "coefficients": row.coefficients, "means": row.means.tolist(),
            "pairs": pairs, **known}  # fmt: skip


def chain_trajectories(found: ChainReduced) -> xr.Dataset:
    """Moments of the starts learned from and judged by, and those of the learned closure with its parameters."""
    dims = ("held_start", "step", "order")
    unit = {"units": f"counts on {found.plan.lattice.sites} sites"}
    data = {
        "training": (("training_start", *dims[1:]), found.training, unit),
        "held_out": (dims, found.held, unit),
        "learned": (dims, found.modelled, unit),
        "parameters": (("held_start", "step", "interaction"), found.thetas, {"units": "1"}),
    }
    times = {"step": np.arange(found.held.shape[1]), "order": [1, 2, 3, 4], "interaction": list(found.interactions)}
    return xr.Dataset(data, times)


def box_trajectories(found: BoxReduced) -> xr.Dataset:
    """Counts and pairs of the one start, simulated and by each energy's roll-out."""
    species = found.plan.lattice.network.species
    truth = found.pictures["data"][1]
    followed = found.pictures["followed"]
    unit = {"units": f"counts on {found.plan.lattice.sites} sites"}
    longest = np.full((len(followed), *truth.moments.shape), np.nan)
    for i, one in enumerate(followed.values()):
        longest[i, : len(one.rolled.counts)] = one.rolled.moments
    names = [*species, *(f"{a}{b}" for a, b in words.pair_names(species))]
    data = {
        "simulated": (("step", "moment"), truth.moments, unit),
        "standard_error": (("step", "moment"), truth.error, unit),
        "learned": (("energy", "step", "moment"), longest, unit),
    }
    return xr.Dataset(data, {"step": np.arange(len(truth.counts)), "moment": names, "energy": list(followed)})


def summary(found: Reduced) -> str:
    """The whole result as text for a terminal."""
    times = next(iter(found.errors.values())).shape[1]
    steps = [step for step in SHOWN if step < times]
    lines = [f"Errors on held-out simulations, {UNIT}, at steps {', '.join(map(str, steps))}"]
    for order in range(max(map(len, found.errors.values()))):
        lines += ["", f"  {words.ORDERS[order]}"]
        for who, errors in found.errors.items():
            if order < len(errors):
                lines.append(f"    {words.NAMES[who]:34s}" + "".join(f"{errors[order, s]:9.3g}" for s in steps))
    told = [f"Training {words.training(found):.1f} s, simulation {words.simulation(found):.1f} s"]
    notes = [f"  {warning}" for warning in found.warnings]
    return "\n".join([*lines, "", *told, *(["", "Warnings:", *notes] if notes else [])])
