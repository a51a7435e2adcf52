"""How constants at several temperatures, and detailed balance, read."""

from __future__ import annotations

import math
from typing import Any

from guldberg.app.words import interval, signed, value
from guldberg.discover.result import ArrheniusLaw, Cycle, Discovered, Estimate, Range

KILO = 1e-3  # J to kJ


def rows(found: Discovered) -> list[tuple[str, str, str, str]]:
    """For each directed reaction: its equation, A, b and Ea, each with its interval."""
    laws = ((law, amplitude(law)) for law in found.energies)
    return [
        (law.equation, f"{value(A)} ({interval(A)})", _exponent(law), signed(_kilojoules(law.Ea))) for law, A in laws
    ]


def _exponent(law: ArrheniusLaw) -> str:
    return "0, held" if law.b is None else signed(law.b)


def amplitude(law: ArrheniusLaw) -> Estimate:
    """A itself."""
    low, high = (None if end is None else math.exp(end) for end in (law.log_A.low, law.log_A.high))
    return Estimate(math.exp(law.log_A.value), low, high)


def balance(found: Discovered) -> list[str]:
    """One line on all cycles, then one for each."""
    if found.balance is None:
        return []
    chance = found.balance.chance
    verdict = "the constants contradict it" if chance < 0.01 else "the constants agree with it"
    head = f"Detailed balance, {'held' if found.balance.held else 'not held'}: {verdict} (chance {chance:.2g})"
    return [head, *map(_cycle, found.balance.cycles)]


def _cycle(cycle: Cycle) -> str:
    parts = (f"{n} ({name})" if n > 1 else name for n, name in zip(cycle.times, cycle.equations, strict=True))
    return f"around {', '.join(parts)}: driven by {signed(cycle.deviation)} RT"


def as_json(found: Discovered) -> dict[str, Any]:
    """What `result.json` tells of it; nothing where there is one temperature and no cycle."""
    out: dict[str, Any] = {}
    if found.energies:
        out = {"temperature": found.temperature, "energies": [_law(law) for law in found.energies]}
    if found.balance is not None:
        cycles = [{**vars(cycle), "deviation": vars(cycle.deviation)} for cycle in found.balance.cycles]
        out["detailed_balance"] = {**vars(found.balance), "cycles": cycles}
    return out


def _law(law: ArrheniusLaw) -> dict[str, Any]:
    exponent = {} if law.b is None else {"b": vars(law.b)}
    return {"equation": law.equation, "A": vars(amplitude(law)), **exponent, "Ea": vars(law.Ea)}


def _kilojoules(energy: Range) -> Range:
    low, high = (None if end is None else KILO * end for end in (energy.low, energy.high))
    return Range(KILO * energy.value, low, high)
