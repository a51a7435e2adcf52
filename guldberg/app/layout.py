"""Where the boxes of a reaction graph stand: near those they are joined to, none over another. The same every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components, shortest_path

SPACING = 0.9  # inches between neighbours
MARGIN = 0.35
WIDEST = 8.0
ROUNDS = 300
STARTS = 12

Points = Float[np.ndarray, "nodes 2"]


def bipartite(
    sides: Sequence[tuple[Sequence[int], Sequence[int]]], sizes: Sequence[tuple[float, float]]
) -> tuple[Points, tuple[float, float]]:
    """Centres of the species' boxes and then the reactions' dots, and the size of the picture; all in inches.

    `sides`: reactants and products of each reaction; `sizes`: width and height of each box.
    """
    joined = np.array([np.add(*side) > 0 for side in sides]).reshape(len(sides), len(sizes) - len(sides))
    links = np.block([[np.zeros((joined.shape[1],) * 2), joined.T], [joined, np.zeros((len(sides),) * 2)]])
    box, at = np.array(sizes), np.zeros((len(sizes), 2))
    parts, part = connected_components(links, directed=False)
    steps = shortest_path(links, unweighted=True)
    corner, below = np.array([MARGIN, MARGIN]), MARGIN
    for here in (part == i for i in range(parts)):
        inside = _clearest(steps[np.ix_(here, here)], box[here])
        inside -= (inside - box[here] / 2).min(axis=0)
        extent = (inside + box[here] / 2).max(axis=0)
        if corner[0] > MARGIN and corner[0] + extent[0] > WIDEST:
            corner = np.array([MARGIN, below])
        at[here] = inside + corner
        below = max(below, corner[1] + extent[1] + SPACING / 2)
        corner = corner + [extent[0] + SPACING / 2, 0]
    width, height = (at + box / 2).max(axis=0) + MARGIN
    return at, (float(width), float(height))


def _clearest(steps: Float[np.ndarray, "nodes nodes"], box: Float[np.ndarray, "nodes 2"]) -> Points:
    """The picture, of those from several starts, in which lines cross boxes and one another least."""
    edges = np.argwhere(np.triu(steps == 1))
    starts = [np.random.default_rng(seed).permutation(len(steps)) for seed in range(STARTS)]
    tries = [_apart(_wide(_relaxed(steps, start)), box) for start in starts]
    return min(tries, key=lambda at: _tangle(at, box, edges))


def _tangle(at: Points, box: Float[np.ndarray, "nodes 2"], edges: Int[np.ndarray, "edges 2"]) -> float:
    """Lines that run over a foreign box, and, weighing less, pairs of lines that cross."""
    a, b = at[edges[:, 0]], at[edges[:, 1]]
    along = a[:, None] + np.linspace(0, 1, 25)[None, :, None] * (b - a)[:, None]  # edges, samples, 2
    inside = np.abs(along[:, :, None] - at) < box / 2 + 0.03
    over = np.any(inside[..., 0] & inside[..., 1], axis=1)  # edges, nodes
    over[np.arange(len(edges))[:, None], edges] = False

    def turn(p: Points, q: Points, r: Points) -> np.ndarray:
        return np.sign((q - p)[..., 0] * (r - p)[..., 1] - (q - p)[..., 1] * (r - p)[..., 0])

    p, q, r, s = a[:, None], b[:, None], a[None], b[None]
    cross = (turn(p, q, r) * turn(p, q, s) < 0) & (turn(r, s, p) * turn(r, s, q) < 0)
    return over.sum() + 0.15 * cross.sum()


def _relaxed(steps: Float[np.ndarray, "nodes nodes"], start: Int[np.ndarray, "nodes"]) -> Points:
    """Least weighted stress sum (|x_i - x_j| - d_ij)^2 / d_ij^2 by majorisation (Gansner, Koren and North 2004)."""
    if len(steps) == 1:
        return np.zeros((1, 2))
    d = SPACING * steps
    weights = np.divide(1.0, d**2, out=np.zeros_like(d), where=d > 0)
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    angle = 2 * np.pi * start / len(d)
    at = d.max() / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for _ in range(ROUNDS):
        gap = np.linalg.norm(at[:, None] - at[None], axis=2)
        pull = -weights * np.divide(d, gap, out=np.zeros_like(d), where=gap > 1e-9)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        at = inverse @ (pull @ at)
    return at


def _wide(at: Points) -> Points:
    """Turned so that the longer extent lies across the page, with the first node on the left and in the upper half."""
    at = at - at.mean(axis=0)
    axes = np.linalg.svd(at, full_matrices=False)[2]
    at = at @ axes.T
    return at * np.where(at[0] * [1, -1] > 0, -1.0, 1.0)


def _apart(at: Points, box: Float[np.ndarray, "nodes 2"], gap: float = 0.12) -> Points:
    """Boxes pushed off one another, each pair along the axis where they overlap least, until none do."""
    at, room = at.copy(), (box[:, None] + box) / 2 + gap
    for _ in range(ROUNDS):
        overlap = room - np.abs(at[:, None] - at)
        pairs = np.argwhere(np.tril(overlap.min(axis=2) > 1e-9, -1))
        for i, j in pairs:
            axis = int(np.argmin(overlap[i, j]))
            push = overlap[i, j, axis] / 2 * (1 if at[i, axis] >= at[j, axis] else -1)
            at[i, axis] += push
            at[j, axis] -= push
        if not len(pairs):
            break
    return at
