"""Figures of a PEtab problem."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from guldberg.app.petab.reading import Problem
from guldberg.app.style import COLOURS, MARKERS, plain, styled
from guldberg.discover.estimation import Estimated
from guldberg.discover.likelihood import Unknowns

MOST_PANELS, ACROSS = 12, 3


@styled
def fit(problem: Problem, x: Unknowns) -> Figure:
    """Measured points and, joined by lines, what the fit says at the same times, by observable."""
    observables = list(dict.fromkeys(one.observable for setting in problem.settings for one in setting.instruments))
    shown = observables[:MOST_PANELS]
    across = min(ACROSS, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(3.1 * across, 2.3 * down))
    panels = dict(zip(shown, figure.subplots(down, across, squeeze=False).flat, strict=False))
    for n, (setting, condition, read) in enumerate(
        zip(problem.settings, problem.likelihood.conditions, problem.likelihood.readings(x) or [], strict=True)
    ):
        ends = np.cumsum([len(one.at) for one in setting.instruments])[:-1]
        for one, misfit in zip(setting.instruments, np.split(read.misfit, ends), strict=True):
            if one.observable in panels:
                look = {"color": COLOURS[n % len(COLOURS)]}
                times, order = condition.times[one.at], np.argsort(one.at, kind="stable")
                panels[one.observable].plot(times, one.measured, MARKERS[n % len(MARKERS)], ms=4, **look)
                panels[one.observable].plot(times[order], one.fitted(misfit)[order], lw=1.2, **look)
    for name, axes in panels.items():
        axes.set_title(plain(name))
        axes.set_xlabel("time")
    for axes in figure.axes[len(shown) :]:
        axes.set_visible(False)
    _legend(figure, [condition.name for condition in problem.likelihood.conditions])
    return figure


def _legend(figure: Figure, conditions: list[str]) -> None:
    """The look of each condition, where there are few enough to be told apart."""
    if 1 < len(conditions) <= len(COLOURS):
        looks = zip(conditions, COLOURS, MARKERS, strict=False)
        lines = [Line2D([], [], color=c, marker=m, ms=4, lw=1.2, label=plain(name)) for name, c, m in looks]
        figure.legend(handles=lines, loc="outside upper center", ncols=min(len(lines), 4))


@styled
def starts(found: Estimated) -> Figure:
    """How far above the best point each start ended, in order."""
    above = np.sort([value - found.best.value for value in found.values if np.isfinite(value)])
    figure = Figure(figsize=(4.6, 2.4))
    axes = figure.subplots()
    axes.semilogy(np.arange(1, len(above) + 1), np.maximum(above, 1e-6), MARKERS[0], color=COLOURS[0], ms=5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("start")
    axes.set_ylabel("−ln L above the best")
    return figure
