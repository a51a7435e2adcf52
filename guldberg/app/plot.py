"""Figures of a discovery, in one style. They take results and return a `Figure`; nothing is computed anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter
from scipy.special import ndtri

from guldberg.app import units, words
from guldberg.app.graph import Edge, reaction_graph, width
from guldberg.app.style import COLOURS, DASHES, GRID, INK, MARKERS, PAPER, plain, styled
from guldberg.discover.result import Discovered, Estimate
from guldberg.experiments import Experiments, Run

RESIDUAL = {"concentrations": "residual / sd", "derivatives": "residual of dc/dt / sd"}
MOST_PANELS = 12
MOST_MARKS = 2000


@styled
def curves(found: Discovered) -> Figure:
    """Fitted curves over the measured points, residuals in standard deviations below; `shown` says which runs."""
    which = shown(found)
    figure, panels = _panels(len(which), heights=(3, 1))
    columns = [j for j in range(len(found.species)) if not _silent(found, j)]
    for (top, below), i in zip(panels, which, strict=True):
        _curves(top, below, found, i, columns)
    _labels(
        panels, _quantity("concentration", found.data), f"time{_unit(found.data.time_unit)}", RESIDUAL[found.fit.kind]
    )
    _legend(figure, panels[0][0])
    return figure


def shown(found: Discovered) -> list[int]:
    """The runs `curves` shows: all up to twelve, else twelve from the best to the worst fitted, evenly by rank."""
    runs = found.fit.runs
    if len(runs) <= MOST_PANELS:
        return list(range(len(runs)))
    ranked = np.argsort([_misfit(run.residuals) for run in runs], kind="stable")
    return [int(i) for i in ranked[np.linspace(0, len(runs) - 1, MOST_PANELS).round().astype(int)]]


@styled
def look(data: Experiments) -> Figure:
    """All measured points of all species, one panel per species, one line per run."""
    measured = [j for j in range(len(data.species)) if any(np.isfinite(run.values[:, j]).any() for run in data.runs)]
    figure, panels = _panels(max(len(measured), 1), heights=(1,))
    few = len(data.runs) <= len(MARKERS)
    for (axes,), j in zip(panels, measured, strict=False):
        for i, run in enumerate(data.runs):
            here = np.isfinite(run.values[:, j])
            marker, colour, alpha = (MARKERS[i], COLOURS[i], 1.0) if few else ("o", COLOURS[0], 0.4)
            style: dict[str, Any] = {"marker": marker, "color": colour, "alpha": alpha, "lw": 0.8, "ms": 3.5}
            style["rasterized"] = data.points > MOST_MARKS  # else the page grows by megabytes
            axes.plot(run.times[here], run.values[here, j], label=plain(run.name), **style)
        axes.set_title(plain(words.pretty(data.species[j])))
        _time_axis(axes, data.runs)
    _labels(panels, _quantity("concentration", data), f"time{_unit(data.time_unit)}")
    if few and len(data.runs) > 1:
        _legend(figure, panels[0][0])
    return figure


def graph(found: Discovered) -> Figure:
    """Arrow width by flux, dashed where a rival does without the reaction."""
    fastest = max((step.flux for step in found.steps), default=0.0)
    edges = [
        Edge(s.reactants, s.products, width(s.flux, fastest), s.reverse is not None, s.certainty == "possible")
        for s in found.steps
    ]
    return reaction_graph([words.pretty(name) for name in found.species], edges)


@styled
def path(found: Discovered) -> Figure:
    """The score of the best mechanism met at each size, above the best of all; the cross is the mechanism reported."""
    figure = Figure(figsize=(4.6, 3.0))
    axes = figure.add_subplot()
    points = sorted(found.path, key=lambda p: p.reactions)
    best = min([found.fit.score, *(p.score for p in points)])
    axes.plot([p.reactions for p in points], [p.score - best for p in points], "-o", color=COLOURS[0], ms=4, lw=1)
    size = sum(1 + (step.reverse is not None) for step in found.steps)
    axes.plot([size], [found.fit.score - best], "x", color=COLOURS[1], ms=10, mew=2.2, label="reported")
    margin = 2 * math.log(max(found.fit.points, 2))
    axes.axhspan(0, margin, color=COLOURS[5], alpha=0.25, lw=0, label="cannot be told apart")
    if max((p.score for p in points), default=best) - best > 2 * margin:
        axes.set_yscale("symlog", linthresh=2 * margin)
    axes.set_ylim(bottom=-0.1 * margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="directed reactions in the mechanism", ylabel="score above the best")
    axes.legend()
    return figure


@styled
def constants(found: Discovered) -> Figure:
    """95 % intervals on a logarithmic axis; an arrow where an end is open, a hollow point where both are."""
    rows = [(name, k, order) for step in found.steps for name, k, order in words.directed(found.species, step)]
    figure = Figure(figsize=(6.4, 0.7 + 0.3 * len(rows)))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(*_decades([k for _, k, _ in rows]))
    for y, (_, k, _) in enumerate(rows):
        _interval(axes, y, k)
    unit = units.common_unit(found.species, found.data.units)[0] or ""
    labels = [(name, units.rate_unit(order, unit, found.data.time_unit)) for name, _, order in rows]
    axes.set_yticks(range(len(rows)), [plain(n) + _unit(u) for n, u in labels])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("rate constant, each in its own unit")
    return figure


@styled
def profiles(found: Discovered) -> Figure:
    """chi2 along each constant, all else fitted anew; where an interval ends, and the parabola at the optimum."""
    figure, panels = _panels(len(found.profiles), heights=(1,))
    known = {name: k for step in found.steps for name, k, _ in words.directed(found.species, step)}
    for (axes,), profile in zip(panels, found.profiles, strict=True):
        top, k = 3 * profile.threshold, known[profile.equation]
        axes.axhline(profile.threshold, color=INK, lw=0.8, ls=":", label="ends a 95 % interval")
        axes.plot(profile.values, profile.quadratic, "--", color=COLOURS[6], lw=1, label="by curvature alone")
        axes.plot(profile.values, profile.rise, "-o", color=COLOURS[0], ms=3, lw=1.2, label="fitted anew at each point")
        axes.plot([k.value], [0.0], "o", color=COLOURS[1], ms=5)
        for end in (k.low, k.high):
            if end is not None:
                axes.axvline(end, color=COLOURS[1], lw=0.8)
        axes.set(ylim=(-0.05 * top, top), title=f"{plain(profile.equation)}: {words.verdict(k)}")
        _constant_axis(axes, profile.values)
    _labels(panels, "rise of chi2", "rate constant")
    if found.profiles:
        _legend(figure, panels[0][0])
    return figure


@styled
def residuals(found: Discovered) -> Figure:
    """All residuals in order of size against those of a normal distribution: on the line, the noise is as assumed."""
    everything = np.concatenate([run.residuals.ravel() for run in found.fit.runs])
    ordered = np.sort(everything[np.isfinite(everything)])
    expected = ndtri((np.arange(len(ordered)) + 0.5) / max(len(ordered), 1))
    figure = Figure(figsize=(3.2, 3.0))
    axes = figure.add_subplot()
    reach = [-3.5, 3.5]
    axes.plot(reach, reach, color=INK, lw=0.8)
    axes.plot(expected, ordered, "o", ms=2.5, color=COLOURS[0], rasterized=len(ordered) > MOST_MARKS)
    axes.set(xlabel="expected of normal noise", ylabel=RESIDUAL[found.fit.kind])
    return figure


def _panels(count: int, heights: Sequence[int]) -> tuple[Figure, list[tuple[Axes, ...]]]:
    """`count` panels in up to three columns, each a stack of axes with these relative heights."""
    columns = min(count, 1 if count == 1 else 2 if count <= 4 else 3)
    rows = -(-count // columns)
    # Margins in inches by hand: on a dozen panels matplotlib's own layout would take longer than all the drawing.
    width, height = (6.4 if columns == 1 else 9.0), 0.9 + rows * (3.2 if len(heights) > 1 else 2.2)
    figure = Figure(figsize=(width, height), constrained_layout=False)
    grid = figure.add_gridspec(rows, columns)
    edges = {"left": 0.75 / width, "right": 1 - 0.1 / width, "bottom": 0.45 / height, "top": 1 - 0.6 / height}
    grid.update(**edges, wspace=0.2, hspace=0.25 if len(heights) > 1 else 0.36)
    panels: list[tuple[Axes, ...]] = []
    for i in range(count):
        inner = grid[i // columns, i % columns].subgridspec(len(heights), 1, height_ratios=heights, hspace=0.1)
        top = figure.add_subplot(inner[0])
        panels.append((top, *(figure.add_subplot(inner[j], sharex=top) for j in range(1, len(heights)))))
    return figure, panels


def _curves(top: Axes, below: Axes, found: Discovered, i: int, columns: list[int]) -> None:
    run, fit = found.data.runs[i], found.fit.runs[i]
    for j in columns:
        name, colour, marker = (
            plain(words.pretty(found.species[j])),
            COLOURS[j % len(COLOURS)],
            MARKERS[j % len(MARKERS)],
        )
        measured = np.isfinite(run.values[:, j])
        dashes = DASHES[j // len(COLOURS) % len(DASHES)]
        top.plot(fit.curve_times, fit.curve[:, j], dashes, color=colour, lw=1.2)
        top.plot(run.times[measured], run.values[measured, j], marker, color=colour, ms=3.5)
        top.plot([], [], dashes, marker=marker, color=colour, lw=1.2, ms=3.5, label=name)
        below.plot(run.times, fit.residuals[:, j], marker, color=colour, ms=2.5)
    below.axhspan(-2, 2, color=GRID, alpha=0.6, lw=0)
    below.yaxis.set_major_locator(MaxNLocator(3))
    top.yaxis.set_major_locator(MaxNLocator(5))
    below.set_ylim(-(reach := max(3.2, 1.1 * np.nanmax(np.abs(fit.residuals), initial=0.0))), reach)
    top.set_title(f"{plain(run.name)}  (rms residual {_misfit(fit.residuals):.2g} sd)")
    top.tick_params(labelbottom=False)
    _time_axis(top, [run])


def _time_axis(axes: Axes, runs: Sequence[Run]) -> None:
    """Logarithmic beyond the first sample where most of the sampling is in the first tenth of the time."""
    times = np.concatenate([run.times for run in runs])
    positive = times[times > 0]
    if len(positive) > 3 and (times >= 0).all() and np.median(positive) < 0.1 * positive.max():
        axes.set_xscale("symlog", linthresh=positive.min())
        axes.set_xlim(left=0)


def _constant_axis(axes: Axes, values: np.ndarray) -> None:
    """Few figures, since constants have many digits; logarithmic over more than a factor of three."""
    if values[-1] > 3 * values[0]:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=4))
        axes.xaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        return
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))


def _labels(panels: Sequence[tuple[Axes, ...]], y: str, x: str, residual: str = "") -> None:
    columns = min(len(panels), 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3)
    for i, axes in enumerate(panels):
        if i % columns == 0:
            axes[0].set_ylabel(y)
            if residual:
                axes[-1].set_ylabel(residual)
        if i + columns >= len(panels):
            axes[-1].set_xlabel(x)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=min(len(labels), 7), handlelength=2.6)


def _quantity(name: str, data: Experiments) -> str:
    return name + _unit(units.common_unit(data.species, data.units)[0] or "")


def _unit(text: str) -> str:
    return f" [{plain(text)}]" if text else ""


def _silent(found: Discovered, j: int) -> bool:
    """Whether a species is zero in every fitted curve and measured nowhere."""
    return not any(np.isfinite(run.values[:, j]).any() for run in found.data.runs) and not any(
        np.abs(fit.curve[:, j]).max(initial=0.0) > 0 for fit in found.fit.runs
    )


def _misfit(residuals: Float[np.ndarray, "times species"]) -> float:
    seen = residuals[np.isfinite(residuals)]
    return float(np.sqrt(np.mean(seen**2))) if seen.size else 0.0


def _decades(constants: Sequence[Estimate]) -> tuple[float, float]:
    ends = [x for k in constants for x in (k.value, k.low, k.high) if x and math.isfinite(x)]
    low, high = min(ends, default=0.1), max(ends, default=10.0)
    return 10 ** (math.log10(low) - 0.5), 10 ** (math.log10(high) + 0.5)


def _interval(axes: Axes, y: int, k: Estimate) -> None:
    left, right = axes.get_xlim()
    low, high = k.low or left, k.high or right
    axes.plot([low, high], [y, y], color=COLOURS[0], lw=1.6, solid_capstyle="butt")
    for end, mark in ((k.low, "<"), (k.high, ">")):
        x = end or (left if mark == "<" else right)
        axes.plot([x], [y], marker=mark if end is None else "|", color=COLOURS[0], ms=7, mew=1.6, clip_on=False)
    axes.plot([k.value], [y], "o", color=COLOURS[1], mfc=PAPER if k.verdict == "flat" else COLOURS[1], ms=5, zorder=3)
