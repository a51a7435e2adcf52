"""The network as text, both ways: "A + B <-> C @ 2, 0.1".

    # a comment, also // a comment
    E + S <-> ES @ 1e6, 1e3      forward, reverse
    ES -> E + P @ 10
    0 -> S @ 0.1                 nothing is 0 or ∅
    2 A -> B @ arrhenius(A=1e13, b=0, Ea=5e4)    k = A T^b exp(-Ea / (R T)); b and Ea may be left out
    k = 0.3                      a name for a number, for use in place of a rate constant
    step: A + B -> C; k*A*B      the shape of Antimony, where it is mass action; k1*A*B - k2*C is reversible
    initial: E = 1, S = 10       concentrations at t = 0; also E = 1 on a line of its own
    species: E, S, ES, P         optional: their order, which else is that of appearance; then no others may appear

Arrows are `->`, `-->`, `=>`, `→`, and `<->`, `<-->`, `<=>`, `⇌`. A species name is letters, digits, `_` and `'`, with
no digit first: `2A` is two A. Any other name stands in double quotes, `"Fe3+"`, `"3PG"`, `"NO2*"`.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from typing import NoReturn

import jax.numpy as jnp
import numpy as np

from guldberg.cursor import NAME, QUOTED, Cursor
from guldberg.errors import InputError
from guldberg.network import ReactionNetwork, written
from guldberg.rates import AbstractRateLaw, Arrhenius, Constant, log_of

Complex = dict[str, int]

MOST_MOLECULES = 1000  # of one species on one side; more is a slip of the pen

_NOTHING = re.compile(r"∅|0(?!\.|\d|\s*[\w\"'])")
_ONE_WAY = re.compile(r"-->|->|=>|→")
_BOTH_WAYS = re.compile(r"<-->|<->|<=>|⇌")
_IS = re.compile(r"=(?!>)")
_POWER = re.compile(r"(\^|\*\*)(?=\s*\d)")
_INITIAL, _SPECIES = re.compile(r"initial\s*:"), re.compile(r"species\s*:")
_LABEL = re.compile(rf"({NAME.pattern}|{QUOTED.pattern})\s*:")


@dataclasses.dataclass(frozen=True)
class Model:
    """A network and those concentrations at t = 0 that its text gives."""

    network: ReactionNetwork
    initial: dict[str, float]


def parse(text: str, *, file: str | None = None, default_rate: float | None = None) -> ReactionNetwork:
    """The network of `text`; a reaction without a rate constant gets `default_rate`.

    Raises InputError with `file`, line and column of what could not be read.
    """
    return read(text, file=file, default_rate=default_rate).network


def read(text: str, *, file: str | None = None, default_rate: float | None = None) -> Model:
    """The network of `text` and its initial concentrations; see `parse`."""
    lines = enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
    cursors = [Cursor(line.rstrip("\r"), file, number) for number, line in lines]
    reader = _Reader([cursor for cursor in cursors if not cursor.at_end()], default_rate)
    if not reader.reactions:
        raise InputError("expected at least one reaction, such as 'A + B -> C @ 0.1', found none", file=file)
    return reader.model()


def format(network: ReactionNetwork, initial: Mapping[str, float] | None = None) -> str:
    """The text of a network and of concentrations at t = 0: `read` gives the same back, to the same bits.

    Raises ValueError for what has no text: learned (floating) stoichiometry, a reaction that changes nothing, an
    infinite or missing rate constant, no reaction at all.
    """
    if not jnp.issubdtype(network.stoichiometry.dtype, jnp.integer):
        raise ValueError("learned (floating) stoichiometry has no text: round it to integers first")
    if not len(network.reactants) or not np.asarray(network.stoichiometry).any(axis=1).all():
        raise ValueError("expected at least one reaction, and that each changes something: leave the others out")
    unfit = [name for name, x in (initial or {}).items() if name not in network.species or not 0 <= x < np.inf]
    if unfit:
        raise ValueError(
            f"expected finite concentrations of species of the network, not negative; got {', '.join(unfit)}"
        )
    amounts = ", ".join(f"{written(name)} = {float(amount)!r}" for name, amount in (initial or {}).items())
    return f"{network}\n" + (f"initial: {amounts}\n" if amounts else "")


@dataclasses.dataclass(frozen=True)
class _Rate:
    """A T^b exp(-Ea / (R T)), A as the numeral that was written."""

    A: str
    b: float = 0.0
    Ea: float = 0.0
    arrhenius: bool = False


_NEVER = _Rate("0")


@dataclasses.dataclass(frozen=True)
class _Reaction:
    reactants: Complex
    products: Complex
    forward: _Rate
    reverse: _Rate


@dataclasses.dataclass(frozen=True)
class _Given:
    """`name = value`: a parameter, or a concentration at t = 0."""

    value: str
    fail: Callable[[str], NoReturn]  # complain about the name where it stands


class _Reader:
    """Reads the lines with content: first what has a name, so that a rate may use it wherever it is defined."""

    def __init__(self, cursors: list[Cursor], default_rate: float | None) -> None:
        if default_rate is not None and not 0 <= default_rate < np.inf:
            raise ValueError(f"a rate constant must be finite and not negative, got {default_rate}")
        self.default = None if default_rate is None else _Rate(repr(float(default_rate)))
        self.names: dict[str, _Given] = {}
        self.initial: dict[str, _Given] = {}
        self.used: set[str] = set()
        self.declared: tuple[str, ...] | None = None
        self.reactions: list[_Reaction] = []
        for cursor in [cursor for cursor in cursors if not self._definition(cursor)]:
            self.reactions.append(self._reaction(cursor))
            cursor.take(";")
            if not cursor.at_end():
                cursor.unexpected("the end of the line")

    def _definition(self, cursor: Cursor) -> bool:
        """Read a line that holds no reaction; False, and nothing read, if it does."""
        start = cursor.position
        if cursor.take(_INITIAL):
            self._assign(cursor, self.initial)
            while cursor.take(","):
                self._assign(cursor, self.initial)
        elif cursor.take(_SPECIES):
            self._declare(cursor)
        elif (cursor.take(NAME) or cursor.take(QUOTED)) and cursor.take(_IS):
            cursor.position = start
            self._assign(cursor, self.names)
            cursor.take(";")
        else:
            cursor.position = start
            return False
        if not cursor.at_end():
            cursor.unexpected("the end of the line")
        return True

    def _assign(self, cursor: Cursor, known: dict[str, _Given]) -> None:
        fail = cursor.here()
        name = cursor.name("a name, as in 'A = 1'")
        if name in known:
            fail(f"{name} is given twice")
        if not cursor.take(_IS):
            cursor.unexpected(f"'=' after {name}")
        known[name] = _Given(cursor.amount(f"the value of {name}"), fail)

    def _declare(self, cursor: Cursor) -> None:
        if self.declared is not None:
            cursor.fail("the species are listed twice", 0)
        names = [cursor.name("a species")]
        while cursor.take(","):
            fail = cursor.here()
            names.append(cursor.name("a species"))
            if names[-1] in names[:-1]:
                fail(f"{names[-1]} is listed twice")
        self.declared = tuple(names)

    def _reaction(self, cursor: Cursor) -> _Reaction:
        cursor.take(_LABEL)
        start = cursor.here()
        reactants = self._complex(cursor)
        reversible = bool(cursor.take(_BOTH_WAYS))
        if not reversible and not cursor.take(_ONE_WAY):
            cursor.unexpected("'+', '->' or '<->'" if reactants else "'->' or '<->'")
        products = self._complex(cursor)
        if reactants == products:
            start("both sides are the same: this reaction changes nothing")
        return _Reaction(reactants, products, *self._rates(cursor, reactants, products, reversible))

    def _complex(self, cursor: Cursor) -> Complex:
        if cursor.take(_NOTHING):
            return {}
        counts: Complex = {}
        while True:
            fail = cursor.here()
            count = cursor.count()
            name_here = cursor.here()
            name = cursor.name("a species, or 0 for nothing" if not counts else "a species")
            if self.declared is not None and name not in self.declared:
                name_here(f"{name} is not in the list 'species: {', '.join(self.declared)}'")
            counts[name] = counts.get(name, 0) + count
            if counts[name] > MOST_MOLECULES:
                fail(f"{counts[name]} {name}: expected a coefficient of at most {MOST_MOLECULES}")
            if not cursor.take("+"):
                return counts

    def _rates(self, cursor: Cursor, reactants: Complex, products: Complex, reversible: bool) -> tuple[_Rate, _Rate]:
        if cursor.take("@"):
            return self._listed_rates(cursor, reversible)
        if cursor.take(";") and not cursor.at_end():
            return self._law(cursor, reactants, products, reversible)
        if self.default is None or not cursor.at_end():
            cursor.unexpected("'+', '@' and a rate constant" if not cursor.at_end() else "a rate constant, as '@ 0.1'")
        return self.default, self.default if reversible else _NEVER

    def _listed_rates(self, cursor: Cursor, reversible: bool) -> tuple[_Rate, _Rate]:
        forward = self._rate(cursor)
        comma = cursor.here()
        if not cursor.take(","):
            if reversible:
                comma(
                    "a reversible reaction has two rate constants, '@ forward, reverse'; for one direction write '->'"
                )
            return forward, _NEVER
        if not reversible:
            comma("one rate constant expected after '->', got two; write '<->', or a decimal point instead of a comma")
        return forward, self._rate(cursor)

    def _rate(self, cursor: Cursor) -> _Rate:
        if cursor.take("arrhenius"):
            return self._arrhenius(cursor)
        fail = cursor.here()
        name = cursor.take(NAME)
        return _Rate(cursor.amount("a rate constant") if name is None else self._parameter(name, fail))

    def _parameter(self, name: str, fail: Callable[[str], NoReturn]) -> str:
        if name.lower() in ("inf", "infinity", "nan"):
            fail(f"a rate constant must be a finite number, got {name}")
        if name not in self.names:
            fail(f"{name} is no number and not defined: write '{name} = 0.1' on a line of its own")
        self.used.add(name)
        return self.names[name].value

    def _arrhenius(self, cursor: Cursor) -> _Rate:
        """(A=1e13, b=0, Ea=5e4), in any order; b and Ea may be left out."""
        cursor.expect("(", "'('")
        given: dict[str, str] = {}
        while True:
            fail = cursor.here()
            name = cursor.name("A, b or Ea")
            if name in given or name not in ("A", "b", "Ea"):
                fail(f"expected each of A, b and Ea at most once, got {name}")
            cursor.expect("=", "'='")
            given[name] = cursor.amount("A") if name == "A" else cursor.number(f"{name}, a number")
            if not cursor.take(","):
                break
        if "A" not in given:
            cursor.fail("arrhenius needs A, as in arrhenius(A=1e13, b=0, Ea=5e4)")
        cursor.expect(")", "',' or ')'")
        return _Rate(given["A"], float(given.get("b", 0)), float(given.get("Ea", 0)), True)

    def _law(self, cursor: Cursor, reactants: Complex, products: Complex, reversible: bool) -> tuple[_Rate, _Rate]:
        """Antimony's rate law: k*A*B, or k1*A*B - k2*C, which makes the reaction reversible."""
        forward = self._term(cursor, reactants)
        if cursor.take("-"):
            return forward, self._term(cursor, products)
        if reversible:
            cursor.unexpected("the rate of the way back, as in k1*A - k2*B")
        return forward, _NEVER

    def _term(self, cursor: Cursor, complex_: Complex) -> _Rate:
        start, constants, powers = cursor.here(), [], dict.fromkeys(complex_, 0)
        while True:
            fail = cursor.here()
            name = cursor.take(NAME) or cursor.quoted()
            if name in powers:
                powers[name] += cursor.count() if cursor.take(_POWER) else 1
            else:
                constants.append((name, fail) if name else cursor.amount("a rate"))
            if not cursor.take("*"):
                break
        if not cursor.at_end() and cursor.text[cursor.position] not in ";-":
            cursor.unexpected("only '*' between the factors of a mass-action rate")
        if powers != complex_:
            factors = "*".join(f"{written(name)}^{n}" if n > 1 else written(name) for name, n in complex_.items())
            start(f"this rate is not mass action: expected k{'*' if factors else ''}{factors}")
        numerals = [x if isinstance(x, str) else self._parameter(*x) for x in constants]
        return _Rate(str(functools.reduce(_EXACT.multiply, map(Decimal, numerals), Decimal(1))))

    def model(self) -> Model:
        species = self.declared or _appearing(self.reactions)
        self._settle_names(species)
        sides = [[r.reactants for r in self.reactions], [r.products for r in self.reactions]]
        forward, reverse = _law_of(r.forward for r in self.reactions), _law_of(r.reverse for r in self.reactions)
        left, right = (jnp.asarray([[side.get(s, 0) for s in species] for side in rows]) for rows in sides)
        network = ReactionNetwork(left, right, forward, reverse if reverse.active.any() else None, species)
        return Model(network, {name: float(given.value) for name, given in self.initial.items()})

    def _settle_names(self, species: tuple[str, ...]) -> None:
        """What is a species has been given a concentration; what is none must be a parameter of some rate."""
        for name, given in self.names.items():
            if name in species and name in self.used:
                given.fail(f"{name} is both a species and a rate constant: rename one")
            if name in species and name in self.initial:
                given.fail(f"{name} is given twice")
            if name in species:
                self.initial[name] = given
            elif name not in self.used:
                given.fail(f"{name} is neither a species nor used in a rate")
        for name, given in self.initial.items():
            if name not in species:
                given.fail(f"{name} is not a species of this network; they are {', '.join(species)}")


_EXACT = Context(prec=100)


def _appearing(reactions: Iterable[_Reaction]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for r in reactions for side in (r.reactants, r.products) for name in side))


def _law_of(rates: Iterable[_Rate]) -> AbstractRateLaw:
    rates = list(rates)
    log_A = jnp.asarray([log_of(rate.A) for rate in rates], float)
    if not any(rate.arrhenius for rate in rates):
        return Constant(log_A)
    return Arrhenius(log_A, jnp.asarray([r.b for r in rates], float), jnp.asarray([r.Ea for r in rates], float))
