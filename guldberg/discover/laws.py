"""Conservation laws from the data: small integer vectors l with l . c constant in every run.

Concentrations are divided by their noise and centred run by run (in a flow reactor: freed of what feed and wash-out
alone would do); a direction whose variance is that of noise alone is conserved. The number of such directions is
counted, and the laws are the small integer vectors that lie among them: found by exact row reduction over every choice
of pivot species, never by enumeration. At finite noise a coefficient may be open (a species that hardly changes): then
several sets of laws are kept, best first, and the fit settles them.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from guldberg.experiments import Experiments, Run

LARGEST = 6  # a chain of oligomers needs its length as a weight
NOISE_VARIANCE = (
    2.5  # of a conserved direction, in units of the estimated noise: an estimate may be off by a factor 1.6
)
DISTINCT = 0.2  # smallest singular value of a set of laws that counts as independent
ROUNDING = 1e-14  # relative variance of an exact law in exact data
SAME = 0.97  # |cosine| between two versions of one law with an open coefficient
PIVOT_SETS = 3000  # beyond this many choices of pivot species, a spread-out selection of them

Laws = Int[np.ndarray, "laws species"]


class Spread(NamedTuple):
    """Variances of the whitened data along its principal directions, smallest first."""

    variances: Float[np.ndarray, "species"]
    directions: Float[np.ndarray, "species species"]  # columns
    degrees: int
    columns: Int[np.ndarray, "_"]  # the species that took part
    sd: Float[np.ndarray, "_"]

    @property
    def conserved(self) -> int:
        """How many directions vary by no more than noise."""
        return int((self.variances < NOISE_VARIANCE).sum())


def spread(data: Experiments, sd: Float[np.ndarray, "species"]) -> Spread:
    """Principal directions of the noise-scaled data within runs, over rows where every usable species was measured."""
    columns = _usable(data, sd)
    rows = [_measured(run, columns) for run in data.runs]
    rows = [(r, left) for r, left in rows if len(r) > 1]
    degrees = sum(len(r) - 1 for r, _ in rows)
    if len(columns) == 0 or degrees < len(columns):
        return Spread(np.zeros(0), np.zeros((0, 0)), degrees, np.zeros(0, int), np.zeros(0))
    centred = np.vstack([r - np.outer(left, left @ r) / (left @ left) for r, left in rows]) / sd[columns]
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    return Spread(singular[::-1] ** 2 / degrees, directions[::-1].T, degrees, columns, sd[columns])


def _measured(run: Run, columns: Int[np.ndarray, "_"]) -> tuple[np.ndarray, np.ndarray]:
    """Rows with every one of the columns, and what the flow leaves of an initial amount there: 1 in a closed vessel."""
    washed, left = run.washed()
    whole = np.isfinite(run.values[:, columns]).all(axis=1)
    return washed[whole][:, columns], left[whole]


def _usable(data: Experiments, sd: Float[np.ndarray, "species"]) -> Int[np.ndarray, "_"]:
    """Species measured in at least half of all rows, those that never change apart."""
    filled = np.mean(np.vstack([np.isfinite(run.values) for run in data.runs]), axis=0)
    return np.setdiff1d(np.flatnonzero((filled >= 0.5) & np.isfinite(sd)), data.still)


def _with_still(laws: Laws, data: Experiments) -> Laws:
    """One more law for each species that never changes: they have no noise to compare with the others."""
    return np.vstack([laws, np.eye(len(data.species), dtype=int)[list(data.still)]])


def hypotheses(data: Experiments, sd: Float[np.ndarray, "species"], most: int = 6) -> list[Laws]:
    """Sets of integer laws that the data allow, most plausible first; one empty set if nothing is conserved."""
    found = spread(data, sd)
    species = len(data.species)
    sets = _sets(_pool(found), found, found.conserved) if found.conserved else []
    wide = [_widen(laws, found.columns, species) for laws in sets[:most]] or [np.zeros((0, species), int)]
    return [_with_still(laws, data) for laws in wide]


def weaker(data: Experiments, sd: Float[np.ndarray, "species"], fewer: int = 1, most: int = 3) -> list[Laws]:
    """Sets with `fewer` laws less: a fixed branching ratio is invariant in the data but no law of the mechanism."""
    found = spread(data, sd)
    count, species = found.conserved - fewer, len(data.species)
    if count < 0:
        return []
    if count == 0:
        return [_with_still(np.zeros((0, species), int), data)]
    pool = [law for law in _sums(_pool(found), found) if (law.vector >= 0).all()]
    sets = _sets(pool, found, count, cluster=False)
    return [_with_still(_widen(laws, found.columns, species), data) for laws in sets[:most]]


class _Law(NamedTuple):
    vector: Int[np.ndarray, "_"]
    cost: float  # misfit (chi2) + size of the integers


def _pool(found: Spread) -> list[_Law]:
    """Every small integer vector near the conserved space, cheapest first."""
    vectors = {v for row in _elementary(found) for v in _roundings(row)}
    vectors |= {n for v in vectors for n in _neighbours(v)}
    laws = [_Law(np.array(v), _misfit(np.array(v), found)) for v in vectors]
    signal = len(found.variances) - found.conserved
    limit = signal + 5 * np.sqrt(2 * signal) + 8
    laws = [_Law(law.vector, law.cost + _size(law.vector)) for law in laws if law.cost < limit]
    return sorted(laws, key=lambda law: (law.cost, tuple(-law.vector)))


def _sums(pool: list[_Law], found: Spread) -> list[_Law]:
    """The pool and the sums of its pairs: the law of matter may be the sum of two invariants of smaller support."""
    vectors = {tuple(int(v) for v in law.vector) for law in pool}
    vectors |= {_primitive(a.vector + b.vector) for a, b in itertools.combinations(pool[:60], 2)}
    small = [np.array(v) for v in vectors if any(v) and max(np.abs(v)) <= LARGEST]
    laws = [_Law(v, _misfit(v, found) + _size(v)) for v in small]
    return sorted(laws, key=lambda law: (law.cost, tuple(-law.vector)))


def _elementary(found: Spread) -> list[Float[np.ndarray, "_"]]:
    """Vectors of smallest support in the conserved space: the rows of its reduced echelon form, for each pivot set."""
    count, n = found.conserved, len(found.columns)
    basis = (found.directions[:, :count] / found.sd[:, None]).T
    rows = []
    for pivots in _pivot_sets(n, count):
        block = basis[:, pivots]
        if np.linalg.cond(block * found.sd[list(pivots)]) < 1e3:
            rows.extend(np.linalg.solve(block, basis))
    return rows


def _pivot_sets(n: int, count: int) -> list[tuple[int, ...]]:
    sets = list(itertools.islice(itertools.combinations(range(n), count), 200 * PIVOT_SETS))
    if len(sets) <= PIVOT_SETS:
        return sets
    return [sets[i] for i in np.linspace(0, len(sets) - 1, PIVOT_SETS).astype(int)]


def _roundings(row: Float[np.ndarray, "_"]) -> list[tuple[int, ...]]:
    """Primitive integer vectors close to a multiple of `row`, whose pivot entry is one."""
    out = []
    for multiple in range(1, LARGEST + 1):
        scaled = multiple * row
        vector = np.round(scaled).astype(int)
        if np.abs(vector).max() <= LARGEST and np.abs(scaled - vector).max() < 0.45:
            out.append(_primitive(vector))
    return [v for v in out if any(v)]


def _neighbours(vector: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The vector with one coefficient changed by one or two: what an ill-determined coefficient may hide."""
    out = []
    for i, step in itertools.product(range(len(vector)), (-2, -1, 1, 2)):
        changed = np.array(vector)
        changed[i] += step
        if changed.any() and np.abs(changed).max() <= LARGEST:
            out.append(_primitive(changed))
    return out


