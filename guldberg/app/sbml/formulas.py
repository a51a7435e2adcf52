"""Formulas of SBML as polynomials of species, all else in them being numbers; or expressions of unknown parameters,
where `symbol` gives some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

MOST_TERMS = 500
MOST_MOLECULES = 8
MOST_WORK = 100_000  # nodes visited for one model: functions that call functions that ... end here
CONSTANT = ()  # the monomial of no species
TIME = "the time"  # no id: in a polynomial that is not inside an exponential

Number = Any  # a float, or an expression of unknown parameters that is computed with like one
Polynomial = dict[tuple[str, ...], Number]  # ("A", "B", "B"), in order: A B^2
Numeric = Mapping[str, Callable[[Number], Number]]
FLOATS: Numeric = {"exp": math.exp, "ln": math.log}


class Refused(Exception):
    """What a formula has in it that is no polynomial, in words."""


class Formulas:
    """`value(node)` is the polynomial of a formula; `symbol` gives those of names, `functions` the user's own."""

    def __init__(
        self, libsbml: Any, symbol: Callable[[str], Polynomial], functions: Mapping[str, Any], numeric: Numeric = FLOATS
    ) -> None:
        self.symbol, self.functions, self.work = symbol, functions, 0
        self.sums = {libsbml.AST_PLUS: _sum, libsbml.AST_TIMES: _product, libsbml.AST_MINUS: _difference}
        self.binary = {
            libsbml.AST_DIVIDE: _quotient,
            libsbml.AST_POWER: _power,
            libsbml.AST_FUNCTION_POWER: _power,
        }
        self.clocks: dict[Number, str] = {}  # each a of exp(a t), and a name for it, as if it were a species
        self.numeric = {libsbml.AST_FUNCTION_EXP: numeric["exp"], libsbml.AST_FUNCTION_LN: numeric["ln"]}
        self.fixed = {
            libsbml.AST_CONSTANT_PI: math.pi,
            libsbml.AST_CONSTANT_E: math.e,
            libsbml.AST_NAME_AVOGADRO: 6.02214179e23,
        }
        self.name, self.function = libsbml.AST_NAME, libsbml.AST_FUNCTION
        self.time, self.exp = libsbml.AST_NAME_TIME, libsbml.AST_FUNCTION_EXP

    def value(self, node: Any, local: Mapping[str, Polynomial]) -> Polynomial:
        """Names in `local` come first. Refused where it is no polynomial, or too large a one."""
        self.work += 1
        if self.work > MOST_WORK:
            raise Refused("its formulas are too long")
        kind = node.getType()
        if node.isNumber():
            return _finite({CONSTANT: float(node.getValue())})
        if kind in self.fixed:
            return {CONSTANT: self.fixed[kind]}
        if kind == self.name:
            return local[node.getName()] if node.getName() in local else self.symbol(node.getName())
        if kind == self.time:
            return {(TIME,): 1.0}
        parts = [node.getChild(i) for i in range(node.getNumChildren())]
        if kind == self.function:
            return self._call(node.getName(), [self.value(part, local) for part in parts])
        if kind in self.sums:
            return _finite(self.sums[kind]([self.value(part, local) for part in parts]))
        if kind in self.binary and len(parts) == 2:
            return _finite(self.binary[kind](*(self.value(part, local) for part in parts)))
        if kind in self.numeric and len(parts) == 1:
            of = dict(self.value(parts[0], local))
            clock = self._clock(of.pop((TIME,))) if kind == self.exp and (TIME,) in of else CONSTANT
            return _finite({clock: _applied(self.numeric[kind], number(of))})
        raise Refused(f"{node.getName() or 'an operation'!r} is none of mass action")

    def _clock(self, a: Number) -> tuple[str, ...]:
        """exp(a t), as a monomial: it is the amount of a species that starts at 1 and has a as its rate of growth."""
        return (self.clocks.setdefault(a, f"exp_of_time_{len(self.clocks) + 1}"),)

    def _call(self, name: str, arguments: list[Polynomial]) -> Polynomial:
        definition = self.functions.get(name)
        if definition is None or definition.getNumArguments() != len(arguments) or definition.getBody() is None:
            raise Refused(f"the function {name!r} is not defined for {len(arguments)} arguments")
        names = [definition.getArgument(i).getName() for i in range(len(arguments))]
        return self.value(definition.getBody(), dict(zip(names, arguments, strict=True)))


def number(p: Polynomial) -> Number:
    """The value of a polynomial without species; Refused where there are some."""
    if any(p.keys() - {CONSTANT}):
        raise Refused(
            f"something other than a sum, a product or a whole power is taken of {next(m for m in p if m)[0]!r}"
        )
    return p.get(CONSTANT, 0.0)


def _sum(terms: list[Polynomial]) -> Polynomial:
    out: Polynomial = {}
    for term in terms:
        for monomial, factor in term.items():
            out[monomial] = out.get(monomial, 0.0) + factor
    return out


def _product(factors: list[Polynomial]) -> Polynomial:
    out: Polynomial = {CONSTANT: 1.0}
    for factor in factors:
        if len(out) * len(factor) > MOST_TERMS:
            raise Refused(f"it has more than {MOST_TERMS} terms")
        products = [(tuple(sorted(a + b)), x * y) for a, x in out.items() for b, y in factor.items()]
        if any(len(monomial) > MOST_MOLECULES for monomial, _ in products):
            raise Refused(f"more than {MOST_MOLECULES} molecules meet")
        out = _sum([{monomial: x} for monomial, x in products])
    return out


def _difference(terms: list[Polynomial]) -> Polynomial:
    minus = {monomial: -x for monomial, x in terms[-1].items()}
    return minus if len(terms) == 1 else _sum([terms[0], minus])


def _quotient(above: Polynomial, below: Polynomial) -> Polynomial:
    divisor = number(below)
    if divisor == 0:
        raise Refused("something is divided by 0")
    return {monomial: x / divisor for monomial, x in above.items()}


def _power(base: Polynomial, exponent: Polynomial) -> Polynomial:
    n = number(exponent)
    if not any(base.keys() - {CONSTANT}):
        return {CONSTANT: _applied(lambda x: x**n, number(base))}
    if not isinstance(n, float) or n != int(n) or not 0 <= n <= MOST_MOLECULES:
        raise Refused(f"a power of {n} is none of mass action")
    return _product([base] * int(n))


def _applied(function: Callable[[Number], Number], x: Number) -> Number:
    try:
        y = function(x)
        if isinstance(y, complex):
            raise ValueError
        return float(y) if isinstance(y, int | float) else y
    except (ValueError, ArithmeticError, TypeError):
        raise Refused(f"a constant has no value at {x}") from None


def _finite(p: Polynomial) -> Polynomial:
    if not all(math.isfinite(x) for x in p.values() if isinstance(x, float)):
        raise Refused("a constant is not finite")
    return p
