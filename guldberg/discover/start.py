"""Where a fit starts: non-negative least squares on the integral form, no derivative estimated.

    c(t) - c(0) = sum_i N_i k_i integral_0^t prod_j c_j^nu_ij dt'

with the raw data under a trapezoid: crude, and close enough in all of the mechanisms tried.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from guldberg.discover import linear
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, natural
from guldberg.experiments import Experiments, Run

SMALLEST, LARGEST = 0.02, 1e4  # of the starting constants, in natural units
SLOPES = (-2.0, 0.0, 2.0, 4.0, 7.0, 11.0, 16.0)  # of ln k between the coldest and the hottest run: what is tried


def constants(
    data: Experiments, problem: Problem, library: Library
) -> tuple[Float[np.ndarray, "reactions"], Float[np.ndarray, "factors"]]:
    """A positive starting constant for every reaction of the library, and the factors on them (`problem.factors`)."""
    blocks = [_block(run, e, problem, library) for e, run in enumerate(data.runs)]
    b = np.concatenate([b for _, b in blocks])
    slopes = np.array(SLOPES if problem.warmth.shape[1] else [0.0])
    x = problem.warmth[:, :1] if problem.warmth.shape[1] else np.zeros((len(blocks), 1))
    parts = [np.vstack([a * np.exp(s * x[e]) for e, (a, _) in enumerate(blocks)]) for s in slopes]
    k, _ = linear.compress(np.hstack(parts), b).residual(np.arange(len(slopes) * len(library.net)))
    shares = k.reshape(len(slopes), -1)  # a constant that follows the temperature as a sum of exponentials
    unit = natural(problem, library)
    unseen = (library.reactants[:, ~_seen(data)] > 0).any(axis=1)  # nothing to integrate: begin at one turnover
    started = np.clip(np.where(unseen, unit, shares.sum(axis=0)), SMALLEST * unit, LARGEST * unit)
    return started, _factors(problem, shares, slopes)


def _factors(problem: Problem, shares: np.ndarray, slopes: np.ndarray) -> Float[np.ndarray, "factors"]:
    """One on all rates of a run; of each reaction the mean slope, that of them all where nothing runs."""
    total = shares.sum(axis=0)
    mean = float(slopes @ shares.sum(axis=1) / (total.sum() or 1.0))
    own = np.where(total > 0, slopes @ shares / np.where(total > 0, total, 1.0), mean)
    powers = problem.warmth.shape[1]
    ratios = np.pad(own[:, None], ((0, 0), (0, max(powers - 1, 0))))[:, :powers]
    return np.exp(np.append(np.zeros(len(problem.groups)), ratios))


def _seen(data: Experiments) -> np.ndarray:
    return np.any([np.isfinite(run.values).any(axis=0) for run in data.runs], axis=0)


def _block(run: Run, e: int, problem: Problem, library: Library) -> tuple[np.ndarray, np.ndarray]:
    """Weighted rows of one run, centred per species over its measured times: the unknown c(0) drops out."""
    c = np.column_stack(
        [_filled(run.times, run.values[:, s], problem.initial[e, s]) for s in range(len(problem.scale))]
    )
    monomials = np.prod(c[:, None, :] ** library.reactants, axis=2)
    steps = 0.5 * (monomials[1:] + monomials[:-1]) * np.diff(run.times)[:, None]
    integrals = np.vstack([np.zeros(len(library.net)), np.cumsum(steps, axis=0)])
    known = _exchanged(run, c)
    weights = problem.weights[problem.offsets[e] : problem.offsets[e + 1]]
    rows, right = [], []
    for s in range(c.shape[1]):
        seen = np.isfinite(run.values[:, s])
        if seen.sum() < 2:
            continue
        weight = np.where(weights[seen, s] > 0, weights[seen, s], weights[:, s].max())
        a, y = integrals[seen] * library.net[:, s], run.values[seen, s] - known[seen, s]
        rows.append((a - a.mean(axis=0)) * weight[:, None])
        right.append((y - y.mean()) * weight)
    if not rows:
        return np.zeros((0, len(library.net))), np.zeros(0)
    return np.vstack(rows), np.concatenate(right)


def _exchanged(run: Run, c: np.ndarray) -> Float[np.ndarray, "times species"]:
    """What a flow has brought and taken by each time."""
    rate = run.inflow - run.flow * c
    steps = 0.5 * (rate[1:] + rate[:-1]) * np.diff(run.times)[:, None]
    return np.vstack([np.zeros(c.shape[1]), np.cumsum(steps, axis=0)])


def _filled(times: np.ndarray, values: np.ndarray, initial: float) -> np.ndarray:
    """The measured values, straight lines between them; a species not measured in a run stays at its initial amount."""
    seen = np.isfinite(values)
    if not seen.any():
        return np.full(len(times), initial)
    return np.maximum(np.interp(times, times[seen], values[seen]), 0.0)
