"""The noise of each species, from the data alone."""

from __future__ import annotations

from math import comb

import numpy as np
from jaxtyping import Float

from guldberg.experiments import Experiments

ORDERS = (3, 4, 5, 6)
ENOUGH = 5  # differences; fewer give no usable median
NORMAL_QUARTILE = 0.6745  # median of |N(0, 1)|


def estimate(data: Experiments) -> Float[np.ndarray, "species"]:
    """Standard deviation of one measurement of each species; NaN where there are too few points to tell.

    A high difference of consecutive values, scaled to unit noise gain, removes what is smooth and keeps the noise; its
    median absolute value ignores the few windows that hold a fast transient. The smallest over orders 3 to 6, and over
    differences in the index and in time, is taken: a curve that is not smooth in one sense may be in the other.
    """
    return np.array([_of_species(data, s) for s in range(len(data.species))])


def _of_species(data: Experiments, s: int) -> float:
    series = []
    for run in data.runs:
        seen = np.isfinite(run.values[:, s])
        series.append((run.times[seen], run.values[seen, s]))
    spread = [_median(series, order, in_time) for order in ORDERS for in_time in (False, True)]
    spread = [x for x in spread if np.isfinite(x)]
    if not spread:
        return np.nan
    return max(min(spread), 1e-9 * max(np.ptp(y) for _, y in series if len(y)))


def _median(series: list[tuple[np.ndarray, np.ndarray]], order: int, in_time: bool) -> float:
    differences = [
        _weights(t[i : i + order + 1], in_time) @ y[i : i + order + 1] for t, y in series for i in range(len(y) - order)
    ]
    if len(differences) < ENOUGH:
        return np.nan
    return float(np.median(np.abs(differences))) / NORMAL_QUARTILE


def _weights(t: Float[np.ndarray, "window"], in_time: bool) -> Float[np.ndarray, "window"]:
    """Divided-difference (or binomial) weights of unit norm: independent unit noise in gives unit noise out."""
    order = len(t) - 1
    if not in_time:
        return np.array([(-1.0) ** i * comb(order, i) for i in range(order + 1)]) / np.sqrt(comb(2 * order, order))
    x = (t - t[0]) / (t[-1] - t[0])
    w = np.array([1.0 / np.prod(x[i] - np.delete(x, i)) for i in range(len(x))])
    return w / np.linalg.norm(w)
