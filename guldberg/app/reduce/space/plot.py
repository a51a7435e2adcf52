"""Figures of a reduction in continuous space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guldberg.app.style import COLOURS, INK, PAPER, plain, styled
from guldberg.reduce.space.result import Curve, SpaceReduced
from guldberg.space.walls import Wall

LOOKS = {
    "learned": {"color": COLOURS[0], "lw": 2.2},
    "constants": {"color": COLOURS[2], "ls": "-."},
    "mean_field": {"color": COLOURS[1], "ls": "--"},
    "static_floor": {"color": COLOURS[5], "ls": ":"},
    "noise": {"color": COLOURS[6], "ls": ":"},
}
TIMES = 4  # shown of all


@styled
def densities(found: SpaceReduced) -> Figure:
    """Held-out and learned densities at a few times: curves in a line, maps in a plane."""
    times = np.unique(np.geomspace(1, len(found.times), TIMES).astype(int) - 1)
    return (_lines if len(found.plan.cells) == 1 else _maps)(found, times)


def _lines(found: SpaceReduced, times: np.ndarray) -> Figure:
    names, x = found.plan.box.species, np.arange(found.plan.cells[0]) + 0.5
    x = x * found.plan.grid.spacing[0]
    figure = Figure(figsize=(9.0, 3.0 * len(names)))
    for s, axes in enumerate(figure.subplots(len(names), 1, squeeze=False)[:, 0]):
        for k, t in enumerate(times):
            axes.plot(x, found.held[t, s], ".", color=COLOURS[6], ms=4, label="held-out runs" if k == 0 else None)
            label = f"learned, t = {found.times[t]:.3g}"
            axes.plot(x, found.densities["learned"][t, s], color=COLOURS[k], label=label)
        axes.set(xlabel="x", ylabel=f"density of {plain(names[s])}", ylim=(0, None))
        axes.legend()
    return figure


def _maps(found: SpaceReduced, times: np.ndarray) -> Figure:
    names = found.plan.box.species
    rows = [(name, s, kind) for s, name in enumerate(names) for kind in ("held-out runs", "learned")]
    width, height = found.plan.box.lengths
    figure = Figure(figsize=(9.0, (0.6 + 1.8 * height / width) * len(rows)))
    extent = (0, width, 0, height)
    for (name, s, kind), line in zip(rows, figure.subplots(len(rows), len(times), squeeze=False), strict=True):
        field = found.densities["learned"] if kind == "learned" else found.held
        for axes, t in zip(line, times, strict=True):
            top = found.held[t, s].max()
            axes.imshow(field[t, s].T, origin="lower", extent=extent, vmin=0, vmax=top, cmap="viridis")
            _walls(axes, found.plan.box.walls)
            axes.grid(visible=False)
            axes.set_title(f"{plain(name)}, t = {found.times[t]:.3g}")
        line[0].set_ylabel(kind)
    return figure


def _walls(axes: Axes, walls: Sequence[Wall]) -> None:
    for wall in walls:
        across, along = (wall.place, wall.place), (wall.low, wall.high)
        axes.plot(*((across, along) if wall.axis == 0 else (along, across)), color=PAPER, lw=1.5)


@styled
def functions(found: SpaceReduced) -> Figure:
    """Each learned function with its band; one of several species against what the network says."""
    columns = 3
    rows = -(-len(found.curves) // columns)
    figure = Figure(figsize=(9.0, 2.7 * rows))
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, curve in zip(panels, found.curves, strict=False):
        (_curve if curve.points.shape[1] == 1 else _scatter)(axes, curve, found.plan.box.species)
        axes.set_title(f"before {plain(curve.name)}")
    for axes in panels[len(found.curves) :]:
        axes.set_visible(False)
    return figure


def _curve(axes: Axes, curve: Curve, species: tuple[str, ...]) -> None:
    band(axes, curve)
    reach = max(3 * float(np.median(curve.error)), 0.25 * float(np.abs(curve.values).max()))
    ends = np.concatenate([curve.values, curve.known[np.isfinite(curve.known)]])
    axes.set(xlabel=f"nu of {plain(species[curve.of[0]])}", ylim=(ends.min() - reach, ends.max() + reach))


def band(axes: Axes, curve: Curve) -> None:
    """A function of one variable with two standard errors; dashed: what is known of it."""
    x = curve.points[:, 0]
    axes.fill_between(x, curve.values - 2 * curve.error, curve.values + 2 * curve.error, color=COLOURS[0], alpha=0.25)
    axes.plot(x, curve.values, color=COLOURS[0])
    axes.plot(x, curve.known, color=INK, ls="--", lw=1)


def _scatter(axes: Axes, curve: Curve, species: tuple[str, ...]) -> None:
    """Against the network's function, or, where that is constant, against the first nu."""
    names = [plain(species[s]) for s in curve.of]
    constant = np.ptp(curve.known) < 1e-9
    x = curve.points[:, 0] if constant else curve.known
    axes.errorbar(x, curve.values, 2 * curve.error, fmt=".", color=COLOURS[0], ecolor=COLOURS[5], ms=3, lw=0.6)
    ends = np.array([np.nanmin(x), np.nanmax(x)])
    axes.plot(ends, np.full(2, curve.known[0]) if constant else ends, color=INK, ls="--", lw=1)
    axes.set(
        xlabel=f"nu of {names[0]}" if constant else f"by the network, of nu of {', '.join(names)}", ylabel="learned"
    )


@styled
def errors(found: SpaceReduced) -> Figure:
    """By time: root mean square errors, and the share of places beyond two standard errors."""
    figure = Figure(figsize=(9.0, 3.2))
    left, right = figure.subplots(1, 2)
    for who, error in found.errors.items():
        left.plot(found.times, error[0], label=who.replace("_", " "), **LOOKS[who])
    left.set(xlabel="time", ylabel="error [particles per volume]", ylim=(0, None))
    for who, share in found.outside.items():
        right.plot(found.times, 100 * share, **LOOKS[who])
    right.axhline(5, color=INK, lw=0.8)
    right.set(xlabel="time", ylabel="beyond two standard errors [%]", ylim=(0, 100))
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure
