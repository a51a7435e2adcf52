"""One condition of a PEtab problem: formulas over a pool of numbers as what a likelihood asks of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from guldberg.app.petab import formulas
from guldberg.app.petab.formulas import Expression, Values
from guldberg.discover.likelihood import Readings, Start, Unknowns

SCALES: Mapping[str, tuple[Callable, Callable, Callable]] = {  # to a scale, from it, the slope of that
    "lin": (lambda value: value, lambda x: x, lambda x: 1.0),
    "log": (math.log, math.exp, math.exp),
    "log10": (math.log10, lambda x: 10.0**x, lambda x: math.log(10) * 10.0**x),
}
TRANSFORMED: Mapping[str, tuple[Callable, Callable, Callable, Callable]] = {  # and back, slope, cost in -ln L
    "lin": (lambda y: y, lambda z: z, np.ones_like, np.zeros_like),
    "log": (np.log, np.exp, lambda y: 1 / y, np.log),
    "log10": (np.log10, lambda z: 10.0**z, lambda y: 1 / (y * math.log(10)), lambda m: np.log(m * math.log(10))),
}


@dataclasses.dataclass(frozen=True)
class Pool:
    """All numbers that formulas are made of: the unknowns, each on its scale, then those that are known."""

    scales: tuple[str, ...]
    known: Float[np.ndarray, "known"]

    def values(self, x: Unknowns) -> Float[np.ndarray, "numbers"]:
        """Off their scales."""
        return np.append([SCALES[scale][1](one) for scale, one in zip(self.scales, x, strict=True)], self.known)

    def slopes(self, x: Unknowns) -> Float[np.ndarray, "numbers unknowns"]:
        """Of the values by x."""
        own = np.array([SCALES[scale][2](one) for scale, one in zip(self.scales, x, strict=True)])
        return np.vstack([np.diag(own), np.zeros((len(self.known), len(x)))])


class Instrument(NamedTuple):
    """What one observable says in one condition."""

    observable: str
    formula: Expression
    noise: Expression
    where: Mapping[str, Int[np.ndarray, "..."]]  # names into the pool: one number, or one for each point
    at: Int[np.ndarray, "points"]  # which of the condition's times
    measured: Float[np.ndarray, "points"]
    transformation: str
    rows: Int[np.ndarray, "points"]  # of the measurement table

    @property
    def cost(self) -> float:
        """The constant that the transformation adds to -ln L."""
        return float(np.sum(TRANSFORMED[self.transformation][3](self.measured)))

    def fitted(self, misfit: Float[np.ndarray, "points"]) -> Float[np.ndarray, "points"]:
        """The readings that differ by `misfit` from what was measured, after the transformation."""
        forth, back, *_ = TRANSFORMED[self.transformation]
        return back(forth(self.measured) + misfit)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Constants, initial amounts and readings in one condition. `where` finds names in the pool."""

    pool: Pool
    species: tuple[str, ...]
    constants: tuple[Expression, ...]
    initial: tuple[Expression, ...]
    where: Mapping[str, Int[np.ndarray, ""]]
    instruments: tuple[Instrument, ...]

    def start(self, x: Unknowns) -> Start:
        """For `guldberg.discover.likelihood.Condition`."""
        values, slopes = self.pool.values(x), self.pool.slopes(x)
        at = {name: values[i] for name, i in self.where.items()}
        k, c0 = (
            [_jet(formula, at, self.where, slopes, (), 1) for formula in part]
            for part in (self.constants, self.initial)
        )
        return Start(*(np.concatenate([jet[i] for jet in part]) for part in (k, c0) for i in (0, 1)))

    def read(self, x: Unknowns, c: Float[np.ndarray, "times species"]) -> Readings:
        """The same."""
        values, slopes = self.pool.values(x), self.pool.slopes(x)
        found = [_read(one, self.species, values, slopes, c) for one in self.instruments]
        return Readings(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _read(one: Instrument, species: tuple[str, ...], values: np.ndarray, slopes: np.ndarray, c: np.ndarray) -> Readings:
    at = {name: values[i] for name, i in one.where.items()}
    at |= {name: c[one.at, j] for j, name in enumerate(species)}
    points = len(one.measured)
    y, y_by, y_by_c = _jet(one.formula, at, one.where, slopes, species, points)
    sd, sd_by, sd_by_c = _jet(one.noise, at, one.where, slopes, species, points)
    transform, _, slope, _ = TRANSFORMED[one.transformation]
    with np.errstate(all="ignore"):
        misfit, factor = transform(y) - transform(one.measured), slope(y)[:, None]
    return Readings(one.at, misfit, factor * y_by, factor * y_by_c, sd, sd_by, sd_by_c)


def _jet(
    formula: Expression,
    at: Values,
    where: Mapping[str, np.ndarray],
    slopes: np.ndarray,
    species: tuple[str, ...],
    points: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A formula's values at some points, their slopes by the unknowns and those by the species."""
    by, by_c = np.zeros((points, slopes.shape[1])), np.zeros((points, len(species)))
    for name, slope in formulas.slopes(formula).items():
        part = np.broadcast_to(formulas.value(slope, at), points)
        if name in species:
            by_c[:, species.index(name)] = part
        else:
            by += part[:, None] * slopes[where[name]]
    return np.broadcast_to(formulas.value(formula, at), points).astype(float), by, by_c
