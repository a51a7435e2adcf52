"""`report.html` of a sweep: figures over what was swept, a small picture of each member, the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from guldberg.app.pages import PAGES
from guldberg.app.style import svg
from guldberg.app.sweep import figures, pictures
from guldberg.app.sweep.sweep import Sweep

PICTURES = 60  # more small pictures than this are not looked at
ROWS = 1000
FIGURES = 6

Rows = Sequence[Mapping[str, Any]]


def page(sweep: Sweep, columns: Sequence[str], rows: Rows, counts: Mapping[str, int], command: str) -> str:
    """The page. Names come from files and are escaped."""
    finished = [row for row in rows if row["state"] == "finished"]
    few = [finished[i * len(finished) // PICTURES] for i in range(PICTURES)] if len(finished) > PICTURES else finished
    shown = [name for name in figured(columns, finished, sweep) if varied(finished, name)][:FIGURES]
    drawn = pictures.over(sweep.plan.axes, shown, finished)
    return PAGES.get_template("sweep.html").render(
        plan=sweep.plan,
        command=command,
        counts=counts,
        all=len(rows),
        over=None if drawn is None else Markup(svg(drawn, "over")),
        small=[(row, label(sweep, row), pictures.small(sweep.member(int(row["member"])))) for row in few],
        columns=columns,
        rows=rows[:ROWS],
        cell=cell,
        failed=[row for row in rows if row["state"] == "failed"][:ROWS],
    )


def figured(columns: Sequence[str], finished: Rows, sweep: Sweep) -> list[str]:
    """The columns of figures, the one that says how well a member did first."""
    asked = {axis.name for axis in sweep.plan.axes} | {"member", "state", "why", "warnings", "seconds"}
    own = [name for name in columns if name not in asked and any(number(row.get(name)) for row in finished)]
    best = figures.main(sweep.plan.command)
    return sorted(own, key=lambda name: name != best)


def varied(finished: Rows, name: str) -> bool:
    """Whether there is something to see."""
    return len({row.get(name) for row in finished}) > 1


def number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def label(sweep: Sweep, row: Mapping[str, Any]) -> str:
    """The values that a member was begun with."""
    return ", ".join(f"{axis.name} = {cell(row[axis.name])}" for axis in sweep.plan.axes)


def cell(value: object) -> str:
    """Short enough for a table."""
    if value is None:
        return ""
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
