"""SBML, Level 2 or 3, as a network and its initial state."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from guldberg.app.sbml.formulas import (
    CONSTANT,
    FLOATS,
    MOST_MOLECULES,
    TIME,
    Formulas,
    Number,
    Numeric,
    Polynomial,
    Refused,
    number,
)
from guldberg.app.sbml.library import checked, libsbml
from guldberg.app.sbml.writing import is_identifier
from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.text import Model

Directed = dict[tuple[tuple[str, ...], tuple[str, ...]], Number]  # reactants and products one by one, constant


def read(raw: bytes, file: str, note: Callable[[str], None]) -> Model:
    """The mass-action model of an SBML document; InputError, by the id of what is something else.

    Concentrations where all species are in compartments of one size, else amounts; `note` is told. A formula is
    expanded: each of its terms is one directed reaction, of the molecules in the term. A species at its boundary, or
    constant, stands on both sides. Names are the ids.
    """
    with _refusals(file):
        return _Reader(_document(raw, file), libsbml(file), note).model()


class Formulated(NamedTuple):
    """A mass-action model whose constants and initial amounts are expressions of some of its parameters."""

    species: tuple[str, ...]  # ids
    symbols: Mapping[str, Number]  # a species as formulas see it: this times the variable of the network
    reactants: Int[np.ndarray, "reactions species"]
    products: Int[np.ndarray, "reactions species"]
    constants: tuple[Number, ...]
    initial: Mapping[str, Number]  # of the variables; not there where the document gives none
    parameters: frozenset[str]
    formula: Callable[[str], Polynomial]  # of any other id, in the variables


def formulated(
    raw: bytes, file: str, note: Callable[[str], None], free: Mapping[str, Number], numeric: Numeric
) -> Formulated:
    """The same with the parameters of `free` left as they are given there, and `numeric` functions of such."""
    with _refusals(file):
        reader = _Reader(_document(raw, file), libsbml(file), note, free, numeric)
        directed = [way for row in reader.rows() for way in (row[:3], (row[1], row[0], row[3]))]
        ways = [way for way in directed if way[2] != 0]
        names, left, right = reader.sides(ways)
        return Formulated(
            names,
            {name: s.scale for name, s in reader.species.items()},
            left,
            right,
            tuple(way[2] for way in ways),
            {name: s.initial for name, s in reader.species.items() if s.initial is not None},
            frozenset(reader.parameters),
            reader.formula,
        )


def _document(raw: bytes, file: str) -> Any:
    """The model in a document of SBML."""
    text, library = checked(raw, file), libsbml(file)
    document = library.readSBMLFromString(text)
    errors = [document.getError(i) for i in range(document.getNumErrors())]
    for error in errors:
        if error.getSeverity() >= library.LIBSBML_SEV_ERROR:
            told = " ".join(error.getShortMessage().split() or error.getMessage().split())
            raise InputError(f"no valid SBML: {told}", file=file, line=error.getLine(), column=error.getColumn())
    if document.getLevel() not in (2, 3) or document.getModel() is None:
        raise InputError(f"SBML of level {document.getLevel()}; expected a model of level 2 or 3", file=file)
    return document  # the model lives as long as it


@contextlib.contextmanager
def _refusals(file: str) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise InputError(str(refused), file=file) from None
    except RecursionError:
        raise InputError("its formulas call one another without end", file=file) from None


class _Species(NamedTuple):
    """How a species is seen: its symbol is `scale` times the variable of the network."""

    scale: float
    fixed: bool
    initial: Number | None  # of the variable


class _Reader:
    def __init__(
        self,
        document: Any,
        library: Any,
        note: Callable[[str], None],
        free: Mapping[str, Number] | None = None,
        numeric: Numeric = FLOATS,
    ) -> None:
        self.document, self.sbml, self.note, self.free = document, document.getModel(), note, free or {}
        model = self.sbml
        _refuse_what_is_not_read(model)
        self.sizes = {c.getId(): c.getSize() if c.isSetSize() else 1.0 for c in model.getListOfCompartments()}
        self.parameters = {p.getId(): p for p in model.getListOfParameters()}
        self.assigned = {r.getVariable(): r.getMath() for r in model.getListOfRules()}
        self.initially = {a.getSymbol(): a.getMath() for a in model.getListOfInitialAssignments()}
        self.listed = {s.getId(): s for s in model.getListOfSpecies()}
        functions = {f.getId(): f for f in model.getListOfFunctionDefinitions()}
        self.formulas = Formulas(library, self._symbol, functions, numeric)
        self.at_start = Formulas(library, self._start, functions, numeric)
        self.volume = self._volume()
        self.species = {name: self._seen(s) for name, s in self.listed.items()}

    def model(self) -> Model:
        rows = self.rows()
        _, left, right = self.sides(rows)
        backward = [row[3] for row in rows]
        reverse = Constant.of(backward) if any(backward) else None
        network = ReactionNetwork(
            jnp.asarray(left), jnp.asarray(right), Constant.of([row[2] for row in rows]), reverse, self._names()
        )
        known = {own: s.initial for own, s in zip(self._names(), self.species.values(), strict=True)}
        return Model(network, {name: x for name, x in known.items() if x is not None})

    def rows(self) -> list[tuple[tuple[str, ...], tuple[str, ...], Number, Number]]:
        """Reactants, products, forward and reverse constants of all reactions."""
        rows = [row for reaction in self.sbml.getListOfReactions() for row in self._reaction(reaction)]
        if not rows:
            raise Refused("a model without reactions")
        return rows + [self._driven(name, a) for a, name in self.formulas.clocks.items()]

    def sides(self, rows: Sequence[Sequence[Any]]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """The ids of the species, and how many of each are reactants and products."""
        names = tuple(self.species)
        left, right = np.array([[[side.count(name) for name in names] for side in row[:2]] for row in rows]).swapaxes(
            0, 1
        )
        return names, left, right

    def formula(self, name: str) -> Polynomial:
        """What a name stands for."""
        return self._by(name, lambda: self._symbol(name))

    def _names(self) -> tuple[str, ...]:
        """The ids; the name where the id was made from it by `guldberg.app.sbml.writing`."""
        own = [s.getName() if is_identifier(name, s.getName()) else name for name, s in self.listed.items()]
        own = own if len(set(own)) == len(own) else list(self.listed)
        return (*own, *(name for name in self.species if name not in self.listed))

    def _volume(self) -> float | None:
        """The one size of all compartments with species; None: there are several, and amounts are counted."""
        used = {s.getCompartment() for s in self.listed.values()}
        if missing := used - self.sizes.keys():
            raise Refused(f"the compartment {min(missing)!r} is not there")
        for name in used & (self.initially.keys() | self.assigned.keys()):
            raise Refused(f"the size of the compartment {name!r} is assigned, which is not read")
        sizes = {self.sizes[name] for name in used}
        if not all(0 < size < np.inf for size in sizes):
            raise Refused("the size of a compartment is not positive")
        if len(sizes) > 1:
            self.note("compartments differ in size: the species are amounts, not concentrations")
            return None
        (volume,) = sizes or {1.0}
        if volume != 1:
            self.note(f"the compartment has a size of {volume:g}: the species are concentrations in it")
        return volume

    def _seen(self, s: Any) -> _Species:
        own, count = self.sizes[s.getCompartment()], s.getHasOnlySubstanceUnits()
        of_amount = 1.0 if self.volume is None else 1 / self.volume  # variable per amount
        scale = (1.0 if count else 1 / own) / of_amount
        initial = self._initial(s, own, of_amount, scale)
        if isinstance(initial, float) and not 0 <= initial < np.inf:
            raise Refused(f"the initial value of {s.getId()!r} is {initial:g}; expected it finite and not negative")
        return _Species(scale, s.getBoundaryCondition() or s.getConstant(), initial)

    def _initial(self, s: Any, own: float, of_amount: float, scale: float) -> Number | None:
        if s.getId() in self.free:
            return self.free[s.getId()] / scale
        if s.getId() in self.initially:
            return number(self._by(s.getId(), lambda: self.at_start.value(self.initially[s.getId()], {}))) / scale
        if s.isSetInitialAmount():
            return s.getInitialAmount() * of_amount
        return s.getInitialConcentration() * own * of_amount if s.isSetInitialConcentration() else None

    def _symbol(self, name: str) -> Polynomial:
        if name in self.species:
            return {(name,): self.species[name].scale}
        return self._constant(name)

    def _start(self, name: str) -> Polynomial:
        """At the first time, species are numbers."""
        if name in self.listed:
            seen = self._seen(self.listed[name])
            if seen.initial is None:
                raise Refused(f"the species {name!r} has no initial value")
            return {CONSTANT: seen.initial * seen.scale}
        return self._constant(name)

    def _constant(self, name: str) -> Polynomial:
        if name in self.free:
            return {CONSTANT: self.free[name]}
        if name in self.assigned:
            return self.formulas.value(self.assigned[name], {})
        if name in self.initially:
            return self.at_start.value(self.initially[name], {})
        if name in self.sizes:
            return {CONSTANT: self.sizes[name]}
        if name not in self.parameters:
            raise Refused(f"{name!r} is none of its species, compartments and parameters")
        return _parameter(self.parameters[name])

    def _reaction(self, reaction: Any) -> list[tuple[tuple[str, ...], tuple[str, ...], Number, Number]]:
        """Reactants, products, forward and reverse constants."""
        name = reaction.getId()
        if reaction.isSetFast() and reaction.getFast():
            raise Refused(f"reaction {name!r} is fast, which is not read")
        law = reaction.getKineticLaw()
        if law is None or law.getMath() is None:
            raise Refused(f"reaction {name!r} has no kinetic law")
        local = {p.getId(): _parameter(p) for p in [*law.getListOfParameters(), *law.getListOfLocalParameters()]}
        rate = self._by(name, lambda: self.formulas.value(law.getMath(), local))
        directed = self._directed(name, rate, self._change(reaction))
        rows = []
        while directed:
            (left, right), forward = next(iter(directed.items()))
            del directed[left, right]
            rows.append((left, right, forward, directed.pop((right, left), 0.0)))
        return rows

    def _directed(self, name: str, rate: Polynomial, change: Mapping[str, int]) -> Directed:
        """Each term of the rate as a reaction of the molecules in it."""
        out: Directed = {}
        for met, factor in rate.items():
            if factor == 0 or not change:
                continue
            if TIME in met:
                raise Refused(f"reaction {name!r} depends on time otherwise than by an exponential")
            left, sign = Counter(met), self._sign(name, factor)
            right = Counter({s: left[s] + sign * change.get(s, 0) for s in [*left, *change]})
            if short := [s for s, n in right.items() if n < 0]:
                raise Refused(
                    f"reaction {name!r} is not mass action: it takes more of {short[0]!r} than its rate knows"
                )
            k = abs(factor) / (1.0 if self.volume is None else self.volume)
            out[tuple(sorted(met)), tuple(sorted(right.elements()))] = k
        if not out:
            self.note(f"reaction {name!r} changes nothing and is left out")
        return out

    def _sign(self, name: str, factor: Number) -> int:
        try:
            return 1 if factor > 0 else -1
        except TypeError:  # of an expression
            raise Refused(f"reaction {name!r}: its direction depends on the parameters in {factor}") from None

    def _driven(self, name: str, a: Number) -> tuple[tuple[str, ...], tuple[str, ...], Number, Number]:
        """exp(a t) as one more species."""
        if name in self.listed:
            raise Refused(f"a species is named {name!r}, which is needed for an exponential of time")
        self.species[name] = _Species(1.0, False, 1.0)
        self.note(f"exp({a} t) in the rates is one more species, {name}")
        grows = self._sign(name, a) > 0
        return (name,), (name, name) if grows else (), abs(a), 0.0

    def _change(self, reaction: Any) -> dict[str, int]:
        """The net change of each species that can change."""
        net: Counter[str] = Counter()
        for sign, side in ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts())):
            for one in side:
                n = one.getStoichiometry() if one.isSetStoichiometry() or one.getLevel() == 2 else np.nan
                computed = one.getLevel() == 2 and one.isSetStoichiometryMath() or one.getId() in self.initially
                if computed or not (0 <= n <= MOST_MOLECULES and n == np.round(n)):
                    where = f"reaction {reaction.getId()!r}: the number of {one.getSpecies()!r}"
                    raise Refused(f"{where} is not a whole one, at most {MOST_MOLECULES}")
                if one.getSpecies() not in self.species:
                    raise Refused(f"reaction {reaction.getId()!r}: {one.getSpecies()!r} is no species")
                net[one.getSpecies()] += sign * int(n)
        return {s: n for s, n in net.items() if n and not self.species[s].fixed}

    def _by(self, name: str, compute: Callable[[], Polynomial]) -> Polynomial:
        try:
            return compute()
        except Refused as refused:
            raise Refused(f"{name!r} is not mass action: {refused}") from None


def _refuse_what_is_not_read(model: Any) -> None:
    for event in model.getListOfEvents():
        raise Refused(f"the event {event.getId() or event.getName()!r}: events are not read")
    for rule in model.getListOfRules():
        target = model.getElementBySId(rule.getVariable()) if rule.getVariable() else None
        if not rule.isAssignment() or target is None or target.getElementName() != "parameter":
            raise Refused(f"the rule for {rule.getVariable()!r}: of rules, only assignments to parameters are read")
    for one in [model, *model.getListOfSpecies()]:
        if one.getLevel() == 3 and one.isSetConversionFactor():
            raise Refused(f"{one.getId()!r} has a conversion factor, which is not read")


def _parameter(p: Any) -> Polynomial:
    if not p.isSetValue() or not np.isfinite(p.getValue()):
        raise Refused(f"the parameter {p.getId()!r} has no finite value")
    return {CONSTANT: p.getValue()}
