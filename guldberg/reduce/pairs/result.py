"""What a reduction to pairs gives back."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from guldberg.closure.continuous.functional import Functional
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space.result import Curve


class Mixture(NamedTuple):
    """A homogeneous mixture at each time, with standard errors (0: exact)."""

    density: Float[np.ndarray, "times"]
    density_error: Float[np.ndarray, "times"]
    correlation: Float[np.ndarray, "times shells"]  # g: the density beside a particle over that anywhere
    correlation_error: Float[np.ndarray, "times shells"]


class Share(NamedTuple):
    """How often held-out runs are more than two standard errors away; 5 per cent by chance."""

    density: Float[np.ndarray, "times"]  # 0 or 1
    correlation: Float[np.ndarray, "times"]  # of the shells


@dataclasses.dataclass(frozen=True)
class PairReduced:
    """nu_1(t) and nu_2(r, t) that follow learned functions, and what they say, beside theories."""

    plan: PairPlan
    times: Float[np.ndarray, "times"]
    held: Mixture
    mixtures: dict[str, Mixture]  # learned, the distribution there, static_floor, training, and theories
    outside: dict[str, Share]
    nu: Float[np.ndarray, "times functions shells"]  # learned: nu_2, nu_1
    fitted: Float[np.ndarray, "times functions shells"]  # at each time by itself
    functional: Functional  # d w / dt, learned; `terms.onto` takes it to other densities, boxes and times
    curves: tuple[Curve, ...]
    gains: tuple[float, ...]  # of penalised entropy in each step of learning, nats per run
    seconds: dict[str, float]
    warnings: tuple[str, ...]
