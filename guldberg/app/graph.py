"""The picture of a network: species in boxes, reactions as numbered dots, arrows between them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from guldberg.app import layout
from guldberg.app.style import COLOURS, INK, PAPER, plain, styled


@dataclasses.dataclass(frozen=True)
class Edge:
    """One reaction as it is drawn."""

    reactants: Sequence[int]
    products: Sequence[int]
    width: float  # points
    both_ways: bool
    dashed: bool = False


@styled
def reaction_graph(species: Sequence[str], edges: Sequence[Edge]) -> Figure:
    """The graph of reactions 1, 2, ... among `species`."""
    names = [plain(name) for name in species]
    sizes = [(0.12 + 0.085 * len(name), 0.26) for name in names] + [(0.24, 0.24)] * len(edges)
    at, (across, up) = layout.bipartite([(edge.reactants, edge.products) for edge in edges], sizes)
    figure = Figure(figsize=(across, up), constrained_layout=False)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, across), ylim=(0, up), aspect="equal")
    axes.set_axis_off()
    for i, edge in enumerate(edges):
        _arrows(axes, at, sizes, len(names) + i, edge)
    for i, (x, y) in enumerate(at):
        is_species = i < len(names)
        style = "round,pad=0.28" if is_species else "circle,pad=0.18"
        box = {"boxstyle": style, "fc": PAPER, "ec": INK if is_species else COLOURS[0], "lw": 0.9}
        label, size = (names[i], 10) if is_species else (str(i - len(names) + 1), 7)
        axes.text(x, y, label, ha="center", va="center", size=size, bbox=box, zorder=4)
    return figure


def width(flux: float, fastest: float) -> float:
    """Points, by the logarithm of the flux over three decades."""
    if flux <= 0 or fastest <= 0:
        return 0.7
    return 0.7 + 2.3 * max(0.0, 1 + math.log10(flux / fastest) / 3)


def _arrows(axes: Axes, at: np.ndarray, sizes: Sequence[tuple[float, float]], dot: int, edge: Edge) -> None:
    """From the dot to each species: a head where the reaction can make it, none where it only consumes it."""
    lw = edge.width
    for j, (n, m) in enumerate(zip(edge.reactants, edge.products, strict=True)):
        heads = [edge.both_ways] * bool(n) + [True] * bool(m)
        for head in heads:
            arrow = FancyArrowPatch(
                tuple(at[dot]),
                tuple(_border(at[dot], at[j], sizes[j])),
                arrowstyle=f"-|>,head_length={0.25 + 0.05 * lw},head_width={0.1 + 0.04 * lw}" if head else "-",
                connectionstyle=f"arc3,rad={0.25 if n and m else 0}",  # a catalyst goes in and comes out
                mutation_scale=14,
                lw=lw,
                ls="--" if edge.dashed else "-",
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
