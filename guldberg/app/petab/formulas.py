"""Formulas with unknowns in them: their values and slopes, number by number. Nothing is compiled or executed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from guldberg.errors import InputError

try:
    import sympy
except ImportError:
    raise InputError("PEtab needs its library: pip install 'guldberg[petab]'") from None

Expression = Any  # of sympy, whose types say little
Values = Mapping[str, np.ndarray]

FUNCTIONS: dict[Any, Callable[[np.ndarray], np.ndarray]] = {sympy.exp: np.exp, sympy.log: np.log}
NUMERIC = {"exp": sympy.exp, "ln": sympy.log}


def symbol(name: str) -> Expression:
    """What is positive, as amounts and rate constants are."""
    return sympy.Symbol(name, positive=True)


def polynomial(terms: Mapping[tuple[str, ...], Any]) -> Expression:
    """A sum of products of names, as `guldberg.app.sbml.formulas` has it."""
    return sympy.Add(*(sympy.Mul(factor, *map(symbol, met)) for met, factor in terms.items()))


def names(formula: Expression) -> list[str]:
    """Of what stands in it, in alphabetic order."""
    return sorted(one.name for one in formula.free_symbols)


def with_names(formula: Expression, meaning: Callable[[str], Expression]) -> Expression:
    """Each name replaced by what it means."""
    return formula.xreplace({one: meaning(one.name) for one in formula.free_symbols})


def foreign(formula: Expression) -> str:
    """What in it is none of sums, products, powers, exponentials and logarithms; "" where there is nothing else."""
    if formula.is_Symbol or formula.is_Number or formula.is_NumberSymbol:
        return ""
    if not (formula.is_Add or formula.is_Mul or formula.is_Pow or formula.func in FUNCTIONS):
        return formula.func.__name__
    return next(filter(None, map(foreign, formula.args)), "")


def value(formula: Expression, at: Values) -> np.ndarray:
    """At the values of its names, entry by entry; not finite where it has none."""
    if formula.is_Symbol:
        return at[formula.name]
    if formula.is_Number or formula.is_NumberSymbol:
        return np.array(float(formula))
    parts = [value(part, at) for part in formula.args]
    with np.errstate(all="ignore"):
        if formula.is_Add:
            return functools.reduce(np.add, parts)
        if formula.is_Mul:
            return functools.reduce(np.multiply, parts)
        return np.power(*parts) if formula.is_Pow else FUNCTIONS[formula.func](*parts)


@functools.lru_cache(maxsize=10_000)
def slopes(formula: Expression) -> dict[str, Expression]:
    """Its derivative by each of its names."""
    return {one.name: formula.diff(one) for one in formula.free_symbols}
