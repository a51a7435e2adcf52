"""Particles of a Boltzmann distribution in continuous space, drawn by insertion, deletion and moves.

    p(n, x) = exp(-sum_i nu_1(x_i) - sum_{i<j} nu_2(|x_i - x_j|)) / (n! Z),

Ernst et al. eq. (1) for identical particles: the 1/n! is that of configurations without labels, and stands here alone.
Norman and Filinov (1969), Metropolis et al. (1953). One species in a box of one to three dimensions; nu_1 is given in
the cells of a grid, nu_2 in shells of distance, 0 beyond the last: the numbers of particles in cells and of pairs in
shells are all that p knows of a configuration, and  d mean / d nu = -covariance  of these numbers.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float

from guldberg.errors import InputError
from guldberg.stochastic.words import GOLDEN, below, jit, mix, spread, streams, unit

NEVER = 1e30  # a nu_2 that no pair has: hard cores
FIRST = 64  # particles that room is made for


@dataclasses.dataclass(frozen=True)
class Gibbs:
    """nu_1 and nu_2 in a box. InputError where they do not fit."""

    lengths: tuple[float, ...]
    one: Float[np.ndarray, "*grid"]  # nu_1, the same throughout a cell
    pair: Float[np.ndarray, "shells"]  # nu_2, the same throughout each of the shells from 0 to reach; infinite: never
    reach: float
    periodic: bool = True

    def __post_init__(self) -> None:
        if np.ndim(self.one) != len(self.lengths) or not 1 <= len(self.lengths) <= 3:
            raise InputError(f"nu_1 of {np.ndim(self.one)} axes in a box of {len(self.lengths)}; expected one to three")
        if not np.isfinite(self.one).all() or np.isnan(self.pair).any() or len(self.pair) < 1:
            raise InputError("expected nu_1 finite, and one or more values of nu_2, none of them undefined")
        if not 0 < self.reach <= min(self.lengths) / 2:
            raise InputError(f"nu_2 reaches {self.reach:g}; expected at most half of the shortest length")


@dataclasses.dataclass(frozen=True)
class Moments:
    """Means over chains, each with its standard error."""

    density: Float[np.ndarray, "*grid"]  # particles per volume in each cell
    density_error: Float[np.ndarray, "*grid"]
    pairs: Float[np.ndarray, "bins"]  # pairs, each once, by distance
    pairs_error: Float[np.ndarray, "bins"]
    number: Float[np.ndarray, "chains"]  # mean of each chain
    covariance: Float[np.ndarray, "1+bins 1+bins"]  # of the number and the pairs of a configuration
    accepted: float  # share of all tries


def sample(
    gibbs: Gibbs,
    edges: Float[np.ndarray, "edges"],
    *,
    chains: int,
    sweeps: int,
    burn: int,
    seed: int,
    threads: int | None = None,
) -> Moments:
    """Moments of `chains` independent chains that begin empty. A sweep is as many tries as there are particles after
    `burn` of them, at least one for each cell of `reach`; a third each insert, delete and move. Pairs are counted
    between `edges`."""
    if chains < 2 or sweeps < 1 or burn < 0:
        raise InputError(
            f"{chains} chains of {sweeps} sweeps after {burn}; expected two or more, one or more, none or more"
        )
    one, pair = np.asarray(gibbs.one, float), np.minimum(np.asarray(gibbs.pair, float), NEVER)
    shape, lengths, edges = np.array(one.shape), np.array(gibbs.lengths, float), np.asarray(edges, float)
    keys = streams(seed, chains)
    density, pairs = np.zeros((chains, one.size)), np.zeros((chains, len(edges) - 1))
    accepted, squares = np.zeros(chains), np.zeros((chains, len(edges), len(edges)))

    def chunk(first: int, last: int) -> None:
        for c in range(first, last):
            accepted[c] = _chain(
                keys[c], one.ravel(), shape, pair, gibbs.reach, lengths, gibbs.periodic,
                np.array([sweeps, burn]), edges, density[c], pairs[c], squares[c],
            )  # fmt: skip

    spread(chunk, chains, threads, pieces=chains)
    cell, root = math.prod(gibbs.lengths) / one.size, math.sqrt(chains)
    mean = np.concatenate([[density.sum() / chains], pairs.mean(axis=0)])
    return Moments(
        density.mean(axis=0).reshape(one.shape) / cell,
        density.std(axis=0, ddof=1).reshape(one.shape) / cell / root,
        pairs.mean(axis=0),
        pairs.std(axis=0, ddof=1) / root,
        density.sum(axis=1),
        squares.mean(axis=0) - np.outer(mean, mean),
        float(accepted.mean()),
    )


@jit
def _chain(counter, one, shape, pair, reach, lengths, periodic, plan, edges, density, pairs, squares):
    axes = lengths.size
    m = np.ones(3, np.int64)
    for d in range(axes):
        m[d] = max(1, min(np.int64(lengths[d] / reach), 64))
    head = np.full(m[0] * m[1] * m[2], -1)
    x, following, before = np.empty((FIRST, axes)), np.full(FIRST, -1), np.full(FIRST, -1)
    volume = np.prod(lengths)
    n, size, tries, done, new, seen = 0, 1, 0, 0, np.empty(axes), np.empty(edges.size)
    for sweep in range(plan[0] + plan[1]):
        if sweep <= plan[1]:  # then the same for good: intervals that depend on the state would weigh states anew
            size = max(n, head.size)
        for _ in range(size):
            counter += GOLDEN
            kind = below(mix(counter), 3)
            tries += 1
            if n == x.shape[0]:
                x, following, before = _grown(x), _longer(following), _longer(before)
            if kind == 0:
                counter = _anywhere(counter, new, lengths)
                cost = one[_cell(new, lengths, shape)] + _felt(
                    new, -1, x, head, following, m, pair, reach, lengths, periodic
                )
                counter += GOLDEN
                if unit(mix(counter)) * (n + 1) < volume * np.exp(-cost):
                    for d in range(axes):
                        x[n, d] = new[d]
                    _link(n, x, head, following, before, m, lengths)
                    n += 1
                    done += 1
            elif n > 0:
                counter += GOLDEN
                i = below(mix(counter), n)
                now = one[_cell(x[i], lengths, shape)] + _felt(
                    x[i], i, x, head, following, m, pair, reach, lengths, periodic
                )
                if kind == 1:
                    counter += GOLDEN
                    if unit(mix(counter)) * volume < n * np.exp(now):
                        _unlink(i, x, head, following, before, m, lengths)
                        n -= 1
                        if i < n:
                            _unlink(n, x, head, following, before, m, lengths)
                            for d in range(axes):
                                x[i, d] = x[n, d]
                            _link(i, x, head, following, before, m, lengths)
                        done += 1
                else:
                    counter = _near(counter, new, x[i], reach, lengths, periodic)
                    cost = one[_cell(new, lengths, shape)]
                    cost += _felt(new, i, x, head, following, m, pair, reach, lengths, periodic)
                    counter += GOLDEN
                    if unit(mix(counter)) < np.exp(now - cost):
                        _unlink(i, x, head, following, before, m, lengths)
                        for d in range(axes):
                            x[i, d] = new[d]
                        _link(i, x, head, following, before, m, lengths)
                        done += 1
        if sweep >= plan[1]:
            _counted(x, n, one, shape, lengths, periodic, edges, density, seen)
            seen[0] = n
            for k in range(edges.size):
                for j in range(edges.size):
                    squares[k, j] += seen[k] * seen[j] / plan[0]
            for k in range(pairs.size):
                pairs[k] += seen[k + 1] / plan[0]
    for k in range(density.size):
        density[k] /= plan[0]
    return done / tries


@jit
def _grown(x):
    out = np.empty((2 * x.shape[0], x.shape[1]))
    for i in range(x.shape[0]):
        for d in range(x.shape[1]):
            out[i, d] = x[i, d]
    return out


@jit
def _longer(links):
    out = np.full(2 * links.size, -1)
    for i in range(links.size):
        out[i] = links[i]
    return out


@jit
def _anywhere(counter, new, lengths):
    for d in range(new.size):
        counter += GOLDEN
        new[d] = (1.0 - unit(mix(counter))) * lengths[d]
    return counter


@jit
def _near(counter, new, x, reach, lengths, periodic):
    """Within a cube around x, wrapped or folded: as likely there as back."""
    for d in range(new.size):
        counter += GOLDEN
        y = x[d] + reach * (2.0 * unit(mix(counter)) - 1.0)
        L = lengths[d]
        if periodic:
            y -= L * np.floor(y / L)
        elif y < 0.0:
            y = -y
        elif y > L:
            y = 2.0 * L - y
        new[d] = y
    return counter


@jit
def _cell(x, lengths, shape):
    """The cell of the grid that x is in."""
    out = 0
    for d in range(x.size):
        out = out * shape[d] + min(np.int64(x[d] / lengths[d] * shape[d]), shape[d] - 1)
    return out


@jit
def _box(x, lengths, m):
    """The cell of the lists, counted along the axes."""
    out, stride = 0, 1
    for d in range(x.size):
        out += min(np.int64(x[d] / lengths[d] * m[d]), m[d] - 1) * stride
        stride *= m[d]
    return out


@jit
def _link(i, x, head, following, before, m, lengths):
    own = _box(x[i], lengths, m)
    following[i], before[i] = head[own], -1
    if head[own] >= 0:
        before[head[own]] = i
    head[own] = i


@jit
def _unlink(i, x, head, following, before, m, lengths):
    if before[i] >= 0:
        following[before[i]] = following[i]
    else:
        head[_box(x[i], lengths, m)] = following[i]
    if following[i] >= 0:
        before[following[i]] = before[i]


@jit
def _felt(y, own, x, head, following, m, pair, reach, lengths, periodic):
    """The sum of nu_2 between y and all particles but `own`."""
    total, low, high = 0.0, np.zeros(3, np.int64), np.zeros(3, np.int64)
    for d in range(y.size):
        c = min(np.int64(y[d] / lengths[d] * m[d]), m[d] - 1)
        low[d], high[d] = c - 1, c + 1
        if not periodic:
            low[d], high[d] = max(low[d], 0), min(high[d], m[d] - 1)
        elif m[d] < 3:
            low[d], high[d] = 0, m[d] - 1
    for a in range(low[0], high[0] + 1):
        for b in range(low[1], high[1] + 1):
            for c in range(low[2], high[2] + 1):
                j = head[a % m[0] + b % m[1] * m[0] + c % m[2] * m[0] * m[1]]
                while j >= 0:
                    if j != own:
                        total += _between(_distance(y, x[j], lengths, periodic), pair, reach)
                    j = following[j]
    return total


@jit
def _distance(x, y, lengths, periodic):
    squared = 0.0
    for d in range(x.size):
        between = abs(x[d] - y[d])
        if periodic:
            between = min(between, lengths[d] - between)
        squared += between * between
    return np.sqrt(squared)


@jit
def _between(r, pair, reach):
    """nu_2 at a distance."""
    if r >= reach:
        return 0.0
    return pair[min(np.int64(r / reach * pair.size), pair.size - 1)]


@jit
def _counted(x, n, one, shape, lengths, periodic, edges, density, seen):
    for k in range(seen.size):
        seen[k] = 0.0
    for i in range(n):
        density[_cell(x[i], lengths, shape)] += 1.0
        for j in range(i + 1, n):
            k = np.searchsorted(edges, _distance(x[i], x[j], lengths, periodic), side="right") - 1
            if 0 <= k < seen.size - 1:
                seen[k + 1] += 1.0
