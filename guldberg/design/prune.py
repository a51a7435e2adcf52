"""Pruning: the few reactions that matter, found by leaving out one after another.

Directed reactions (both directions at once, where rates follow from free energies) are tried in the order of their mean
flux, the smallest first, again and again until none can be spared. A reaction can be spared if without it the behaviour
stays within the criteria of its kind, for as long as it is judged: as the design is, or, of pictures, after the others
were tuned a little to make up for it. What is spared stays out while the next is tried, and the criteria are of the
whole loss, from the design with all its reactions.
"""

from __future__ import annotations

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from guldberg import thermo
from guldberg.design import trials
from guldberg.design.checks import judged_until
from guldberg.design.controls import AbstractControl, Subject, as_designed, constants, with_constants
from guldberg.design.result import Designed
from guldberg.design.trials import Trial, wanted
from guldberg.design.tune import tunable, tuned
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
    tuned: bool = False  # whether the others were tuned for it


@dataclasses.dataclass(frozen=True)
class State:
    """Between two tries."""

    seed: int
    order: tuple[int, ...]  # constants still to be tried in this round
    removed: tuple[int, ...]
    before: int  # how many were removed when this round began
    full: Trial
    tried: tuple[Tried, ...] = ()
    leaves: tuple[np.ndarray, ...] = ()  # of the system and the start, once they were tuned


@dataclasses.dataclass(frozen=True)
class Pruned:
    """The design with the reactions that are left, and what leaving out each of the others did."""

    designed: Designed
    tried: tuple[Tried, ...]


@dataclasses.dataclass(frozen=True)
class Pruning:
    """The job: `learn.fit.run(Pruning(designed))`. Its runs are in steps `longer` times those of the evaluation:
    `verify.longest` says which show the same."""

    designed: Designed
    longer: int = 1
    state_types = (State, Trial, Tried)

    def init(self, seed: int = 0) -> State:
        """Nothing left out; constants that are 0 already are no reactions."""
        full = self._run(self.designed, (), seed)
        dead = tuple(np.flatnonzero(np.asarray(constants(self.designed.system)) <= 0).tolist())
        return State(seed, self._order(self.designed, dead, seed), dead, len(dead), full)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One reaction is tried."""
        one, rest = state.order[0], state.order[1:]
        less, before = (*state.removed, *self._together(one)), self._at(state)
        found, tried = self._tried(before, one, less, state)
        removed = less if tried.spared else state.removed
        leaves = _leaves(found) if tried.spared and tried.tuned else state.leaves
        after = dataclasses.replace(state, order=rest, removed=removed, leaves=leaves, tried=(*state.tried, tried))
        if not rest and len(removed) > state.before:  # another round: what could not be spared before may be now
            order = self._again(after.tried, self._order(self._at(after), removed, state.seed))
            after = dataclasses.replace(after, order=order, before=len(removed))
        return after, self._metrics(after)

    def done(self, state: State) -> bool:
        """Whether a whole round spared nothing."""
        return not state.order

    def result(self, state: State) -> Pruned:
        """The design with a network of what is left."""
        found = self._at(state)
        system = without(found, state.removed)
        network = shortened(system.network)
        smaller = ReactionDiffusion(network, system.grid, system.diffusivity, system.drive, system.temperature)
        return Pruned(dataclasses.replace(found, system=smaller), state.tried)

    def _at(self, state: State) -> Designed:
        """The design as it was last tuned."""
        return _with_leaves(self.designed, state.leaves) if state.leaves else self.designed

    def _tried(self, before: Designed, one: int, less: tuple[int, ...], state: State) -> tuple[Designed, Tried]:
        """The design without one more reaction, tuned if it needs to be and can be."""
        name, some = self._equation(one), len(less) < len(constants(before.system))
        trial = self._run(before, less, state.seed)
        holds = some and self._holds(trial, state.full)
        if holds or not some or not tunable(before):
            return before, Tried(name, self._figure(trial), holds)
        found = tuned(before, less)
        trial = self._run(found, less, state.seed)
        return found, Tried(name, self._figure(trial), self._holds(trial, state.full), True)

    def _run(self, designed: Designed, removed: tuple[int, ...], seed: int) -> Trial:
        return trials.run(designed, Without(removed, judged_until(designed)), seed, 0, self.longer)

    def _figure(self, trial: Trial) -> float:
        first = next(iter(wanted(self.designed).kept))
        return float(trial.figures[first][0, int(np.argmin(np.abs(trial.times - self.designed.horizon)))])

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

    def _order(self, designed: Designed, removed: tuple[int, ...], seed: int) -> tuple[int, ...]:
        """What is left, by mean flux at some times up to T, the smallest first."""
        here = dataclasses.replace(designed, system=without(designed, removed))
        both = trials.fluxes(here, seed).ravel()[: len(constants(here.system))]
        ranked, n = np.argsort(both, kind="stable"), len(here.network.reactants)
        one_by_one = ranked if not self.paired else ranked[ranked < n]
        return tuple(int(i) for i in one_by_one if int(i) not in removed)

    def _again(self, tried: tuple[Tried, ...], order: tuple[int, ...]) -> tuple[int, ...]:
        """Without those that were tried since the last one was spared: nothing has changed for them."""
        last = max(i for i, one in enumerate(tried) if one.spared)
        known = {one.reaction for one in tried[last:]}
        return tuple(i for i in order if self._equation(i) not in known)

    @functools.cached_property
    def paired(self) -> bool:
        """Whether the rates follow from free energies: then a reaction goes both ways or not at all."""
        try:
            thermo.energies(self.designed.network)
        except ValueError:
            return False
        return True

    def _together(self, i: int) -> tuple[int, ...]:
        return (i, i + len(self.designed.network.reactants)) if self.paired else (i,)

    def _equation(self, i: int) -> str:
        network = self.designed.network
        sides, n = (np.asarray(network.reactants), np.asarray(network.products)), len(network.reactants)
        left, right = sides if i < n else sides[::-1]
        return equation(left[i % n], right[i % n], network.species, reversible=self.paired)

    def _metrics(self, state: State) -> Metrics:
        total = len(constants(self.designed.system))
        done = 1 - len(state.order) * len(self._together(0)) / max(total - state.before, 1)
        return {"stage": "pruning", "progress": done, "reactions": total - len(state.removed)}


def _leaves(designed: Designed) -> tuple[np.ndarray, ...]:
    learned = eqx.filter((designed.system, designed.start), eqx.is_array)
    return tuple(np.asarray(x) for x in jax.tree.leaves(learned))


def _with_leaves(designed: Designed, leaves: tuple[np.ndarray, ...]) -> Designed:
    arrays, others = eqx.partition((designed.system, designed.start), eqx.is_array)
    arrays = jax.tree.unflatten(jax.tree.structure(arrays), [jnp.asarray(x) for x in leaves])
    system, start = eqx.combine(arrays, others)
    c0 = np.asarray(start(jnp.asarray(designed.z)))
    return dataclasses.replace(designed, system=system, start=start, c0=c0)


def shortened(network: ReactionNetwork) -> ReactionNetwork:
    """Without the reactions that go neither way."""
    forward, reverse = network.constants()
    alive = np.flatnonzero((forward > 0) | (reverse > 0))
    back = None if not reverse.any() else Plain(jnp.asarray(reverse[alive]))
    left, right = (jnp.asarray(side)[alive] for side in (network.reactants, network.products))
    return ReactionNetwork(left, right, Plain(jnp.asarray(forward[alive])), back, network.species)
