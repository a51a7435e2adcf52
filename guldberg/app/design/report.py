"""`report.html` of a design: one page that needs nothing else, neither scripts nor any outside address."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from guldberg.app.design import film as films
from guldberg.app.design import plot, words
from guldberg.app.design.shown import Shorter, Shown, reference
from guldberg.app.pages import PAGES, Picture
from guldberg.app.spec import Spec
from guldberg.app.style import svg
from guldberg.design.prune import Tried
from guldberg.design.trials import wanted
from guldberg.network import ReactionNetwork

Fluxes = Float[np.ndarray, "ways reactions"]


def page(shown: Shown, spec: Spec, seconds: float) -> str:
    """The page of a design. What comes from files is escaped; only our own drawings are markup."""
    found, verdict = shown.designed, shown.verdict
    principal = films.principal(shown.film.states)
    names = words.figures(found, reference(shown).figures)
    return PAGES.get_template("design.html").render(
        found=found,
        spec=spec,
        seconds=seconds,
        version=importlib.metadata.version("guldberg"),
        title=words.title(found),
        size=words.size(found),
        verdict=verdict,
        sentence=words.verdict(verdict),
        checks=[(c, words.mark(c), words.number(c.figure), words.number(c.limit)) for c in verdict.checks],
        questions=list(dict.fromkeys(filter(None, map(words.question, verdict.checks)))),
        meanings=[(name.replace("_", " "), words.FIGURES[name]) for name in names if name in words.FIGURES],
        table=_numbers(shown, names),
        figures=[name.replace("_", " ") for name in names],
        explained=[f"{share:.1%}" for share in principal.explained],
        animation=films.inline(films.gif(principal.colours[: shown.film.shown]), "gif"),
        rows=_reactions(found.network, shown.fluxes),
        pruned=_shorter(shown.pruned, names),
        first=next(iter(wanted(found).kept)).replace("_", " "),
        network=words.crn(found),
        drive=[line.removeprefix("# ") for line in words.drive(found)],
        diffusivity=zip(found.network.species, map(words.number, np.asarray(found.system.diffusivity)), strict=True),
        pictures=_pictures(shown, names),
    )


def _numbers(shown: Shown, names: list[str]) -> list[tuple[str, str, list[str]]]:
    """Rows of (time, who, figures): the design and, below it, the nulls at the times a reader looks up."""
    rows = []
    for time in words.times(shown.designed):
        for control in ("as designed", *plot.NULLS):
            if (trial := shown.verdict.trials.get(control)) is None:
                continue
            values = [trial.at(name, time) for name in names]
            cells = [words.number(float(v.mean()) if len(v) else None) for v in values]
            rows.append((f"{time:g} s" if control == "as designed" else "", control, cells))
    return rows


def _reactions(network: ReactionNetwork, fluxes: Fluxes) -> list[dict[str, Any]]:
    """Reactions by flux, the largest first, with constants and mean fluxes of both ways."""
    k = words.both_ways(network)
    rows = []
    for i in _by_flux(fluxes):
        both = [(k[way, i], fluxes[way, i]) for way in (0, 1)]
        cells = [words.number(x) if both[way][0] > 0 else "" for way in (0, 1) for x in both[way]]
        rows.append({"equation": words.either_way(network, i, k[:, i]), "cells": cells})
    return rows


def _by_flux(fluxes: Fluxes) -> list[int]:
    return np.argsort(-fluxes.max(axis=0), kind="stable").tolist()


def _shorter(pruned: Shorter | None, names: list[str]) -> dict[str, Any] | None:
    """What the page says of the pruned design."""
    if pruned is None:
        return None
    trial, T = pruned.verdict.trials["as designed"], pruned.designed.horizon
    spared = [tried for tried in pruned.tried if tried.spared]
    return {
        "size": words.size(pruned.designed),
        "rows": _reactions(pruned.designed.network, pruned.fluxes),
        "equations": words.equations(pruned.designed.network),
        "sentence": words.verdict(pruned.verdict),
        "figures": [f"{name.replace('_', ' ')} {words.number(float(trial.at(name, T).mean()))}" for name in names],
        "tuned": sum(tried.tuned for tried in spared),
        "spared": [(tried.reaction, words.number(tried.figure), tried.tuned) for tried in spared],
        "needed": [(tried.reaction, words.number(tried.figure), tried.tuned) for tried in _last(pruned)],
    }


def _last(pruned: Shorter) -> list[Tried]:
    """The last try of each reaction that is still there."""
    spared = {tried.reaction for tried in pruned.tried if tried.spared}
    return list({tried.reaction: tried for tried in pruned.tried if tried.reaction not in spared}.values())


def _pictures(shown: Shown, names: list[str]) -> dict[str, Picture]:
    found, trials = shown.designed, shown.verdict.trials
    order, first = _by_flux(shown.fluxes), next(iter(wanted(found).kept))
    drawn = {
        "strip": (
            plot.strip(found, shown.film),
            "Above, all species at once: the colours are the three principal components of the concentrations. Below, "
            "one species by itself, on one scale of concentration.",
        ),
        "species": (plot.species(found, shown.film), "Each species at the start and at T, each on a scale of its own."),
        "over_time": (
            plot.over_time(trials, names, found.horizon),
            "The design, and what there would be without its chemistry. Linear up to T, logarithmic beyond.",
        ),
        "loss": (plot.loss(found.history), "The loss and its terms, as weighted in it."),
        "by_flux": (
            plot.graph(found.network, shown.fluxes.max(axis=0), order),
            "Reactions numbered as in the table. An arrow is as wide as the logarithm of the mean flux.",
        ),
        "by_rate": (
            plot.graph(found.network, words.both_ways(found.network).max(axis=0), order),
            "The same reactions; here an arrow is as wide as the logarithm of the larger rate constant.",
        ),
    }
    if any(control in trials for control in plot.CONTROLS[1:]):
        caption = "Means over the draws; bands: one standard deviation. Runs that blew up are void and left out."
        drawn["controls"] = (plot.controls(trials, first, found.horizon), caption)
    if shown.pruned is not None:
        less = shown.pruned
        figure = plot.graph(less.designed.network, less.fluxes.max(axis=0), _by_flux(less.fluxes))
        drawn["pruned"] = (figure, "What is left, numbered as in the table; an arrow is as wide as its flux.")
    return {name: Picture(Markup(svg(figure, name)), text) for name, (figure, text) in drawn.items()}
