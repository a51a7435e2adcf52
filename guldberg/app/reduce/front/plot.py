"""Figures of a reduction to a front."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from guldberg.app.reduce.space.plot import band
from guldberg.app.style import COLOURS, INK, plain, styled
from guldberg.reduce.front.result import FrontReduced

LOOKS = {
    "learned": {"color": COLOURS[0], "lw": 2.2},
    "smoluchowski": {"color": COLOURS[1], "ls": "--"},
    "superposition": {"color": COLOURS[2], "ls": "-."},
    "mean_field": {"color": COLOURS[3], "ls": (0, (1, 1))},
}
DOTS = {"fmt": ".", "color": INK, "ms": 4, "lw": 0.8}


def _times(found: FrontReduced) -> list[int]:
    """Four of all: first, early, in the middle, last."""
    last = len(found.times) - 1
    return sorted({0, max(1, last // 5), last // 2, last})


def _places(found: FrontReduced) -> np.ndarray:
    return (np.arange(found.plan.cells) + 0.5) * found.plan.line.cell


@styled
def densities(found: FrontReduced) -> Figure:
    """Of both species at a few times."""
    times, x, names = _times(found), _places(found), found.plan.box.species
    figure = Figure(figsize=(9.0, 5.6))
    panels = np.ravel(figure.subplots(2, 2, sharex=True))
    for axes in panels[len(times) :]:
        axes.set_visible(False)
    for axes, t in zip(panels, times, strict=False):
        for s, name in enumerate(names):
            error = 2 * found.held.density_error[t, s]
            axes.errorbar(x, found.held.density[t, s], error, **{**DOTS, "color": COLOURS[s]})
            axes.plot(x, found.gases["learned"].density[t, s], color=COLOURS[s], label=f"{plain(name)}, learned")
            axes.plot(x, found.gases["mean_field"].density[t, s], color=COLOURS[s], ls="--", lw=1)
        axes.set(title=f"t = {found.times[t]:.3g}", ylabel="density", ylim=(0, None))
    figure.axes[0].legend()
    figure.supxlabel("place", fontsize=9)
    return figure


@styled
def fronts(found: FrontReduced) -> Figure:
    """Where the front is, and how many are left."""
    figure, names = Figure(figsize=(9.0, 3.2)), found.plan.box.species
    left, right = figure.subplots(1, 2)
    left.errorbar(found.times, found.held.front, 2 * found.held.front_error, label="held-out runs", **DOTS)
    for s in range(2):
        right.errorbar(found.times, found.held.number[:, s], 2 * found.held.number_error[:, s], **DOTS)
        right.text(found.times[-1], found.held.number[-1, s], f"  {plain(names[s])}", va="center")
    for who, look in LOOKS.items():
        left.plot(found.times, found.gases[who].front, label=who.replace("_", " "), **look)
        for s in range(2):
            right.plot(found.times, found.gases[who].number[:, s], **look)
    left.set(xlabel="time", ylabel="place of the front")
    right.set(xlabel="time", ylabel="particles left", ylim=(0, None))
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


@styled
def correlations(found: FrontReduced) -> Figure:
    """Of unlike particles, by distance, at three times."""
    r, times, figure = found.plan.line.shells.centres, _times(found)[1:], Figure(figsize=(9.0, 3.2))
    panels = figure.subplots(1, len(times), sharey=True)
    for axes, t in zip(panels, times, strict=True):
        axes.errorbar(r, found.held.correlation[t], 2 * found.held.correlation_error[t], label="held-out runs", **DOTS)
        for who, look in LOOKS.items():
            axes.plot(r, found.gases[who].correlation[t], label=who.replace("_", " "), **look)
        axes.set(xlabel="distance", title=f"t = {found.times[t]:.3g}", ylim=(0, 1.25))
    panels[0].set_ylabel("pair correlation")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


@styled
def interactions(found: FrontReduced) -> Figure:
    """nu of each species by place, of pairs by distance."""
    names, figure = found.plan.box.species, Figure(figsize=(9.0, 3.2))
    where = [_places(found), _places(found), found.plan.line.shells.centres]
    for f, (axes, x) in enumerate(zip(figure.subplots(1, 3), where, strict=True)):
        for k, t in enumerate(_times(found)[1:]):
            axes.plot(x, found.fitted[t, f], ".", color=COLOURS[k], ms=3)
            axes.plot(x, found.nu[t, f], color=COLOURS[k], label=f"t = {found.times[t]:.3g}")
        axes.set(xlabel="distance" if f == 2 else "place", title=f"nu of {plain([*names, ' and '.join(names)][f])}")
    figure.axes[2].legend()
    return figure


@styled
def functions(found: FrontReduced) -> Figure:
    """Each learned function with its band."""
    figure, names = Figure(figsize=(9.0, 10.0)), found.plan.box.species
    panels = np.ravel(figure.subplots(4, 3))
    for axes, curve in zip(panels, found.curves, strict=False):
        band(axes, curve)
        reach = max(3 * float(np.median(curve.error)), 0.5 * abs(float(curve.known[0])))
        ends = np.append(curve.values, curve.known[0])
        level = len(curve.of) > 1
        axes.set(
            xlabel="-log of mean density" if level else f"-log of density of {plain(names[curve.of[0]])}",
            title=f"before {plain(curve.name)}",
            ylim=(ends.min() - reach, ends.max() + reach),
        )
    for axes in panels[len(found.curves) :]:
        axes.set_visible(False)
    return figure


@styled
def scores(found: FrontReduced) -> Figure:
    """By time: shares of places and of shells."""
    figure = Figure(figsize=(9.0, 3.2))
    for k, (axes, label) in enumerate(zip(figure.subplots(1, 2), ("places", "shells"), strict=True)):
        for who, look in LOOKS.items():
            axes.plot(found.times[1:], 100 * found.outside[who][k][1:], label=who.replace("_", " "), **look)
        axes.axhline(5, color=INK, lw=0.8)
        axes.set(xlabel="time", ylabel=f"{label} beyond two errors [%]", ylim=(0, 100))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(LOOKS))
    return figure
