"""Figures of a discovery, in one style. They take results and return a `Figure`; nothing is computed anew.

Colours are those of Okabe and Ito (colour-blind safe); markers and line styles tell the species apart in grey as well.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtri

from guldberg.app import layout, units, words
from guldberg.discover.result import Discovered, Estimate, Step
from guldberg.experiments import Experiments, Run

INK, PAPER, GRID = "#1b1b1f", "#fefefe", "#d4d4d8"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
RESIDUAL = {"concentrations": "residual / sd", "derivatives": "residual of dc/dt / sd"}
MOST_PANELS = 12
MOST_MARKS = 2000
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
}
_styled = matplotlib.rc_context(STYLE)


def svg(figure: Figure, name: str) -> str:
    """`figure` as an `<svg>` element for a page: the same bytes each time, ids that begin with `name`, and the page's
    own colours for ink, paper and grid (`currentColor`, `--paper`, `--grid`)."""
    buffer = io.StringIO()
    style: dict[Any, Any] = {**STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure.savefig(buffer, format="svg", dpi=150, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text[text.index("<svg") :])
    for colour, own in ((INK, "currentColor"), (PAPER, "var(--paper)"), (GRID, "var(--grid)")):
        text = text.replace(colour, own)
    return text


@_styled
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


@_styled
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
            axes.plot(run.times[here], run.values[here, j], label=_plain(run.name), **style)
        axes.set_title(_plain(words.pretty(data.species[j])))
        _time_axis(axes, data.runs)
    _labels(panels, _quantity("concentration", data), f"time{_unit(data.time_unit)}")
    if few and len(data.runs) > 1:
        _legend(figure, panels[0][0])
    return figure


@_styled
def graph(found: Discovered) -> Figure:
    """Species in boxes, reactions as numbered dots; arrow width by flux, dashed where a rival does without it."""
    names = [_plain(words.pretty(name)) for name in found.species]
    sides = [(s.reactants, s.products) for s in found.steps]
    sizes = [(0.12 + 0.085 * len(name), 0.26) for name in names] + [(0.24, 0.24)] * len(sides)
    at, (width, height) = layout.bipartite(sides, sizes)
    figure = Figure(figsize=(width, height), constrained_layout=False)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.set_axis_off()
    fastest = max((step.flux for step in found.steps), default=0.0)
    for i, step in enumerate(found.steps):
        _arrows(axes, at, sizes, len(names) + i, step, _width(step.flux, fastest))
    for i, (x, y) in enumerate(at):
        species = i < len(names)
        style = "round,pad=0.28" if species else "circle,pad=0.18"
        box = {"boxstyle": style, "fc": PAPER, "ec": INK if species else COLOURS[0], "lw": 0.9}
        label, size = (names[i], 10) if species else (str(i - len(names) + 1), 7)
        axes.text(x, y, label, ha="center", va="center", size=size, bbox=box, zorder=4)
    return figure


@_styled
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
    axes.set_yscale("symlog", linthresh=2 * margin)
    axes.set_ylim(bottom=-0.1 * margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="directed reactions in the mechanism", ylabel="score above the best")
    axes.legend()
    return figure


@_styled
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
    axes.set_yticks(range(len(rows)), [_plain(n) + _unit(u) for n, u in labels])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("rate constant, each in its own unit")
    return figure


@_styled
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
            _plain(words.pretty(found.species[j])),
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
    top.set_title(f"{_plain(run.name)}  (rms residual {_misfit(fit.residuals):.2g} sd)")
    top.tick_params(labelbottom=False)
    _time_axis(top, [run])


def _time_axis(axes: Axes, runs: Sequence[Run]) -> None:
    """Logarithmic beyond the first sample where most of the sampling is in the first tenth of the time."""
    times = np.concatenate([run.times for run in runs])
    positive = times[times > 0]
    if len(positive) > 3 and (times >= 0).all() and np.median(positive) < 0.1 * positive.max():
        axes.set_xscale("symlog", linthresh=positive.min())
        axes.set_xlim(left=0)


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
    return f" [{_plain(text)}]" if text else ""


def _plain(text: str) -> str:
    """`text` with no dollar sign that matplotlib would take for the start of a formula."""
    return text.replace("$", r"\$")


def _silent(found: Discovered, j: int) -> bool:
    """Whether a species is zero in every fitted curve and measured nowhere."""
    return not any(np.isfinite(run.values[:, j]).any() for run in found.data.runs) and not any(
        np.abs(fit.curve[:, j]).max(initial=0.0) > 0 for fit in found.fit.runs
    )


def _misfit(residuals: Float[np.ndarray, "times species"]) -> float:
    seen = residuals[np.isfinite(residuals)]
    return float(np.sqrt(np.mean(seen**2))) if seen.size else 0.0


def _width(flux: float, fastest: float) -> float:
    """Points, by the logarithm of the flux over three decades."""
    if flux <= 0 or fastest <= 0:
        return 0.7
    return 0.7 + 2.3 * max(0.0, 1 + math.log10(flux / fastest) / 3)


def _arrows(axes: Axes, at: np.ndarray, sizes: Sequence[tuple[float, float]], dot: int, step: Step, lw: float) -> None:
    """From the dot to each species: a head where the step can make it, none where it only consumes it."""
    for j, (n, m) in enumerate(zip(step.reactants, step.products, strict=True)):
        heads = [step.reverse is not None] * bool(n) + [True] * bool(m)
        for head in heads:
            arrow = FancyArrowPatch(
                tuple(at[dot]),
                tuple(_border(at[dot], at[j], sizes[j])),
                arrowstyle=f"-|>,head_length={0.25 + 0.05 * lw},head_width={0.1 + 0.04 * lw}" if head else "-",
                connectionstyle=f"arc3,rad={0.25 if n and m else 0}",  # a catalyst goes in and comes out
                mutation_scale=14,
                lw=lw,
                ls="--" if step.certainty == "possible" else "-",
                color=COLOURS[0],
                shrinkA=6,
                shrinkB=1,
                zorder=2,
            )
            axes.add_patch(arrow)


def _border(start: np.ndarray, end: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Where the line from `start` to the middle of a box at `end` meets the box, with a little air."""
    way = end - start
    share = min((extent / 2 + 0.06) / abs(d) if d else math.inf for extent, d in zip(size, way, strict=True))
    return end - way * min(share, 0.8)


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
