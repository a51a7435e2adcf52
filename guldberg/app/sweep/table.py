"""What the members came to, together: `members.csv`, `result.json` and `report.html` of a sweep."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
from typing import Any

from guldberg.app.checkpoints import write_whole
from guldberg.app.sweep import axes, figures, page
from guldberg.app.sweep.sweep import Sweep

Rows = list[dict[str, Any]]


def gather(sweep: Sweep, command: str) -> dict[str, Any]:
    """Read what every member has, and write the table and the page. The table, as in `result.json`."""
    rows = [_row(sweep, number) for number in range(sweep.count)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    counts = {state: sum(row["state"] == state for row in rows) for state in ("finished", "failed", "unfinished")}
    table = {
        "job": "sweep",
        "guldberg": importlib.metadata.version("guldberg"),
        "of": sweep.plan.command,
        "command": command,
        "over": {axis.name: list(axis.values) for axis in sweep.plan.axes},
        **counts,
        "columns": columns,
        "members": rows,
    }
    write_whole(sweep.folder / "members.csv", _csv(columns, rows).encode())
    write_whole(sweep.folder / "report.html", page.page(sweep, columns, rows, counts, command).encode())
    write_whole(sweep.folder / "result.json", json.dumps(table, indent=1, ensure_ascii=False).encode() + b"\n")
    return table


def _row(sweep: Sweep, number: int) -> dict[str, Any]:
    """The number, the values it was begun with, how it went, its figures."""
    values = axes.member(sweep.plan.axes, number)
    asked = {axis.name: value for axis, value in zip(sweep.plan.axes, values, strict=True)}
    head = {"member": sweep.member(number).name, **asked}
    if sweep.finished(number):
        try:
            found = figures.row(sweep.member(number))
        except (ValueError, KeyError, TypeError) as error:
            why = f"its result.json is damaged ({error}); delete the member's folder and give the command again"
            return {**head, "state": "failed", "why": why}
        return {**head, "state": "finished", **{name: value for name, value in found.items() if name not in head}}
    if number in sweep.failed:
        return {**head, "state": "failed", "why": sweep.failed[number]}
    return {**head, "state": "unfinished"}


def _csv(columns: list[str], rows: Rows) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
