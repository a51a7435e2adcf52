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
    shown = output.shown(found.times, SHOWN)
    return output.page(
        "reduce_front.html",
        found,
        found.plan.box.network,
        spec,
        seconds,
        times=[f"{t:.3g}" for t in found.times[shown]],
        shares=[
            (NAMES[who], *(f"{100 * part[1:].mean():.1f}" for part in share)) for who, share in found.outside.items()
        ],
        tables=_tables(found, shown),
        pictures=output.pictures(plot, found, PICTURES),
    )


def _tables(found: FrontReduced, shown: np.ndarray) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """By time, of held-out runs and of each model."""
    held, every = found.held, {"held_out": found.held, **found.gases}
    first, other = found.plan.box.species
    left = {who: [f"{gas.number[t, 1]:.4g}" for t in shown] for who, gas in every.items()}
    fronts = {who: [f"{gas.front[t]:.4g}" for t in shown] for who, gas in every.items()}
    overlaps = {who: [f"{x[t]:.3g}" for t in shown] for who, x in found.overlaps.items()}
    left["held_out"] = [f"{held.number[t, 1]:.4g} ± {2 * held.number_error[t, 1]:.2g}" for t in shown]
    fronts["held_out"] = [f"{held.front[t]:.4g} ± {2 * held.front_error[t]:.2g}" for t in shown]
    titles = (
        f"Particles of {other} that are left; ±: two standard errors.",
        "The front: where both are as dense.",
        f"The overlap: the integral of the product of the densities of {first} and {other}.",
    )
    rows = [[(NAMES[who], cells) for who, cells in each.items()] for each in (left, fronts, overlaps)]
    return list(zip(titles, rows, strict=True))
