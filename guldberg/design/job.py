"""The job design: chunks of updates, stage after stage; State is arrays, so that it resumes to the same bits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.design import chunk
from guldberg.design.digest import digest
from guldberg.design.model import Model
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.result import Designed, History
from guldberg.errors import InputError
from guldberg.learn import descent, parameters
from guldberg.learn.fit import Metrics, run

CHUNK = 64 * 64 * 4 * 32 * 250  # cells x species x steps x updates in one step of the job: about a second


@dataclasses.dataclass(frozen=True)
class State:
    """Between two chunks of updates."""

    seed: int
    stage: int
    carry: tuple[np.ndarray, ...]  # the leaves of a `descent.Carry`
    updates: int = 0  # in all stages
    history: tuple[tuple[float, ...], ...] = ()  # stage, updates, then each term of that stage's loss
    warnings: tuple[str, ...] = ()
    recipe: str = ""  # its digest


@dataclasses.dataclass(frozen=True)
class Design:
    """The job: `learn.fit.run(Design(recipe), seed)` gives a `Designed`."""

    recipe: Recipe
    state_types = (State,)

    def init(self, seed: int = 0) -> State:
        """The first stage, before its first update."""
        carry = descent.begin(self.recipe.stages[0].descent, self.skeleton(seed, 0))
        return State(seed, 0, _leaves(carry), recipe=digest(self.recipe))

    def step(self, state: State) -> tuple[State, Metrics]:
        """A chunk of updates; at the end of a stage also the passage to the next. ArithmeticError where the very first
        state cannot be simulated."""
        stage = self.recipe.stages[state.stage]
        before = self._carry(state)
        count = min(_size(stage, self.skeleton(state.seed, state.stage)), stage.updates - int(before.update))
        some = chunk.compiled(self.recipe, state.seed, state.stage)(before, jnp.asarray(count, jnp.int32))
        made = int(some.carry.update) - int(before.update)
        history = state.history + _points(state, made, np.asarray(some.terms, float))
        after = dataclasses.replace(state, carry=_leaves(some.carry), updates=state.updates + made, history=history)
        return self._passed(after, some.carry), self._metrics(after, some.carry, some.said)

    def done(self, state: State) -> bool:
        """Whether the State is final."""
        return state.stage == len(self.recipe.stages)

    def result(self, state: State) -> Designed:
        """The best point of the stage reached; ValueError before the first update."""
        if not state.updates:
            raise ValueError("no update has been made yet")
        recipe, index = self.recipe, min(state.stage, len(self.recipe.stages) - 1)
        carry, skeleton, stage = self._carry(state), self.skeleton(state.seed, index), recipe.stages[index]
        best = self.best(state)
        z = chunk.example(recipe, state.seed)
        return Designed(
            recipe=recipe,
            behaviour=recipe.behaviour,
            system=best.medium,
            initial=parameters.resolve(skeleton).medium,
            start=best.start,
            z=np.asarray(z),
            c0=np.asarray(eqx.filter_jit(best.start)(z)),
            decoder=best.decoder,
            stepper=stage.stepper,
            dt=stage.dt,
            horizon=stage.horizon,
            evaluation_stepper=recipe.evaluation_stepper,
            evaluation_dt=recipe.evaluation_dt,
            target=recipe.target,
            loss=float(carry.best_loss),
            updates=state.updates,
            history=self._history(state),
            seed=state.seed,
            warnings=state.warnings,
        )

    def best(self, state: State) -> Model:
        """The best point of the stage reached, its quantities in place of parameters."""
        index = min(state.stage, len(self.recipe.stages) - 1)
        whole = eqx.combine(self._carry(state).best, self.skeleton(state.seed, index))
        return parameters.resolve(whole if self.recipe.leave is None else self.recipe.leave(whole))

    def skeleton(self, seed: int, stage: int) -> Model:
        """The model of a stage as it would be without any update: its structure, and all that is not learned."""
        return chunk.skeleton(self.recipe, seed, stage)

    # the optimisation

    def _carry(self, state: State) -> descent.Carry:
        """InputError where the State is of another recipe: it would be gone on with, and end as neither of the two."""
        if state.recipe != digest(self.recipe):
            raise InputError(
                "this run was begun under another version of its recipe, with other stages, losses or rates: go on "
                "with the guldberg that spec.toml names, or begin anew with the command there"
            )
        index = min(state.stage, len(self.recipe.stages) - 1)
        like = descent.begin(self.recipe.stages[index].descent, self.skeleton(state.seed, index))
        return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaf) for leaf in state.carry])

    def _passed(self, state: State, carry: descent.Carry) -> State:
        """On to the next stage, from the best point, if this one is at its end."""
        stage = self.recipe.stages[state.stage]
        lost, tired = int(carry.refused) >= chunk.LOST, int(carry.waited) >= (stage.descent.give_up or math.inf)
        if lost and not np.isfinite(carry.best_loss):
            raise ArithmeticError(
                f"the first state cannot be followed to T = {stage.horizon:g} s in steps of {stage.dt:g} s: the loss "
                "is not finite; start from a shorter T, shorter steps or smaller constants"
            )
        if not (lost or tired or int(carry.update) >= stage.updates):
            return state
        told = (
            (
                f"stage {state.stage + 1} (T = {stage.horizon:g} s) ended after {int(carry.update)} of {stage.updates} "
                f"updates: {chunk.LOST} in a row led to losses that are not finite or jump; the best point is kept",
            )
            if lost
            else ()
        )
        following, warnings = state.stage + 1, state.warnings + told
        if following == len(self.recipe.stages):
            return dataclasses.replace(state, stage=following, warnings=warnings)
        best = eqx.combine(carry.best, self.skeleton(state.seed, state.stage))
        entered = self.recipe.stages[following].enter
        model = best if entered is None else entered(best)
        fresh = _leaves(descent.begin(self.recipe.stages[following].descent, model))
        return dataclasses.replace(state, stage=following, carry=fresh, warnings=warnings)

    # what a reader sees

    def _metrics(self, state: State, carry: descent.Carry, said: Mapping[str, Array]) -> Metrics:
        stages = self.recipe.stages
        work = [s.updates * s.steps for s in stages]
        done = sum(work[: state.stage]) + int(carry.update) * stages[state.stage].steps
        stage = stages[state.stage]
        metrics: dict[str, float | str] = {
            "stage": f"stage {state.stage + 1} of {len(stages)}: T = {stage.horizon:g} s",
            "progress": done / sum(work),
            "updates": state.updates,
            "loss": float(carry.running),
            "rejected": int(carry.rejections),
        }
        return metrics | {name: float(x) for name, x in said.items()}

    def _history(self, state: State) -> History:
        names = [stage.loss.names for stage in self.recipe.stages]
        every = tuple(dict.fromkeys(name for stage in names for name in stage))
        rows = state.history
        terms = {
            name: np.array([dict(zip(names[int(row[0])], row[2:], strict=True)).get(name, np.nan) for row in rows])
            for name in every
        }
        horizon = np.array([self.recipe.stages[int(row[0])].horizon for row in rows])
        return History(
            np.array([int(row[1]) for row in rows]), horizon, np.array([sum(row[2:]) for row in rows]), terms
        )


def design(recipe: Recipe, *, seed: int = 0) -> Designed:
    """A network and an initial state that do what `recipe` asks: the whole job in one call."""
    return run(Design(recipe), seed)


def _leaves(carry: descent.Carry) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(leaf) for leaf in jax.tree.leaves(carry))


def _size(stage: Stage, skeleton: Model) -> int:
    """Updates in one step of the job: the same for the same stage, so that a run resumes to the same bits."""
    cells = math.prod(skeleton.medium.grid.shape) * len(skeleton.medium.species)
    return max(1, CHUNK // (cells * stage.steps * stage.batch))


def _points(state: State, done: int, terms: Float[np.ndarray, "points terms"]) -> tuple[tuple[float, ...], ...]:
    """Rows of the history; a part of the way on which no update was made has none."""
    at = state.updates + done * (1 + np.arange(len(terms))) // len(terms)
    finite = np.isfinite(terms).all(axis=1)
    return tuple(
        (float(state.stage), float(n), *row.tolist()) for n, row in zip(at[finite], terms[finite], strict=True)
    )
