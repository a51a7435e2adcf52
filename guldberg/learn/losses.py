"""Losses of what a system did, composed by + and *: `Target(picture, 1, When(1.0, random=1)) + 100 * Steps(0.05)`.

A loss says which times it reads, and is shown the states at those. One of your own is a class with a `when` and a
call, like any here; docs/extending.md has one in ten lines. Concentrations are as they are: the centred x = 2c - 1 of
Elliott's code doubles an L2 or RMSD.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from guldberg.rollout import NONE, Entropy, Rollout
from guldberg.system import ReactionDiffusion

SAMPLES = "samples"  # the mapped axis over several z; what compares their states reduces over it

Distance = Callable[[Float[Array, "*shape"], Float[Array, "*shape"]], Float[Array, ""]]


class Seen(eqx.Module):
    """What a loss reads: a system, what it did from the state that `z` stands for, and its states at the times that
    the loss asked for."""

    system: ReactionDiffusion
    rollout: Rollout
    states: Float[Array, "times species *grid"]
    z: Float[Array, "bits"]
    decoder: Callable[[Float[Array, "species *grid"]], Float[Array, "bits"]] | None = None


class AbstractTimes(eqx.Module):
    """Which of the states at steps 0 to T / dt a loss reads."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many."""

    @abc.abstractmethod
    def steps(self, last: int, key: Key[Array, ""]) -> Int[Array, "count"]:
        """As numbers of steps, where `last` is that of T."""


class When(AbstractTimes):
    """Times as shares of T, then `random` ones, uniform over the steps from 0 to T and new in each update."""

    shares: tuple[float, ...] = eqx.field(static=True)
    random: int = eqx.field(static=True)

    def __init__(self, *shares: float, random: int = 0) -> None:
        self.shares, self.random = shares, random

    @property
    def count(self) -> int:
        return len(self.shares) + self.random

    def steps(self, last: int, key: Key[Array, ""]) -> Int[Array, "count"]:
        fixed = jnp.asarray([round(share * last) for share in self.shares], jnp.int32)
        return jnp.concatenate([fixed, jax.random.randint(key, (self.random,), 0, last + 1, jnp.int32)])


class LastTwo(AbstractTimes):
    """The last step: the states before and after it."""

    @property
    def count(self) -> int:
        return 2

    def steps(self, last: int, key: Key[Array, ""]) -> Int[Array, "count"]:
        return jnp.asarray([last - 1, last], jnp.int32)


AT_END = When(1.0)
FROM_START_TO_END = When(0.0, 1.0)
EVERY_STEP = When()  # no states: what was summed up at every step on the way


class AbstractLoss(eqx.Module):
    """One number of one sample, small where the behaviour is there."""

    when: AbstractTimes = eqx.field(default=AT_END, kw_only=True)

    @abc.abstractmethod
    def __call__(self, seen: Seen) -> Float[Array, ""]:
        """`seen.states` are those at `when`."""

    @property
    def limit(self) -> float | None:
        """Of |dc/dt|, if it reads by how much that is exceeded (`rollout.excess`)."""
        return None

    @property
    def entropy(self) -> Entropy:
        """Which entropy production it reads (`rollout.diffusion`, `rollout.reaction`)."""
        return NONE

    def __add__(self, other: AbstractLoss | Sum) -> Sum:
        return Sum((1.0,), (self,)) + other

    def __mul__(self, weight: float) -> Sum:
        return Sum((float(weight),), (self,))

    __rmul__ = __mul__


