"""A PEtab problem as a likelihood: its tables by the `petab` library, its model by our reader of SBML.

Of version 1 is read: one model of mass action in SBML, normal noise on readings or their logarithms, formulas of sums,
products, powers, exponentials and logarithms. Anything else is refused, by its id.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from guldberg import stiff
from guldberg.app.petab import formulas
from guldberg.app.petab.conditions import SCALES, TRANSFORMED, Instrument, Pool, Setting
from guldberg.app.petab.formulas import Expression
from guldberg.app.sbml import reading as sbml
from guldberg.discover.likelihood import Condition, Likelihood, Unknowns
from guldberg.errors import InputError

FILES = ("condition_files", "measurement_files", "observable_files", "sbml_files")
PRIOR, BEFORE = "objectivePriorType", "preequilibrationConditionId"


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is asked."""

    name: str
    likelihood: Likelihood
    settings: tuple[Setting, ...]  # of the likelihood's conditions
    unknowns: tuple[str, ...]
    nominal: Unknowns | None  # on the scales of the problem
    model: sbml.Formulated
    notes: tuple[str, ...]


def files(path: Path) -> list[Path]:
    """The problem and the files that it names. InputError unless they are beside it, and it is of version 1."""
    named = _yaml(path)
    parts = named.get("problems")
    if str(named.get("format_version")).split(".")[0] != "1" or not isinstance(parts, list) or len(parts) != 1:
        raise InputError("expected one problem of PEtab's version 1", file=str(path))
    wanted = [named.get("parameter_file"), *(one for key in FILES for one in parts[0].get(key) or [])]
    for one in wanted:
        if not isinstance(one, str) or Path(one).name != one or not (path.parent / one).is_file():
            raise InputError(f"it names {one!r}; expected the name of a file beside it", file=str(path))
    if len(parts[0].get("sbml_files") or []) != 1:
        raise InputError("expected one model, in SBML", file=str(path))
    return [path, *(path.parent / one for one in wanted)]


def read(path: Path) -> Problem:
    """The problem at `path`. InputError, by the id of what is not read."""
    everything = files(path)
    return _Reader(path, everything[-1]).problem()


def _petab(file: Path) -> Any:
    try:
        from petab import v1
    except ImportError:
        raise InputError("PEtab needs its library: pip install 'guldberg[petab]'", file=str(file)) from None
    return v1


def _yaml(path: Path) -> dict[str, Any]:
    library = _petab(path)
    try:
        found = library.yaml.load_yaml(path)
    except Exception as error:  # of any kind that the library lets through
        raise InputError(f"cannot be read: {_line(error)}", file=str(path)) from None
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.get("problems") or []):
        raise InputError("no problem in PEtab's form", file=str(path))
    return found


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]


