"""The job design: chunks of updates, stage after stage; State is arrays, so that it resumes to the same bits."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from guldberg.design import measure
from guldberg.design.model import Model
from guldberg.design.objective import objective
from guldberg.design.recipe import Recipe, Stage
from guldberg.design.result import Designed, History
from guldberg.learn import descent, parameters
from guldberg.learn.fit import Metrics, run
from guldberg.rollout import rollout

CHUNK = 64 * 64 * 4 * 32 * 250  # cells x species x steps x updates in one step of the job: about a second
POINTS = 5  # of the history, in one step of the job
LOST = 50  # updates refused in a row: no more will come


@dataclasses.dataclass(frozen=True)
class State:
    """Between two chunks of updates."""

    seed: int
    stage: int
    carry: tuple[np.ndarray, ...]  # the leaves of a `descent.Carry`
    updates: int = 0  # in all stages
    history: tuple[tuple[float, ...], ...] = ()  # stage, updates, then each term of that stage's loss
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Design:
    """The job: `learn.fit.run(Design(recipe), seed)` gives a `Designed`."""

    recipe: Recipe
    state_types = (State,)

    def init(self, seed: int = 0) -> State:
        """The first stage, before its first update."""
        return State(seed, 0, _leaves(descent.begin(self.recipe.stages[0].descent, self.skeleton(seed, 0))))

    def step(self, state: State) -> tuple[State, Metrics]:
        """A chunk of updates; at the end of a stage also the passage to the next. ArithmeticError where the very first
        state cannot be simulated."""
        stage = self.recipe.stages[state.stage]
        before = self._carry(state)
        count = min(_chunk(stage, self.skeleton(state.seed, state.stage)), stage.updates - int(before.update))
        carry, terms, r = self._compiled(state.seed, state.stage)(before, count)
        done = int(carry.update) - int(before.update)
        history = state.history + _points(state, done, np.asarray(terms, float))
        after = dataclasses.replace(state, carry=_leaves(carry), updates=state.updates + done, history=history)
        metrics = self._metrics(after, carry, r)
        return self._passed(after, carry), metrics

    def done(self, state: State) -> bool:
        """Whether the State is final."""
        return state.stage == len(self.recipe.stages)

    def result(self, state: State) -> Designed:
        """The best point of the stage reached, measured in short steps; ValueError before the first update."""
        if not state.updates:
            raise ValueError("no update has been made yet")
        recipe, index = self.recipe, min(state.stage, len(self.recipe.stages) - 1)
        carry, skeleton, stage = self._carry(state), self.skeleton(state.seed, index), recipe.stages[index]
        best = self.best(state)
        z = recipe.z(jax.random.fold_in(jax.random.key(state.seed), 0))
        c0, dt, stepper = eqx.filter_jit(best.start)(z), recipe.evaluation_dt, recipe.evaluation_stepper
        ts = measure.times(stage.horizon, dt)
        states = measure.follow(best.medium, c0, ts, dt=dt, stepper=stepper, key=jax.random.key(state.seed))
        return Designed(
            recipe=recipe,
            behaviour=recipe.behaviour,
            system=best.medium,
            initial=parameters.resolve(skeleton).medium,
            start=best.start,
            z=np.asarray(z),
            c0=np.asarray(c0),
            decoder=best.decoder,
            stepper=stage.stepper,
            dt=stage.dt,
            horizon=stage.horizon,
            evaluation_stepper=stepper,
            evaluation_dt=dt,
            target=recipe.target,
            loss=float(carry.best_loss),
            updates=state.updates,
            history=self._history(state),
            metrics=measure.metrics(recipe.judge, best, z, ts, states),
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
        return _skeleton(self.recipe, seed, stage)

    # the optimisation

    def _carry(self, state: State) -> descent.Carry:
        index = min(state.stage, len(self.recipe.stages) - 1)
        like = descent.begin(self.recipe.stages[index].descent, self.skeleton(state.seed, index))
        return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaf) for leaf in state.carry])

    def _compiled(self, seed: int, stage: int) -> Callable[[descent.Carry, int], Any]:
        return _chunk_of(self.recipe, seed, stage)

    def _passed(self, state: State, carry: descent.Carry) -> State:
        """On to the next stage, from the best point, if this one is at its end."""
        stage = self.recipe.stages[state.stage]
        lost, tired = int(carry.refused) >= LOST, int(carry.waited) >= (stage.descent.give_up or math.inf)
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
                f"updates: {LOST} in a row led to losses that are not finite or jump; the best point is kept",
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


@functools.lru_cache(maxsize=8)
def _skeleton(recipe: Recipe, seed: int, stage: int) -> Model:
    if stage == 0:
        return recipe.build(jax.random.fold_in(jax.random.key(seed), 1))
    before, enter = _skeleton(recipe, seed, stage - 1), recipe.stages[stage].enter
    return before if enter is None else enter(before)


@functools.lru_cache(maxsize=2)
def _chunk_of(recipe: Recipe, seed: int, index: int) -> Callable[[descent.Carry, int], Any]:
    """`count` updates of a stage, compiled: the Carry after them, the mean terms at POINTS of the way, and what the
    judge says of X_T of the best model."""
    stage, skeleton = recipe.stages[index], _skeleton(recipe, seed, index)
    still = eqx.filter(skeleton, parameters.learned(skeleton), inverse=True)
    root = jax.random.fold_in(jax.random.key(seed), 2 + index)
    wanted = objective(recipe, stage)

    def loop(carry: descent.Carry, count: Int[Array, ""]):
        def going(at):
            i, carry, _, _ = at
            patient = carry.waited < (stage.descent.give_up or jnp.iinfo(jnp.int32).max)
            return (i < count) & (carry.refused < LOST) & patient

        def one(at):
            i, carry, sums, seen = at
            share = carry.update.astype(jnp.float32) / stage.updates
            key = jax.random.fold_in(root, carry.update)
            own = lambda model, key: wanted(model, share, key)  # noqa: E731
            after, terms = descent.update(stage.descent, own, still, stage.updates, carry, key)
            after = _renewed(stage, still, after, key)
            place = i * POINTS // count
            counted = after.refused == 0
            sums = sums.at[place].add(jnp.where(counted, terms.astype(jnp.float32), 0))
            return i + 1, after, sums, seen.at[place].add(counted.astype(jnp.float32))

        nothing = jnp.zeros((POINTS, len(stage.loss.losses)), jnp.float32), jnp.zeros(POINTS, jnp.float32)
        _, carry, sums, seen = jax.lax.while_loop(going, one, (jnp.asarray(0, jnp.int32), carry, *nothing))
        return carry, sums / seen[:, None], look(carry.best)

    def look(best: Any) -> Mapping[str, Float[Array, ""]]:
        model = parameters.resolve(eqx.combine(best, still))
        z = recipe.z(jax.random.fold_in(jax.random.key(seed), 0))
        c0 = model.start(z)
        seen = rollout(model.medium, c0, steps=stage.steps, dt=stage.dt, stepper=stage.stepper, key=root)
        return recipe.judge(model, z, c0, seen.values[-1])

    compiled = jax.jit(loop)
    return lambda carry, count: compiled(carry, jnp.asarray(count, jnp.int32))


def _renewed(stage: Stage, still: Any, carry: descent.Carry, key: Key[Array, ""]) -> descent.Carry:
    if stage.renew is None:
        return carry
    renew = stage.renew

    def change(moving: Any) -> Any:
        model = renew.change(eqx.combine(moving, still), jax.random.fold_in(key, 1))
        return eqx.filter(model, parameters.learned(model))

    due = carry.update % renew.every == 0
    return carry._replace(model=jax.lax.cond(due, change, lambda moving: moving, carry.model))


def _leaves(carry: descent.Carry) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(leaf) for leaf in jax.tree.leaves(carry))


def _chunk(stage: Stage, skeleton: Model) -> int:
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