class Sum(eqx.Module):
    """sum_i w_i L_i. ValueError where two parts set different limits to |dc/dt|: a rollout watches one."""

    weights: tuple[float, ...] = eqx.field(static=True)
    losses: tuple[AbstractLoss, ...]

    def __check_init__(self) -> None:
        limits = sorted({loss.limit for loss in self.losses if loss.limit is not None})
        if len(limits) > 1:
            raise ValueError(f"one limit of |dc/dt| for a whole loss, got {', '.join(map(str, limits))}")

    def __add__(self, other: AbstractLoss | Sum) -> Sum:
        other = other if isinstance(other, Sum) else Sum((1.0,), (other,))
        return Sum(self.weights + other.weights, self.losses + other.losses)

    def __mul__(self, weight: float) -> Sum:
        return Sum(tuple(weight * w for w in self.weights), self.losses)

    __rmul__ = __mul__

    @property
    def limit(self) -> float:
        """Of |dc/dt|; 0 where no part sets one."""
        return max((loss.limit for loss in self.losses if loss.limit is not None), default=0.0)

    @property
    def entropy(self) -> Entropy:
        """Which entropy production any part reads."""
        asked = [loss.entropy for loss in self.losses]
        return Entropy(any(e.diffusion for e in asked), any(e.reaction for e in asked))

    @property
    def names(self) -> tuple[str, ...]:
        """One for each part; of equal ones the second is numbered 2, and so on."""
        plain = [type(loss).__name__ for loss in self.losses]
        count = [plain[:i].count(name) for i, name in enumerate(plain)]
        return tuple(f"{name} {n + 1}" if n else name for name, n in zip(plain, count, strict=True))

    def steps(self, last: int, key: Key[Array, ""]) -> Int[Array, "times"]:
        """The steps whose states the parts read, one after another."""
        keys = jax.random.split(key, len(self.losses))
        return jnp.concatenate([loss.when.steps(last, k) for loss, k in zip(self.losses, keys, strict=True)])

    def terms(self, seen: Seen) -> Float[Array, "parts"]:
        """Each part times its weight; `seen.states` are those at `steps`."""
        terms, first = [], 0
        for weight, loss in zip(self.weights, self.losses, strict=True):
            after = first + loss.when.count
            own = eqx.tree_at(lambda s: s.states, seen, seen.states[first:after])
            terms.append(weight * loss(own))
            first = after
        return jnp.stack(terms)


def as_sum(loss: AbstractLoss | Sum) -> Sum:
    """A single loss as the sum of itself."""
    return loss if isinstance(loss, Sum) else 1.0 * loss


# distances


