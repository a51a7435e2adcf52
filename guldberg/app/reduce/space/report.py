"""`report.html` of a reduction in continuous space."""

from __future__ import annotations

from guldberg.app.reduce import output
from guldberg.app.reduce.space import plot
from guldberg.app.spec import Spec
from guldberg.reduce.space.result import SpaceReduced

NAMES = {
    "held_out": "held-out runs",
    "learned": "learned functions",
    "constants": "the same, constants where the network has them",
    "mean_field": "the network's own equation",
    "static_floor": "fitted at each time by itself",
    "noise": "noise of the held-out runs",
}
PICTURES = {
    "densities": "Densities of runs that nothing was learned from, and of the learned equation.",
    "functions": "The learned functions over the values of nu that particles visit, with two standard errors; dashed: "
    "what the network says.",
    "errors": "Root mean square errors of the densities on held-out runs, and the share of places where these are more "
    "than two standard errors away.",
}
SHOWN = 8


def page(found: SpaceReduced, spec: Spec, seconds: float) -> str:
    """The page of a reduction."""
    shown = output.shown(found.times, SHOWN)
    return output.page(
        "reduce_space.html",
        found,
        found.plan.box.network,
        spec,
        seconds,
        times=[f"{t:.3g}" for t in found.times[shown]],
        errors=[(NAMES[who], [f"{e[0, t]:.3g}" for t in shown]) for who, e in found.errors.items()],
        shares=[(NAMES[who], [f"{100 * s[t]:.0f}" for t in shown]) for who, s in found.outside.items()],
        fronts=[(NAMES[who], [f"{x[t]:.4g}" for t in shown]) for who, x in found.fronts.items()],
        pictures=output.pictures(plot, found, PICTURES),
    )
