"""The figures of one member: a row of the table, read from its `result.json` as any other program would."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, float | int | str | bool]
Result = Mapping[str, Any]


def row(folder: Path) -> Row:
    """What came out of the finished run in `folder`; only what is known."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    own = {name: value for name, value in _OF[result["job"]](result) if value is not None}
    return {**own, "seconds": result["seconds"], "warnings": len(result["warnings"])}


def main(job: str) -> str:
    """The column that says how well a member did; "": there is none."""
    return {"discover": "chi2", "design": "loss", "reduce": "rmse of order 1"}.get(job, "")


Pairs = Iterator[tuple[str, Any]]


def _discover(result: Result) -> Pairs:
    reactions = result["reactions"]
    yield "mechanism", "; ".join(reaction["equation"] for reaction in reactions)
    yield "reactions", len(reactions)
    for name in ("chi2", "score"):
        yield name, result.get("fit", {}).get(name)
    yield "rivals", len(result.get("alternatives", ()))
    for reaction in reactions:
        yield f"k({reaction['equation']})", _value(reaction["forward"])
        yield f"k reverse({reaction['equation']})", _value(reaction["reverse"])


def _value(estimate: Mapping[str, Any] | None) -> float | None:
    return None if estimate is None else estimate["value"]


def _design(result: Result) -> Pairs:
    """The loss, each figure at the last time that was looked at, and the verdict, if there is one."""
    yield "loss", result["loss"]
    yield "updates", result["updates"]
    metrics = dict(result["metrics"])
    times = metrics.pop("time")
    for name, values in metrics.items():
        if times and values:
            yield f"{name} at {times[-1]:g} s", _last(values)
    if "verdict" in result:
        yield "passed", result["verdict"]["passed"]


def _reduce(result: Result) -> Pairs:
    """The root mean square over the steps of the learned closure's errors, by order of moment."""
    for order, errors in result["moments"]["rmse"]["learned"].items():
        known = [x for x in errors if x is not None]
        if known:
            yield f"rmse of order {order}", math.sqrt(sum(x * x for x in known) / len(known))
    yield "seconds of training", result["seconds_training"]


def _simulate(result: Result) -> Pairs:
    """The last concentrations; of several experiments with its name."""
    final = result["final"]
    for experiment, values in final.items():
        for name, value in values.items():
            yield name if len(final) == 1 else f"{name} ({experiment})", value


def _last(values: Any) -> Any:
    return _last(values[-1]) if isinstance(values, list) else values


_OF: dict[str, Callable[[Result], Pairs]] = {
    "discover": _discover,
    "design": _design,
    "reduce": _reduce,
    "simulate": _simulate,
}
