"""Job 3 in continuous space: from where particles are seen to a learned equation of nu_1(x, t), eqs. (1), (8), (15).

simulate -> maximum entropy at each time -> least squares for all functions -> their smoothness by cross-validation ->
refinement through the whole path -> each function as a constant -> judged on runs that nothing was learned from.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from guldberg.closure.continuous import likelihood, warm
from guldberg.closure.continuous.functional import Functional, Laplacian
from guldberg.closure.continuous.likelihood import Model, Seen
from guldberg.closure.continuous.profile import elements
from guldberg.closure.continuous.warm import Fits
from guldberg.learn.fit import Metrics
from guldberg.reduce import stages
from guldberg.reduce.space import judge, terms
from guldberg.reduce.space.known import Known
from guldberg.reduce.space.plan import Cloud, SpacePlan
from guldberg.reduce.space.result import SpaceReduced
from guldberg.reduce.space.terms import Wanted
from guldberg.reduce.stages import there

STAGES = ("simulate", "static", "warm", "constants", "choose", "refine", "judge")
WORDS = {
    "simulate": "simulating particles",
    "static": "static fits",
    "warm": "least squares",
    "constants": "functions as constants",
    "choose": "cross-validation",
    "refine": "refinement through the path",
    "judge": "held-out runs",
    "done": "done",
}
WORK = {"simulate": 1, "static": 1, "warm": 2, "constants": 4, "choose": 4, "refine": 2, "judge": 2}  # of a unit, about
GROUPS, UNITS = 50, 5  # of runs that intervals rest on, and steps they are simulated in
PENALTIES, FOLDS = (100.0, 1.0, 0.1, 0.01), 2  # of roughness, relative to the size of each function
TRIAL = 8  # iterations, where one learning is one unit
ITERATIONS = 3  # where it takes several
ROUNDS = {"simulate": 2 * UNITS, "constants": 8, "choose": FOLDS * len(PENALTIES), "refine": 5}
ROOM = 1.6  # diffusion may become so many times faster in learning before steps are too long

Counts = Float[np.ndarray, "groups times species *grid"]


class Simulator(Protocol):
    """Mean counts in the cells of a grid, in groups of runs; handed in."""

    def __call__(
        self, start: Sequence[Cloud], *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Counts: ...


@dataclasses.dataclass(frozen=True)
class SpaceState:
    """Where the job stands."""

    seed: int
    stage: str = "simulate"
    unit: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    training: Counts | None = None
    held: Counts | None = None
    fitted: Float[np.ndarray, "times species *grid"] | None = None
    dofs: Float[np.ndarray, "times species dofs"] | None = None
    flat: Float[np.ndarray, "p"] | None = None  # functions constant that are so by the network
    given: bool = False  # whether learning began from the diffusivities of the box
    penalties: tuple[tuple[float, Float[np.ndarray, "groups"]], ...] = ()  # penalty, entropies of a fold
    parameters: Float[np.ndarray, "p"] | None = None
    spread: Float[np.ndarray, "p p"] | None = None  # covariance of `parameters`
    flat_spread: Float[np.ndarray, "p p"] | None = None
    followed: dict[str, Float[np.ndarray, "times species *grid"]] = dataclasses.field(default_factory=dict)  # nu


@dataclasses.dataclass(frozen=True)
class SpaceReduction:
    """The job: `learn.fit.run(SpaceReduction(...), seed)` gives a `SpaceReduced`."""

    plan: SpacePlan
    simulate: Simulator
    more: tuple[Wanted, ...] = ()  # terms of one's own
    state_types = (SpaceState,)

    def init(self, seed: int) -> SpaceState:
        """Nothing simulated yet."""
        return SpaceState(seed)

    def step(self, state: SpaceState) -> tuple[SpaceState, Metrics]:
        """The next unit of work of the stage."""
        after = stages.advanced(state, getattr(self, f"_{state.stage}"), STAGES, self._units)
        return after, {"stage": WORDS[state.stage], "progress": stages.progress(after, STAGES, self._units, WORK)}

    def done(self, state: SpaceState) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: SpaceState) -> SpaceReduced:
        """What was learned, and how far it is from held-out runs; ValueError before it was judged."""
        if state.held is None or state.spread is None or state.parameters is None:
            raise ValueError("nothing has been judged yet")
        assert state.flat is not None and state.flat_spread is not None
        model, known, held = self._model(state), Known.of(self.plan.box, self.plan.grid), self._seen(state, "held")
        densities = {who: np.exp(-nu) for who, nu in state.followed.items()}
        truth = held.mean / held.cell
        errors = {who: judge.rmse(density, truth) for who, density in densities.items()}
        curves = judge.curves(model, state.parameters, state.spread, state.followed["static_floor"], known)
        return SpaceReduced(
            self.plan,
            tuple(f"nu_{name}" for name in self.plan.box.species),
            {**errors, "noise": judge.rmse(truth + judge.noise(held), truth)},
            {who: judge.outside(density, held, self.plan.held_out) for who, density in densities.items()},
            self.times,
            truth,
            densities,
            curves,
            judge.as_constants(model, state.flat, state.flat_spread, curves, self._steady(state), GROUPS),
            tuple((p, float(e.mean())) for p, e in judge.by_penalty(state.penalties).items()),
            state.seconds,
            tuple(self._warnings(state)),
        )

    # stages

    def _simulate(self, state: SpaceState) -> SpaceState:
        """Half of the units for what is learned from, half for what it is judged by."""
        seed = int(np.random.default_rng([state.seed, state.unit]).integers(2**62))
        draw = functools.partial(self.simulate, self.plan.start, times=self.times, seed=seed)
        return stages.simulated(state, draw, (self.plan.runs, self.plan.held_out), GROUPS, UNITS)

    def _static(self, state: SpaceState) -> SpaceState:
        fits = warm.static_fits(elements(self.plan.grid, self.plan.elements), self._seen(state))
        return dataclasses.replace(state, fitted=fits.nu, dofs=fits.dofs)

    def _warm(self, state: SpaceState) -> SpaceState:
        """Every function constant: what differences of noisy fits can tell; where that falls over, what moves
        particles is first taken from the diffusivities of the box."""
        first = self._begun(state, given=False)
        finite = np.isfinite(self._seen(state).entropy(self._nu(self._model(first), there(first.flat))))
        return first if finite else dataclasses.replace(self._begun(state, given=True), given=True)

    def _begun(self, state: SpaceState, *, given: bool) -> SpaceState:
        functional, fits = self._functional(state), Fits(there(state.fitted), there(state.dofs))
        flat = terms.constants(functional)
        moves = np.array([term.operator.moves for term in functional.terms])
        D = np.array([self.plan.box.diffusivity[term.species] for term in functional.terms])
        known, free = ((moves * D) @ flat, flat[moves == 0]) if given else (np.zeros(flat.shape[1]), flat)
        u = warm.least_squares(functional, fits, self._seen(state), free, known)
        return dataclasses.replace(state, flat=np.concatenate([fits.dofs[0].ravel(), u]))

    def _constants(self, state: SpaceState) -> SpaceState:
        """The same through the whole path, whose steps follow what diffusion is found."""
        ask = self._model(state), there(state.flat), self._seen(state), *self._constant(state)
        return dataclasses.replace(state, flat=likelihood.learn(*ask, iterations=ITERATIONS).parameters)

    def _choose(self, state: SpaceState) -> SpaceState:
        fold, penalty = state.unit % FOLDS, PENALTIES[state.unit // FOLDS]
        others = np.arange(GROUPS) % FOLDS != fold
        seen, model, flat = self._seen(state), self._model(state), there(state.flat)
        found = likelihood.learn(model, flat, seen.of(others), *self._smooth(state, penalty), iterations=TRIAL)
        errors = likelihood.entropies(self._nu(model, found.parameters), seen.of(~others))
        return dataclasses.replace(state, penalties=(*state.penalties, (penalty, errors)))

    def _refine(self, state: SpaceState) -> SpaceState:
        begin = state.flat if state.parameters is None else state.parameters
        ask = self._model(state), there(begin), self._seen(state), *self._smooth(state, judge.chosen(state.penalties))
        return dataclasses.replace(state, parameters=likelihood.learn(*ask, iterations=ITERATIONS).parameters)

    def _judge(self, state: SpaceState) -> SpaceState:
        model, seen, span = self._model(state), self._seen(state), self.plan.span
        learned, flat, fitted = there(state.parameters), there(state.flat), there(state.fitted)
        smooth = self._smooth(state, judge.chosen(state.penalties))
        known = Known.of(self.plan.box, self.plan.grid)
        enough = np.array(model.functional.substeps(span, ROOM * max(self.plan.box.diffusivity)))
        mean_field = judge.known_path(known, jnp.asarray(fitted[0]), span, len(fitted), enough)
        return dataclasses.replace(
            state,
            spread=likelihood.covariance(model, learned, seen, *smooth),
            flat_spread=likelihood.covariance(model, flat, seen, *self._constant(state)),
            followed={
                "learned": self._nu(model, learned),
                "constants": self._nu(model, flat),
                "mean_field": np.asarray(mean_field),
                "static_floor": fitted,
            },
        )

    # what a stage works on

    @property
    def times(self) -> Float[np.ndarray, "times"]:
        return np.linspace(0.0, self.plan.time, self.plan.snapshots)

    def _units(self, stage: str) -> int:
        return ROUNDS.get(stage, 1)

    def _seen(self, state: SpaceState, name: str = "training") -> Seen:
        counts = there(getattr(state, name))
        return Seen(counts, self.plan.span, self.plan.box.volume / counts[0, 0, 0].size)

    def _functional(self, state: SpaceState) -> Functional:
        """F = 0."""
        wanted = (*terms.standard(self.plan.box.network), *self.more)
        return terms.blank(wanted, there(state.fitted), self.plan.grid, self.plan.function)

    def _model(self, state: SpaceState) -> Model:
        functional, flat = self._functional(state), there(state.flat)
        sizes = terms.means(functional, flat[-len(functional.coefficients) :])
        moving = [isinstance(term.operator, Laplacian) for term in functional.terms]
        fastest = max(*self.plan.box.diffusivity, *np.abs(sizes[moving]).tolist())
        substeps = functional.substeps(self.plan.span, ROOM * fastest)
        return Model(functional, elements(self.plan.grid, self.plan.elements), np.array(substeps))

    def _smooth(self, state: SpaceState, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """What all parameters are penalised by, in nats per run, and that they all are free."""
        functional, flat = self._functional(state), there(state.flat)
        u = flat[-len(functional.coefficients) :]
        rough = terms.roughness(functional, terms.means(functional, u))
        free = np.zeros((len(flat) - len(u),) * 2)
        return np.asarray(scipy.linalg.block_diag(free, penalty * rough)), np.eye(len(flat))

    def _constant(self, state: SpaceState) -> tuple[np.ndarray, np.ndarray]:
        """Functions that are constants by the network are kept so; the others are as free as any."""
        functional, stiffness, free = self._functional(state), *self._smooth(state, PENALTIES[-1])
        flat = terms.constants(functional)
        parts = [
            flat[i : i + 1, term] if constant else np.eye(term.stop - term.start)
            for i, (term, constant) in enumerate(zip(terms.places(functional), self._steady(state), strict=True))
        ]
        return stiffness, np.asarray(scipy.linalg.block_diag(np.eye(len(free) - flat.shape[1]), *parts))

    def _steady(self, state: SpaceState) -> list[bool]:
        return judge.steady(self._functional(state), there(state.fitted), Known.of(self.plan.box, self.plan.grid))

    def _nu(self, model: Model, parameters: Float[np.ndarray, "p"]) -> Float[np.ndarray, "times species *grid"]:
        shape = self.plan.snapshots, len(self.plan.box.species), self.plan.span
        return np.asarray(likelihood.followed(model, jnp.asarray(parameters), *shape))

    def _warnings(self, state: SpaceState) -> list[str]:
        if state.given:
            return [
                "Differences of snapshots were too noisy to begin from: learning began from the given diffusivities."
            ]
        return []
