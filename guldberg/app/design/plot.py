"""Figures of a design, in the style of all others. They take what was simulated and return a `Figure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from guldberg.app.design import film as films
from guldberg.app.design.film import Film
from guldberg.app.design.words import both_ways
from guldberg.app.graph import Edge, reaction_graph, width
from guldberg.app.style import COLOURS, DASHES, GRID, INK, plain, styled
from guldberg.design.result import Designed, History
from guldberg.design.trials import Trial
from guldberg.network import ReactionNetwork

COLUMNS = 8  # of a strip
MOST_REACTIONS = 24  # in a graph: beyond, arrows hide one another
MAP = "cividis"  # the same order of lightness for every eye, and in grey
DESIGN, NULLS = "as designed", ("diffusion only", "reactions off")
CONTROLS = (DESIGN, "random start", "random start by species", "initial parameters", "random parameters")
NAMES = {"correlation": "r with the picture", "within": "r within species", "pooled": "r, species pooled"}


@styled
def strip(designed: Designed, shown: Film) -> Figure:
    """Times from left to right: all species in the colours of their principal components, then one by itself."""
    which = films.chosen(shown, COLUMNS)
    own = 0 if designed.target is None else designed.target.species
    colours, values = films.principal(shown.states).colours, films.single(shown.states, own)
    height, across = colours.shape[1:3]
    beside = int(designed.target is not None)
    columns = len(which) + beside
    size = min(1.25, 9.2 / columns)
    tall = min(size * height / across, 1.6)
    figure = Figure(figsize=(size * columns + 0.9, 2 * tall + 0.7))
    axes = figure.subplots(2, columns, squeeze=False)
    image = None
    for column, i in enumerate(which, start=beside):
        axes[0, column].imshow(colours[i], interpolation="nearest", aspect="equal")
        image = axes[1, column].imshow(values[0][i], interpolation="nearest", aspect="equal", **_range(values))
        axes[0, column].set_title(f"{shown.times[i]:g} s")
    if designed.target is not None:
        picture = films.flat(designed.target.concentration[None, None])[0, 0]
        axes[1, 0].imshow(picture, interpolation="nearest", aspect="equal", **_range(values))
        axes[1, 0].set_title("target")
        axes[0, 0].set_visible(False)
    for one in axes.flat:
        _bare(one)
    axes[0, beside].set_ylabel("all species")
    axes[1, 0].set_ylabel(plain(designed.network.species[own]))
    if image is not None:
        figure.colorbar(image, ax=axes[1, :], fraction=0.012, pad=0.01).ax.tick_params(labelsize=7)
    return figure


@styled
def species(designed: Designed, shown: Film) -> Figure:
    """Every species by itself at the start and at T, each with its own scale of concentration."""
    names, rows = designed.network.species, {"start": 0, f"{shown.times[shown.shown - 1]:g} s": shown.shown - 1}
    height, across = films.flat(shown.states[:1]).shape[2:]
    each = min(1.9, 9.6 / len(names))
    figure = Figure(figsize=(each * len(names) + 0.3, 2 * min(each * 0.85 * height / across, 1.7) + 0.6))
    axes = figure.subplots(2, len(names), squeeze=False)
    for j, name in enumerate(names):
        values = films.single(shown.states[list(rows.values())], j)
        images = [
            one.imshow(frame, interpolation="nearest", aspect="equal", **_range(values))
            for one, frame in zip(axes[:, j], values[0], strict=True)
        ]
        for one in axes[:, j]:
            _bare(one)
        axes[0, j].set_title(plain(name))
        figure.colorbar(images[0], ax=axes[:, j], location="bottom", fraction=0.06, pad=0.04).ax.tick_params(
            labelsize=7
        )
    for row, name in enumerate(rows):
        axes[row, 0].set_ylabel(name)
    return figure


@styled
def over_time(trials: Mapping[str, Trial], figures: Sequence[str], horizon: float) -> Figure:
    """Each figure against time for the design and, dashed, for the nulls; the line marks T."""
    figure = Figure(figsize=(min(9.4, 3.3 * len(figures) + 0.6), 2.9))
    panels = figure.subplots(1, len(figures), squeeze=False)[0]
    which = [name for name in (DESIGN, *NULLS) if name in trials]
    for axes, name in zip(panels, figures, strict=True):
        for i, trial in enumerate(trials[control] for control in which):
            _line(axes, trial, name, i, None if i else 1.8)
        _time(axes, trials[DESIGN].times, horizon)
        axes.set_title(NAMES.get(name, name.replace("_", " ")))
    _legend(figure, panels[0])
    return figure


@styled
def controls(trials: Mapping[str, Trial], name: str, horizon: float) -> Figure:
    """The first figure of the design and of its controls: mean and, as a band, one standard deviation over draws."""
    figure = Figure(figsize=(6.6, 3.4))
    axes = figure.add_subplot()
    for i, trial in enumerate(trials[control] for control in CONTROLS if control in trials):
        _line(axes, trial, name, i, None if i else 1.8)
    _time(axes, trials[DESIGN].times, horizon)
    axes.set_ylabel(NAMES.get(name, name.replace("_", " ")))
    _legend(figure, axes, columns=3)
    return figure


@styled
def loss(history: History) -> Figure:
    """The loss and each of its terms, as weighted in it, against updates; lines where T grew."""
    figure = Figure(figsize=(6.6, 3.0))
    axes = figure.add_subplot()
    terms = {"loss": history.loss, **history.terms}
    for i, (name, values) in enumerate(terms.items()):
        axes.plot(
            history.update, values, DASHES[i % len(DASHES)], color=INK if i == 0 else COLOURS[i - 1], lw=1.2, label=name
        )
    positive = [x for values in terms.values() for x in values[np.isfinite(values)].tolist()]
    if positive and min(positive) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    for i in np.flatnonzero(np.diff(history.horizon)):
        axes.axvline(history.update[i + 1], color=GRID, lw=1)
        axes.text(history.update[i + 1], 1.0, f" T = {history.horizon[i + 1]:g} s", size=7, transform=_across(axes))
    axes.set(xlabel="updates", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _legend(figure, axes)
    return figure


def graph(network: ReactionNetwork, weights: Float[np.ndarray, "reactions"], order: Sequence[int]) -> Figure:
    """The reactions in `order`, numbered so, an arrow's width by the logarithm of its weight over three decades."""
    sides, k = (np.asarray(network.reactants), np.asarray(network.products)), both_ways(network)
    fastest, edges = float(weights.max(initial=0.0)), []
    for i in list(order)[:MOST_REACTIONS]:
        left, right = (side[i].tolist() for side in (sides if k[0, i] > 0 else sides[::-1]))  # or only back
        edges.append(Edge(left, right, width(float(weights[i]), fastest), bool((k[:, i] > 0).all())))
    return reaction_graph(network.species, edges)


