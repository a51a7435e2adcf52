"""What was typed becomes objects here, once; below this module there are no strings to interpret.

Every error names the option it came from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from guldberg import text
from guldberg.app.cells import numbers, read_cells
from guldberg.app.columns import Column
from guldberg.errors import InputError
from guldberg.system import WellMixed

SBML, ANTIMONY = (".xml", ".sbml"), ".ant"

Complex = tuple[int, ...]  # molecules of each species
Reaction = tuple[Complex, Complex]  # reactants, products
States = tuple[tuple[str, ...], Float[np.ndarray, "states species"]]  # names, amounts


def network(path: str, standard_input: BinaryIO, note: Callable[[str], None]) -> text.Model:
    """The network in the file at `path`, by its ending SBML, Antimony or our text; or our text on standard input where
    that is "-". `note` is told how a foreign model was understood."""
    raw = standard_input.read() if path == "-" else Path(path).read_bytes()
    name = "standard input" if path == "-" else path
    if Path(path).suffix in SBML:
        from guldberg.app.sbml import reading  # libsbml takes its time

        return reading.read(raw, name, note)
    if Path(path).suffix == ANTIMONY:
        from guldberg.app import antimony

        return antimony.read(raw, name, note)
    try:
        return text.read(raw.decode("utf-8-sig"), file=name)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start + 1} is 0x{raw[error.start]:02x})", file=name) from None


def kelvin(temperature: float | None, model: text.Model) -> float | None:
    """`temperature`, if the rates of `model` can be told at it."""
    try:
        WellMixed(model.network, temperature)
    except ValueError as error:
        raise InputError(str(error), file="--temperature") from error
    return temperature


def amounts(option: str, typed: str, species: Sequence[str]) -> dict[str, float]:
    """ "A=1, B=0": an amount, finite and not negative, for each species named."""
    given: dict[str, float] = {}
    for part in typed.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise InputError(f"expected NAME=AMOUNT, got {part.strip()!r}", file=option)
        _check_species(option, [name], species)
        if name in given:
            raise InputError(f"{name} is given twice in {typed!r}", file=option)
        given[name] = _amount(option, number, name)
    return given


def names(typed: str) -> tuple[str, ...]:
    """ "A, B": the names between the commas."""
    return tuple(name for part in typed.split(",") if (name := part.strip()))


def reactions(option: str, typed: str, species: Sequence[str]) -> tuple[Reaction, ...]:
    """ "A + B -> C": one reaction, or both directions of "A <-> B"."""
    net = text.parse(typed, file=f"{option} {typed!r}", default_rate=1.0)
    if len(net.reactants) != 1:
        raise InputError(f"expected one reaction, got {typed!r}; repeat the option for more", file=option)
    _check_species(option, net.species, species)
    left, right = (_spread(side[0], net.species, species) for side in (net.reactants, net.products))
    return ((left, right), (right, left)) if net.reversible[0] else ((left, right),)


def law(option: str, typed: str, species: Sequence[str]) -> Complex:
    """ "A + 2 B": a weighted sum that no reaction changes, as the weight of each species."""
    if "->" in typed or "@" in typed:
        raise InputError(f"expected a sum such as 'A + 2 B', got {typed!r}", file=option)
    return reactions(option, f"{typed} -> 0", species)[0][0]


def deviations(option: str, typed: str, species: Sequence[str]) -> Float[np.ndarray, "species"]:
    """ "0.01" for every species, or "A=0.01, B=0.02" (NaN for the others): standard deviations."""
    if "=" in typed:
        given = amounts(option, typed, species)
        sd = np.array([given.get(name, np.nan) for name in species])
    else:
        sd = np.full(len(species), _amount(option, typed, "noise"))
    if (sd == 0).any():
        raise InputError("a standard deviation must be positive; leave the option out to estimate it", file=option)
    return sd


def each(option: str, typed: str, species: Sequence[str]) -> Float[np.ndarray, "species"]:
    """ "0.1" for every species, or "A=0.1, B=0.2" (0 for the others): numbers that are not negative."""
    if "=" not in typed:
        return np.full(len(species), _amount(option, typed, "all species"))
    given = amounts(option, typed, species)
    return np.array([given.get(name, 0.0) for name in species])


def span(option: str, typed: str) -> tuple[float, float]:
    """ "0:10": two numbers, not negative, the second not below the first."""
    first, colon, last = (piece.strip() for piece in typed.partition(":"))
    if not colon:
        raise InputError(f"expected FIRST:LAST, as 0:10, got {typed!r}", file=option)
    ends = _amount(option, first, "the first"), _amount(option, last, "the last")
    if ends[1] < ends[0]:
        raise InputError(f"expected the smaller number first, got {typed!r}", file=option)
    return ends


def sizes(option: str, typed: str) -> tuple[float, ...]:
    """ "10 x 20": one to three positive numbers, one for each axis."""
    found = tuple(_amount(option, part.strip(), "a size") for part in typed.replace("×", "x").split("x"))
    if not 1 <= len(found) <= 3 or 0 in found:
        raise InputError(f"expected one to three positive sizes, as 64x64, got {typed!r}", file=option)
    return found


def cells(option: str, typed: str) -> tuple[int, ...]:
    """ "64x64": one to three whole numbers."""
    found = sizes(option, typed)
    if any(n != int(n) for n in found):
        raise InputError(f"expected whole numbers of cells, as 64x64, got {typed!r}", file=option)
    return tuple(map(int, found))


def states(model: text.Model, typed: Sequence[str], table: str | None) -> States:
    """Initial states: one per `--initial`, then one per row of the table of `--initials`.

    Species that are not named start as the network's text says, or at 0. With neither option: the text's own state.
    """
    species = model.network.species
    given = [amounts("--initial", one, species) for one in typed]
    labels = [str(i) for i in range(1, len(given) + 1)]
    if table is not None:
        more_labels, more = _initials(Path(table), species)
        given, labels = given + more, labels + [label or str(len(given) + i) for i, label in enumerate(more_labels, 1)]
    if not given and not model.initial:
        raise InputError('no initial state: give --initial "A=1,B=0", or a line "initial: A = 1" in the network')
    given, labels = (given, labels) if given else ([{}], ["1"])
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InputError(f"two initial states are named {twice!r}", file=table)
    rows = [{**dict.fromkeys(species, 0.0), **model.initial, **one} for one in given]
    return tuple(labels), np.array([[row[name] for name in species] for row in rows])


def _initials(path: Path, species: Sequence[str]) -> tuple[list[str], list[dict[str, float]]]:
    """A table with a column per species, and an optional column `experiment`: a row per state."""
    cells = read_cells(path)
    header = [cell.strip() for cell in cells.header]
    named = [i for i, name in enumerate(header) if name != "experiment"]
    for i in named:
        if header[i] not in species or header.index(header[i]) != i:
            fault = "stands twice" if header[i] in species else f"is no species of the network ({', '.join(species)})"
            raise InputError(f"{header[i]!r} {fault}", file=cells.file, line=cells.header_line, column=i + 1)
    for row, record in enumerate(cells.rows):
        if len(record) != len(header):
            raise cells.fail(f"expected {len(header)} cells, got {len(record)}", row)
    table = numbers(cells, columns := [Column(i + 1, header[i], "amount", header[i]) for i in named])
    for column in columns:
        for row in np.flatnonzero(table[column.number] < 0):
            raise cells.fail("an amount must not be negative", int(row), column)
    labels = [r[header.index("experiment")].strip() if "experiment" in header else "" for r in cells.rows]
    rows = [{c.species: float(x) for c in columns if np.isfinite(x := table[c.number][i])} for i in range(len(labels))]
    return labels, rows


def _amount(option: str, typed: str, what: str) -> float:
    try:
        amount = float(typed)
    except ValueError:
        raise InputError(f"{what}: expected a number, got {typed!r}", file=option) from None
    if not 0 <= amount < math.inf:
        raise InputError(f"{what}: expected a finite number, not negative, got {typed}", file=option)
    return amount


def _check_species(option: str, wanted: Sequence[str], species: Sequence[str]) -> None:
    unknown = [name for name in wanted if name not in species]
    if unknown:
        raise InputError(f"unknown species {', '.join(unknown)}; there are {', '.join(species)}", file=option)


def _spread(nu: object, own: Sequence[str], species: Sequence[str]) -> Complex:
    count = dict(zip(own, np.asarray(nu).tolist(), strict=True))
    return tuple(count.get(name, 0) for name in species)
