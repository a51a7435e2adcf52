"""`guldberg show`: what follows from a network before anything is simulated."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from guldberg import structure
from guldberg.network import ReactionNetwork, complex_text, written
from guldberg.rates import Arrhenius, exp_text
from guldberg.text import Model

ROOM_TEMPERATURE = 298.15  # K, for Arrhenius rates where no temperature is given

Facts = dict[str, Any]


def facts(model: Model, temperature: float | None = None) -> Facts:
    """The analysis of a network as plain values, ready for JSON; `temperature` in kelvin, for Arrhenius rates.

    Raises ValueError for learned (floating) stoichiometry.
    """
    network, names = model.network, model.network.species
    depends = any(isinstance(law, Arrhenius) for law in (network.forward, network.reverse))
    temperature = (ROOM_TEMPERATURE if temperature is None else temperature) if depends else None
    laws = structure.conservation_laws(network).tolist()
    return {
        "species": list(names),
        "initial": model.initial,
        "temperature": temperature,
        "reactions": _reactions(network, temperature),
        "conservation_laws": [_law(law, model) for law in laws],
        "complexes": [complex_text(c, names) for c in structure.complexes(network)],
        "linkage_classes": [[complex_text(c, names) for c in part] for part in structure.linkage_classes(network)],
        "rank": len(names) - len(laws),
        "deficiency": structure.deficiency(network),
        "reversible": structure.is_reversible(network),
        "weakly_reversible": structure.is_weakly_reversible(network),
        "detailed_balance": _balance(structure.detailed_balance(network, temperature)),
    }


def render(facts: Facts) -> str:
    """The facts as text, a block for each question."""
    blocks = {
        "species": [", ".join(facts["species"]), *_initial(facts["initial"])],
        _reactions_title(facts["temperature"]): [reaction["text"] for reaction in facts["reactions"]],
        "conservation laws": [_law_line(law) for law in facts["conservation_laws"]] or ["none"],
        "complexes and linkage classes": ["{" + ", ".join(part) + "}" for part in facts["linkage_classes"]],
        "structure": _structure(facts),
        "detailed balance": _balance_lines(facts["detailed_balance"], facts["temperature"]),
    }
    return "\n\n".join("\n".join([title, *(f"  {line}" for line in lines)]) for title, lines in blocks.items())


def _reactions(network: ReactionNetwork, temperature: float | None) -> list[Facts]:
    """`text` is the line of the network's text; the constants are at `temperature`."""
    forward = np.asarray(network.forward.log(temperature), float)
    reverse = forward if network.reverse is None else np.asarray(network.reverse.log(temperature), float)
    lines = str(network).split("\n")[-len(forward) :]  # after the list of species, if there is one
    rows = zip(network.equations(), lines, forward, reverse, network.reversible, strict=True)
    return [
        {"equation": equation, "text": line, "forward": _constant(f), "reverse": _constant(r) if both else None}
        for equation, line, f, r, both in rows
    ]


def _constant(log: np.floating) -> float | None:
    """exp(log), as short as it was typed; None beyond the floats."""
    if log > math.log(sys.float_info.max):
        return None
    return float(exp_text(log)) if log > -700 else math.exp(log)


def _law(law: list[int], model: Model) -> Facts:
    weights = {name: n for name, n in zip(model.network.species, law, strict=True) if n}
    total = sum(n * model.initial.get(name, 0.0) for name, n in weights.items()) if model.initial else None
    return {"law": _sum(weights), "weights": weights, "total": total}


def _sum(weights: dict[str, int]) -> str:
    """2 A + B - C."""
    terms = (f"{'-' if n < 0 else '+'} {abs(n)} {written(name)}" for name, n in weights.items())
    text = " ".join(term.replace(" 1 ", " ", 1) for term in terms)
    return text.removeprefix("+ ")


def _balance(found: structure.DetailedBalance) -> Facts:
    cycles = [
        {
            "reactions": [{"equation": e, "times": n} for e, n in zip(c.reactions, c.times, strict=True)],
            "deviation": c.deviation,
            "balanced": c.balanced,
        }
        for c in found.cycles
    ]
    return {"holds": found.holds, "irreversible": list(found.irreversible), "cycles": cycles}


def _initial(initial: dict[str, float]) -> list[str]:
    return ["initial: " + ", ".join(f"{written(name)} = {amount:g}" for name, amount in initial.items())] * bool(
        initial
    )


def _reactions_title(temperature: float | None) -> str:
    return "reactions" if temperature is None else "reactions (k = A T^b exp(-Ea / R T), Ea in J/mol)"


def _law_line(law: Facts) -> str:
    return f"{law['law']} = " + ("const" if law["total"] is None else f"const (initially {law['total']:.6g})")


def _structure(facts: Facts) -> list[str]:
    complexes, classes, rank = len(facts["complexes"]), len(facts["linkage_classes"]), facts["rank"]
    direction = "reversible" if facts["reversible"] else "weakly reversible" if facts["weakly_reversible"] else None
    parts = f"{classes} linkage class{'es' * (classes != 1)}"
    return [
        f"deficiency {facts['deficiency']} = {complexes} complexes - {parts} - rank {rank}",
        direction or "not weakly reversible: some reaction has no way back",
        *_theorem(facts["deficiency"], facts["weakly_reversible"]),
    ]


def _theorem(deficiency: int, weakly_reversible: bool) -> list[str]:
    """The deficiency zero theorem of Horn, Jackson and Feinberg, where it applies."""
    if deficiency > 0:
        return []
    if weakly_reversible:
        return ["so whatever the constants: one positive steady state for given conserved amounts, and it is stable"]
    return ["so whatever the constants: no steady state and no cycle in which every species stays present"]


def _balance_lines(found: Facts, temperature: float | None) -> list[str]:
    at = "" if temperature is None else f" at {temperature:g} K"
    lines = [f"holds{at}" if found["holds"] else f"does not hold{at}"]
    lines += [f"{equation} has no reverse" for equation in found["irreversible"]]
    for cycle in found["cycles"]:
        steps = ", ".join(f"{step['times']:+d} x ({step['equation']})" for step in cycle["reactions"])
        verdict = "balanced" if cycle["balanced"] else f"driven: ln prod (kf/kr)^n = {cycle['deviation']:.6g}, not 0"
        lines.append(f"cycle {steps}: {verdict}")
    return lines
