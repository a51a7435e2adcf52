"""Unit texts multiplied and divided: `mmol/L` and `min` make `L/(mmol min)`. No tables of units, no conversion.

A unit is a product of powers of atoms (`mmol`, `L`, `%`), written as chemists write it: `mol L-1 s-1`, `mol/(L s)`,
`mmol·L^-1`, `dm3`. A text that is none is kept whole, in brackets, as an atom of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Powers = dict[str, int]  # atom -> exponent, never 0

_TOKEN = re.compile(r"\s*(?:(?P<atom>[^\W\d_]+|%|°[CF]?)(?:(?:\^|\*\*)?(?P<power>[+-]?\d+))?|(?P<mark>[()/*·.]|1))")


def parse(text: str) -> Powers:
    """The powers of a unit text; {} for "" and "1"."""
    text = text.strip().replace("−", "-").replace("⁻¹", "-1").replace("²", "2").replace("³", "3")
    tokens = _tokens(text)
    if tokens is None:
        return {f"[{text}]": 1}
    try:
        powers, rest = _product(tokens)
    except (IndexError, ValueError):
        return {f"[{text}]": 1}
    return {f"[{text}]": 1} if rest else powers


def show(powers: Powers) -> str:
    """`L/(mmol min)`, `1/min`, `mmol/L`; "" where nothing is left."""
    above = [_power(atom, n) for atom, n in powers.items() if n > 0]
    below = [_power(atom, -n) for atom, n in powers.items() if n < 0]
    if not below:
        return " ".join(above)
    return f"{' '.join(above) or '1'}/{below[0] if len(below) == 1 else '(' + ' '.join(below) + ')'}"


def times(*factors: tuple[Powers, int]) -> Powers:
    """The product of `unit ** n` over the pairs given."""
    out: Powers = {}
    for powers, exponent in factors:
        for atom, n in powers.items():
            out[atom] = out.get(atom, 0) + n * exponent
    return {atom: n for atom, n in out.items() if n}


def same(a: str, b: str) -> bool:
    """Whether two texts are the same product of powers, `mmol/(L min)` and `mmol L-1 min-1`; where pint is installed
    also the same quantity, `mM` and `mmol/L`."""
    return parse(a) == parse(b) or _same_quantity(a, b)


def _same_quantity(a: str, b: str) -> bool:
    from guldberg.app import quantities  # pint takes its time, and most tables use one text for one unit

    return quantities.same(a, b)


def rate_unit(order: int, concentration: str, time: str) -> str:
    """Unit of a rate constant, concentration^(1 - order) / time; "" where the table does not give what it takes."""
    if not time or (order != 1 and not concentration):
        return ""
    return show(times((parse(concentration), 1 - order), (parse(time), -1)))


def common_unit(species: Sequence[str], units: Sequence[str]) -> tuple[str | None, str]:
    """The one concentration unit of all species ("" if none is given), or None and the reason why there is none."""
    other = next((i for i, unit in enumerate(units) if not same(unit, units[0])), None)
    if other is None:
        return (units[0] if units else ""), ""
    return None, (
        f"{species[0]} is in {units[0] or 'no unit'} and {species[other]} in {units[other] or 'no unit'}: "
        f"rate constants that join them have no unit of their own"
    )


def _tokens(text: str) -> list[re.Match[str]] | None:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(match)
        at = match.end()
    return tokens


def _product(tokens: list[re.Match[str]]) -> tuple[Powers, list[re.Match[str]]]:
    """Factors up to a closing bracket. What follows a division is ambiguous in print (`mol/L s`) and not taken, but for
    a further division (`mol/L/s`)."""
    out: Powers = {}
    sign = 1
    while tokens and tokens[0]["mark"] != ")":
        mark = tokens[0]["mark"]
        if mark in ("/", "*", "·", "."):
            sign, tokens = (-1 if mark == "/" else 1), tokens[1:]
            if not tokens or tokens[0]["mark"] in (")", "/", "*", "·", "."):
                raise ValueError("a factor is missing")
        factor, tokens = _factor(tokens)
        out = times((out, 1), (factor, sign))
        if sign < 0 and tokens and tokens[0]["mark"] not in (")", "/"):
            raise ValueError("ambiguous after a division")
    return out, tokens


def _factor(tokens: list[re.Match[str]]) -> tuple[Powers, list[re.Match[str]]]:
    first, rest = tokens[0], tokens[1:]
    if first["atom"]:
        return {first["atom"]: int(first["power"] or 1)}, rest
    if first["mark"] == "1":
        return {}, rest
    inner, rest = _product(rest)
    if rest[0]["mark"] != ")":
        raise ValueError("a bracket is open")
    return inner, rest[1:]


def _power(atom: str, n: int) -> str:
    return atom if n == 1 else f"{atom}^{n}"