class _Reader:
    def __init__(self, path: Path, model: Path) -> None:
        self.path, self.library = path, _petab(path)
        self.notes: list[str] = []
        self.tables = self._checked()
        parameters = self.tables.parameter_df
        estimated = parameters["estimate"].astype(float) == 1
        self.unknowns, known = (tuple(map(str, parameters.index[which])) for which in (estimated, ~estimated))
        scales = parameters["parameterScale"] if "parameterScale" in parameters else {}
        self.scales = tuple(_told(scales.get(name), "lin") for name in self.unknowns)
        self.numbers = [float(parameters["nominalValue"][name]) for name in known]
        self.where = {name: i for i, name in enumerate((*self.unknowns, *known))}
        self.columns = [column for column in self.tables.condition_df.columns if column != "conditionName"]
        free = {name: formulas.symbol(name) for name in (*self.where, *self.columns)}
        self.model = sbml.formulated(model.read_bytes(), str(model), self.notes.append, free, formulas.NUMERIC)
        for column in self.columns:
            if column not in {*self.model.parameters, *self.model.species}:
                raise self._refused(
                    f"the condition table sets {column!r}, which is no parameter or species of the model"
                )

    def problem(self) -> Problem:
        table = self.tables.measurement_df.reset_index(drop=True)
        self._refuse_rows(table)
        groups = [(str(name), rows) for name, rows in table.groupby("simulationConditionId", sort=False)]
        read = [(name, *self._condition(name, rows)) for name, rows in groups]
        pool = Pool(self.scales, np.array(self.numbers))
        initial = tuple(self._initial(name) for name in self.model.species)
        constants = tuple(formulas.polynomial({(): k}) for k in self.model.constants)
        settings = tuple(
            Setting(pool, self.model.species, constants, initial, where, instruments)
            for _, where, _, instruments in read
        )
        conditions = tuple(
            Condition(name, times, setting.start, setting.read)
            for (name, _, times, _), setting in zip(read, settings, strict=True)
        )
        low, high = (self._column(name) for name in ("lowerBound", "upperBound"))
        cost = sum(one.cost for setting in settings for one in setting.instruments)
        directed = stiff.directed(self.model.reactants, self.model.products)
        likelihood = Likelihood(directed, conditions, low, high, cost)
        nominal = self._column("nominalValue") if "nominalValue" in self.tables.parameter_df else None
        return Problem(self.path.stem, likelihood, settings, self.unknowns, nominal, self.model, tuple(self.notes))

    def _checked(self) -> Any:
        """The tables, once the library has nothing against them."""
        errors: list[str] = []
        try:
            with _listening(errors):
                asked = _yaml(self.path)
                asked["problems"][0].pop("visualization_files", None)
                tables = self.library.Problem.from_yaml(asked, base_path=str(self.path.parent))
                wrong = self.library.lint_problem(tables)
        except Exception as error:  # of any kind that the library lets through
            raise self._refused(f"no valid problem: {_line(error)}") from None
        if wrong:
            raise self._refused(f"no valid problem: {_line((errors or ['?'])[0])}")
        prior = tables.parameter_df.get(PRIOR)
        if prior is not None and prior.notna().any():
            name = prior.index[prior.notna()][0]
            raise self._refused(f"parameter {name!r} has a prior in the objective, which is not read")
        return tables

    def _refuse_rows(self, table: Any) -> None:
        if BEFORE in table and (told := table[BEFORE].dropna()).any():
            raise self._refused(f"condition {str(told.iloc[0])!r} is a preequilibration, which is not read")
        late = ~np.isfinite(table["time"].astype(float))
        if late.any():
            raise self._refused(f"observable {table['observableId'][late].iloc[0]!r} is measured at no finite time")

    def _refused(self, message: str) -> InputError:
        return InputError(message, file=str(self.path))

    def _column(self, name: str) -> Float[np.ndarray, "unknowns"]:
        """A column of the parameter table on the scales of the unknowns."""
        cells = self.tables.parameter_df[name]
        return np.array(
            [self._scaled(one, scale, float(cells[one])) for one, scale in zip(self.unknowns, self.scales, strict=True)]
        )

    def _scaled(self, name: str, scale: str, number: float) -> float:
        if scale not in SCALES or scale != "lin" and not number > 0:
            raise self._refused(f"parameter {name!r}: {number:g} has no place on the scale {scale!r}")
        return SCALES[scale][0](number)

    def _index(self, cell: Any, where: str) -> int:
        """Of a number, or of what a parameter is called, in the pool."""
        if cell in self.where:
            return self.where[cell]
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self._refused(f"{where}: {cell!r} is no number and no parameter of the parameter table")
        self.numbers.append(number)
        return len(self.unknowns) + len(self.numbers) - 1

    def _condition(
        self, name: str, rows: Any
    ) -> tuple[dict[str, Int[np.ndarray, ""]], Float[np.ndarray, "times"], tuple[Instrument, ...]]:
        """Where names are found in the pool, the times, the first being 0, and what was measured."""
        cells = self.tables.condition_df.loc[name]
        own = {column: self._index(cells[column], f"condition {name!r}, {column!r}") for column in self.columns}
        where = {one: np.array(i) for one, i in {**self.where, **own}.items()}
        times = np.unique(np.append(0.0, rows["time"].astype(float)))
        groups = rows.groupby("observableId", sort=False)
        return where, times, tuple(self._instrument(str(one), part, times, where) for one, part in groups)

    def _instrument(self, name: str, rows: Any, times: np.ndarray, where: dict[str, np.ndarray]) -> Instrument:
        row = self.tables.observable_df.loc[name]
        transformation = _told(row.get("observableTransformation"), "lin")
        if (noise := _told(row.get("noiseDistribution"), "normal")) != "normal":
            raise self._refused(f"observable {name!r} has noise of the kind {noise!r}; only normal noise is read")
        measured = rows["measurement"].to_numpy(float)
        if transformation not in TRANSFORMED or transformation != "lin" and not (measured > 0).all():
            raise self._refused(f"observable {name!r}: a measurement has no place on the scale {transformation!r}")
        own = {**self._told_by_row("observable", name, rows), **self._told_by_row("noise", name, rows)}
        formula = self._formula(name, row["observableFormula"], own)
        spread = self._formula(name, row["noiseFormula"], own)
        at = np.searchsorted(times, rows["time"].to_numpy(float))
        rows_at = rows.index.to_numpy(int)
        return Instrument(name, formula, spread, {**where, **own}, at, measured, transformation, rows_at)

    def _told_by_row(self, kind: str, name: str, rows: Any) -> dict[str, Int[np.ndarray, "points"]]:
        """The placeholders that the measurement table fills, row by row."""
        if f"{kind}Parameters" not in rows:
            return {}
        cells = [self.library.split_parameter_replacement_list(cell) for cell in rows[f"{kind}Parameters"]]
        found = [[self._index(one, f"observable {name!r}, {kind}Parameters") for one in cell] for cell in cells]
        return {f"{kind}Parameter{n}_{name}": np.array(column) for n, column in enumerate(zip(*found, strict=True), 1)}

    def _formula(self, name: str, text: Any, own: Mapping[str, np.ndarray]) -> Expression:
        """Its text in the variables of the network, parameters and placeholders."""
        formula = self.library.math.sympify_petab(text)
        if strange := formulas.foreign(formula):
            raise self._refused(f"observable {name!r}: {strange} in its formula is not read")

        def meaning(one: str) -> Expression:
            if one in self.model.symbols:
                return formulas.symbol(one) * self.model.symbols[one]
            if one in own or one in self.where or one in self.columns:
                return formulas.symbol(one)
            return formulas.polynomial(self.model.formula(one))

        return formulas.with_names(formula, meaning)

    def _initial(self, name: str) -> Expression:
        if name not in self.model.initial:
            raise self._refused(f"species {name!r} has no initial amount")
        return formulas.polynomial({(): self.model.initial[name]})


class _Listener(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage())


@contextlib.contextmanager
def _listening(errors: list[str]) -> Iterator[None]:
    """Errors that the library tells to its log go to `errors` alone."""
    log, listener = logging.getLogger("petab"), _Listener(errors)
    before, log.propagate = log.propagate, False
    log.addHandler(listener)
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.propagate = before


def _told(cell: Any, else_: str) -> str:
    """What a cell says; `else_` where it is empty."""
    return str(cell) if isinstance(cell, str) and cell else else_