def _primitive(vector: Int[np.ndarray, "_"]) -> tuple[int, ...]:
    """Divided by its common factor, first entry positive."""
    divisor = int(np.gcd.reduce(np.abs(vector)))
    if divisor == 0:
        return tuple(int(v) for v in vector)
    sign = 1 if vector[np.flatnonzero(vector)[0]] > 0 else -1
    return tuple(int(v) for v in sign * vector // divisor)


def _misfit(vector: Int[np.ndarray, "_"], found: Spread) -> float:
    """chi2 of the part of l that leaves the conserved space, in units of the noise found there."""
    whitened = vector * found.sd
    whitened = whitened / np.linalg.norm(whitened)
    noise = max(found.variances[: found.conserved].mean(), ROUNDING * found.variances[-1])
    along = (whitened @ found.directions[:, found.conserved :]) ** 2
    return float(along @ found.variances[found.conserved :] * found.degrees / noise)


def _size(vector: Int[np.ndarray, "_"]) -> float:
    """How large the integers are; negative ones are rarer in laws of matter."""
    return float(np.abs(vector).sum() + 3 * (vector < 0).sum() + 2 * np.maximum(np.abs(vector) - 1, 0).sum())


def _sets(pool: list[_Law], found: Spread, count: int, cluster: bool = True) -> list[Laws]:
    """Independent sets of `count` laws: the cheapest ones, and with `cluster` each in its several versions."""
    unit = {id(law): law.vector * found.sd / np.linalg.norm(law.vector * found.sd) for law in pool}
    chosen: list[_Law] = []
    for law in pool:
        stack = np.array([unit[id(c)] for c in [*chosen, law]])
        if len(chosen) < count and np.linalg.svd(stack, compute_uv=False)[-1] > DISTINCT:
            chosen.append(law)
    if len(chosen) < count:
        return [np.array([law.vector for law in chosen]).reshape(-1, len(found.columns))] if chosen else []
    if not cluster:
        versions = [pool[:12]] * count
        products = itertools.combinations(pool[:12], count)
    else:
        versions = [[law for law in pool if abs(unit[id(law)] @ unit[id(c)]) > SAME][:8] for c in chosen]
        products = itertools.product(*versions)
    scored = []
    for laws in itertools.islice(products, 20000):
        matrix = np.array([law.vector for law in laws])
        uncovered = int((~(matrix != 0).any(axis=0)).sum())
        scored.append((sum(law.cost for law in laws) + 8 * uncovered, matrix))
    scored.sort(key=lambda pair: pair[0])
    return _distinct([matrix for _, matrix in scored])


def _distinct(sets: list[Laws]) -> list[Laws]:
    """One of each family that spans the same space."""
    kept: list[Laws] = []
    for laws in sets:
        if np.linalg.matrix_rank(laws) == len(laws) and all(
            np.linalg.matrix_rank(np.vstack([laws, other])) > len(laws) for other in kept
        ):
            kept.append(laws)
        if len(kept) == 12:
            break
    return kept


def _widen(laws: Laws, columns: Int[np.ndarray, "_"], species: int) -> Laws:
    wide = np.zeros((len(laws), species), int)
    wide[:, columns] = laws
    return wide
