"""Particles of a Boltzmann distribution in continuous space, drawn by insertion, deletion and moves.

    p(n, x) = exp(-sum_i nu_1(x_i) - sum_{i<j} nu_2(|x_i - x_j|)) / (n! Z),

Ernst et al. eq. (1) for identical particles: the 1/n! is that of configurations without labels, and stands here alone.
Norman and Filinov (1969), Metropolis et al. (1953). In a box of one to three dimensions; nu_1 is given in the cells of
a grid, for one species or for each of several, nu_2 in shells of distance, 0 beyond the last, for the pairs of one
species or of two: the numbers of particles in cells and of these pairs in shells are all that p knows of a
configuration, and  d mean / d nu = -covariance  of these numbers.
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
    one: Float[np.ndarray, "*species *grid"]  # nu_1, the same throughout a cell; with or without an axis of species
    pair: Float[np.ndarray, "shells"]  # nu_2, the same throughout each of the shells from 0 to reach; infinite: never
    reach: float
    periodic: bool = True
    between: tuple[int, int] = (0, 0)  # the species whose pairs nu_2 is of

    def __post_init__(self) -> None:
        axes = len(self.lengths)
        if np.ndim(self.one) not in (axes, axes + 1) or not 1 <= axes <= 3:
            raise InputError(f"nu_1 of {np.ndim(self.one)} axes in a box of {axes}; expected one to three")
        if not all(0 <= s < self.species for s in self.between):
            raise InputError(f"pairs of species {self.between}; there are {self.species}, the first is 0")
        if not np.isfinite(self.one).all() or np.isnan(self.pair).any() or len(self.pair) < 1:
            raise InputError("expected nu_1 finite, and one or more values of nu_2, none of them undefined")
        if not 0 < self.reach <= min(self.lengths) / 2:
            raise InputError(f"nu_2 reaches {self.reach:g}; expected at most half of the shortest length")

    @property
    def species(self) -> int:
        return 1 if np.ndim(self.one) == len(self.lengths) else len(self.one)


@dataclasses.dataclass(frozen=True)
class Moments:
    """Means over chains, each with its standard error."""

    density: Float[np.ndarray, "*species *grid"]  # particles per volume in each cell
    density_error: Float[np.ndarray, "*species *grid"]
    pairs: Float[np.ndarray, "bins"]  # pairs that nu_2 is of, each once, by distance
    pairs_error: Float[np.ndarray, "bins"]
    number: Float[np.ndarray, "chains"]  # mean of each chain, of all species
    covariance: Float[np.ndarray, "counted counted"]  # of the particles in each cell and the pairs of a configuration
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
    lengths, edges = np.array(gibbs.lengths, float), np.asarray(edges, float)
    shape, between = np.array(one.shape[-len(lengths) :]), np.array([gibbs.species, *gibbs.between])
    keys, counted = streams(seed, chains), one.size + len(edges) - 1
    density, pairs = np.zeros((chains, one.size)), np.zeros((chains, len(edges) - 1))
    accepted, squares = np.zeros(chains), np.zeros((chains, counted, counted))

    def chunk(first: int, last: int) -> None:
        for c in range(first, last):
            accepted[c] = _chain(
                keys[c], one.ravel(), shape, pair, gibbs.reach, lengths, gibbs.periodic, between,
                np.array([sweeps, burn]), edges, density[c], pairs[c], squares[c],
            )  # fmt: skip

    spread(chunk, chains, threads, pieces=chains)
    cell, root = math.prod(gibbs.lengths) * gibbs.species / one.size, math.sqrt(chains)
    mean = np.concatenate([density.mean(axis=0), pairs.mean(axis=0)])
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
def _chain(counter, one, shape, pair, reach, lengths, periodic, between, plan, edges, density, pairs, squares):
    axes = lengths.size
    m = np.ones(3, np.int64)
    for d in range(axes):
        m[d] = max(1, min(np.int64(lengths[d] / reach), 64))
    head = np.full(m[0] * m[1] * m[2], -1)
    x, following, before, kinds = np.empty((FIRST, axes)), np.full(FIRST, -1), np.full(FIRST, -1), np.full(FIRST, -1)
    volume, cells = np.prod(lengths) * between[0], np.prod(shape)
    n, size, tries, done, new, seen = 0, 1, 0, 0, np.empty(axes), np.empty(squares.shape[0])
    for sweep in range(plan[0] + plan[1]):
        if sweep <= plan[1]:  # then the same for good: intervals that depend on the state would weigh states anew
            size = max(n, head.size)
        for _ in range(size):
            counter += GOLDEN
            kind = below(mix(counter), 3)
            tries += 1
            if n == x.shape[0]:
                x, following, before, kinds = _grown(x), _longer(following), _longer(before), _longer(kinds)
            if kind == 0:
                counter, species = _anyone(counter, between)
                counter = _anywhere(counter, new, lengths)
                cost = one[species * cells + _cell(new, lengths, shape)] + _felt(
                    new, species, -1, x, kinds, between, head, following, m, pair, reach, lengths, periodic
                )
                counter += GOLDEN
                if unit(mix(counter)) * (n + 1) < volume * np.exp(-cost):
                    for d in range(axes):
                        x[n, d] = new[d]
                    kinds[n] = species
                    _link(n, x, head, following, before, m, lengths)
                    n += 1
                    done += 1
            elif n > 0:
                counter += GOLDEN
                i = below(mix(counter), n)
                species = kinds[i]
                now = one[species * cells + _cell(x[i], lengths, shape)] + _felt(
                    x[i], species, i, x, kinds, between, head, following, m, pair, reach, lengths, periodic
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
                            kinds[i] = kinds[n]
                            _link(i, x, head, following, before, m, lengths)
                        done += 1
                else:
                    counter = _near(counter, new, x[i], reach, lengths, periodic)
                    cost = one[species * cells + _cell(new, lengths, shape)] + _felt(
                        new, species, i, x, kinds, between, head, following, m, pair, reach, lengths, periodic
                    )
                    counter += GOLDEN
                    if unit(mix(counter)) < np.exp(now - cost):
                        _unlink(i, x, head, following, before, m, lengths)
                        for d in range(axes):
                            x[i, d] = new[d]
                        _link(i, x, head, following, before, m, lengths)
                        done += 1
        if sweep >= plan[1]:
            _counted(x, kinds, n, between, shape, lengths, periodic, edges, seen)
            for k in range(density.size):
                density[k] += seen[k] / plan[0]
            for k in range(pairs.size):
                pairs[k] += seen[density.size + k] / plan[0]
            for k in range(seen.size):
                if seen[k] > 0.0:
                    for j in range(seen.size):
                        squares[k, j] += seen[k] * seen[j] / plan[0]
    return done / tries


@jit
def _anyone(counter, between):
    """One of the species, no word being drawn where there is one alone."""
    if between[0] == 1:
        return counter, 0
    counter += GOLDEN
    return counter, below(mix(counter), between[0])


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
def _felt(y, species, own, x, kinds, between, head, following, m, pair, reach, lengths, periodic):
    """The sum of nu_2 between one of a species at y and all particles but `own`."""
    total, low, high = 0.0, np.zeros(3, np.int64), np.zeros(3, np.int64)
    if species != between[1] and species != between[2]:
        return total
    other = between[1] + between[2] - species
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
                    if j != own and kinds[j] == other:
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
def _counted(x, kinds, n, between, shape, lengths, periodic, edges, seen):
    """Particles by species and cell, then pairs by distance."""
    cells = np.prod(shape)
    first = between[0] * cells
    for k in range(seen.size):
        seen[k] = 0.0
    for i in range(n):
        seen[kinds[i] * cells + _cell(x[i], lengths, shape)] += 1.0
        for j in range(i):
            if (kinds[i] == between[1] and kinds[j] == between[2]) or (
                kinds[i] == between[2] and kinds[j] == between[1]
            ):
                k = np.searchsorted(edges, _distance(x[i], x[j], lengths, periodic), side="right") - 1
                if 0 <= k < edges.size - 1:
                    seen[first + k] += 1.0
