"""Runs at several temperatures: k = A T^b exp(-Ea / R T), as the data determine it.

A and Ea of the textbook form lean on each other over any range that can be measured. The fit therefore works with

    ln k(T) = ln k(T0) + x(T) ln r + y(T) ln q,   x = (1/T0 - 1/T) / (1/T_cold - 1/T_hot)

1/T0 is the mean 1/T of the runs, r the ratio of the constants of the hottest and the coldest run, hence
Ea + b R T0 = R ln r / (1/T_cold - 1/T_hot). The second term bends the Arrhenius line: y ~ ln(T/T0) + T0/T - 1, which b
multiplies and no energy imitates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.rates import GAS_CONSTANT


class Warmth(NamedTuple):
    """The temperatures of the runs as the fit sees them."""

    temperatures: Float[np.ndarray, "runs"]

    @property
    def reference(self) -> float:
        """T0, the harmonic mean."""
        return float(1 / np.mean(1 / self.temperatures))

    @property
    def spread(self) -> float:
        """1/T_cold - 1/T_hot."""
        return float(1 / self.temperatures.min() - 1 / self.temperatures.max())

    @property
    def curvature(self) -> Float[np.ndarray, "runs"]:
        """What b multiplies: zero with zero slope at T0."""
        ratio = self.temperatures / self.reference
        return np.log(ratio) + 1 / ratio - 1

    def columns(self, *, curved: bool = False) -> Float[np.ndarray, "runs powers"]:
        """x, and with `curved` y: the exponents of r and q in the constants of each run."""
        x = (1 / self.reference - 1 / self.temperatures) / self.spread
        y = self.curvature / self.curvature.max()
        return np.column_stack([x, y] if curved else [x])

    def energy(self, log_r: float) -> float:
        """Ea + b R T0, in J/mol."""
        return GAS_CONSTANT * log_r / self.spread

    def exponent(self, log_q: float) -> float:
        """b."""
        return log_q / float(self.curvature.max())


def warmth(data: Experiments) -> Warmth | None:
    """The temperatures, if they differ; None where all runs share one or none is told.

    InputError where some runs lack one.
    """
    told = [run.temperature for run in data.runs]
    known = {T for T in told if T is not None}
    if len(known) < 2:
        return None
    if None in told:
        without = ", ".join(run.name for run in data.runs if run.temperature is None)
        raise InputError(f"experiments without a temperature beside others that have one: {without}; give each its own")
    return Warmth(np.array(told, float))
