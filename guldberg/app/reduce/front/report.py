"""`report.html` of a reduction to a front."""

from __future__ import annotations

import numpy as np

from guldberg.app.reduce import output
from guldberg.app.reduce.front import plot
from guldberg.app.spec import Spec
from guldberg.reduce.front.result import FrontReduced

NAMES = {
    "held_out": "held-out runs",
    "learned": "learned functions",
    "constants": "the same, every function a constant",
    "distribution": "drawn from eq. (1), learned ν",
    "static_floor": "fitted at each time by itself",
    "smoluchowski": "a pair by itself (Smoluchowski)",
    "superposition": "a pair among densities",
    "mean_field": "mean field",
}
PICTURES = {
    "densities": "Densities of runs that nothing was learned from (dots, two standard errors), and of the learned "
    "equations; dashed: mean field.",
    "fronts": "Left: where both are as dense. Right: what is left. Dots: held-out runs, two standard errors.",
    "correlations": "The pair correlation of unlike particles, by distance: 1 if they knew nothing of one another. "
    "Dots: held-out runs, two standard errors.",
    "interactions": "What is kept: ν of each species and of pairs, of the learned functions; dots: fitted at each time "
    "by itself.",
    "functions": "The learned functions with two standard errors; dashed: the network's constant.",
    "scores": "The share of places, and of shells of distance, where held-out runs are more than two standard errors "
    "away (5 % by chance, the line).",
}
SHOWN = 5


def page(found: FrontReduced, spec: Spec, seconds: float) -> str:
    """The page of a reduction."""
    shown = np.unique(np.linspace(0, len(found.times) - 1, SHOWN).astype(int))
    left = [
        (NAMES[who], [f"{gas.number[t, 1]:.4g}" for t in shown], [f"{found.fronts[who][t]:.4g}" for t in shown])
        for who, gas in found.gases.items()
    ]
    return output.page(
        "reduce_front.html",
        found,
        found.plan.box.network,
        spec,
        seconds,
        times=[f"{t:.3g}" for t in found.times[shown]],
        held=(
            [f"{found.held.number[t, 1]:.4g} ± {2 * found.held.number_error[t, 1]:.2g}" for t in shown],
            [f"{found.fronts['held_out'][t]:.4g}" for t in shown],
        ),
        shares=[
            (NAMES[who], *(f"{100 * part[1:].mean():.1f}" for part in share)) for who, share in found.outside.items()
        ],
        left=left,
        pictures=output.pictures(plot, found, PICTURES),
    )
