"""What a unit text stands for, by pint, where it is installed: `mM` and `mmol/L` are the same, and SBML has words for
them. The text itself is read by `units`; pint is asked for one name at a time."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from guldberg.app.units import Powers, parse

KINDS = {"mole": "mole", "gram": "gram", "kilogram": "kilogram", "meter": "metre", "second": "second"}  # pint's, SBML's


class Base(NamedTuple):
    """(multiplier * kind) ^ exponent, a factor of a unit of SBML."""

    kind: str
    exponent: int
    multiplier: float


def same(a: str, b: str) -> bool:
    """Whether both are known and equal; False without pint."""
    one, other = _unit(parse(a)), _unit(parse(b))
    if one is None or other is None or one.dimensionality != other.dimensionality:
        return False
    return math.isclose((1 * one).to(other).magnitude, 1.0, rel_tol=1e-12)


def bases(powers: Powers) -> tuple[Base, ...] | None:
    """The unit in SBML's own kinds; None where a name is not known or has no kind there, and without pint."""
    unit = _unit(powers)
    if unit is None:
        return None
    whole = (1 * unit).to_base_units()
    found = [(KINDS.get(name), power) for name, power in whole.unit_items()]
    if not found or any(kind is None or power != int(power) for kind, power in found):
        return None
    first, *rest = [(str(kind), int(power)) for kind, power in found]
    scale = float(f"{whole.magnitude ** (1 / first[1]):.15g}")  # 1, not .9999999999999999
    return (Base(*first, scale), *(Base(*one, 1.0) for one in rest))


def _unit(powers: Powers) -> Any:
    """None for a name that pint does not know, or one that is no multiple of another (degrees)."""
    registry = _registry()
    if registry is None or not powers:
        return None
    unit = registry.dimensionless
    for name, power in powers.items():
        one = _named(name)
        if one is None:
            return None
        unit = unit * one**power
    return unit


@functools.cache
def _named(name: str) -> Any:
    import pint

    if not name.isalpha():
        return None
    try:
        unit = _registry().Unit(name)
        return unit if (2 * unit).to_base_units().magnitude == 2 * (1 * unit).to_base_units().magnitude else None
    except (pint.errors.PintError, AttributeError):
        return None


@functools.cache
def _registry() -> Any:
    try:
        import pint
    except ImportError:
        return None
    return pint.UnitRegistry(cache_folder=None)
