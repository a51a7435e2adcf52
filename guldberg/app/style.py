"""The look of every figure, and a figure as part of a page.

Colours are those of Okabe and Ito (colour-blind safe); markers and line styles tell curves apart in grey as well.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK, PAPER, GRID = "#1b1b1f", "#fefefe", "#d4d4d8"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
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
styled = matplotlib.rc_context(STYLE)  # a decorator of functions that draw


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


def plain(text: str) -> str:
    """`text` with no dollar sign that matplotlib would take for the start of a formula."""
    return text.replace("$", r"\$")
