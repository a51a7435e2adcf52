"""Pictures of what was simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from guldberg.app import words
from guldberg.app.style import COLOURS, DASHES, plain, styled
from guldberg.experiments import Experiments

FEW = 5  # single runs drawn behind their mean
MOST = 12  # panels
COLUMNS = 3


@styled
def curves(table: Experiments, singles: Sequence[Float[np.ndarray, "few times species"]] = ()) -> Figure:
    """Concentrations of all species, a panel for each of the first twelve experiments; behind means, a few runs."""
    count = min(len(table.runs), MOST)
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(4.8, 3.2 * columns), 2.8 * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for i, (axes, run) in enumerate(zip(panels, table.runs, strict=False)):
        for j, name in enumerate(table.species):
            colour, dash = COLOURS[j % len(COLOURS)], DASHES[j // len(COLOURS) % len(DASHES)]
            for one in singles[i][:, : len(run.times), j] if singles else ():
                axes.plot(run.times, one, color=colour, lw=0.5, alpha=0.35, drawstyle="steps-post")
            axes.plot(run.times, run.values[:, j], dash, color=colour, lw=1.5, label=plain(words.pretty(name)))
        if count > 1:
            axes.set_title(plain(run.name))
    for empty in panels[count:]:
        empty.set_visible(False)
    figure.supxlabel("time", fontsize=9)
    figure.supylabel("concentration", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=min(len(table.species), 8))
    return figure
