"""`report.html` of a reduction to pairs."""

from __future__ import annotations

from guldberg.app.reduce import output
from guldberg.app.reduce.pairs import plot
from guldberg.app.spec import Spec
from guldberg.reduce.pairs.result import PairReduced

NAMES = {
    "learned": "learned functions",
    "distribution": "eq. (1) along them, sampled",
    "static_floor": "fitted at each time by itself",
    "training": "runs it was learned from",
    "superposition": "superposition (Kirkwood)",
    "smoluchowski": "Smoluchowski, a pair by itself",
    "mean_field": "mean field",
}
PICTURES = {
    "mixture": "Left: the density. Right: the pair correlation at three times. Dots: runs that nothing was learned "
    "from, with two standard errors.",
    "scores": "How many standard errors of the held-out runs each is away from them, by time: the density, and the "
    "share of shells of distance that are more than two away (5 % by chance, the line).",
    "interactions": "nu_1 by time, and nu_2 by distance at three times, that have the density and the pairs of the "
    "learned functions. Dots: fitted at each time by itself.",
    "functions": "The learned functions of w_1 along the path, with two standard errors; dashed: what superposition "
    "takes them to be, which but for crowding is exact.",
}
SHOWN = 5


def page(found: PairReduced, spec: Spec, seconds: float) -> str:
    """The page of a reduction."""
    shown = output.shown(found.times, SHOWN)
    return output.page(
        "reduce_pairs.html",
        found,
        found.plan.box.network,
        spec,
        seconds,
        times=[f"{t:.3g}" for t in found.times[shown]],
        held=[f"{found.held.density[t]:.4g} ± {2 * found.held.density_error[t]:.2g}" for t in shown],
        rows=[
            (
                NAMES[who],
                f"{100 * share.density[1:].mean():.0f}",
                f"{100 * share.correlation[1:].mean():.1f}",
                [f"{found.mixtures[who].density[t]:.4g}" for t in shown],
            )
            for who, share in found.outside.items()
        ],
        pictures=output.pictures(plot, found, PICTURES),
    )
