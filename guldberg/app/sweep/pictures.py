"""Small pictures of members, and figures over what was swept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from guldberg.app.design import film
from guldberg.app.style import COLOURS, MARKERS, STYLE, plain, styled
from guldberg.app.sweep.axes import Axis, word

SIZE = (2.0, 1.3)  # inches
MOST_LINES = 8
FEW = 4  # names that a small picture has room for
MAP = "cividis"


@styled
def over(axes: Sequence[Axis], columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Each figure over each axis that has several values: a point for each member. None: nothing to draw."""
    swept = [axis for axis in axes if len(axis.values) > 1]
    if not (swept and columns):
        return None
    figure = Figure(figsize=(2.7 * len(swept) + 0.6, 1.9 * len(columns) + 0.4))
    panels = figure.subplots(len(columns), len(swept), squeeze=False, sharex="col", sharey="row")
    for row, column in zip(panels, columns, strict=True):
        for panel, axis in zip(row, swept, strict=True):
            _points(panel, axis, column, rows)
        row[0].set_ylabel(_short(column))
    for panel, axis in zip(panels[-1], swept, strict=True):
        panel.set_xlabel(_short(axis.name))
    return figure


def _points(panel: Any, axis: Axis, column: str, rows: Sequence[Mapping[str, Any]]) -> None:
    known = [row for row in rows if isinstance(row.get(column), int | float)]
    values = [row[axis.name] for row in known]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in axis.values)
    x = values if numeric else [axis.values.index(v) for v in values]
    panel.plot(x, [row[column] for row in known], MARKERS[0], ms=4, color=COLOURS[0], alpha=0.6, mew=0)
    if not numeric:
        panel.set_xticks(range(len(axis.values)), [_short(word(v)) for v in axis.values], rotation=30, ha="right")
    elif _wide(axis.values):
        panel.set_xscale("log")
    else:
        panel.xaxis.get_major_locator().set_params(integer=all(isinstance(v, int) for v in axis.values))


def _wide(values: Sequence[Any]) -> bool:
    return min(values) > 0 and max(values) / min(values) >= 50


def _short(text: str) -> str:
    return plain(text if len(text) <= 28 else f"{text[:27]}…")


def small(folder: Path) -> str:
    """The trajectories or the last field of a finished run, as an address with the picture in it; "": there is none, or
    it cannot be read: that costs the picture, not the page."""
    for name, draw in (("fields.nc", _field), ("trajectories.nc", _curves)):
        if (folder / name).exists():
            try:
                with xr.open_dataset(folder / name, engine="h5netcdf") as table:
                    return _inline(draw(table))
            except Exception:  # the libraries below raise whatever they like at a damaged file
                return ""
    return ""


@styled
def _field(table: xr.Dataset) -> Figure:
    """The last state in the colours of its principal components, as its own page shows it."""
    states = table["concentration"].transpose("time", "species", ...).values
    colours = film.principal(states).colours[-1]
    figure = Figure(figsize=SIZE)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(colours, interpolation="nearest")
    axes.set_axis_off()
    return figure


@styled
def _curves(table: xr.Dataset) -> Figure:
    """The first few species of the first experiment, or whatever else there is over time."""
    figure = Figure(figsize=SIZE)
    axes = figure.subplots()
    x, y = _lines(table)
    for i, line in enumerate(y.T[:MOST_LINES]):
        axes.plot(x, line, color=COLOURS[i % len(COLOURS)], lw=1)
    axes.tick_params(labelsize=6)
    axes.grid(False)
    if 0 < len(names := _names(table)) <= FEW:
        axes.legend(names, fontsize=5, handlelength=1, borderpad=0, labelspacing=0.2)
    return figure


def _lines(table: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Times, and a column for each line."""
    if "fitted" in table:
        first = table.isel(experiment=0)
        return first["curve_time"].values, first["fitted"].values
    for name in ("concentration", "mean", "count"):
        if name in table:
            first = table[name].isel({d: 0 for d in table[name].dims if d in ("experiment", "run")})
            rest = [d for d in first.dims if d not in ("time", "species")]
            return table["time"].values, first.mean(rest).transpose("time", "species").values
    best = next(table[name] for name in table.data_vars if table[name].ndim >= 2)
    flat = best.isel({d: 0 for d in best.dims[:-2]})
    return np.arange(flat.shape[0]), flat.values


def _names(table: xr.Dataset) -> list[str]:
    return [_short(str(name)) for name in table["species"].values] if "species" in table.coords else []


def _inline(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None}, facecolor=STYLE["figure.facecolor"])
    return film.inline(buffer.getvalue(), "png")
