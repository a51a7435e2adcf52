"""A network and its initial state as SBML Level 3 Version 2."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from guldberg.app.sbml import dimensions
from guldberg.app.sbml.library import libsbml
from guldberg.errors import InputError
from guldberg.text import Model

VESSEL = "vessel"


def write(model: Model, file: str, temperature: float | None = None, units: tuple[str, str] = ("", "")) -> str:
    """One compartment of size 1, species by concentration, a reaction each with its constants as local parameters. The
    constants are those at `temperature`, as SBML has no law of Arrhenius; InputError where one is needed. With `units`
    of concentration and time that pint knows, everything has its unit."""
    library, network = libsbml(file), model.network
    try:
        forward, backward = network.constants(temperature).astype(float)
    except ValueError as error:
        raise InputError(str(error), file="--temperature") from error
    document = library.SBMLDocument(3, 2)
    out = document.createModel()
    _vessel(out)
    named = dimensions.declare(out, library, *units)
    ids = identifiers(network.species)
    for name, own in zip(network.species, ids, strict=True):
        _species(out, own, name, model.initial.get(name, 0.0) if model.initial else None)
    sides = zip(np.asarray(network.reactants).tolist(), np.asarray(network.products).tolist(), strict=True)
    for i, ((left, right), kf, kr) in enumerate(zip(sides, forward.tolist(), backward.tolist(), strict=True), start=1):
        reaction = out.createReaction()
        reaction.setId(_free(f"r{i}", ids))
        reaction.setReversible(kr > 0)
        for own, n, m in zip(ids, left, right, strict=True):
            _refer(reaction.createReactant, own, n)
            _refer(reaction.createProduct, own, m)
        _law(library, reaction, ids, (left, right), (kf, kr), named)
    return library.writeSBMLToString(document)


def identifier(name: str) -> str:
    """A name as SBML allows it for an id: other signs become "_"."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"


def is_identifier(own: str, name: str) -> bool:
    """Whether `own` is the id that `identifiers` gives a species of this name."""
    return bool(name) and re.fullmatch(re.escape(identifier(name)) + r"(_\d+)?", own) is not None


def identifiers(names: Sequence[str]) -> list[str]:
    """An id for each, all different."""
    own: list[str] = []
    for name in names:
        own.append(_free(identifier(name), [*own, VESSEL]))
    return own


def _free(wanted: str, taken: Sequence[str]) -> str:
    numbered = (f"{wanted}_{n}" for n in itertools.count(2))
    return next(name for name in itertools.chain([wanted], numbered) if name not in taken)


def _vessel(model: Any) -> None:
    vessel = model.createCompartment()
    vessel.setId(VESSEL)
    vessel.setConstant(True)
    vessel.setSize(1.0)
    vessel.setSpatialDimensions(3.0)


def _species(model: Any, own: str, name: str, initial: float | None) -> None:
    species = model.createSpecies()
    species.setId(own)
    species.setName(name)
    species.setCompartment(VESSEL)
    if initial is not None:
        species.setInitialConcentration(initial)
    species.setHasOnlySubstanceUnits(False)
    species.setBoundaryCondition(False)
    species.setConstant(False)


def _refer(create: Any, own: str, n: int) -> None:
    if n:
        one = create()
        one.setSpecies(own)
        one.setStoichiometry(float(n))
        one.setConstant(True)


def _law(
    library: Any,
    reaction: Any,
    ids: Sequence[str],
    sides: Sequence[Sequence[int]],
    k: Sequence[float],
    named: Callable[[int], str],
) -> None:
    """vessel (k_f prod c^nu' - k_r prod c^nu''): an amount per time."""
    law = reaction.createKineticLaw()
    terms = []
    for letter, side, constant in zip(("k_f", "k_r"), sides, k, strict=True):
        if letter == "k_f" or constant > 0:
            parameter = law.createLocalParameter()
            parameter.setId(_free(letter, ids))
            parameter.setValue(constant)
            if unit := named(sum(side)):
                parameter.setUnits(unit)
            factors = [own for own, n in zip(ids, side, strict=True) for _ in range(n)]
            names = [_name(library, one) for one in (VESSEL, parameter.getId(), *factors)]
            terms.append(_node(library, library.AST_TIMES, names))
    law.setMath(terms[0] if len(terms) == 1 else _node(library, library.AST_MINUS, terms))


def _name(library: Any, name: str) -> Any:
    node = library.ASTNode(library.AST_NAME)
    node.setName(name)
    return node


def _node(library: Any, kind: int, parts: Sequence[Any]) -> Any:
    """A formula, made part by part: read from text, a species named `pi` or `time` would be another thing."""
    node = library.ASTNode(kind)
    for part in parts:
        node.addChild(part.deepCopy())
    return node
