"""`report.html`: the whole result on one page that needs nothing else, neither scripts nor any outside address."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from guldberg.app import energies, plot, words
from guldberg.app.pages import PAGES, Picture
from guldberg.app.spec import Spec
from guldberg.app.style import svg
from guldberg.discover.result import Discovered, Step
from guldberg.experiments import Experiments

PAGES.filters["pretty"] = words.pretty


def page(found: Discovered, spec: Spec, seconds: float) -> str:
    """The page of a discovery. Names come from the data and are escaped; only our own drawings are markup."""
    return PAGES.get_template("report.html").render(
        found=found,
        spec=spec,
        seconds=seconds,
        version=importlib.metadata.version("guldberg"),
        title=", ".join(words.pretty(name) for name in found.species),
        rows=[row for number, step in enumerate(found.steps, 1) for row in _rows(found, number, step)],
        equations=[_equation(found, j) for j in range(len(found.species))],
        laws=[words.law(found.species, row) for row in found.laws],
        quality=words.quality(found.fit),
        checks=words.checks(found.fit),
        warnings=words.warnings(found),
        rewritings=[words.rewriting(rewriting) for rewriting in found.rewritings],
        rivals=list(zip(found.weights()[1:], found.alternatives, strict=True)),
        weight=found.weights()[0],
        stability=words.stability(found),
        combinations=[(c.name, words.value(c.estimate), words.interval(c.estimate)) for c in found.combinations],
        energies=energies.rows(found),
        balance=energies.balance(found),
        scales=[(name, words.value(k), words.interval(k)) for name, k in found.fit.scales.items()],
        table=_table(found.data, found),
        network=words.crn(found),
        pictures=_pictures(found),
    )


def _rows(found: Discovered, number: int, step: Step) -> list[dict[str, Any]]:
    """One line of the table for each directed reaction; the number and the equation stand in the first."""
    rows = []
    for i, (_, k, order) in enumerate(words.directed(found.species, step)):
        symbol = f"{number}" if i == 0 else f"−{number}"
        unit = words.unit_of(found, order) or ""
        rows.append({"symbol": symbol, "value": words.value(k), "unit": unit, "interval": words.interval(k)})
        rows[-1] |= {"verdict": words.verdict(k), "kind": k.verdict, "span": 0}
    rows[0] |= {"number": number, "equation": _pretty_line(found.species, step), "span": len(rows)}
    rows[0]["doubt"] = step.certainty == "possible"
    return rows


def _pretty_line(species: Sequence[str], step: Step) -> str:
    """`2 H₂ + O₂ ⇌ 2 H₂O`."""
    return f"{_side(species, step.reactants)} {'→' if step.reverse is None else '⇌'} {_side(species, step.products)}"


def _side(species: Sequence[str], counts: Sequence[int]) -> str:
    terms = [f"{n} {words.pretty(name)}" for name, n in zip(species, counts, strict=True) if n]
    return " + ".join(term.removeprefix("1 ") for term in terms) or "∅"


def _equation(found: Discovered, j: int) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """The terms of dc_j/dt: (sign and factor, number of the reaction, "−" if reverse, [(species, exponent)])."""
    terms = []
    for number, step in enumerate(found.steps, 1):
        net = int(step.products[j]) - int(step.reactants[j])
        ways = [(net, "", step.reactants)] + ([(-net, "−", step.products)] if step.reverse else [])
        for change, back, consumed in ways if net else []:
            sign = ("−" if change < 0 else "+") + (f" {abs(change)}" if abs(change) > 1 else "")
            powers = [
                (words.pretty(s), str(n) if n > 1 else "") for s, n in zip(found.species, consumed, strict=True) if n
            ]
            terms.append((sign, str(number), back, powers))
    return terms


def _table(data: Experiments, found: Discovered) -> list[dict[str, Any]]:
    """The first look: how often each species was measured, in how many experiments, over what range, how well."""
    rows = []
    for j, name in enumerate(data.species):
        values = np.concatenate([run.values[:, j] for run in data.runs])
        values = values[np.isfinite(values)]
        row = {"name": words.pretty(name), "points": int(data.measured[:, j].sum())}
        row["runs"] = int((data.measured[:, j] > 0).sum())
        row["range"] = f"{values.min():.3g} to {values.max():.3g}" if values.size else "never measured"
        row["unit"] = data.units[j] if data.units else ""
        row["sd"] = f"{found.fit.sd[j]:.3g}" if np.isfinite(found.fit.sd[j]) and row["points"] else ""
        rows.append(row)
    return rows


def _pictures(found: Discovered) -> dict[str, Picture]:
    count, all_runs = len(plot.shown(found)), len(found.fit.runs)
    which = f"{count} of {all_runs} experiments, evenly from the best to the worst fitted" if count < all_runs else ""
    captions = {
        "curves": f"Measured points and fitted curves; below, residuals of the {found.fit.kind} in standard "
        f"deviations, ±2 shaded. {which}",
        "graph": "Numbers are the reactions of the table; an arrow is as wide as its flux, dashed where a rival does "
        "without it, with a head wherever the reaction can go.",
        "path": "The best mechanism met at each number of reactions. Within the band nothing can be told apart.",
        "constants": "95 % intervals. An arrow: open on this side. A hollow point: not determined.",
        "profiles": "The likelihood along each constant, everything else fitted anew. Two crossings of the dotted "
        "line: bounded; one: bounded on one side only; none: the data say nothing about it.",
        "residuals": "Residuals in order of size. On the line, the noise is normal and as large as assumed.",
    }
    if not found.profiles:
        del captions["profiles"]
    drawn = {name: Picture(Markup(svg(getattr(plot, name)(found), name)), text) for name, text in captions.items()}
    return drawn | {"look": Picture(Markup(svg(plot.look(found.data), "look")), "All measurements.")}
