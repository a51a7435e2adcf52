"""The next experiment: initial amounts and sampling times that tell most, within limits.

Between mechanisms that are still in the running, the expected misfit of a rival where the best one is true, after the
rival has adapted as far as the data so far let it (T-optimality with what is known of the constants; Atkinson and
Fedorov 1975, Buzzi-Ferraris and Forzatti 1984):

    D = d^T d - b^T (H + M)^-1 b,   M = A^T A,  b = A^T d

d is the difference of the two predictions in standard deviations, A its derivative by the ln k of both mechanisms and
by the initial amounts of the rival, H the information on ln k in the data so far. Of one mechanism alone, the
covariance (H + M)^-1 of its ln k: its largest eigenvalue (E-optimality) or its determinant (D-optimality).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from guldberg import stiff
from guldberg.discover.library import Library

STATES = 192  # initial states looked at; half of them at corners of the limits
KEPT, ROUNDS, AROUND = 4, 3, 24  # the best of them, varied in rounds, so many times each
SPREAD = 0.25  # of the first variations, in units of the limits; a third of it each round
EARLIEST = 1e-3  # of the last time, where no first one is told
RTOL = 1e-6
RIDGE = 1e-9  # of information on what the data say nothing about

Aim = Literal["mechanism", "worst", "all"]
States = Float[np.ndarray, "states species"]


@dataclasses.dataclass(frozen=True)
class Model:
    """A mechanism and what is known of its constants."""

    library: Library
    k: Float[np.ndarray, "reactions"]
    information: Float[np.ndarray, "reactions reactions"]  # inverse covariance of ln k


@dataclasses.dataclass(frozen=True)
class Limits:
    """What can be done in the laboratory."""

    low: Float[np.ndarray, "species"]  # initial amounts
    high: Float[np.ndarray, "species"]
    first: float  # earliest time of a sample after the start
    last: float
    points: int  # samples, the one at the start included
    sd: Float[np.ndarray, "species"]  # of a measurement; infinite: the species is not measured
    exact: bool = False  # initial amounts are known without error

    @property
    def pool(self) -> Float[np.ndarray, "times"]:
        """Times to choose from: even ones and ones spaced by a factor; the first is the start."""
        even = np.linspace(0, self.last, 2 * self.points)[1:]
        spaced = np.geomspace(self.first, self.last, 2 * self.points)
        later = np.unique([float(f"{t:.3g}") for t in (*even, *spaced) if t >= self.first])  # as one would write them
        return np.append(0.0, later)


@dataclasses.dataclass(frozen=True)
class Proposed:
    """One experiment."""

    initial: Float[np.ndarray, "species"]
    times: Float[np.ndarray, "points"]
    separations: tuple[float, ...]  # expected rise of chi2 of each rival where the first mechanism is true
    sd: Float[np.ndarray, "reactions"]  # of ln k of the first mechanism afterwards


@dataclasses.dataclass(frozen=True)
class Question:
    """What the experiment is to answer: which of the mechanisms, the first being the best so far, or its constants."""

    models: Sequence[Model]
    margin: float  # the rise of chi2 that settles a rival
    aim: Aim
    expected: tuple[float, ...] = ()  # rise of chi2 of each rival by experiments that are planned already


class Rows(NamedTuple):
    """What the samples at each time of each state would tell, as sums over the species."""

    information: Float[np.ndarray, "parameters parameters"]  # so far
    M: Float[np.ndarray, "states times parameters parameters"]
    b: Float[np.ndarray, "states times parameters"]
    e: Float[np.ndarray, "states times"]

    def total(self, chosen: Bool[np.ndarray, "sets times"]) -> Float[np.ndarray, "states sets parameters parameters"]:
        """Information after sampling at each of some sets of times; what is told by nothing keeps a little."""
        total = np.einsum("gt,ntpq->ngpq", chosen * 1.0, self.M) + self.information
        return total + RIDGE * np.eye(total.shape[-1]) * total

    def separations(self, chosen: Bool[np.ndarray, "sets times"]) -> Float[np.ndarray, "states sets"]:
        """D for each state and set of times."""
        b, e = np.einsum("gt,ntp->ngp", chosen * 1.0, self.b), self.e @ chosen.T
        return np.maximum(e - np.sum(b * np.linalg.solve(self.total(chosen), b[..., None])[..., 0], axis=-1), 0.0)

    def covariance(self, chosen: Bool[np.ndarray, "sets times"], m: int) -> Float[np.ndarray, "states sets m m"]:
        """Of the first m parameters afterwards."""
        return np.linalg.inv(self.total(chosen))[..., :m, :m]


class Curves(NamedTuple):
    """Predictions of one mechanism at the times of the pool, in standard deviations."""

    values: Float[np.ndarray, "states times species"]
    by_log_k: Float[np.ndarray, "states times species reactions"]
    by_initial: Float[np.ndarray, "states times species initials"]
    solved: Bool[np.ndarray, "states"]


def propose(asked: Question, limits: Limits, *, seed: int = 0) -> Proposed:
    """The experiment that tells most. ArithmeticError where none within the limits can be integrated."""
    rng = np.random.default_rng(seed)
    states, grids = _states(limits, rng), _grids(limits)
    utility = _judged(asked, limits, states, grids).max(axis=1)
    for n in range(ROUNDS):
        best = states[np.argsort(-utility, kind="stable")[:KEPT]]
        step = SPREAD / 3**n * (limits.high - limits.low)
        near = best[:, None] + step * rng.standard_normal((KEPT, AROUND, states.shape[1]))
        states = np.vstack([best, np.clip(near, limits.low, limits.high).reshape(-1, states.shape[1])])
        utility = _judged(asked, limits, states, grids).max(axis=1)
    if not np.isfinite(utility.max()):
        raise ArithmeticError("no experiment within the limits could be predicted: check the limits and the times")
    return _with_times(asked, limits, states[[int(np.argmax(utility))]])


def following(asked: Question, limits: Limits, done: Proposed) -> Question:
    """What is left to ask once the experiment has been done; the constants, where no rival is expected to be left."""
    models = [after(model, limits, done) for model in asked.models]
    before = asked.expected or (0.0,) * len(done.separations)
    expected = tuple(a + b for a, b in zip(before, done.separations, strict=True))
    over = asked.aim == "mechanism" and min(expected, default=np.inf) > asked.margin
    return Question(models, asked.margin, "worst" if over else asked.aim, expected)


def after(model: Model, limits: Limits, done: Proposed) -> Model:
    """What is known of a mechanism once the experiment has been done."""
    look = curves(model, limits, done.initial[None])
    chosen = np.isin(limits.pool, done.times)[None]
    covariance = _rows([model], [look], 0).covariance(chosen, len(model.k))[0, 0]
    return dataclasses.replace(model, information=np.linalg.inv(covariance))


def _states(limits: Limits, rng: np.random.Generator) -> States:
    """Half of them inside the limits, half at their corners."""
    inside = rng.uniform(size=(STATES // 2, len(limits.low)))
    corners = rng.integers(0, 2, inside.shape).astype(float)
    return limits.low + np.vstack([inside, corners]) * (limits.high - limits.low)


def _grids(limits: Limits) -> Bool[np.ndarray, "sets times"]:
    """Usual sets of times: even or spaced by a factor, over all of the time or its beginning."""
    pool, sets = limits.pool, []
    for part in (1.0, 0.3, 0.1):
        last = max(part * limits.last, 2 * limits.first)
        for wanted in (
            np.linspace(0, last, limits.points)[1:],
            np.geomspace(limits.first, last, limits.points - 1),
        ):
            chosen = np.zeros(len(pool), bool)
            chosen[0] = True
            chosen[np.abs(pool[:, None] - wanted).argmin(axis=0)] = True
            sets.append(chosen)
    return np.array(sets)


def _judged(
    asked: Question, limits: Limits, states: States, chosen: Bool[np.ndarray, "sets times"]
) -> Float[np.ndarray, "states sets"]:
    """The utility of each state and set of times; minus infinity where a mechanism cannot be integrated."""
    looks = [curves(model, limits, states) for model in asked.models]
    fine = np.all([look.solved for look in looks], axis=0)
    return np.where(fine[:, None], _utility(asked, looks, chosen), -np.inf)


def _utility(
    asked: Question, looks: list[Curves], chosen: Bool[np.ndarray, "sets times"]
) -> Float[np.ndarray, "states sets"]:
    """mechanism: how many rivals would be settled; worst, all: minus the ln of variance or volume."""
    if asked.aim == "mechanism":
        before = asked.expected or (0.0,) * len(looks)
        found = (_rows(asked.models, looks, n).separations(chosen) + before[n - 1] for n in range(1, len(looks)))
        return np.sum([1 - np.exp(-D / asked.margin) for D in found], axis=0)
    covariance = _rows(asked.models, looks, 0).covariance(chosen, len(asked.models[0].k))
    if asked.aim == "worst":
        return -np.log(np.linalg.eigvalsh(covariance)[..., -1])
    return -np.linalg.slogdet(covariance)[1]


def _with_times(asked: Question, limits: Limits, state: States) -> Proposed:
    """For one state the times one by one, each the best beside those chosen; or a usual set where that is better."""
    looks = [curves(model, limits, state) for model in asked.models]
    chosen = np.zeros(len(limits.pool), bool)
    chosen[0] = True
    while chosen.sum() < min(limits.points, len(chosen)):
        more = chosen | np.eye(len(chosen), dtype=bool)[~chosen]
        chosen = more[int(np.argmax(_utility(asked, looks, more)[0]))]
    sets = np.vstack([chosen, _grids(limits)])
    best = sets[[int(np.argmax(_utility(asked, looks, sets)[0]))]]
    separations = (float(_rows(asked.models, looks, n).separations(best)[0, 0]) for n in range(1, len(looks)))
    covariance = _rows(asked.models, looks, 0).covariance(best, len(asked.models[0].k))[0, 0]
    return Proposed(state[0], limits.pool[best[0]], tuple(separations), np.sqrt(np.diag(covariance)))


def curves(model: Model, limits: Limits, states: States) -> Curves:
    """Predictions from each state at the times of the pool, with their derivatives by ln k and the initial amounts."""
    pool, species = limits.pool, states.shape[1]
    scale = np.maximum(limits.high, 1e-3 * limits.high.max())
    solution = stiff.solve(
        stiff.directed(model.library.reactants, model.library.products),
        np.broadcast_to(model.k, (len(states), len(model.k))),
        states,
        [pool] * len(states),
        rtol=RTOL,
        atol=1e-3 * RTOL * scale,
        initials=np.arange(0 if limits.exact else species),
    )
    by_k, by_initial = solution.by_k * model.k, solution.by_initial * scale[: solution.by_initial.shape[2]]
    shape, sd = (len(states), len(pool), species), limits.sd
    by_k, by_initial = ((np.nan_to_num(part) / sd[:, None]).reshape(*shape, -1) for part in (by_k, by_initial))
    values = (np.nan_to_num(solution.values) / sd).reshape(shape)
    return Curves(values, by_k, by_initial, solution.status >= 0)


def _rows(models: Sequence[Model], looks: list[Curves], n: int) -> Rows:
    """Of the first mechanism alone (n = 0), or of its difference from the n-th."""
    first, other = looks[0], looks[n]
    own = [-other.by_log_k] if n else []
    A = np.concatenate([first.by_log_k, *own, -other.by_initial], axis=-1)
    prior, at = RIDGE * np.eye(A.shape[-1]), 0
    for model in [models[0], models[n]][: 1 + len(own)]:
        prior[at : at + len(model.k), at : at + len(model.k)] += model.information
        at += len(model.k)
    d = first.values - other.values
    return Rows(
        prior, np.einsum("ntsp,ntsq->ntpq", A, A), np.einsum("ntsp,nts->ntp", A, d), np.einsum("nts,nts->nt", d, d)
    )
