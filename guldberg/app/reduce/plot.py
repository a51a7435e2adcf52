"""Figures of a reduction. They take results and return a `Figure`; nothing is computed anew but what is seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guldberg.app.reduce.words import NAMES, ORDERS, pair_names
from guldberg.app.style import COLOURS, DASHES, GRID, INK, PAPER, plain, styled
from guldberg.reduce.result import BoxReduced, ChainReduced, Reduced
from guldberg.reduce.single import SNAPSHOTS, Followed

LOOKS: dict[str, dict[str, Any]] = {  # learned stands out; floor and noise bound it from below
    "learned": {"color": COLOURS[0], "lw": 2.4},
    "projection": {"color": COLOURS[2], "ls": "--"},
    "pair_closure": {"color": COLOURS[3], "ls": "-."},
    "pair_closure_unfitted": {"color": COLOURS[4], "ls": "-."},
    "mean_field": {"color": COLOURS[1], "ls": "--"},
    "static_floor": {"color": COLOURS[5], "ls": ":"},
    "noise": {"color": COLOURS[6], "ls": ":"},
}
FEW = 10  # starts shown where all would be a tangle


@styled
def errors(found: Reduced) -> Figure:
    """Root mean square errors on held-out simulations, by order: every closure in the same panel."""
    orders = max(map(len, found.errors.values()))
    figure = Figure(figsize=(9.0, 3.0 * -(-orders // 2)))
    panels = np.ravel(figure.subplots(-(-orders // 2), 2, squeeze=False))
    for order, axes in enumerate(panels[:orders]):
        for who, table in found.errors.items():
            if order < len(table):
                steps = np.arange(1, table.shape[1])
                axes.plot(steps, table[order, 1:], label=NAMES[who], **{"lw": 1.3, **LOOKS[who]})
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5 * _least(found, order))
        axes.set(title=ORDERS[order], xlabel="step", ylabel="error [counts per 1000 sites]")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _least(found: Reduced, order: int) -> float:
    """The smallest error of any closure: a floor that is zero by construction does not rule the axis."""
    tables = [table[order, 1:] for who, table in found.errors.items() if who != "static_floor" and order < len(table)]
    positive = np.concatenate(tables)[np.concatenate(tables) > 0]
    return float(positive.min()) if positive.size else 1e-3


@styled
def training(found: ChainReduced) -> Figure:
    """Ernst et al. Fig. 1e: moments of simulations, some of the starts learned from."""
    return _moments([found.training[:: max(1, len(found.training) // FEW)]], ("simulated",))


@styled
def held(found: ChainReduced) -> Figure:
    """Simulated moments of held-out starts, and those of the learned closure."""
    every = max(1, len(found.held) // 6)
    return _moments([found.held[::every], found.modelled[::every]], ("simulated", "learned"))


def _moments(groups: Sequence[Float[np.ndarray, "starts times 4"]], names: Sequence[str]) -> Figure:
    figure = Figure(figsize=(9.0, 5.4))
    panels = np.ravel(figure.subplots(2, 2, sharex=True))
    for order, axes in enumerate(panels):
        for group, name, look in zip(groups, names, _PAIR, strict=False):
            for i, start in enumerate(group):
                colour = COLOURS[i % len(COLOURS)] if len(groups) == 1 else look["color"]
                axes.plot(start[:, order], label=name if i == 0 else None, **{**look, "color": colour})
        axes.set(title=ORDERS[order], ylabel="mean count")
        axes.set_yscale("log")
    for axes in panels[2:]:
        axes.set_xlabel("step")
    if len(groups) > 1:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


_PAIR = ({"color": COLOURS[6], "lw": 2.2}, {"color": COLOURS[0], "lw": 1.1, "ls": "--"})


@styled
def functions(found: ChainReduced) -> Figure:
    """Ernst et al. Fig. 2: the learned right-hand sides on planes through the middle of the trained region."""
    names, planes = found.interactions, found.slices
    figure = Figure(figsize=(9.0, 2.6 * len(planes)))
    panels = figure.subplots(len(planes), len(names), squeeze=False)
    reach = [max(np.nanmax(np.abs(plane.values[k])) for plane in planes) for k in range(len(names))]
    for plane, row in zip(planes, panels, strict=True):
        x, y = (names.index(name) for name in plane.axes)
        for k, axes in enumerate(row):
            shown = axes.pcolormesh(
                plane.x, plane.y, plane.values[k], cmap="RdBu_r", vmin=-reach[k], vmax=reach[k], rasterized=True
            )
            for path in found.thetas[:: max(1, len(found.thetas) // 15)]:
                axes.plot(path[:, x], path[:, y], color=INK, lw=0.6)
                axes.plot(path[0, x], path[0, y], "o", color=COLOURS[2], ms=3)
            axes.set(xlim=plane.x[[0, -1]], ylim=plane.y[[0, -1]], xlabel=plain(plane.axes[0]))
            axes.set_ylabel(plain(plane.axes[1]) if k == 0 else "")
            axes.set_title(f"d{plain(names[k])} in one step")
            axes.grid(visible=False)
            figure.colorbar(shown, ax=axes)
    return figure


@styled
def neighbours(found: ChainReduced) -> Figure:
    """Ernst et al. Fig. 3a: the neighbouring pairs of every start, over its parameters; large: before any step."""
    figure = Figure(figsize=(9.0, 3.2))
    names, paths, pairs = found.interactions, found.thetas, found.held[:, :, 1]
    top = max(float(pairs.max()), 1.0)
    panels = figure.subplots(1, len(names) - 1, squeeze=False)[0]
    shown = None
    for k, axes in enumerate(panels, 1):
        for step, size in ((0, 34), (10, 16), (50, 6)):
            if step < paths.shape[1]:
                at = paths[:, step]
                shown = axes.scatter(at[:, 0], at[:, k], c=pairs[:, step], s=size, vmin=0, vmax=top, cmap="viridis")
        axes.set(xlabel=plain(names[0]), ylabel=plain(names[k]))
    if shown is not None:
        figure.colorbar(shown, ax=panels, label="neighbouring pairs")
    return figure


@styled
def beyond(found: ChainReduced) -> Figure:
    """Errors of starts outside the trained region against how far outside they are; hollow: no warning was given."""
    figure = Figure(figsize=(5.4, 3.2))
    axes = figure.add_subplot()
    assert found.beyond is not None
    low, high = found.plan.low, found.plan.high
    far = np.maximum(np.maximum(found.beyond.starts - high, low - found.beyond.starts), 0).max(axis=1)
    worst = found.beyond.error[:, 0]
    for warned, face, name in ((True, COLOURS[1], "with a warning"), (False, PAPER, "without a warning")):
        here = found.beyond.warned == warned
        axes.plot(far[here], worst[here], "o", color=COLOURS[1], mfc=face, label=name)
    inside = np.sqrt((found.errors["learned"][0] ** 2).mean())
    axes.axhline(inside, color=COLOURS[0], lw=1.2, label="starts inside")
    axes.set(xlabel="distance outside the trained cube", ylabel="error of the particles\n[counts per 1000 sites]")
    axes.set_yscale("log")
    axes.legend()
    return figure


@styled
def snapshots(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 4a: one simulation in space."""
    states = found.pictures["snapshots"]
    figure = Figure(figsize=(9.0, 6.2))
    for i, (state, step) in enumerate(zip(states, SNAPSHOTS, strict=True)):
        axes = figure.add_subplot(2, 3, i + 1, projection="3d")
        _particles(axes, state, found.plan.lattice.network.species)
        axes.set_title(f"step {step}")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _particles(axes: Any, state: Int8[np.ndarray, "*box"], species: Sequence[str]) -> None:
    for a, name in enumerate(species):
        x, y, z = np.nonzero(state == a + 1)
        axes.scatter(x, y, z, s=18, color=COLOURS[a], label=plain(name), alpha=0.8, lw=0, rasterized=True)
    _bare(axes)


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_zticks([])
    axes.set_box_aspect((1, 1, 1))


