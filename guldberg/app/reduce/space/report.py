"""`report.html` of a reduction in continuous space."""

from __future__ import annotations

import importlib.metadata

import numpy as np
from markupsafe import Markup

from guldberg.app.pages import PAGES, Picture
from guldberg.app.reduce.space import plot
from guldberg.app.spec import Spec
from guldberg.app.style import svg
from guldberg.reduce.space.result import SpaceReduced
from guldberg.text import format

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
    """What comes from files is escaped; only our own drawings are markup."""
    shown = np.unique(np.linspace(0, len(found.times) - 1, SHOWN).astype(int))
    return PAGES.get_template("reduce_space.html").render(
        found=found,
        spec=spec,
        seconds=seconds,
        version=importlib.metadata.version("guldberg"),
        network=format(found.plan.box.network),
        equations=found.plan.box.network.equations(),
        times=[f"{t:.3g}" for t in found.times[shown]],
        errors=[(NAMES[who], [f"{e[0, t]:.3g}" for t in shown]) for who, e in found.errors.items()],
        shares=[(NAMES[who], [f"{100 * s[t]:.0f}" for t in shown]) for who, s in found.outside.items()],
        fronts=[(NAMES[who], [f"{x[t]:.4g}" for t in shown]) for who, x in found.fronts.items()],
        pictures={
            name: Picture(Markup(svg(getattr(plot, name)(found), name)), text) for name, text in PICTURES.items()
        },
    )
