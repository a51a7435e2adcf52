"""Figures of a reduction to pairs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from guldberg.app.reduce.space.plot import band
from guldberg.app.style import COLOURS, INK, plain, styled
from guldberg.reduce.pairs.result import PairReduced

LOOKS = {
    "learned": {"color": COLOURS[0], "lw": 2.2},
    "static_floor": {"color": COLOURS[6], "ls": ":"},
    "superposition": {"color": COLOURS[2], "ls": "-."},
    "smoluchowski": {"color": COLOURS[1], "ls": "--"},
    "mean_field": {"color": COLOURS[3], "ls": (0, (1, 1))},
}
DRAWN = ("learned", "superposition", "smoluchowski", "mean_field")


def _times(found: PairReduced) -> list[int]:
    """Three of all: early, in the middle, last."""
    last = len(found.times) - 1
    return sorted({max(1, last // 10), last // 2, last})


@styled
def mixture(found: PairReduced) -> Figure:
    """Density by time, pair correlation by distance."""
    times, r = _times(found), found.plan.distances.centres
    figure = Figure(figsize=(9.0, 5.6))
    panels = figure.subplot_mosaic(
        [["density", str(times[0])], ["density", str(times[1])], ["density", str(times[-1])]]
    )
    dots = {"fmt": ".", "color": INK, "ms": 4, "lw": 0.8, "label": "held-out runs"}
    panels["density"].errorbar(found.times, found.held.density, 2 * found.held.density_error, **dots)
    for who in DRAWN:
        panels["density"].plot(found.times, found.mixtures[who].density, label=who.replace("_", " "), **LOOKS[who])
    panels["density"].set(xlabel="time", ylabel="density", ylim=(0, None))
    for t in times:
        axes = panels[str(t)]
        axes.errorbar(r, found.held.correlation[t], 2 * found.held.correlation_error[t], **dots)
        for who in DRAWN:
            axes.plot(r, found.mixtures[who].correlation[t], **LOOKS[who])
        axes.set(ylim=(0, 1.25), ylabel="pair correlation", title=f"t = {found.times[t]:.3g}")
    panels[str(times[-1])].set_xlabel("distance")
    panels["density"].legend()
    return figure


@styled
def scores(found: PairReduced) -> Figure:
    """By time: standard errors of the density, shares of shells."""
    figure = Figure(figsize=(9.0, 3.2))
    left, right = figure.subplots(1, 2)
    for who in DRAWN:
        z = (found.mixtures[who].density - found.held.density)[1:] / found.held.density_error[1:]
        left.plot(found.times[1:], z, label=who.replace("_", " "), **LOOKS[who])
        right.plot(found.times[1:], 100 * found.outside[who].correlation[1:], **LOOKS[who])
    left.axhspan(-2, 2, color=COLOURS[5], alpha=0.2, lw=0)
    left.set(xlabel="time", ylabel="density: standard errors away", ylim=(-8, 8))
    right.axhline(5, color=INK, lw=0.8)
    right.set(xlabel="time", ylabel="shells beyond two errors [%]", ylim=(0, 100))
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(DRAWN))
    return figure


@styled
def interactions(found: PairReduced) -> Figure:
    """nu_1 and nu_2, along the learned path and at each time by itself."""
    figure = Figure(figsize=(9.0, 3.2))
    left, right = figure.subplots(1, 2)
    left.plot(found.times, found.fitted[:, 1, 0], ".", color=INK, ms=4)
    left.plot(found.times, found.nu[:, 1, 0], color=COLOURS[0])
    left.set(xlabel="time", ylabel="nu_1")
    for k, t in enumerate(_times(found)):
        right.plot(found.plan.distances.centres, found.fitted[t, 0], ".", color=COLOURS[k], ms=3)
        label = f"t = {found.times[t]:.3g}"
        right.plot(found.plan.distances.centres, found.nu[t, 0], color=COLOURS[k], label=label)
    right.set(xlabel="distance", ylabel="nu_2")
    right.legend()
    return figure


@styled
def functions(found: PairReduced) -> Figure:
    """Each learned function with its band."""
    figure = Figure(figsize=(9.0, 5.2))
    panels = np.ravel(figure.subplots(2, 3))
    for axes, curve in zip(panels, found.curves, strict=False):
        band(axes, curve)
        axes.set(xlabel="w_1", title=f"before {plain(curve.name)}")
    for axes in panels[len(found.curves) :]:
        axes.set_visible(False)
    return figure
