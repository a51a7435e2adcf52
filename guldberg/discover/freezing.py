"""Algorithm 1 of Huang, Zhou and Yong: real stoichiometry learned by gradient descent, rows that come close to whole
numbers frozen one after the other. Kept beside the default method because it is the paper's; many starts at once.

The network of section 3, for the concentrations u at one time:

    N(u)_k = sum_i v_ik (exp(l_if) prod_j u_j^-min(0, v_ij) - exp(l_ir) prod_j u_j^max(0, v_ij)),

and the loss (3.2), (3.3): the mean over times of sum_k (N(u)_k - u'_k)^2 + lambda (sum |v| + sum v^2).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from guldberg.discover import assemble, regression
from guldberg.discover.library import Library
from guldberg.discover.result import Discovered
from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.integers import smallest_kernel
from guldberg.learn.fit import Metrics
from guldberg.network import equation

RATE, PENALTY = 1e-3, 1e-8  # learning rate of Adam; lambda
EPSILON = 0.05  # a row this close to whole numbers is frozen
BACK = 1000  # epochs: the loss no longer decreases if it was lower so long ago
CHECK = 10  # times `BACK` epochs from one look at the rows to the next
ENDED = 1e-3  # the authors' code stops where all rows are this close to whole numbers
SMALLEST = 1e-30  # a concentration that has a logarithm


class Weights(NamedTuple):
    """Of one start; with a leading axis of all starts where it says so."""

    v: Float[Array, "reactions species"]
    forward: Float[Array, "reactions"]  # l_f
    reverse: Float[Array, "reactions"]  # l_r


@dataclasses.dataclass(frozen=True)
class State:
    """Where the starts stand. Weights and the moments of Adam: v, l_f, l_r of all starts."""

    seed: int
    weights: tuple[Float[np.ndarray, "starts ..."], ...]
    first: tuple[Float[np.ndarray, "starts ..."], ...]
    second: tuple[Float[np.ndarray, "starts ..."], ...]
    frozen: Bool[np.ndarray, "starts reactions"]
    settled: Int[np.ndarray, "starts"]  # the epoch when all rows were whole; -1: not yet
    losses: Float[np.ndarray, "starts points"]  # every `BACK` epochs; NaN once settled
    epoch: int = 0


@dataclasses.dataclass(frozen=True)
class Freezing:
    """The job: `learn.fit.run(Freezing(data, reactions=2), seed)` gives a `Discovered`. In single precision, as the
    authors' code; the constants of the whole-numbered reactions come from the linear problem that is left then, in
    double precision (as the paper suggests after its remark 3.1).

    Of the rules two are read from the authors' code: the loss is compared with that of 1000 epochs before, and
    of equal or opposite rows one is frozen. A row of zeros is no reaction and never frozen: the code takes it for one
    when it asks whether all rows are whole, and stops with reactions missing. `published` does as the code; without
    `freeze` it is plain gradient descent, which the paper compares with.
    """

    data: Experiments
    reactions: int
    starts: int = 8
    epochs: int = 1_000_000
    freeze: bool = True
    published: bool = False
    state_types = (State,)

    def __post_init__(self) -> None:
        """InputError where there are no derivatives to learn from."""
        try:
            regression.slopes(self.data)
        except ValueError as error:
            raise InputError(f"--method freeze learns from derivatives; {error}") from None

    def init(self, seed: int) -> State:
        """Every parameter uniform in (-0.5, 0.5)."""
        rng, size = np.random.default_rng(seed), (self.starts, self.reactions)
        shapes = ((*size, len(self.data.species)), size, size)
        weights = tuple(rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes)
        zeros = tuple(np.zeros_like(w) for w in weights)
        losses = np.zeros((self.starts, 0), np.float32)
        return State(seed, weights, zeros, zeros, np.zeros(size, bool), np.full(self.starts, -1), losses)

    def step(self, state: State) -> tuple[State, Metrics]:
        """`BACK` epochs of the starts that are not settled; every `CHECK`th time, a look at the rows."""
        after = self._descended(state)
        if self.freeze and after.losses.shape[1] % CHECK == 0:
            after = _look(after, self.published)
        words = f"gradient descent, {(after.settled >= 0).sum()} of {self.starts} starts whole"
        loss = float(np.nanmin(after.losses[:, -1]))
        return after, {"stage": words, "progress": self._progress(after), "loss": loss, "updates": after.epoch}

    def _descended(self, state: State) -> State:
        running = np.flatnonzero(state.settled < 0)
        # A power of 2 or all of them, some taken twice: each other number of starts would be compiled anew.
        chosen = np.resize(running, min(self.starts, 1 << int(len(running) - 1).bit_length()))
        parts = state.weights, state.first, state.second
        taken = jax.tree.map(lambda x: x[chosen], parts)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes types
            moved, losses = _epochs(taken, state.frozen[chosen], state.epoch, *logs_and_slopes(self.data))
        put = functools.partial(_put, running)
        weights, first, second = jax.tree.map(put, parts, moved)
        history = np.column_stack([state.losses, put(np.full(self.starts, np.nan, np.float32), losses)])
        return State(state.seed, weights, first, second, state.frozen, state.settled, history, state.epoch + BACK)

    def done(self, state: State) -> bool:
        """Whether all rows of all starts are whole numbers, or the epochs are over."""
        return state.epoch >= self.epochs or bool((state.settled >= 0).all())

    def result(self, state: State) -> Discovered:
        """The start with whole numbers and the lowest loss; ValueError while there is none, ArithmeticError when there
        will be none."""
        whole = np.flatnonzero(state.settled >= 0)
        if not len(whole):
            told = f"after {state.epoch} epochs no start has whole numbers in every row"
            raise (ArithmeticError if self.done(state) else ValueError)(
                f"{told}; another number of --reactions may, or more --starts or --epochs"
            )
        found = [self._told(state, int(i)) for i in whole]
        best = min(found, key=lambda one: (one.fit.chi2 * one.fit.sd[0] ** 2, len(one.steps)))
        names = [frozenset(equation(s.reactants, s.products, one.species) for s in one.steps) for one in found]
        agree = names.count(names[found.index(best)])
        told = f"stoichiometry by gradient descent with frozen rows: {agree} of {self.starts} starts end in this one"
        if agree < len(found):
            told += f", {len(found) - agree} in others"
        return dataclasses.replace(best, warnings=(told, *best.warnings))

    def _told(self, state: State, start: int) -> Discovered:
        """The reactions of one start, both ways, with constants by least squares: one that is 0 is no reaction."""
        v = np.round(state.weights[0][start]).astype(int)
        v = v[(v != 0).any(axis=1)]  # the published rules let rows of zeros be
        left, right = np.maximum(-v, 0), np.maximum(v, 0)
        library = Library(np.vstack([left, right]), np.vstack([right, left]))
        laws = np.array(smallest_kernel(v), int).reshape(-1, v.shape[1])
        return assemble.from_derivatives(self.data, library, laws, frozenset())

    def _progress(self, state: State) -> float:
        return float(max(state.frozen.mean(), state.epoch / self.epochs))


def logs_and_slopes(data: Experiments) -> tuple[Float[Array, "species times"], Float[Array, "species times"]]:
    """log u and du/dt of every row that has them, in single precision."""
    rows = regression.slopes(data)
    logs = np.log(np.maximum(rows.c, SMALLEST))
    return jnp.asarray(logs.T, jnp.float32), jnp.asarray(rows.dc.T, jnp.float32)


def _put(where: Int[np.ndarray, "_"], old: np.ndarray, new: Array) -> np.ndarray:
    """`old` with the first of `new` there."""
    out = old.copy()
    out[where] = np.asarray(new)[: len(where)]
    return out


def rates(weights: Weights, log_u: Float[Array, "species times"]) -> Float[Array, "species times"]:
    """N(u). Both directions in one product: a third faster."""
    v, n = weights.v, len(weights.v)
    orders, logs = jnp.concatenate([-jnp.minimum(v, 0), jnp.maximum(v, 0)]), jnp.concatenate(weights[1:])
    both = jnp.exp(orders @ log_u + logs[:, None])
    return v.T @ (both[:n] - both[n:])


def loss(
    weights: Weights, log_u: Float[Array, "species times"], slopes: Float[Array, "species times"]
) -> Float[Array, ""]:
    """Eq. (3.2) with (3.3)."""
    misfit = ((rates(weights, log_u) - slopes) ** 2).sum(axis=0).mean()
    return misfit + PENALTY * (jnp.abs(weights.v).sum() + (weights.v**2).sum())


@jax.jit
def _epochs(parts: tuple, frozen: Array, epoch: Array, log_u: Array, slopes: Array) -> tuple[tuple, Array]:
    """`BACK` epochs of every start, and the loss in the last: full batches, frozen rows where they are."""
    return jax.vmap(functools.partial(_descend, epoch=epoch, log_u=log_u, slopes=slopes))(parts, frozen)


def _descend(parts: tuple, frozen: Array, *, epoch: Array, log_u: Array, slopes: Array) -> tuple[tuple, Array]:
    adam = optax.scale_by_adam()

    def step(carry: tuple, n: Array) -> tuple[tuple, Array]:
        weights, first, second = carry
        value, by = jax.value_and_grad(loss)(weights, log_u, slopes)
        moments: Any  # optax types them too loosely
        change, moments = adam.update(by, optax.ScaleByAdamState(n, first, second))
        moved = jax.tree.map(lambda w, x: w - RATE * x, weights, change)
        moved = moved._replace(v=jnp.where(frozen[:, None], weights.v, moved.v))
        return (moved, moments.mu, moments.nu), value

    began = tuple(Weights(*part) for part in parts)
    ended, losses = jax.lax.scan(step, began, epoch + jnp.arange(BACK, dtype=jnp.int32))
    return tuple(map(tuple, ended)), losses[-1]


def _look(state: State, published: bool) -> State:
    """Freeze what is close to whole numbers where the loss no longer decreases, and draw the other rows anew."""
    v, frozen, settled = state.weights[0].copy(), state.frozen.copy(), state.settled.copy()
    rng = np.random.default_rng([state.seed, state.epoch])
    for start, loss in enumerate(state.losses):
        drawn = rng.uniform(-2, 2, v[start].shape)
        if settled[start] >= 0:
            continue
        if len(loss) > CHECK and loss[-2] < loss[-1]:
            frozen[start] = _whole(v[start], frozen[start])
            v[start] = np.where(frozen[start][:, None], np.round(v[start]), drawn)
        near = published and np.abs(v[start] - np.round(v[start])).max() < ENDED
        if near or frozen[start].all():
            settled[start] = state.epoch
    return dataclasses.replace(state, weights=(v, *state.weights[1:]), frozen=frozen, settled=settled)


def _whole(v: Float[np.ndarray, "reactions species"], frozen: Bool[np.ndarray, "reactions"]) -> np.ndarray:
    """Which rows are reactions in whole numbers (eq. 3.4), each reaction once; those frozen before come first."""
    rounded = np.round(v)
    close = (np.abs(v - rounded).max(axis=1) <= EPSILON) & (rounded != 0).any(axis=1)
    seen: set[bytes] = set()
    kept = np.zeros(len(v), bool)
    for i in sorted(range(len(v)), key=lambda i: not frozen[i]):
        row = rounded[i].astype(int)
        if close[i] and not {row.tobytes(), (-row).tobytes()} & seen:
            kept[i] = True
            seen.add(row.tobytes())
    return kept
