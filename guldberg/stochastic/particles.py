"""Particles in continuous space: they diffuse, and react on contact. `ContactRules` says how."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64, Integer, UInt8

from guldberg.errors import InputError
from guldberg.stochastic.contact import MADE, NEAR, NONE, ContactRules, Tables
from guldberg.stochastic.words import GOLDEN, below, jit, mix, spread, streams, unit

GONE = np.uint8(255)
CLOSE = 1e-9  # of the way to a wall, and from it where rounding would put a particle on it
PIECES = 256  # of runs: between them an interruption is heard


class Snapshot(NamedTuple):
    """The particles of one run at one time."""

    kinds: UInt8[np.ndarray, "particles"]  # 0 is the first species
    positions: Float[np.ndarray, "particles axes"]


@dataclasses.dataclass(frozen=True)
class History:
    """Where all particles were at each time, run by run. Runs with too many particles stop: their snapshots end."""

    times: Float[np.ndarray, "times"]
    runs: list[list[Snapshot]]
    rules: ContactRules

    @property
    def reached(self) -> Int64[np.ndarray, "runs"]:
        """How many of the times each run has."""
        return np.array([len(run) for run in self.runs])

    def counts(self) -> Int64[np.ndarray, "runs times species"]:
        """Particles of each species; -1 where a run did not come."""
        out = np.full((len(self.runs), len(self.times), len(self.rules.species)), -1, np.int64)
        for r, run in enumerate(self.runs):
            for t, snapshot in enumerate(run):
                out[r, t] = np.bincount(snapshot.kinds, minlength=out.shape[2])
        return out

    def density(self, cells: Sequence[int]) -> Float[np.ndarray, "times species *cells"]:
        """One-body densities: the mean over runs of the number per volume in each of so many cells along each axis."""
        out = np.zeros((self._common, len(self.rules.species), *cells))
        edges = [np.linspace(0, length, n + 1) for length, n in zip(self.rules.lengths, cells, strict=True)]
        for run in self.runs:
            for t, (kinds, positions) in enumerate(run[: self._common]):
                for s in range(out.shape[1]):
                    out[t, s] += np.histogramdd(positions[kinds == s], edges)[0]
        return out / (len(self.runs) * self.rules.volume / math.prod(cells))

    def pairs(self, first: str, second: str, edges: Float[np.ndarray, "edges"]) -> Float[np.ndarray, "times bins"]:
        """The mean over runs of the number of pairs, each once, whose distance lies between these edges."""
        a, b = (self.rules.species.index(name) for name in (first, second))
        lengths, periodic = np.array(self.rules.lengths), self.rules.periodic
        edges, out = np.asarray(edges, float), np.zeros((self._common, len(edges) - 1))
        for run in self.runs:
            for t, (kinds, positions) in enumerate(run[: self._common]):
                _distances(positions[kinds == a], positions[kinds == b], a == b, lengths, periodic, edges, out[t])
        return out / len(self.runs)

    @property
    def _common(self) -> int:
        return int(self.reached.min())


def scattered(
    counts: Sequence[int], lengths: Sequence[float], *, runs: int, seed: int
) -> tuple[UInt8[np.ndarray, "particles"], Float[np.ndarray, "runs particles axes"]]:
    """So many particles of each species, anywhere in the box: what they are, and where they are in each run."""
    kinds = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    rng = np.random.default_rng(seed)
    return kinds, rng.random((runs, len(kinds), len(lengths))) * np.asarray(lengths, float)


def sample(
    rules: ContactRules,
    kinds: Integer[np.ndarray, "particles"],
    positions: Float[np.ndarray, "runs particles axes"],
    times: Float[np.ndarray, "times"],
    *,
    seed: int,
    most: int = 10**6,
    threads: int | None = None,
) -> History:
    """Let each run go from particles of these `kinds` (0 the first species) at its `positions`, at times[0].

    A run depends on `seed` and its number alone, whatever the number of threads; with more than `most` particles it
    stops. InputError for kinds and positions that are not of the rules and their box.
    """
    kinds, positions, times = _checked(rules, kinds, positions, times)
    keys, tables = streams(seed, len(positions)), rules.tables()
    runs: list[list[Snapshot]] = [[] for _ in positions]

    def chunk(first: int, last: int) -> None:
        for r in range(first, last):
            runs[r] = _run(keys[r], Snapshot(kinds, positions[r]), times, rules.dt, tables, most)

    spread(chunk, len(positions), threads, pieces=PIECES)
    return History(times, runs, rules)


def _checked(
    rules: ContactRules, kinds: np.ndarray, positions: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kinds, positions, times = np.asarray(kinds), np.asarray(positions, float), np.asarray(times, float)
    if positions.ndim != 3 or positions.shape[1:] != (*kinds.shape, len(rules.lengths)) or len(positions) == 0:
        raise InputError(
            f"positions of shape {positions.shape}; expected (runs, {kinds.size}, {len(rules.lengths)}): runs, "
            "particles, axes"
        )
    if kinds.size and not ((kinds >= 0) & (kinds < len(rules.species)) & (kinds == np.round(kinds))).all():
        raise InputError(f"kinds of particles are whole numbers from 0 to {len(rules.species) - 1}")
    if not ((positions >= 0) & (positions <= np.array(rules.lengths))).all():
        raise InputError("there are positions outside the box")
    if len(times) == 0 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("expected one or more times that are finite and rise, the first being the start")
    return kinds.astype(np.uint8), positions, times


def _run(
    counter: np.uint64, start: Snapshot, times: np.ndarray, dt: float, tables: Tables, most: int
) -> list[Snapshot]:
    """Between two times, steps of equal length, at most `dt`."""
    kinds, x, seen = start.kinds.copy(), start.positions.copy(), [start]
    for before, after in zip(times[:-1], times[1:], strict=True):
        steps = max(1, math.ceil((after - before) / dt * (1 - 1e-12)))
        counter, kinds, x = _advance(np.uint64(counter), kinds, x, steps, (after - before) / steps, tables, most)
        if len(kinds) > most:
            break
        seen.append(Snapshot(kinds, x))
    return seen


@jit
def _advance(counter, kinds, x, steps, h, tables: Tables, most):
    kinds, x = kinds.copy(), x.copy()
    pairs = tables.contact.max() > 0.0
    for _ in range(steps):
        counter = _move(counter, kinds, x, h, tables)
        queue = [(-1.0, 0, 0)]  # when who would react with whom (-1: nobody); the first entry gives the types
        counter = _births(counter, h, tables, queue)
        counter = _decays(counter, kinds, h, tables, queue)
        if pairs:
            counter = _contacts(counter, kinds, x, h, tables, queue)
        if len(queue) > 1:
            _sort(queue)
            counter, kinds, x = _react(counter, kinds, x, tables, queue)
        if kinds.size > most:
            break
    return counter, kinds, x


@jit
def _move(counter, kinds, x, h, tables):
    """Exact in law: a free step, wrapped around the box, or folded at its walls."""
    axes, goal = x.shape[1], np.empty(2)
    for k in range(0, x.size, 2):
        length = np.sqrt(-2.0 * np.log(unit(mix(counter + GOLDEN))))  # Box and Muller
        angle = 2.0 * np.pi * unit(mix(counter + GOLDEN + GOLDEN))
        counter += GOLDEN + GOLDEN
        if tables.walls.shape[0] > 0:  # in a plane: both are of one particle
            far = np.sqrt(2.0 * tables.diffusivity[kinds[k // 2]] * h) * length
            goal[0], goal[1] = x[k // 2, 0] + far * np.cos(angle), x[k // 2, 1] + far * np.sin(angle)
            _bounce(x[k // 2], goal, tables.walls)
            continue
        _shift(kinds, x, k // axes, k % axes, length * np.cos(angle), h, tables)
        if k + 1 < x.size:
            _shift(kinds, x, (k + 1) // axes, (k + 1) % axes, length * np.sin(angle), h, tables)
    return counter


@jit
def _shift(kinds, x, i, axis, normal, h, tables):
    L = tables.lengths[axis]
    y = x[i, axis] + np.sqrt(2.0 * tables.diffusivity[kinds[i]] * h) * normal
    if not 0.0 <= y < L:
        if tables.periodic:
            y -= L * np.floor(y / L)
        else:
            y -= 2.0 * L * np.floor(y / (2.0 * L))
            y = min(y, 2.0 * L - y)
    x[i, axis] = y


@jit
def _bounce(p, goal, walls):
    """Straight on from p towards `goal`, as a ball: it comes back as likely as it went, so that evenly spread it stays,
    and no wall is passed. p becomes where it ends."""
    while True:
        first, hit = 1.0, -1
        for w in range(walls.shape[0]):
            a = np.int64(walls[w, 0])
            before, after = p[a] - walls[w, 1], goal[a] - walls[w, 1]
            if before * after <= 0.0 and before != 0.0:
                part = before / (before - after)
                along = p[1 - a] + part * (goal[1 - a] - p[1 - a])
                if part <= first and walls[w, 2] <= along <= walls[w, 3]:
                    first, hit = part, w
        if hit < 0:
            break
        a, place = np.int64(walls[hit, 0]), walls[hit, 1]
        side = 1.0 if p[a] > place else -1.0
        for d in range(2):
            p[d] += first * (1.0 - CLOSE) * (goal[d] - p[d])
        if (p[a] - place) * side <= 0.0:
            p[a] = place + side * CLOSE
        goal[a] = 2.0 * place - goal[a]
        if (goal[a] - place) * side <= 0.0:
            goal[a] = p[a]
    for d in range(2):
        p[d] = goal[d]


@jit
def _births(counter, h, tables, queue):
    if tables.births > 0.0:
        t = 0.0
        while True:
            counter += GOLDEN
            t -= np.log(unit(mix(counter))) / tables.births
            if t >= h:
                break
            queue.append((t, NONE, NONE))
    return counter


@jit
def _decays(counter, kinds, h, tables, queue):
    until = np.exp(-tables.decay * h)
    for i in range(kinds.size):
        if until[kinds[i]] < 1.0:
            counter += GOLDEN
            u = unit(mix(counter))
            if u > until[kinds[i]]:
                queue.append((-np.log(u) / tables.decay[kinds[i]], i, NONE))
    return counter


@jit
def _contacts(counter, kinds, x, h, tables, queue):
    """Pairs within the radius, found by cells that are at least as wide: each particle looks at those before it."""
    axes, n = x.shape[1], kinds.size
    m, stride = np.ones(3, np.int64), np.ones(3, np.int64)
    for d in range(axes):
        enough = np.int64(np.ceil(max(1.0, 2.0 * n) ** (1.0 / axes)))
        m[d] = max(1, min(np.int64(tables.lengths[d] / tables.radius), enough))
    stride[1], stride[2] = m[0], m[0] * m[1]
    head, following = np.full(m[0] * m[1] * m[2], -1), np.empty(n, np.int64)
    until = np.exp(-tables.contact * h)
    cell, low, high = np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64)
    for i in range(n):
        for d in range(axes):
            cell[d] = min(np.int64(x[i, d] / tables.lengths[d] * m[d]), m[d] - 1)
            low[d], high[d] = cell[d] - 1, cell[d] + 1
            if not tables.periodic:
                low[d], high[d] = max(low[d], 0), min(high[d], m[d] - 1)
            elif m[d] < 3:  # else a cell would be looked at twice
                low[d], high[d] = 0, m[d] - 1
        for a in range(low[0], high[0] + 1):
            for b in range(low[1], high[1] + 1):
                for c in range(low[2], high[2] + 1):
                    j = head[a % m[0] + b % m[1] * stride[1] + c % m[2] * stride[2]]
                    while j >= 0:
                        chance = until[kinds[i], kinds[j]]
                        if chance < 1.0 and _squared(x[i], x[j], tables) < tables.radius**2:
                            counter += GOLDEN
                            u = unit(mix(counter))
                            if u > chance:
                                queue.append((-np.log(u) / tables.contact[kinds[i], kinds[j]], i, j))
                        j = following[j]
        own = cell[0] + cell[1] * stride[1] + cell[2] * stride[2]
        following[i], head[own] = head[own], i
    return counter


@jit
def _squared(x, y, tables):
    """The square of the shortest distance."""
    out = 0.0
    for d in range(x.size):
        between = abs(x[d] - y[d])
        if tables.periodic:
            between = min(between, tables.lengths[d] - between)
        out += between * between
    return out


@jit
def _sort(queue):
    """By time, Shell's way: the library's sort takes seconds to compile."""
    gap = len(queue) // 2
    while gap > 0:
        for k in range(gap, len(queue)):
            one, at = queue[k], k
            while at >= gap and queue[at - gap][0] > one[0]:
                queue[at] = queue[at - gap]
                at -= gap
            queue[at] = one
        gap //= 2


@jit
def _react(counter, kinds, x, tables, queue):
    """Each particle once; the dead are taken out, the new come last."""
    axes = x.shape[1]
    done, slots, place = np.zeros(kinds.size, np.bool_), np.empty(MADE, np.int64), np.empty(axes)
    made, where = [0], [0.0]  # the new, and all their coordinates; the first entries give the types
    for at in range(1, len(queue)):
        i, j = queue[at][1], queue[at][2]
        if (i >= 0 and done[i]) or (j >= 0 and done[j]):
            continue
        counter += GOLDEN
        event = _event(unit(mix(counter)), i, j, kinds, tables)
        if j >= 0 and kinds[i] != tables.reactants[event, 0]:
            i, j = j, i
        for k in range(MADE):
            slots[k] = tables.products[event, k]
        counter += GOLDEN
        if tables.either[event] and below(mix(counter), 2) == 1:
            other = 1 if j >= 0 else NEAR
            slots[0], slots[other] = slots[other], slots[0]
        counter = _somewhere(counter, place, tables)
        if i >= 0:
            for d in range(axes):
                place[d] = x[i, d]
        counter, room = _nearby(counter, slots, place, tables, made, where)
        if room and i < 0 and slots[0] != NONE:
            _add(slots[0], place, made, where)
        if room and i >= 0:
            kinds[i], done[i] = slots[0] if slots[0] != NONE else GONE, True
        if room and j >= 0:
            kinds[j], done[j] = slots[1] if slots[1] != NONE else GONE, True
    return _sorted_out(counter, kinds, x, made, where)


@jit
def _add(kind, place, made, where):
    made.append(kind)
    for d in range(place.size):
        where.append(place[d])


@jit
def _somewhere(counter, place, tables):
    """Anywhere in the box."""
    for d in range(place.size):
        counter += GOLDEN
        place[d] = unit(mix(counter)) * tables.lengths[d]
    return counter


@jit
def _event(u, i, j, kinds, tables):
    """Which of the reactions of these particles: the last that has a rate, if rounding ends there."""
    a, b = NONE if i < 0 else np.int64(kinds[i]), NONE if j < 0 else np.int64(kinds[j])
    total = tables.births if i < 0 else tables.decay[a] if j < 0 else tables.contact[a, b]
    found, level = 0, u * total
    for event in range(tables.rates.size):
        p, q = tables.reactants[event]
        if (p == a and q == b) or (p == b and q == a):
            found = event
            level -= tables.rates[event]
            if level <= 0.0:
                break
    return found


@jit
def _nearby(counter, slots, place, tables, made, where):
    """Add what is made beyond the places, within the radius of the first, evenly; nothing if any is outside."""
    before, there = len(made), np.empty(place.size)
    for k in range(NEAR, MADE):
        if slots[k] != NONE:
            squared = 2.0
            while squared > 1.0:
                squared = 0.0
                for d in range(place.size):
                    counter += GOLDEN
                    there[d] = 2.0 * unit(mix(counter)) - 1.0
                    squared += there[d] ** 2
            inside = True
            for d in range(place.size):
                there[d], L = place[d] + tables.radius * there[d], tables.lengths[d]
                if tables.periodic:
                    there[d] -= L * np.floor(there[d] / L)
                inside &= 0.0 <= there[d] <= L
            if not inside:
                while len(made) > before:
                    made.pop()
                    for _ in range(place.size):
                        where.pop()
                return counter, False
            _add(slots[k], there, made, where)
    return counter, True


@jit
def _sorted_out(counter, kinds, x, made, where):
    n, axes = 0, x.shape[1]
    for i in range(kinds.size):
        n += kinds[i] != GONE
    out, places, n = np.empty(n + len(made) - 1, np.uint8), np.empty((n + len(made) - 1, axes)), 0
    for i in range(kinds.size):
        if kinds[i] != GONE:
            out[n] = kinds[i]
            for d in range(axes):  # here and above: assigning slices takes seconds to compile
                places[n, d] = x[i, d]
            n += 1
    for k in range(1, len(made)):
        out[n] = made[k]
        for d in range(axes):
            places[n, d] = where[1 + (k - 1) * axes + d]
        n += 1
    return counter, out, places


@jit
def _distances(x, y, same, lengths, periodic, edges, out):
    """Count pairs by distance; of one species each pair once."""
    for i in range(len(x)):
        for j in range(i + 1 if same else 0, len(y)):
            squared = 0.0
            for d in range(x.shape[1]):
                between = abs(x[i, d] - y[j, d])
                squared += (min(between, lengths[d] - between) if periodic else between) ** 2
            k = np.searchsorted(edges, np.sqrt(squared), side="right") - 1
            if 0 <= k < out.size:
                out[k] += 1.0
