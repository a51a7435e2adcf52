"""Job 3 on a chain of one species: from simulated lattices to a learned ODE of (b, J, K), eqs. (37), (38).

simulate -> static fits -> what the rules alone say -> penalty by cross-validation -> least squares -> refinement
through the whole rollout -> every closure on held-out simulations -> starts outside the trained region -> where asked
for, hidden layers and the paper's own recipe on the same data.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int8
from scipy.spatial import KDTree

from guldberg.closure.chain import Chain
from guldberg.closure.events import Process, processes
from guldberg.closure.graphical import PAIRS, TRIPLETS
from guldberg.closure.regression import Solved
from guldberg.closure.rhs import AbstractLinearFamily, AbstractRightHandSide
from guldberg.learn.fit import Metrics
from guldberg.reduce import ablation, baselines, learn, stages
from guldberg.reduce.baselines import Held
from guldberg.reduce.hidden import LAYERS, learned
from guldberg.reduce.learn import Lesson, ReducedModel
from guldberg.reduce.plan import ChainPlan
from guldberg.reduce.result import Beyond, ChainReduced, Errors, Slice

STAGES = ("simulate", "static", "prior", "choose", "refine", "judge", "outside", "layers", "recipes")
WORDS = {
    "simulate": "simulating lattices",
    "static": "static fits",
    "prior": "what the rules alone say",
    "choose": "cross-validation",
    "refine": "refinement through the rollout",
    "judge": "every closure on held-out simulations",
    "outside": "starts outside the trained region",
    "layers": "hidden layers",
    "recipes": "the paper's recipe, one change at a time",
    "done": "done",
}
WORK = {  # of a unit, about
    "simulate": 1, "static": 8, "prior": 8, "choose": 4, "refine": 4, "judge": 6, "outside": 3, "layers": 20,
    "recipes": 60,
}  # fmt: skip
K = len(TRIPLETS.names)
TRIED = 2  # folds that a penalty is tried on: more cost more than they tell
BASELINES = 7
POORER = {"b": baselines.MEAN_FIELD, "b, J": PAIRS}  # energies with less in them than what is learned
BATCH = 10  # held-out starts simulated in a step
ITERATIONS, ROUNDS = 10, 3  # of the refinement: in a step, and steps
WIDER = 1.6  # the cube of the starts outside, in widths of the trained one
RESOLUTION = 48  # of a plane through the right-hand sides
NOTHING = "nothing moves, F = 0"
BEYOND = 0.05  # of the width of the starts learned from: room for the gap that few points leave at the sides
NEAR = 0.5  # of a static fit: what counts as the trained region there

Moments = Float[np.ndarray, "starts times 4"]
Made = TypeVar("Made")


class Simulator(Protocol):
    """Mean counts of 1, 2, 3, 4 particles in a row on chains drawn from (b, J, K); handed in."""

    def __call__(self, starts: Float[np.ndarray, "starts 3"], *, lattices: int, steps: int, seed: int) -> Moments: ...

    def states(
        self, starts: Float[np.ndarray, "starts 3"], *, lattices: int, steps: int, seed: int
    ) -> Int8[np.ndarray, "starts times lattices sites"]:
        """The chains themselves."""
        ...


@dataclasses.dataclass(frozen=True)
class ChainState:
    """Where the job stands."""

    seed: int
    stage: str = "simulate"
    unit: int = 0  # of the stage
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)  # by stage; all else follows from the seed
    starts: Float[np.ndarray, "starts k"] | None = None
    training: Moments | None = None
    held_starts: Float[np.ndarray, "held k"] | None = None
    held: Moments | None = None
    noise: Moments | None = None  # of `held`: half the difference of two halves
    fits: Float[np.ndarray, "starts times k"] | None = None
    prior: Float[np.ndarray, "dofs k"] | None = None
    penalties: tuple[tuple[float, int, float], ...] = ()  # (penalty, fold, excess entropy)
    coefficients: Float[np.ndarray, "dofs k"] | None = None
    modelled: dict[str, Moments] = dataclasses.field(default_factory=dict)
    thetas: Float[np.ndarray, "held times k"] | None = None  # of the learned closure
    left: Bool[np.ndarray, "held times"] | None = None  # where it was outside
    per_start: float = np.nan  # seconds
    beyond: Beyond | None = None
    layers: dict[str, tuple[Moments, Moments]] = dataclasses.field(default_factory=dict)  # static floor, learned
    recipes: dict[str, Moments] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ChainReduction:
    """The job: `learn.fit.run(ChainReduction(...), seed)` gives a `ChainReduced`.

    `brought` are moments of starts that a user has, in place of simulations; the last of them are held out.
    """

    plan: ChainPlan
    simulate: Simulator
    brought: Moments | None = None
    memory: dict[tuple[str, int], Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    state_types = (ChainState, Beyond)

    def init(self, seed: int) -> ChainState:
        """Nothing simulated yet."""
        return ChainState(seed)

    def step(self, state: ChainState) -> tuple[ChainState, Metrics]:
        """The next unit of work of the stage."""
        after = stages.advanced(state, getattr(self, f"_{state.stage}"), STAGES, self._units)
        told = stages.progress(after, STAGES, self._units, WORK)
        return after, {"stage": WORDS[state.stage], "progress": told}

    def done(self, state: ChainState) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: ChainState) -> ChainReduced:
        """The closure and its errors; ValueError before it was judged."""
        if state.thetas is None or state.held is None or state.fits is None or state.training is None:
            raise ValueError("no closure has been judged yet")
        wrong, errors = partial(self._error, state), self._errors(state)
        return ChainReduced(
            self.plan,
            TRIPLETS.names,
            {who: table for who, table in errors.items() if who not in POORER},
            {name: table for name, table in errors.items() if name in POORER},
            state.training,
            state.held,
            state.modelled["learned"],
            state.thetas,
            state.fits,
            self._slices(state),
            tuple((f"{penalty:.3g}", error) for penalty, error in _by_penalty(state.penalties).items()),
            state.beyond,
            {name: tuple(map(wrong, pair)) for name, pair in state.layers.items()},
            {name: wrong(moments) for name, moments in state.recipes.items()},
            state.seconds,
            state.per_start,
            state.seconds.get("simulate", np.nan) / self._simulated,
            tuple(self._warnings(state)),
        )

    # stages

    def _simulate(self, state: ChainState) -> ChainState:
        plan = self.plan
        if self.brought is not None:
            training, held = self.brought[: -plan.held_out], self.brought[-plan.held_out :]
            return dataclasses.replace(state, training=training, held=held)
        if state.unit == 0:
            starts = self._drawn(plan.starts, state.seed, 0)
            moments = self.simulate(starts, lattices=plan.lattices, steps=plan.steps, seed=self._seed(state))
            held = self._drawn(plan.held_out, state.seed, 1)
            return dataclasses.replace(state, starts=starts, training=moments, held_starts=held)
        assert state.held_starts is not None
        some = state.held_starts[BATCH * (state.unit - 1) : BATCH * state.unit]
        ask = {"lattices": plan.truth // 2, "steps": plan.steps}
        first, second = (self.simulate(some, **ask, seed=self._seed(state) + i) for i in (0, 1))
        return dataclasses.replace(
            state,
            held=stages.grown(state.held, (first + second) / 2),
            noise=stages.grown(state.noise, (first - second) / 2),
        )

    def _static(self, state: ChainState) -> ChainState:
        assert state.training is not None
        guess = np.zeros((len(state.training), K)) if state.starts is None else state.starts
        fits = learn.static_fits(self.chain, jnp.asarray(state.training[..., :K]), jnp.asarray(guess))
        thetas = np.asarray(fits.thetas)
        return dataclasses.replace(state, fits=thetas, starts=thetas[:, 0] if state.starts is None else state.starts)

    def _prior(self, state: ChainState) -> ChainState:
        assert state.fits is not None
        prior = learn.from_rules(self.chain, self._rules, state.fits, rhs=self.plan.rhs)
        return dataclasses.replace(state, prior=np.asarray(prior.coefficients))

    def _choose(self, state: ChainState) -> ChainState:
        fold, tried = len(state.penalties) % TRIED, state.penalties
        penalty = tried[-1][0] if fold else learn.further(_by_penalty(tried))
        if penalty is None:
            return state
        error = learn.held_out(self._lesson(state), penalty, fold)
        return dataclasses.replace(state, penalties=(*state.penalties, (penalty, fold, error)))

    def _refine(self, state: ChainState) -> ChainState:
        lesson, penalty = self._lesson(state), _best(state.penalties)
        warm = self._once("warm", state.seed, lambda: learn.warm_start(lesson, penalty))
        u = warm.coefficients if state.coefficients is None else state.coefficients
        refined = learn.refine(lesson, Solved(u, warm.factors), penalty, iterations=ITERATIONS)
        return dataclasses.replace(state, coefficients=refined.coefficients)

    def _judge(self, state: ChainState) -> ChainState:
        """The learned closure first, then each of the others."""
        if state.unit == 0:
            return self._judged(state)
        name, make = list(self._baselines(state).items())[state.unit - 1]
        predicted = make().predict(self._judge_by(state))
        return dataclasses.replace(state, modelled={**state.modelled, name: predicted})

    def _judged(self, state: ChainState) -> ChainState:
        model, starts = self._model(state), self._held_starts(state)
        thetas, moments, off = _followed(model, jnp.asarray(starts), self.plan.steps)
        left = np.asarray(off) | self._strange(state, starts)[:, None]
        began = time.perf_counter()
        jax.block_until_ready(_followed(model, jnp.asarray(starts), self.plan.steps))
        spent = (time.perf_counter() - began) / len(starts)
        modelled = {"learned": np.asarray(moments)}
        return dataclasses.replace(state, thetas=np.asarray(thetas), left=left, modelled=modelled, per_start=spent)

    def _outside(self, state: ChainState) -> ChainState:
        plan = self.plan
        starts = self._around(plan.outside, state.seed)
        truth = self.simulate(starts, lattices=plan.lattices, steps=plan.steps, seed=self._seed(state))
        _, moments, off = _followed(self._model(state), jnp.asarray(starts), plan.steps)
        warned = np.any(np.asarray(off), axis=1) | self._strange(state, starts)
        error = np.sqrt(((np.asarray(moments) - truth) ** 2).mean(axis=1)) * 1000 / plan.lattice.sites
        return dataclasses.replace(state, beyond=Beyond(starts, error, warned))

    def _layers(self, state: ChainState) -> ChainState:
        """The next hidden layer: the best at each step, and what is learned."""
        assert state.starts is not None and state.training is not None
        layer, held = LAYERS[state.unit], self._judge_by(state)
        known = Held(self.chain, state.starts, state.training)
        model = learned(layer, known, self._rules)
        both = layer.floor(held), model.predict(held)
        return dataclasses.replace(state, layers={**state.layers, layer.name: both})

    def _recipes(self, state: ChainState) -> ChainState:
        """The next way to follow Algorithm 1, from F = 0, which is the first."""
        assert state.starts is not None and state.fits is not None
        rhs: AbstractLinearFamily = ablation.nothing(state.fits)
        name = NOTHING
        if state.unit:
            recipe = ablation.recipes(self.chain)[state.unit - 1]
            name, key = recipe.name, jax.random.key(state.seed)
            rhs = ablation.run(recipe, rhs, self.chain, state.starts, self._states(state), key=key)
        starts = jnp.asarray(self._held_starts(state))
        _, moments, _ = _followed(ReducedModel(self.chain, rhs), starts, self.plan.steps)
        return dataclasses.replace(state, recipes={**state.recipes, name: np.asarray(moments)})

    # what a stage works on

    @property
    def chain(self) -> Chain:
        """The distribution: exact moments by transfer matrices."""
        lattice = self.plan.lattice
        return Chain(TRIPLETS, lattice.sites, periodic=lattice.periodic)

    @property
    def _rules(self) -> tuple[Process, ...]:
        """The network as what can happen to a few sites in a step."""
        lattice = self.plan.lattice
        return processes(lattice.network, hop=lattice.hop, dt=lattice.dt)

    def _baselines(self, state: ChainState) -> dict[str, Callable[[], baselines.Baseline]]:
        """What a physicist would try first, by the outside names; rates are fitted to the training starts."""
        sites, ends = self.plan.lattice.sites, {"periodic": self.plan.lattice.periodic}
        assert state.starts is not None and state.training is not None
        known = self.chain, state.starts, state.training
        return {
            "projection": lambda: baselines.projection(sites, self._rules, **ends),
            "pair_closure": lambda: baselines.fitted(baselines.pair_closure(sites, self._rules, **ends), *known),
            "pair_closure_unfitted": lambda: baselines.pair_closure(sites, self._rules, **ends),
            "mean_field": lambda: baselines.fitted(baselines.mean_field(sites, self._rules, **ends), *known),
            "static_floor": lambda: baselines.StaticFloor("static floor", self.chain),
            **{
                name: partial(baselines.StaticFloor, name, Chain(energy, sites, **ends))
                for name, energy in POORER.items()
            },
        }

    @property
    def _simulated(self) -> int:
        """Lattices, of training and held-out starts."""
        plan = self.plan
        return plan.starts * plan.lattices + plan.held_out * plan.truth

    def _lesson(self, state: ChainState) -> Lesson:
        assert state.training is not None and state.starts is not None and state.fits is not None
        training, starts, fits = state.training, state.starts, state.fits
        return self._once(
            "lesson", state.seed, lambda: Lesson.of(self.chain, self._family(state), starts, training[..., :K], fits)
        )

    def _family(self, state: ChainState) -> AbstractLinearFamily:
        assert state.fits is not None and state.prior is not None
        return learn.nothing(state.fits, rhs=self.plan.rhs).having(jnp.asarray(state.prior))

    def _model(self, state: ChainState) -> ReducedModel:
        assert state.coefficients is not None
        return ReducedModel(self.chain, self._family(state).having(jnp.asarray(state.coefficients)))

    def _once(self, name: str, seed: int, make: Callable[[], Made]) -> Made:
        """What follows from the seed alone, and takes seconds to make."""
        if (name, seed) not in self.memory:
            self.memory[name, seed] = make()
        return self.memory[name, seed]

    def _states(self, state: ChainState) -> Int8[np.ndarray, "starts times lattices sites"]:
        """As many chains of each training start as Algorithm 1 looks at, as far as its window goes."""
        starts, batch = np.asarray(state.starts), ablation.PAPER.batch
        steps, seed = min(ablation.LAST, self.plan.steps), int(np.random.default_rng([state.seed, 3]).integers(2**62))
        make = partial(self.simulate.states, starts, lattices=batch, steps=steps, seed=seed)
        return self._once("states", state.seed, make)

    def _judge_by(self, state: ChainState) -> Held:
        assert state.held is not None
        return Held(self.chain, self._held_starts(state), state.held)

    def _held_starts(self, state: ChainState) -> Float[np.ndarray, "held k"]:
        if state.held_starts is not None:
            return state.held_starts
        assert state.held is not None
        first = jnp.asarray(state.held[:, :1, :K])
        return np.asarray(learn.static_fits(self.chain, first, jnp.zeros((len(first), K))).thetas)[:, 0]

    def _strange(self, state: ChainState, starts: Float[np.ndarray, "starts k"]) -> Bool[np.ndarray, "starts"]:
        """Which starts lie outside the box of those learned from, by more than chance would have it."""
        assert state.starts is not None
        low, high = state.starts.min(axis=0), state.starts.max(axis=0)
        room = BEYOND * (high - low)
        return np.asarray(((starts < low - room) | (starts > high + room)).any(axis=1))

    def _drawn(self, count: int, *words: int) -> Float[np.ndarray, "starts k"]:
        plan = self.plan
        return np.random.default_rng(words).uniform(plan.low, plan.high, (count, K))

    def _around(self, count: int, seed: int) -> Float[np.ndarray, "starts k"]:
        """Starts in a wider cube, those within the trained one left out."""
        plan = self.plan
        middle, half = (plan.low + plan.high) / 2, (plan.high - plan.low) / 2
        points = np.random.default_rng([seed, 2]).uniform(-WIDER, WIDER, (100 * (count + 1), K))
        return middle + half * points[(np.abs(points) > 1).any(axis=1)][:count]

    def _seed(self, state: ChainState) -> int:
        words = np.random.SeedSequence([state.seed, STAGES.index(state.stage), state.unit]).generate_state(2)
        return int(words[0]) << 24 | int(words[1]) >> 8

    def _units(self, stage: str) -> int:
        own = self.brought is None
        return {
            "simulate": 1 + (-(-self.plan.held_out // BATCH) if own else 0), "static": 1, "prior": 1,
            "choose": TRIED * learn.TRIES, "refine": ROUNDS, "judge": 1 + BASELINES,
            "outside": int(own and self.plan.outside > 0), "layers": len(LAYERS) if self.plan.layers else 0,
            "recipes": 1 + len(ablation.recipes(self.chain)) if self.plan.recipe else 0,
        }[stage]  # fmt: skip

    # what comes out

    def _errors(self, state: ChainState) -> Errors:
        assert state.held is not None
        ways = dict(state.modelled)
        if state.noise is not None:
            ways["noise"] = state.held + state.noise
        return {who: self._error(state, moments) for who, moments in ways.items()}

    def _error(self, state: ChainState, moments: Moments) -> Float[np.ndarray, "orders times"]:
        """Root mean square over the held-out starts, counts per 1000 sites."""
        miss = (moments - np.asarray(state.held)) * 1000 / self.plan.lattice.sites
        return np.sqrt((miss**2).mean(axis=0)).T

    def _slices(self, state: ChainState) -> tuple[Slice, ...]:
        """Planes through the middle of the static fits."""
        assert state.fits is not None
        points, elements = state.fits.reshape(-1, K), self._model(state).rhs
        low, high, middle = points.min(axis=0), points.max(axis=0), np.median(points, axis=0)
        near, planes = KDTree(points), []
        for i, j in ((0, 1), (0, 2), (1, 2)):
            x, y = (np.linspace(low[a], high[a], RESOLUTION) for a in (i, j))
            grid = np.broadcast_to(middle, (RESOLUTION, RESOLUTION, K)).copy()
            grid[..., i], grid[..., j] = x[None], y[:, None]
            values = np.asarray(_field(elements, jnp.asarray(grid)))
            far = near.query(grid)[0] > NEAR
            values = np.where(far[..., None], np.nan, values)
            planes.append(Slice((TRIPLETS.names[i], TRIPLETS.names[j]), x, y, np.moveaxis(values, -1, 0)))
        return tuple(planes)

    def _warnings(self, state: ChainState) -> list[str]:
        said: list[str] = []
        if state.left is not None and state.left.any():
            count, first = int(state.left.any(axis=1).sum()), int(np.flatnonzero(state.left.any(axis=0))[0])
            said.append(
                f"{count} of {len(state.left)} held-out starts are outside the region that the closure was learned in, "
                f"the first of them at step {first}: what it says of them from there on is a guess."
            )
        if state.beyond is not None and not state.beyond.warned.all():
            silent = int((~state.beyond.warned).sum())
            said.append(f"{silent} of {len(state.beyond.warned)} starts outside the trained cube got no warning.")
        ways = {
            "the learned closure": state.modelled.get("learned"),
            **{n: both[1] for n, both in state.layers.items()},
        }
        said += [_ran_away(name, moments) for name, moments in {**ways, **state.recipes}.items()]
        return [line for line in said if line]


@eqx.filter_jit
def _followed(
    model: ReducedModel, starts: Float[Array, "starts k"], steps: int
) -> tuple[Float[Array, "starts times k"], Float[Array, "starts times 4"], Bool[Array, "starts times"]]:
    thetas = jax.vmap(lambda theta: model.simulate(theta, steps))(starts)
    return thetas, model.moments(thetas), jax.vmap(model.outside)(thetas)


@eqx.filter_jit
def _field(rhs: AbstractRightHandSide, grid: Float[Array, "rows columns k"]) -> Float[Array, "rows columns k"]:
    return jax.vmap(jax.vmap(rhs))(grid)


def _ran_away(name: str, moments: Moments | None) -> str:
    """What is told of a closure that has no moments to the end; "" of one that has."""
    if moments is None or np.isfinite(moments).all():
        return ""
    starts, steps, _ = np.nonzero(~np.isfinite(moments))
    return (
        f"{name}: what was learned ran to infinity in {len(set(starts))} of {len(moments)} held-out starts, first at "
        f"step {steps.min()}; there are no figures from there on. Learn from more starts."
    )


def _by_penalty(tried: tuple[tuple[float, int, float], ...]) -> dict[float, float]:
    """The mean excess entropy over the folds."""
    return {
        penalty: float(np.mean([error for p, _, error in tried if p == penalty]))
        for penalty in dict.fromkeys(p for p, _, _ in tried)
    }


def _best(tried: tuple[tuple[float, int, float], ...]) -> float:
    errors = _by_penalty(tried)
    return min(errors, key=lambda penalty: errors[penalty])
