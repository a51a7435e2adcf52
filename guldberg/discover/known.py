"""The constants of a mechanism that is known: what discover does once its search has ended."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.discover import intervals, misfit, noise, refine
from guldberg.discover.dependencies import computed_columns
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, prepare
from guldberg.discover.refine import Fitted
from guldberg.discover.result import Estimate
from guldberg.experiments import Experiments


@dataclasses.dataclass(frozen=True)
class Known:
    """A mechanism fitted to data."""

    problem: Problem
    library: Library
    at: Fitted
    noise_known: bool

    @property
    def variance(self) -> float:
        """Of the noise, in units of the standard deviations assumed."""
        freedom = max(self.problem.points - self.at.parameters(self.problem), 1)
        return 1.0 if self.noise_known else self.at.chi2 / freedom

    @property
    def rise(self) -> float:
        """The rise of chi2 at the end of a 95 % interval."""
        parameters = self.at.parameters(self.problem)
        return intervals.threshold(self.problem.points, parameters, self.at.chi2, self.noise_known)

    def estimates(self) -> tuple[Estimate, ...]:
        """Each constant, then each factor on the rates, with its 95 % interval."""
        count = len(self.at.k) + len(self.at.phi)
        found = (intervals.interval(self.problem, self.library, self.at, i, self.rise)[0] for i in range(count))
        return tuple(found)


def fit(data: Experiments, library: Library, k: Float[np.ndarray, "reactions"]) -> Known:
    """The reactions of `library` fitted to `data` from the constants `k`. ArithmeticError where that cannot be done.

    Standard deviations that the data do not give are estimated, first by differences, then by the residuals.
    """
    data = data.unmeasured(computed_columns(data)).settled(data.still)  # as discover reads them
    problem = prepare(data, noise.usable(data))
    at = _fitted(problem, library, k)
    if noise.known(data):
        return Known(problem, library, at, True)
    problem = problem.reweighted(misfit.reweighting(misfit.of_fit(problem, library, at), len(data.species)))
    return Known(problem, library, _fitted(problem, library, at.k), False)


def _fitted(problem: Problem, library: Library, k: Float[np.ndarray, "reactions"]) -> Fitted:
    at = refine.fit(problem, library, np.arange(len(k)), k)
    if at is None:
        raise ArithmeticError("the mechanism could not be integrated: check units and time scale of the data")
    return at
