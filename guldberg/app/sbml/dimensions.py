"""Units of a model in SBML: of its substance, volume and time, and of rate constants by their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guldberg.app import quantities
from guldberg.app.units import Powers, parse, times

LITRE: Powers = {"L": 1}


def declare(model: Any, library: Any, concentration: str, time: str) -> Callable[[int], str]:
    """Write the units of `model`, whose one compartment is then a litre; the id of the unit of a rate constant of each
    order is what the answer gives, made when it is first asked for. Nothing, and "", where a unit is not known."""
    amount, clock = times((parse(concentration), 1), (LITRE, 1)), parse(time)
    whole = {"substance": amount, "time_unit": clock, "volume": LITRE}
    if not (concentration and time and all(quantities.bases(unit) for unit in whole.values())):
        return lambda order: ""
    for name, unit in whole.items():
        _define(model, library, name, unit)
    model.setSubstanceUnits("substance")
    model.setExtentUnits("substance")
    model.setTimeUnits("time_unit")
    model.setVolumeUnits("volume")
    made: set[str] = set()

    def of(order: int) -> str:
        name = f"per_time_order_{order}"
        if name not in made:
            made.add(name)
            _define(model, library, name, times((parse(concentration), 1 - order), (clock, -1)))
        return name

    return of


def _define(model: Any, library: Any, name: str, powers: Powers) -> None:
    definition = model.createUnitDefinition()
    definition.setId(name)
    for kind, exponent, multiplier in quantities.bases(powers) or ():
        unit = definition.createUnit()
        unit.setKind(library.UnitKind_forName(kind))
        unit.setExponent(float(exponent))
        unit.setMultiplier(multiplier)
        unit.setScale(0)
