"""Pruning: the few reactions that matter, found by leaving out one after another.

Directed reactions are tried in the order of their mean flux, the smallest first, again and again until none can be
spared. A reaction can be spared if without it the behaviour stays within the criteria of its kind, in the steps of the
evaluation and for as long as it is judged; what is spared stays out while the next is tried.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from guldberg.design import trials
from guldberg.design.checks import judged_until
from guldberg.design.controls import AbstractControl, Subject, as_designed, constants, with_constants
from guldberg.design.result import Designed
from guldberg.design.trials import Trial, wanted
from guldberg.learn.fit import Metrics
from guldberg.network import ReactionNetwork, equation
from guldberg.rates import Plain
from guldberg.system import ReactionDiffusion


class Without(AbstractControl):
    """The design with some of its rate constants, by number, at 0."""

    removed: tuple[int, ...] = eqx.field(static=True)
    until: float = eqx.field(static=True, default=np.inf)

    @property
    def name(self) -> str:
        return f"without {len(self.removed)} reactions"

    def __call__(self, designed: Designed, key: Key[Array, ""]) -> Subject:
        subject = as_designed(designed, key)
        return dataclasses.replace(subject, system=without(designed, self.removed), until=self.until)


def without(designed: Designed, removed: tuple[int, ...]) -> ReactionDiffusion:
    """The system with these constants at 0."""
    k = constants(designed.system)
    return with_constants(designed.system, k.at[jnp.asarray(removed, int)].set(0) if removed else k)


@dataclasses.dataclass(frozen=True)
class Tried:
    """One reaction left out."""

    reaction: str
    figure: float  # the first of the criteria at T without it
    spared: bool


@dataclasses.dataclass(frozen=True)
class State:
    """Between two tries."""

    seed: int
    order: tuple[int, ...]  # constants still to be tried in this round
    removed: tuple[int, ...]
    before: int  # how many were removed when this round began
    full: Trial
    tried: tuple[Tried, ...] = ()


@dataclasses.dataclass(frozen=True)
class Pruned:
    """The design with the reactions that are left, and what leaving out each of the others did."""

    designed: Designed
    tried: tuple[Tried, ...]


@dataclasses.dataclass(frozen=True)
class Pruning:
    """The job: `learn.fit.run(Pruning(designed))`."""

    designed: Designed
    state_types = (State, Trial, Tried)

    def init(self, seed: int = 0) -> State:
        """Nothing left out; constants that are 0 already are no reactions."""
        full = trials.run(self.designed, Without((), judged_until(self.designed)), seed, 0)
        dead = tuple(np.flatnonzero(np.asarray(constants(self.designed.system)) <= 0).tolist())
        return State(seed, self._order(dead, seed), dead, len(dead), full)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One reaction is tried."""
        one, rest = state.order[0], state.order[1:]
        less = (*state.removed, one)
        trial = trials.run(self.designed, Without(less, judged_until(self.designed)), state.seed, 0)
        spared = len(less) < len(constants(self.designed.system)) and self._holds(trial, state.full)
        removed = less if spared else state.removed
        first = next(iter(wanted(self.designed).kept))
        figure = float(trial.figures[first][0, int(np.argmin(np.abs(trial.times - self.designed.horizon)))])
        tried = (*state.tried, Tried(self._equation(one), figure, spared))
        if not rest and len(removed) > state.before:  # another round: what could not be spared before may be now
            after = State(state.seed, self._order(removed, state.seed), removed, len(removed), state.full, tried)
        else:
            after = dataclasses.replace(state, order=rest, removed=removed, tried=tried)
        return after, self._metrics(after)

    def done(self, state: State) -> bool:
        """Whether a whole round spared nothing."""
        return not state.order

    def result(self, state: State) -> Pruned:
        """The design with a network of what is left."""
        system = without(self.designed, state.removed)
        network = shortened(system.network)
        smaller = ReactionDiffusion(network, system.grid, system.diffusivity, system.drive, system.temperature)
        return Pruned(dataclasses.replace(self.designed, system=smaller), state.tried)

    def _holds(self, trial: Trial, full: Trial) -> bool:
        """Whether the behaviour is still there, at T and as long as it is judged, by the criteria of its kind."""
        if trial.void.any():
            return False
        needed, times = wanted(self.designed), (self.designed.horizon, judged_until(self.designed))
        first = next(iter(needed.kept))
        most = needed.tolerates
        for name, kept in needed.kept.items():
            for now, before in ((float(trial.at(name, t).mean()), float(full.at(name, t).mean())) for t in times):
                if name == first and before - now > most * (abs(before) if kept.relative else 1.0):
                    return False
                if kept.factor is not None and not 1 / kept.factor <= now / max(before, 1e-12) <= kept.factor:
                    return False
        return True

    def _order(self, removed: tuple[int, ...], seed: int) -> tuple[int, ...]:
        """What is left, by mean flux at some times up to T, the smallest first."""
        here = dataclasses.replace(self.designed, system=without(self.designed, removed))
        both = trials.fluxes(here, seed).ravel()[: len(constants(here.system))]
        ranked = np.argsort(both, kind="stable")
        return tuple(int(i) for i in ranked if int(i) not in removed)

    def _equation(self, i: int) -> str:
        network = self.designed.network
        sides, n = (np.asarray(network.reactants), np.asarray(network.products)), len(network.reactants)
        left, right = sides if i < n else sides[::-1]
        return equation(left[i % n], right[i % n], network.species)

    def _metrics(self, state: State) -> Metrics:
        total = len(constants(self.designed.system))
        done = 1 - len(state.order) / max(total - state.before, 1)
        return {"stage": "pruning", "progress": done, "reactions": total - len(state.removed)}


def shortened(network: ReactionNetwork) -> ReactionNetwork:
    """Without the reactions that go neither way."""
    forward = np.asarray(network.forward())
    reverse = np.zeros_like(forward) if network.reverse is None else np.asarray(network.reverse())
    alive = np.flatnonzero((forward > 0) | (reverse > 0))
    back = None if not reverse.any() else Plain(jnp.asarray(reverse[alive]))
    left, right = (jnp.asarray(side)[alive] for side in (network.reactants, network.products))
    return ReactionNetwork(left, right, Plain(jnp.asarray(forward[alive])), back, network.species)
