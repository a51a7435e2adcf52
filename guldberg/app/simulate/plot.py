"""Pictures of what was simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guldberg.app import words
from guldberg.app.design import film as films
from guldberg.app.style import COLOURS, DASHES, plain, styled
from guldberg.experiments import Experiments, Run
from guldberg.stochastic.particles import History

FEW = 5  # single runs drawn behind their mean
MOST = 12  # panels
COLUMNS = 3
FRAMES = 6  # of a strip
ROWS = 6  # species of a strip
MOST_MARKS = 2000
MAP = "cividis"  # the same order of lightness for every eye, and in grey


@styled
def curves(table: Experiments, singles: Sequence[Float[np.ndarray, "few times species"]] = ()) -> Figure:
    """Concentrations of all species, a panel for each of the first twelve experiments; behind means, a few runs."""
    count = min(len(table.runs), MOST)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(4.8, 3.2 * columns), 2.8 * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for i, (axes, run) in enumerate(zip(panels, table.runs, strict=False)):
        _lines(axes, table.species, run, singles[i] if singles else None)
        if count > 1:
            axes.set_title(plain(run.name))
    for empty in panels[count:]:
        empty.set_visible(False)
    figure.supxlabel("time", fontsize=9)
    figure.supylabel("concentration", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=min(len(table.species), 8))
    return figure


@styled
def strip(species: Sequence[str], times: Float[np.ndarray, "times"], fields: Float[np.ndarray, "..."]) -> Figure:
    """Times from left to right, a row for each of the first six species, each with its own scale."""
    which = np.unique(np.linspace(0, len(times) - 1, FRAMES).round().astype(int))
    states = films.flat(fields[which])
    rows = min(len(species), ROWS)
    height = min(1.5, 1.5 * states.shape[2] / states.shape[3])
    figure = Figure(figsize=(1.5 * len(which) + 0.9, (height + 0.15) * rows + 0.4))
    panels = figure.subplots(rows, len(which), squeeze=False)
    for j in range(rows):
        finite = states[:, j][np.isfinite(states[:, j])]
        low, high = float(finite.min()), float(finite.max())
        for axes, frame, i in zip(panels[j], states[:, j], which, strict=True):
            axes.imshow(frame, cmap=MAP, vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            if j == 0:
                axes.set_title(f"t = {times[i]:.4g}")
        panels[j, 0].set_ylabel(plain(words.pretty(species[j])))
        figure.colorbar(panels[j, 0].images[0], ax=panels[j, :], fraction=0.02, pad=0.01).ax.tick_params(labelsize=7)
    return figure


@styled
def snapshots(history: History, table: Experiments) -> Figure:
    """Where the particles of the first run are at four times, and below the mean concentrations."""
    run = history.runs[0]
    which = np.unique(np.linspace(0, len(run) - 1, 4).round().astype(int))
    figure = Figure(figsize=(2.2 * len(which) + 0.6, 5.2))
    grid = figure.add_gridspec(2, len(which), height_ratios=(2, 2.4))
    lengths = np.array(history.rules.lengths)
    for column, i in enumerate(which):
        axes = figure.add_subplot(grid[0, column])
        kinds, x = run[i]
        for j in range(len(table.species)):
            here = x[kinds == j]
            up = here[:, 1] if x.shape[1] > 1 else np.zeros(len(here))
            axes.plot(here[:, 0], up, ".", ms=2.5, color=COLOURS[j % len(COLOURS)], rasterized=len(here) > MOST_MARKS)
        axes.set(xlim=(0, lengths[0]), xticks=[], yticks=[], title=f"t = {history.times[i]:.4g}")
        axes.grid(False)
        axes.spines[["top", "right"]].set_visible(True)
        if len(lengths) > 1:
            axes.set(ylim=(0, lengths[1]), aspect="equal")
    below = figure.add_subplot(grid[1, :])
    _lines(below, table.species, table.runs[0])
    below.set(xlabel="time", ylabel="concentration")
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper center", ncols=min(len(table.species), 8))
    return figure


def _lines(
    axes: Axes, species: Sequence[str], run: Run, singles: Float[np.ndarray, "few times species"] | None = None
) -> None:
    for j, name in enumerate(species):
        colour, dash = COLOURS[j % len(COLOURS)], DASHES[j // len(COLOURS) % len(DASHES)]
        for one in () if singles is None else singles[:, : len(run.times), j]:
            axes.plot(run.times, one, color=colour, lw=0.5, alpha=0.35, drawstyle="steps-post")
        axes.plot(run.times, run.values[:, j], dash, color=colour, lw=1.5, label=plain(words.pretty(name)))
