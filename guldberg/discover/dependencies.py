"""Linear dependencies between measured columns: what is conserved, computed, or made in a fixed ratio.

A dependency is a vector l with l . c constant within every run. How many there are is told by the singular values of
the noise-scaled data; which ones, by half the chi2 of l . c plus what its coefficients cost to write down. Small
integers come from lattice reduction, decimals from pairs and triples of species.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from guldberg.discover import laws, noise
from guldberg.experiments import Experiments
from guldberg.integers import kernel, smallest_kernel

LARGEST = 6  # integer coefficient of a conservation law
CLASS = 1e4  # variances further apart than this are not both noise
FLOOR = 1e-13  # of a species' range: rounding of float64
GAP = 8.0  # between the variance of the last conserved direction and that of the first one that is not
DISTINCT = 0.1  # smallest singular value of noise-scaled dependencies that count as independent
PRINTED = 0.75  # of a species' values lie on the grid of its printed digits
MIXED = 3.0  # cost of coefficients of both signs, in units of that of a coefficient of one
DECIMAL = 12.0  # cost of a decimal coefficient, likewise
SLACK = 1.1  # of the rounding error: a printed digit may itself be rounded from a rounded one
SCATTER = 3.0  # rounding errors: columns that scatter more have noise of their own

Kind = Literal["conserved", "ratio", "sum"]


@dataclasses.dataclass(frozen=True)
class Dependency:
    """`coefficients . c = levels[run]`, to within `residual` (rms)."""

    coefficients: Float[np.ndarray, "species"]
    kind: Kind  # conserved: integers of one sign; ratio: of two species; sum: any other
    levels: Float[np.ndarray, "runs"]  # NaN: not measured together, twice or more, in this run
    residual: float
    relative: float  # residual over the noise expected of such a combination
    within_rounding: bool  # every row agrees to the printed digits
    computed: bool  # and the other columns scatter by more: it looks computed, not measured
    nested: bool  # inside the species of a larger conserved sum: may be a branching ratio, no law of matter

    @property
    def dependent(self) -> int:
        """The species that follows from the others: the one that changes least."""
        return int(np.argmax(np.abs(self.coefficients)))


@dataclasses.dataclass(frozen=True)
class Dependencies:
    """What was found among `columns`, the species measured together often enough to tell."""

    found: tuple[Dependency, ...]
    columns: tuple[int, ...]
    singular: Float[np.ndarray, "_"]  # of the centred data over their noise, per degree of freedom; largest first
    rank: int  # how many of them are more than noise
    rows: int


class _Sample(NamedTuple):
    """Rows where all columns were measured, run by run."""

    rows: list[Float[np.ndarray, "rows columns"]]
    centred: Float[np.ndarray, "rows columns"]
    degrees: int
    sd: Float[np.ndarray, "columns"]  # noise
    digit: Float[np.ndarray, "columns"]  # grid of the printed values; 0: none
    spread: Float[np.ndarray, "columns"]  # variance within runs


class _Candidate(NamedTuple):
    vector: Float[np.ndarray, "columns"]
    cost: float
    variance: float  # of l . c over that of its noise


def noise_of(data: Experiments) -> Float[np.ndarray, "species"]:
    """Standard deviation of one measurement of each species: the median of those given, else estimated."""
    estimated = noise.estimate(data)
    sd = np.vstack([run.sd for run in data.runs])
    given = [column[np.isfinite(column) & (column > 0)] for column in sd.T]
    return np.array([np.median(g) if len(g) else e for g, e in zip(given, estimated, strict=True)])


def dependencies(data: Experiments, sd: Float[np.ndarray, "species"]) -> Dependencies:
    """The dependencies that the data show, given the noise `sd` of each species, strongest first."""
    columns = _columns(data, sd)
    singular = laws.spread(data.without(tuple(n for i, n in enumerate(data.species) if i not in columns)), sd[columns])
    variances = singular.variances
    if len(variances) < 2:
        return Dependencies((), tuple(int(c) for c in columns), np.zeros(0), 0, 0)
    columns = columns[singular.columns]
    sample = _sample(data, columns, sd)
    count = _count(variances)
    chosen = _chosen(sample, singular, count) if count else []
    found = [_dependency(data, columns, sample, c, chosen) for c in chosen]
    return Dependencies(
        tuple(found),
        tuple(int(c) for c in columns),
        np.sqrt(variances[::-1]),
        len(columns) - count,
        sum(len(rows) for rows in sample.rows if len(rows) > 1),
    )


def computed_columns(data: Experiments) -> tuple[int, ...]:
    """Species that follow from others to the printed digits, and for which no standard deviation vouches."""
    given = np.any([np.nan_to_num(run.sd).max(axis=0) > 0 for run in data.runs], axis=0)
    found = dependencies(data, noise_of(data)).found
    return tuple(sorted({d.dependent for d in found if d.computed and d.kind == "ratio" and not given[d.dependent]}))


def digits(values: Float[np.ndarray, "_"]) -> float:
    """The grid 10^-d on which the values were printed; 0 where they have more than six digits after the point."""
    values = values[np.isfinite(values)]
    for d in range(-2, 7):
        scaled = values * 10.0**d
        if (
            len(values)
            and np.mean(np.abs(scaled - np.round(scaled)) < 1e-6) >= PRINTED
            and np.ptp(np.round(scaled)) > 0
        ):
            return 10.0**-d
    return 0.0


def _columns(data: Experiments, sd: Float[np.ndarray, "species"]) -> Int[np.ndarray, "_"]:
    """Species that change: a constant one conserves itself, which says nothing."""
    change = [max((np.nanmax(v) - np.nanmin(v) for v in _seen(data, s)), default=0.0) for s in range(len(data.species))]
    return np.flatnonzero((np.array(change) > 0) & np.isfinite(sd))


def _seen(data: Experiments, s: int) -> list[Float[np.ndarray, "_"]]:
    series = [run.values[:, s] for run in data.runs]
    return [v for v in series if np.isfinite(v).any()]


def _sample(data: Experiments, columns: Int[np.ndarray, "_"], sd: Float[np.ndarray, "species"]) -> _Sample:
    tables = [run.values[:, columns] for run in data.runs]
    rows = [table[np.isfinite(table).all(axis=1)] for table in tables]
    centred = np.vstack([table - table.mean(axis=0) for table in rows if len(table) > 1])
    degrees = len(centred) - sum(len(table) > 1 for table in rows)
    grid = np.array([digits(np.concatenate(_seen(data, s))) for s in columns])
    return _Sample(rows, centred, degrees, sd[columns], grid, (centred**2).sum(axis=0) / degrees)


def _count(variances: Float[np.ndarray, "_"]) -> int:
    """How many directions are conserved: no more than noise, of one class, and well below the next one."""
    limit = min(laws.NOISE_VARIANCE, CLASS * max(variances[0], FLOOR**2 * variances[-1]))
    count = int((variances < limit).sum())
    if count == len(variances):
        return 0  # nothing changes but by noise
    while count and variances[count] < GAP * variances[count - 1]:
        count -= 1
    return count


def _chosen(sample: _Sample, singular: laws.Spread, count: int) -> list[_Candidate]:
    """The `count` independent candidates that are cheapest."""
    pool = [_weighed(sample, singular, count, v, _size(v)) for v in _integers(sample)]
    pool += [_weighed(sample, singular, count, v, DECIMAL * (np.count_nonzero(v) - 1)) for v in _decimals(sample)]
    chosen: list[_Candidate] = []
    accounted: set[int] = set()  # a ratio accounts for the species that changes less: no other ratio needs it
    for candidate in sorted((c for c in pool if c.variance < laws.NOISE_VARIANCE), key=lambda c: c.cost):
        stack = np.array([_unit(c.vector * sample.sd) for c in [*chosen, candidate]])
        used = set(np.flatnonzero(candidate.vector).tolist())
        ratio = len(used) == 2 and not (candidate.vector == np.round(candidate.vector)).all()
        if (
            len(chosen) == count
            or np.linalg.svd(stack, compute_uv=False)[-1] < DISTINCT
            or (ratio and used & accounted)
        ):
            continue
        chosen.append(candidate)
        accounted |= {int(np.abs(candidate.vector).argmax())} if ratio else set()
    return _plainest(chosen, sample)


def _plainest(chosen: list[_Candidate], sample: _Sample) -> list[_Candidate]:
    """The integer ones replaced by the plainest that span the same space."""
    whole = [c.vector.astype(int) for c in chosen if (c.vector == np.round(c.vector)).all()]
    rest = [c for c in chosen if not (c.vector == np.round(c.vector)).all()]
    plain = smallest_kernel(np.array(kernel(np.array(whole)))) if whole else ()
    vectors = [np.array(v, float) for v in sorted(plain, key=lambda v: -np.count_nonzero(v))]
    return [_Candidate(v, 0.0, _variance(sample, v)) for v in vectors] + rest


def _weighed(
    sample: _Sample, singular: laws.Spread, count: int, vector: Float[np.ndarray, "columns"], size: float
) -> _Candidate:
    """Its chi2 is that of the part which leaves the conserved space, in units of the noise found there. Of the noise
    inside, which differs between combinations by chance, only a clear difference counts."""
    white = _unit(vector * sample.sd)
    noise = max(singular.variances[:count].mean(), FLOOR**2 * singular.variances[-1])
    leak = (white @ singular.directions[:, count:]) ** 2 @ singular.variances[count:]
    variance = _variance(sample, vector)
    quiet = min(sample.degrees, 10) * np.log(max(variance / noise, 0.1))
    return _Candidate(vector, float(0.5 * (sample.degrees * leak / noise + quiet) + size), variance)


def _size(vector: Float[np.ndarray, "columns"]) -> float:
    """What small integers cost; those of matter have one sign."""
    return float(np.abs(vector).sum()) + (MIXED if (vector > 0).any() and (vector < 0).any() else 0.0)


def _integers(sample: _Sample) -> list[Float[np.ndarray, "columns"]]:
    """Vectors of small coprime integers that vary by no more than noise: short ones on every scale of residual, and
    their sums and differences."""
    root = _triangle(sample.centred / np.sqrt(sample.degrees))
    largest = np.sqrt(sample.spread.max())
    short: set[tuple[int, ...]] = set()
    for scale in largest * 10.0 ** -np.arange(1.0, 7.0, 0.5):
        short |= {_coprime(row) for row in _reduced(np.hstack([np.eye(len(sample.sd)), root.T / scale]))}
    quiet = [np.array(v) for v in sorted(short) if _variance(sample, np.array(v)) < laws.NOISE_VARIANCE]
    both = {_coprime(v) for a, b in itertools.combinations(quiet, 2) for v in (a + b, a - b)} | {
        _coprime(v) for v in quiet
    }
    return [np.array(v, float) for v in sorted(both) if max(map(abs, v)) <= LARGEST and np.count_nonzero(v) > 1]


def _coprime(row: Int[np.ndarray, "columns"]) -> tuple[int, ...]:
    divisor = int(np.gcd.reduce(row)) or 1
    sign = 1 if row[np.flatnonzero(row)[0]] > 0 else -1
    return tuple((sign * row // divisor).tolist())


def _variance(sample: _Sample, vector: Float[np.ndarray, "columns"]) -> float:
    """That of l . c within runs, over that of its noise."""
    return float(((sample.centred @ vector) ** 2).sum() / sample.degrees / (vector**2 @ sample.sd**2))


def _decimals(sample: _Sample) -> list[Float[np.ndarray, "columns"]]:
    """The combination of least variance of every two and every three species."""
    white = sample.centred / sample.sd
    gram = white.T @ white
    vectors = []
    for size in (2, 3):
        for some in itertools.combinations(range(len(sample.sd)), size):
            weights = np.linalg.eigh(gram[np.ix_(some, some)])[1][:, 0] / sample.sd[list(some)]
            if np.abs(weights).min() > 0:
                vector = np.zeros(len(sample.sd))
                vector[list(some)] = weights / np.abs(weights).max()
                vectors.append(vector * np.sign(vector[some[0]]))
    return vectors


def _reduced(basis: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "n n"]:
    """Lenstra, Lenstra and Lovasz: integer combinations of the rows of `basis` that are short and nearly orthogonal."""
    n = len(basis)
    U = np.eye(n, dtype=int)
    k, steps = 1, 0
    while k < n and steps < 200 * n:
        steps += 1
        for j in range(k - 1, -1, -1):
            r = _triangle((U @ basis)[: k + 1].T)
            U[k] -= round(r[j, k] / r[j, j]) * U[j]
        r = _triangle((U @ basis)[: k + 1].T)
        if r[k, k] ** 2 < 0.75 * r[k - 1, k - 1] ** 2 - r[k - 1, k] ** 2:
            U[[k - 1, k]] = U[[k, k - 1]]
            k = max(k - 1, 1)
        else:
            k += 1
    return U


def _triangle(matrix: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "_ columns"]:
    return np.asarray(np.linalg.qr(matrix, mode="r"))


def _unit(vector: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    return vector / np.linalg.norm(vector)


def _dependency(
    data: Experiments, columns: Int[np.ndarray, "_"], sample: _Sample, candidate: _Candidate, others: list[_Candidate]
) -> Dependency:
    vector = candidate.vector
    used = vector != 0
    rounding = 0.5 * SLACK * float(np.abs(vector) @ sample.digit)
    if used.sum() == 2:
        vector = _shortest(sample, vector, rounding)
    printed = bool((sample.digit[used] > 0).all()) and _farthest(sample, vector) <= rounding
    integer = bool((vector == np.round(vector)).all())
    coefficients = np.zeros(len(data.species))
    coefficients[columns] = vector
    return Dependency(
        coefficients,
        _kind(vector, integer),
        np.array([(rows @ vector).mean() if len(rows) > 1 else np.nan for rows in sample.rows]),
        float(np.sqrt(((sample.centred @ vector) ** 2).sum() / sample.degrees)),
        float(np.sqrt(candidate.variance)),
        printed,
        printed and _others_scatter(sample, used),
        any(_inside(used, o.vector) for o in others),
    )


def _kind(vector: Float[np.ndarray, "columns"], integer: bool) -> Kind:
    used = vector[vector != 0]
    if integer and (used > 0).all():
        return "conserved"
    return "ratio" if len(used) == 2 else "sum"


def _inside(used: np.ndarray, other: Float[np.ndarray, "columns"]) -> bool:
    """Whether `used` is a proper part of the species of a conserved sum."""
    wider = bool((other >= 0).all() and (other == np.round(other)).all())
    return wider and bool((used <= (other != 0)).all()) and used.sum() < np.count_nonzero(other)


def _farthest(sample: _Sample, vector: Float[np.ndarray, "columns"]) -> float:
    """Largest distance of l . c from the middle of its range within a run."""
    return max((float(np.ptp(rows @ vector)) / 2 for rows in sample.rows if len(rows) > 1), default=0.0)


def _shortest(sample: _Sample, vector: Float[np.ndarray, "columns"], rounding: float) -> Float[np.ndarray, "columns"]:
    """A ratio written with the fewest digits that leave every row within its rounding error, if any do."""
    if (vector == np.round(vector)).all():
        return vector
    scaled = vector / np.abs(vector).max()
    for decimals in range(1, 5):
        short = np.round(scaled, decimals)
        if np.count_nonzero(short) == 2 and _farthest(sample, short) <= rounding / np.abs(vector).max():
            return short
    return scaled


def _others_scatter(sample: _Sample, used: np.ndarray) -> bool:
    """Whether the rest of the table has noise well above its printed digits."""
    rest = ~used & (sample.digit > 0)
    return bool(rest.any()) and bool(np.median(sample.sd[rest] / (sample.digit[rest] / 12**0.5)) > SCATTER)
