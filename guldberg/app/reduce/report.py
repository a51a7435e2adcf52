"""`report.html` of a reduction: one page that needs nothing else, neither scripts nor any outside address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg.app.pages import Picture
from guldberg.app.reduce import output, plot, words
from guldberg.app.spec import Spec
from guldberg.reduce.result import BoxReduced, ChainReduced, Reduced, Row

CHAIN = {
    "errors": "Errors of every closure on simulations that nothing was learned from. Below the dotted lines nothing "
    "can be: the best distribution of this kind at each step by itself, and the noise of the simulations.",
    "training": "Simulations that were learned from: mean counts, one line for each start.",
    "functions": "The learned change of each parameter in one step, on planes through the middle of the trained "
    "region, with trajectories of held-out starts (dots: where they begin).",
    "held": "Held-out starts: simulated (wide, grey) and by the learned closure (dashed).",
    "neighbours": "Neighbouring pairs of the held-out starts over their parameters; large dots at the start, smaller "
    "ones at steps 10 and 50.",
    "beyond": "Starts outside the region that was learned from.",
}
BOX = {
    "errors": "Errors by step on simulations that nothing was learned from.",
    "ladder": "Every closure on the fresh starts. Blue: learned; orange: means alone; light blue: the best energy of "
    "its kind at each step.",
    "fresh": "Means of fresh starts: simulated (wide, grey) and by the learned closure.",
    "snapshots": "One simulation in space.",
    "moments": "One simulation, and the means of many.",
    "parameters": "The means, the biases that independent sites would need for them, and the biases learned.",
    "slopes": "What was learned of the one start: the change of each parameter along its trajectory. Beside the "
    "trajectory there is nothing to be learned from it.",
    "correlations": "Means and neighbouring pairs of the one start: simulated (wide, grey) and by each roll-out.",
    "hidden": "A state drawn from the learned distribution, and how active its hidden units are.",
}
STEPS = (1, 10, 20, 30, 40, 50, 60, 80, 100, 200)


def page(found: Reduced, spec: Spec, seconds: float) -> str:
    """The page of a reduction."""
    chain = isinstance(found, ChainReduced)
    times = next(iter(found.errors.values())).shape[1]
    steps = [step for step in STEPS if step < times]
    return output.page(
        "reduce_chain.html" if chain else "reduce_box.html",
        found,
        found.plan.lattice.network,
        spec,
        seconds,
        steps=steps,
        tables=_tables(found, steps),
        names=words.NAMES,
        pictures=_pictures(found, CHAIN if chain else BOX),
        **(_story(found, steps) if isinstance(found, ChainReduced) else _rows(found)),
    )


def _story(found: ChainReduced, steps: list[int]) -> dict[str, Any]:
    """What the closure costs, what it saves, and where it is the best."""
    spent, simulated = words.training(found), found.plan.lattices * found.per_lattice
    shown = {who: table[:, steps] for who, table in found.errors.items() if who not in ("static_floor", "noise")}
    others = [table for who, table in shown.items() if who != "learned"]
    beyond = found.beyond
    return {
        "training": spent,
        "speedup": simulated / found.per_start,
        "pays": spent / max(simulated - found.per_start, 1e-12),
        "best": int((shown["learned"] < np.min(others, axis=0)).sum()) if others else None,
        "cells": shown["learned"].size,
        "classes": [(name, kind, _four(table, steps)) for name, kind, table in _classes(found)],
        "recipes": [(name, _four(table, steps)) for name, table in found.recipes.items()],
        "outside": [] if beyond is None else list(
            zip(words.ORDERS, np.sqrt((beyond.error**2).mean(axis=0)).tolist(), strict=True)
        ),
    }  # fmt: skip


def _classes(found: ChainReduced) -> Iterator[tuple[str, str, Float[np.ndarray, "orders times"]]]:
    """What each distribution can represent, and what was learned in it."""
    for name, table in found.poorer.items():
        yield name, "best", table
    for name, (floor, learned) in found.layers.items():
        yield name, "best", floor
        yield name, "learned", learned
    if "static_floor" in found.errors:
        yield "b, J, K", "best", found.errors["static_floor"]
        yield "b, J, K", "learned", found.errors["learned"]


def _four(table: Float[np.ndarray, "orders times"], steps: list[int]) -> list[str]:
    return [_short(table[3, step]) for step in steps]


def _tables(found: Reduced, steps: list[int]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """For each order of moments, a row of errors for each closure."""
    return [
        (
            words.ORDERS[order],
            [
                (words.NAMES[who], [_short(table[order, step]) for step in steps])
                for who, table in found.errors.items()
                if order < len(table)
            ],
        )
        for order in range(max(map(len, found.errors.values())))
    ]


def _short(error: float) -> str:
    """To three digits; what is zero but for rounding is 0."""
    if not np.isfinite(error):
        return "none"
    return "0" if error < 1e-3 else f"{error:.3g}"


def _rows(found: BoxReduced) -> dict[str, Any]:
    species = found.plan.lattice.network.species
    pairs = [a + b for a, b in words.pair_names(species)]
    return {
        "columns": [*species, *pairs],
        "single": [(row, _cells(row, len(pairs))) for row in found.single],
        "many": [(row, _cells(row, len(pairs))) for row in found.many],
    }


def _cells(row: Row, pairs: int) -> list[str]:
    known = [] if row.pairs is None else row.pairs
    return [*(f"{x:.1f}" for x in row.means), *(f"{x:.1f}" for x in known), *[""] * (pairs - len(known))]


def _pictures(found: Reduced, captions: dict[str, str]) -> dict[str, Picture]:
    return output.pictures(plot, found, {name: text for name, text in captions.items() if _known(found, name)})


def _known(found: Reduced, name: str) -> bool:
    """Whether there is anything to draw: an unfinished run has less."""
    if isinstance(found, ChainReduced):
        return name != "beyond" or found.beyond is not None
    needs = {"ladder": bool(found.many), "fresh": "fresh" in found.pictures, "hidden": len(found.single) > 1}
    return needs.get(name, True)