def _line(axes: Axes, trial: Trial, name: str, i: int, thick: float | None) -> None:
    values = trial.valid(name)
    void = int(trial.void.sum())
    label = trial.control + (f" ({void} of {len(trial.void)} void)" if void else "")
    if not len(values):
        axes.plot([], [], color=COLOURS[i], ls=DASHES[i % len(DASHES)], label=f"{trial.control} (all void)")
        return
    mean, sd = values.mean(axis=0), values.std(axis=0)
    axes.plot(trial.times, mean, color=COLOURS[i], ls=DASHES[i % len(DASHES)], lw=thick or 1.3, label=label)
    if len(values) > 1:
        axes.fill_between(trial.times, mean - sd, mean + sd, color=COLOURS[i], alpha=0.2, lw=0)


def _time(axes: Axes, times: Float[np.ndarray, "times"], horizon: float) -> None:
    """Linear up to T, where most of it happens, logarithmic beyond."""
    axes.set_xscale("symlog", linthresh=horizon, linscale=1.2)
    axes.set_xlim(0, times[-1])
    beyond = [t for t in (1000.0, 10 * horizon) if 1.5 * horizon < t <= times[-1]]
    crowded = len(beyond) == 2 and max(beyond) < 1.8 * min(beyond)
    marks = [0.0, horizon / 2, horizon, *(beyond[1:] if crowded else beyond)]
    axes.set_xticks(marks, [f"{t:g}" for t in marks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    axes.axvline(horizon, color=GRID, lw=1.4, zorder=0)
    axes.set_xlabel("time [s]; the line marks T")


def _range(values: tuple[np.ndarray, float, float]) -> dict:
    return {"cmap": MAP, "vmin": values[1], "vmax": values[2]}


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _across(axes: Axes):
    return axes.get_xaxis_transform()


def _legend(figure: Figure, axes: Axes, columns: int = 5) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), columns), handlelength=2.6)
