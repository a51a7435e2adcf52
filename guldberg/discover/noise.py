"""The noise of each species, from the data alone."""

from __future__ import annotations

from math import comb

import numpy as np
from jaxtyping import Float

from guldberg.experiments import Experiments

ORDERS = (3, 4, 5, 6)
ENOUGH = 5  # differences; fewer give no usable median
GUESS = 0.03
NORMAL_QUARTILE = 0.6745  # median of |N(0, 1)|


def estimate(data: Experiments) -> Float[np.ndarray, "species"]:
    """Standard deviation of one measurement of each species; NaN where there are too few points to tell.

    A high difference of consecutive values, scaled to unit noise gain, removes what is smooth and keeps the noise; its
    median absolute value ignores the few windows that hold a fast transient. The smallest over orders 3 to 6, and over
    differences in the index and in time, is taken: a curve that is not smooth in one sense may be in the other.
    """
    return np.array([_of_species(data, s) for s in range(len(data.species))])


def usable(data: Experiments) -> Float[np.ndarray, "species"]:
    """The same with a guess where there are too few points to tell: 3 % of what the species changes."""
    sd, spans = estimate(data), np.nanmax([np.ptp(np.nan_to_num(run.values), axis=0) for run in data.runs], axis=0)
    return np.where(np.isfinite(sd) & (sd > 0), sd, np.where(spans > 0, GUESS * spans, 1.0))


def known(data: Experiments) -> bool:
    """Whether every measurement comes with its standard deviation."""
    return all(np.isfinite(run.sd[np.isfinite(run.values)]).all() for run in data.runs)


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
    differences = [_differences(t, y, order, in_time) for t, y in series if len(y) > order]
    if sum(map(len, differences)) < ENOUGH:
        return np.nan
    return float(np.median(np.abs(np.concatenate(differences)))) / NORMAL_QUARTILE


def _differences(t: np.ndarray, y: np.ndarray, order: int, in_time: bool) -> Float[np.ndarray, "windows"]:
    """Differences of `order` over every window; their weights have unit norm, so unit noise in gives unit noise out."""
    windows = np.lib.stride_tricks.sliding_window_view(y, order + 1)
    if not in_time:
        binomial = np.array([(-1.0) ** i * comb(order, i) for i in range(order + 1)])
        return windows @ binomial / np.sqrt(comb(2 * order, order))
    x = np.lib.stride_tricks.sliding_window_view(t, order + 1)
    x = (x - x[:, :1]) / (x[:, -1:] - x[:, :1])
    gaps = x[:, :, None] - x[:, None, :] + np.eye(order + 1)
    w = 1.0 / np.prod(gaps, axis=2)
    return (windows * w).sum(axis=1) / np.linalg.norm(w, axis=1)