@styled
def moments(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 4b-d: one simulation, its neighbouring pairs, and the means of many."""
    species = found.plan.lattice.network.species
    _, _, many, alone = found.pictures["data"]
    figure = Figure(figsize=(9.0, 6.0))
    space = figure.add_subplot(2, 2, 1, projection="3d")
    names = [plain(name) for name in (*species, *species)[:3]]
    space.plot(*(alone.counts[:, [0, 1 % len(species), 2 % len(species)]].T), color=COLOURS[0], lw=0.6)
    space.set_xlabel(names[0])
    space.set_ylabel(names[1])
    space.set_zlabel(names[2])
    space.set_title("one simulation")
    pairs, means, gone = (figure.add_subplot(2, 2, i) for i in (2, 3, 4))
    for i, (a, b) in enumerate(pair_names(species)):
        pairs.plot(alone.pairs[:, i], color=COLOURS[i % 7], ls=DASHES[i // 3 % 4], lw=1, label=plain(a + b))
    pairs.set(title="its neighbouring pairs", xlabel="step", ylabel="count")
    pairs.legend(ncols=2)
    for a, name in enumerate(species):
        means.plot(many.counts[:, a], color=COLOURS[a], lw=1.4, label=plain(name))
        gone.plot(100 * many.extinct[:, a], color=COLOURS[a], lw=1.4, label=plain(name))
    means.set(title=f"means of {many.simulations} simulations", xlabel="step", ylabel="count")
    gone.set(title="simulations in which it died out", xlabel="step", ylabel="per cent")
    means.legend()
    return figure


@styled
def parameters(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 6: means, the biases of independent sites with those means (46), and learned biases."""
    species, sites = found.plan.lattice.network.species, found.plan.lattice.sites
    data = found.pictures["data"][0].counts
    free = np.log(np.maximum(data, 0.5) / np.maximum(sites - data.sum(axis=1, keepdims=True), 0.5))
    figure = Figure(figsize=(9.0, 5.4))
    learned = list(found.pictures["followed"].items())
    panels = np.ravel(figure.subplots(2, 2, sharex=True))
    tables = [("means of the simulations", data), ("biases of independent sites", free)]
    tables += [(f"biases: {name}", one.path[:, : len(species)]) for name, one in learned[:3:2]]
    for axes, (title, table) in zip(panels, tables, strict=False):
        for a, name in enumerate(species):
            axes.plot(table[:, a], color=COLOURS[a], lw=1.4, label=plain(name))
        axes.set(title=title, xlabel="step")
    panels[0].legend()
    return figure


@styled
def slopes(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 7, as far as one trajectory tells: F along it, parameter by parameter."""
    figure = Figure(figsize=(9.0, 3.0))
    learned = found.pictures["followed"]
    panels = figure.subplots(1, len(learned), squeeze=False)[0]
    for axes, (name, one) in zip(panels, learned.items(), strict=True):
        for k, column in enumerate(one.slopes.T):
            axes.plot(column, color=COLOURS[k % 7], ls=DASHES[k // 7 % 4], lw=1)
        axes.set(title=name, xlabel="step")
    panels[0].set_ylabel("change of each parameter in a step")
    return figure


@styled
def correlations(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 8a: means and neighbouring pairs, simulated and of each energy's roll-out."""
    species = found.plan.lattice.network.species
    truth = found.pictures["data"][1].moments
    names = [*species, *(a + b for a, b in pair_names(species))]
    figure = Figure(figsize=(9.0, 2.3 * -(-len(names) // 3)))
    panels = np.ravel(figure.subplots(-(-len(names) // 3), 3, squeeze=False))
    for k, axes in enumerate(panels[: len(names)]):
        axes.plot(truth[:, k], color=COLOURS[6], lw=2.6, label="simulated")
        for i, (name, one) in enumerate(found.pictures["followed"].items()):
            axes.plot(one.rolled.moments[:, k], color=COLOURS[i], ls=DASHES[i], lw=1.2, label=name)
        axes.set(title=plain(names[k]), ylim=(0, 1.5 * truth[:, k].max() + 1))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@styled
def hidden(found: BoxReduced) -> Figure:
    """Ernst et al. Fig. 8b: a state drawn from the learned distribution, and how active its hidden units are."""
    species = found.plan.lattice.network.species
    one: Followed = found.pictures["followed"]["hidden units, eq. (44)"]
    figure = Figure(figsize=(9.0, 2.8))
    first = figure.add_subplot(1, 1 + len(species), 1, projection="3d")
    _particles(first, one.example, species)
    first.set_title("a state drawn")
    shape = one.example.shape
    for a, name in enumerate(species):
        axes: Any = figure.add_subplot(1, 1 + len(species), a + 2, projection="3d")
        x, y, z = np.indices(shape).reshape(3, -1)
        active = one.active[:, a]
        axes.scatter(x, y, z, s=24 * active, color=COLOURS[a], alpha=0.6, lw=0, rasterized=True)
        axes.set_title(f"hidden units of {plain(name)}")
        _bare(axes)
    return figure


@styled
def fresh(found: BoxReduced) -> Figure:
    """Means of some fresh starts, simulated and by the learned closure."""
    truth, modelled = found.pictures["fresh"]
    species = found.plan.lattice.network.species
    few = np.linspace(0, len(truth) - 1, min(6, len(truth))).astype(int)
    figure = Figure(figsize=(9.0, 2.5 * -(-len(few) // 3)))
    panels = np.ravel(figure.subplots(-(-len(few) // 3), 3, squeeze=False))
    for axes, i in zip(panels, few, strict=False):
        for a, name in enumerate(species):
            axes.plot(truth[i][:, a], color=GRID, lw=4)
            axes.plot(modelled[i][:, a], color=COLOURS[a], lw=1.4, label=plain(name))
        axes.set(title=" / ".join(f"{n:.0f}" for n in truth[i][0, : len(species)]) + " at the start", xlabel="step")
    panels[0].legend()
    return figure


@styled
def ladder(found: BoxReduced) -> Figure:
    """Every closure on the fresh starts: the error of the means, in the median start and the worst."""
    rows = found.many
    figure = Figure(figsize=(9.0, 0.8 + 0.34 * len(rows)))
    axes: Axes = figure.add_subplot()
    for y, row in enumerate(rows):
        colour = {"learned": COLOURS[0], "baseline": COLOURS[1], "floor": COLOURS[5]}[row.kind]
        axes.plot([row.median, row.worst], [y, y], color=colour, lw=2)
        axes.plot([row.median], [y], "o", color=colour, ms=6)
        axes.plot([row.worst], [y], "|", color=colour, ms=10, mew=2)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlabel("error of the means of a start: median (dot) and worst (bar) [counts]")
    axes.grid(axis="y", visible=False)
    return figure