def l2(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    """||a - b||_2, Elliott (2022) eqs. (7) and (13); its gradient at a = b is 0."""
    return _root(((a - b) ** 2).sum())


def mean_square(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    """mean (a - b)^2."""
    return ((a - b) ** 2).mean()


def rmsd(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    """sqrt mean (a - b)^2, which does not grow with the grid, Elliott (2022) D.2."""
    return _root(mean_square(a, b))


def decorrelation(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    """1 - r, Pearson's; blind to contrast: 0 for a ghost of the picture as for the picture. 1 where a field is flat."""
    a, b = a - a.mean(), b - b.mean()
    size = _root((a * a).sum() * (b * b).sum())
    return 1 - (a * b).sum() / jnp.where(size > 0, size, 1)


def contrast(a: Float[Array, "*shape"], b: Float[Array, "*shape"]) -> Float[Array, ""]:
    """(sd(a) / sd(b) - 1)^2: what `decorrelation` does not see."""
    return (_root(a.var()) / _root(b.var()) - 1) ** 2


def per_species(a: Float[Array, "species *grid"], b: Float[Array, "species *grid"]) -> Float[Array, ""]:
    """The mean over species of mean (a - b)^2 over the mean of both variances: flat fields, which make the plain one
    0, make this 0/.0001 at best where they should not be flat."""
    axes = tuple(range(1, a.ndim))
    return (((a - b) ** 2).mean(axes) / (0.5 * (a.var(axes) + b.var(axes)) + 1e-4)).mean()


def _root(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sqrt(x), with slope 0 at x = 0 instead of infinity."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


# losses


class Target(AbstractLoss):
    """E ||X_t^i - picture||, Elliott (2022) eq. (7): species i is to look like a picture."""

    picture: Float[Array, "*grid"]
    species: int = eqx.field(static=True)
    distance: Distance = eqx.field(static=True, default=l2)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        picture = jax.lax.stop_gradient(self.picture)
        return jax.vmap(lambda state: self.distance(state[self.species], picture))(seen.states).mean()


class Steps(AbstractLoss):
    """mean over cells, species and steps of max(|dX/dt| - threshold, 0), Elliott (2022) eq. (15) with its 1/T; with
    threshold 0 the stability term of eq. (8). dX/dt is that of a step: of the step taken, divided by its length."""

    threshold: float = eqx.field(static=True, default=0.0)
    when: AbstractTimes = eqx.field(default=EVERY_STEP, kw_only=True)

    @property
    def limit(self) -> float:
        return self.threshold

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return seen.rollout.excess.mean()


class Rest(AbstractLoss):
    """||X_T - X_(T-1)||_2, the example below Elliott (2022) eq. (1): a steady state."""

    when: AbstractTimes = eqx.field(default=LastTwo(), kw_only=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return l2(seen.states[0], seen.states[1])


class Persistence(AbstractLoss):
    """E distance(X_0, X_t): what was there at the start still is."""

    when: AbstractTimes = eqx.field(
        default=FROM_START_TO_END, kw_only=True
    )  # the first one is what the others are compared with
    distance: Distance = eqx.field(static=True, default=per_species)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return jax.vmap(lambda state: self.distance(seen.states[0], state))(seen.states[1:]).mean()


class Apart(AbstractLoss):
    """mean over species of max(0, spread - sd over z of X_t): states from different z are to differ. With
    `Persistence`, a bistable system. It looks across the samples of one update, and needs more than one."""

    spread: float = eqx.field(static=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        X = seen.states
        mean = jax.lax.pmean(X, SAMPLES)
        cells = tuple(range(2, X.ndim))
        variance = jax.lax.pmean(((X - mean) ** 2).mean(cells), SAMPLES)
        return jnp.maximum(self.spread - _root(variance), 0).mean()


def saturating(sigma: Float[Array, "steps"]) -> Float[Array, "steps"]:
    """exp(-sigma), Elliott (2022) eq. (9), sigma in k_B: bounded, and flat where sigma is large."""
    return jnp.exp(-sigma)


def logarithmic(sigma: Float[Array, "steps"]) -> Float[Array, "steps"]:
    """-ln sigma: the same relative gain is worth the same at any size."""
    return -jnp.log(jnp.maximum(sigma, jnp.finfo(sigma.dtype).tiny))


class Dissipation(AbstractLoss):
    """E g(sigma_Rxn + sigma_Dif), Elliott (2022) eq. (9); sigma per cell in k_B, averaged over cells before g."""

    diffusion: bool = eqx.field(static=True, default=True)
    reaction: bool = eqx.field(static=True, default=False)
    g: Callable[[Float[Array, "steps"]], Float[Array, "steps"]] = eqx.field(static=True, default=saturating)
    when: AbstractTimes = eqx.field(default=EVERY_STEP, kw_only=True)

    def __check_init__(self) -> None:
        if not (self.diffusion or self.reaction):
            raise ValueError("dissipation of diffusion, of reaction or of both: got neither")

    @property
    def entropy(self) -> Entropy:
        return Entropy(self.diffusion, self.reaction)

    def of_steps(self, seen: Seen) -> Float[Array, "steps"]:
        """g(sigma) at every step."""
        both = ((seen.rollout.diffusion, self.diffusion), (seen.rollout.reaction, self.reaction))
        asked = [sigma for sigma, wanted in both if wanted and sigma is not None]
        assert len(asked) == sum(self.entropy), "the rollout was not asked for this entropy"
        return self.g(sum(asked[1:], asked[0]))

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return self.of_steps(seen).mean()


class Unsteadiness(AbstractLoss):
    """Var over time of g(sigma), Elliott (2022) eq. (10): dissipation that is not a relaxation."""

    dissipation: Dissipation
    when: AbstractTimes = eqx.field(default=EVERY_STEP, kw_only=True)

    @property
    def entropy(self) -> Entropy:
        return self.dissipation.entropy

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return self.dissipation.of_steps(seen).var()


class CrossEntropy(AbstractLoss):
    """E H(z, E(X_t)) per bit in nats, Elliott (2022) eq. (11): that z can be read from the state."""

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        assert seen.decoder is not None, "cross entropy needs a decoder"
        logits = jax.vmap(seen.decoder)(seen.states)
        return (jax.nn.softplus(logits) - seen.z[None] * logits).mean()


Window = tuple[tuple[int, int], ...]  # first cell and the one beyond the last, along each axis


class Replication(AbstractLoss):
    """mean over w of distance(X_0, T_-w(X_T)) in a window, Elliott (2022) eq. (13): what was at the parent's place at
    the start is, at the end, at each place shifted from it by w. The paper's is the sum of two `l2`; plain distances
    are 0 for flat fields, hence `per_species`."""

    window: Window = eqx.field(static=True)
    shifts: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    distance: Distance = eqx.field(static=True, default=per_species)
    when: AbstractTimes = eqx.field(default=FROM_START_TO_END, kw_only=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        parent = windowed(seen.states[0], self.window)
        daughters = (windowed(seen.states[1], self.window, shift) for shift in self.shifts)
        return jnp.stack([self.distance(parent, daughter) for daughter in daughters]).mean()


class Spread(AbstractLoss):
    """1/N_s sum_i max(0, beta - sd_i)^2 of X_T over space, Elliott (2022) eq. (14); in windows if there are any, as
    their mean."""

    beta: float = eqx.field(static=True)
    window: Window | None = eqx.field(static=True, default=None)
    shifts: tuple[tuple[int, ...], ...] = eqx.field(static=True, default=())

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        X = seen.states[-1]
        parts = [windowed(X, self.window, shift) for shift in self.shifts] if self.window is not None else [X]
        return jnp.stack([(jnp.maximum(self.beta - _root(_variance(part)), 0) ** 2).mean() for part in parts]).mean()


class Outside(AbstractLoss):
    """mean over species of Var of X_T over the cells of a mask, over that species' variance at the start: nothing is
    to be where the mask is True."""

    mask: Bool[Array, "*grid"]
    when: AbstractTimes = eqx.field(default=FROM_START_TO_END, kw_only=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        before, after = seen.states[0], seen.states[-1]
        axes = tuple(range(1, after.ndim))
        there = self.mask.astype(after.dtype)[None]
        mean = (after * there).sum(axes, keepdims=True) / there.sum()
        variance = ((after - mean) ** 2 * there).sum(axes) / there.sum()
        return (variance / (_variance(before) + 1e-4)).mean()


class Ceiling(AbstractLoss):
    """mean max(X_t - level, 0)^2: concentrations are to stay below a level."""

    level: float = eqx.field(static=True)

    def __call__(self, seen: Seen) -> Float[Array, ""]:
        return (jnp.maximum(seen.states - self.level, 0) ** 2).mean()


def windowed(
    X: Float[Array, "species *grid"], window: Window, shift: Sequence[int] | None = None
) -> Float[Array, "species *window"]:
    """What lies in a window that is shifted by so many cells, around the edges if need be."""
    shift = (0,) * len(window) if shift is None else tuple(shift)
    rolled = jnp.roll(X, tuple(-w for w in shift), tuple(range(1, X.ndim)))
    return rolled[(slice(None), *(slice(first, beyond) for first, beyond in window))]


def _variance(X: Float[Array, "species *grid"]) -> Float[Array, "species"]:
    return X.var(tuple(range(1, X.ndim)))
