"""Detailed balance: prod (k_f / k_r)^n = 1 around every cycle of reversible reactions (Wegscheider 1901)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover.library import Library, reversible_pairs
from guldberg.discover.problem import Problem
from guldberg.integers import kernel


def cycles(chosen: Library) -> Int[np.ndarray, "cycles reactions"]:
    """How often each directed reaction counts in the cycles: rows @ ln k is the driving force of each, over RT.

    A basis of {n: S^T n = 0} over the reversible reactions, short ones first.
    """
    pairs = [(i, j) for i, j in reversible_pairs(chosen) if i < j]
    forward, reverse = np.array(pairs, int).reshape(-1, 2).T
    found = kernel(chosen.net[forward].T) if pairs else ()
    rows = np.zeros((len(found), len(chosen.net)), int)
    for row, times in zip(rows, found, strict=True):
        row[forward], row[reverse] = times, np.negative(times)
    return rows


def conditions(problem: Problem, chosen: Library) -> Float[np.ndarray, "conditions parameters"]:
    """Rows whose product with (ln k, ln phi) is known to be zero.

    Those of detailed balance, at every temperature, and those of reactions that share one constant.
    """
    powers, groups = problem.warmth.shape[1], len(problem.groups)
    turns = cycles(chosen) if problem.balanced else np.zeros((0, len(chosen.net)), int)
    blank = np.zeros((len(turns), groups))
    level = np.hstack([turns, blank, np.zeros((len(turns), powers * len(chosen.net)))])
    shifts = [np.hstack([0 * turns, blank, np.kron(turns, np.eye(powers)[p])]) for p in range(powers)]
    same = np.zeros((len(problem.equal), level.shape[1]))
    for row, (i, j) in zip(same, problem.equal, strict=True):
        row[i], row[j] = 1.0, -1.0
    return np.vstack([level, *shifts, same]).astype(float)
