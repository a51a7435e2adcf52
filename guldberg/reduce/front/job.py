"""Job 3 with a front: from where particles of A and B are, and how far from one another, to learned equations of
nu_A(x, t), nu_B(x, t) and nu_AB(r, t), eqs. (1), (8), (15).

simulate -> maximum entropy at each time -> all functions through the whole path, in the potentials of mean force, as
curves and as constants -> nu along it -> judged on runs that nothing was learned from, beside theories.
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

from guldberg.closure.continuous import likelihood
from guldberg.closure.continuous.counted import Counted, Path, closer, moments
from guldberg.closure.continuous.likelihood import Model
from guldberg.closure.continuous.sampled import Sample, precision
from guldberg.closure.continuous.unlike import bare
from guldberg.learn.fit import Metrics
from guldberg.reduce import stages
from guldberg.reduce.front import judge, terms
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.front.result import FrontReduced, Gas
from guldberg.reduce.pairs.job import Sampled, joined
from guldberg.reduce.space.plan import Cloud
from guldberg.reduce.space.terms import constants, means, roughness
from guldberg.reduce.stages import there

STAGES = ("simulate", "static", "constants", "learn", "judge")
WORDS = {
    "simulate": "simulating particles",
    "static": "static fits",
    "constants": "functions as constants",
    "learn": "functions through the path",
    "judge": "interactions along the path",
    "done": "done",
}
WORK = {"simulate": 2, "static": 2, "constants": 5, "learn": 20, "judge": 2}  # of a unit, about
GROUPS, UNITS = 50, 5  # of runs that intervals rest on, and steps they are simulated in
NEWTON = (1, 2, 4)  # times the sweeps, in steps of a fit of nu
STIFF, SOFT = 0.3, 0.01  # of second differences of nu: where moments are counted, where they are learned
PENALTY = 0.01  # of the roughness of functions relative to their sizes, nats per run
ITERATIONS = 15
BURN = 60  # sweeps that are not counted
APART = 2  # standard errors of held-out runs, at which eq. (1) is no longer what the functions say

Counts = Float[np.ndarray, "groups times 3 points"]


class Simulator(Protocol):
    """Mean counts in groups of runs: particles of each species by cell, pairs of unlike ones by shell."""

    def __call__(
        self, start: Sequence[Cloud], *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Counts: ...


class Chains(Protocol):
    """Moments of exp(-nu_A - nu_B - nu_AB), sampled."""

    def __call__(
        self, nu: Float[np.ndarray, "3 points"], *, chains: int, sweeps: int, burn: int, seed: int
    ) -> Sample: ...


@dataclasses.dataclass(frozen=True)
class FrontState:
    """Where the job stands."""

    seed: int
    stage: str = "simulate"
    unit: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    training: Counts | None = None
    held: Counts | None = None
    fitted: Sampled | None = None  # at each time by itself, so far
    flat: Float[np.ndarray, "p"] | None = None  # all functions constant
    parameters: Float[np.ndarray, "p"] | None = None
    gains: tuple[float, ...] = ()  # of penalised entropy in each step, nats per run
    final: Sampled | None = None  # along the learned path, so far


@dataclasses.dataclass(frozen=True)
class FrontReduction:
    """The job: `learn.fit.run(FrontReduction(...), seed)` gives a `FrontReduced`."""

    plan: FrontPlan
    simulate: Simulator
    chains: Chains
    state_types = (FrontState, Sampled)

    def init(self, seed: int) -> FrontState:
        """Nothing simulated yet."""
        return FrontState(seed)

    def step(self, state: FrontState) -> tuple[FrontState, Metrics]:
        """The next unit of work of the stage."""
        after = stages.advanced(state, getattr(self, f"_{state.stage}"), STAGES, self._units)
        return after, {"stage": WORDS[state.stage], "progress": stages.progress(after, STAGES, self._units, WORK)}

    def done(self, state: FrontState) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: FrontState) -> FrontReduced:
        """What was learned, and how far it is from held-out runs; ValueError before it was judged."""
        if state.final is None or state.held is None or state.fitted is None:
            raise ValueError("nothing has been judged yet")
        model, parameters, flat = self._model, there(state.parameters), there(state.flat)
        held, fields = judge.seen(self.plan, state.held), self._followed(parameters)
        gases = {
            "learned": judge.read(self.plan, fields),
            "constants": judge.read(self.plan, self._followed(flat)),
            "distribution": judge.sampled(self.plan, state.final.mean, state.final.error),
            "static_floor": judge.sampled(self.plan, state.fitted.mean, state.fitted.error),
        }
        theories = terms.theories(self.plan)
        gases |= {who: judge.read(self.plan, terms.followed(self.plan, c)) for who, c in theories.items()}
        seen, n = self._counted(state), len(self._begin) - len(model.functional.coefficients)
        spread = likelihood.covariance(model, parameters, seen, *self._smooth)[n:, n:]
        flat_spread = likelihood.covariance(model, flat, seen, *self._constant)[n:, n:]
        curves = judge.curves(self.plan, model.split(jnp.asarray(parameters), 3)[1], spread, fields)
        return FrontReduced(
            self.plan,
            self.plan.times,
            held,
            gases,
            {who: judge.outside(gas, held, self.plan.held_out) for who, gas in gases.items()},
            state.final.path,
            state.fitted.path,
            curves,
            judge.constants(model.functional, flat[n:], flat_spread, curves, GROUPS),
            state.gains,
            state.seconds,
            tuple(self._warnings(gases["learned"], gases["distribution"], held)),
        )

    # stages

    def _simulate(self, state: FrontState) -> FrontState:
        """Half of the units for what is learned from, half for what it is judged by."""
        draw = functools.partial(self.simulate, self.plan.start, times=self.plan.times, seed=stages.seed(state, STAGES))
        return stages.simulated(state, draw, (self.plan.runs, self.plan.held_out), GROUPS, UNITS)

    def _static(self, state: FrontState) -> FrontState:
        """One time, from the fit of the time before, moved as nu moves to first order by the equation of a pair."""
        k, before = state.unit, state.fitted
        first = self._bare(k) if before is None else before.path[-1] + self._bare(k) - self._bare(k - 1)
        seen = there(state.training).mean(axis=0)[k].ravel()
        return dataclasses.replace(state, fitted=joined(before, self._matched(first, seen, STIFF, state)))

    def _constants(self, state: FrontState) -> FrontState:
        """Every function constant, from the network's."""
        ask = self._model, self._begin, self._counted(state), *self._constant
        return dataclasses.replace(state, flat=likelihood.learn(*ask, iterations=ITERATIONS).parameters)

    def _learn(self, state: FrontState) -> FrontState:
        ask = self._model, there(state.flat), self._counted(state), *self._smooth
        found = likelihood.learn(*ask, iterations=ITERATIONS)
        return dataclasses.replace(state, parameters=found.parameters, gains=tuple((-np.diff(found.values)).tolist()))

    def _judge(self, state: FrontState) -> FrontState:
        """nu at one time of what was learned, from the static fit there."""
        assert state.fitted is not None
        fields = self._followed(there(state.parameters))[state.unit]
        asked = np.asarray(moments(self.plan.line, jnp.asarray(fields)))
        found = self._matched(state.fitted.path[state.unit], asked, SOFT, state)
        return dataclasses.replace(state, final=joined(state.final, found))

    # what a stage works on

    def _units(self, stage: str) -> int:
        return {"simulate": 2 * UNITS, "constants": 1, "learn": 1}.get(stage, self.plan.snapshots)

    def _matched(
        self,
        nu: Float[np.ndarray, "3 points"],
        asked: Float[np.ndarray, "counted"],
        stiffness: float,
        state: FrontState,
    ) -> Sampled:
        """nu with these moments, by Newton's method, and a sample there."""
        rng, expected = np.random.default_rng(stages.seed(state, STAGES)), nu
        for longer in NEWTON:
            nu = closer(nu, asked, self._sampled(nu, longer, rng), expected, stiffness)
        return Sampled(nu[None], *(part[None] for part in self._sampled(nu, NEWTON[-1], rng)))

    def _sampled(self, nu: Float[np.ndarray, "3 points"], longer: int, rng: np.random.Generator) -> Sample:
        ask = {"chains": self.plan.chains, "sweeps": longer * self.plan.sweeps, "burn": BURN}
        return self.chains(nu, **ask, seed=int(rng.integers(2**62)))

    def _followed(self, parameters: Float[np.ndarray, "p"]) -> Path:
        """u_A, u_B and w by learned functions."""
        ask = self._model, jnp.asarray(parameters), self.plan.snapshots, 3, self.plan.span
        return np.asarray(likelihood.followed(*ask))

    def _bare(self, time: int) -> Float[np.ndarray, "3 points"]:
        return np.asarray(bare(self.plan.line, jnp.asarray(self._pair[time])))

    @functools.cached_property
    def _pair(self) -> Path:
        return terms.followed(self.plan, terms.theories(self.plan)["smoluchowski"])

    @functools.cached_property
    def _model(self) -> Model:
        """Where the fields start is given: the first parameters, which nothing moves."""
        return Model(terms.blank(self.plan, self._pair), np.eye(self.plan.cells), np.array(terms.steps(self.plan)))

    @functools.cached_property
    def _begin(self) -> Float[np.ndarray, "p"]:
        """The network's constants."""
        law = terms.constant(self._model.functional, terms.law(self.plan))
        return np.concatenate([terms.start(self.plan).ravel(), law])

    @functools.cached_property
    def _smooth(self) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "q p"]]:
        """What parameters are penalised by, and those that move: all but the start."""
        functional, dofs = self._model.functional, len(self._model.functional.coefficients)
        fixed = len(self._begin) - dofs
        rough = roughness(functional, means(functional, self._begin[fixed:]))
        return np.asarray(scipy.linalg.block_diag(np.zeros((fixed, fixed)), PENALTY * rough)), np.eye(fixed + dofs)[
            fixed:
        ]

    @functools.cached_property
    def _constant(self) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "q p"]]:
        """The same, every function moving as a whole."""
        stiffness, free = self._smooth
        return stiffness, constants(self._model.functional) @ free

    def _counted(self, state: FrontState) -> Counted:
        assert state.fitted is not None
        sharp = np.stack([precision(each) for each in state.fitted.covariance])
        return Counted(there(state.training), self.plan.span, self.plan.line, sharp)

    def _warnings(self, learned: Gas, sampled: Gas, held: Gas) -> list[str]:
        z = float((np.abs(sampled.number - learned.number) / held.number_error).max())
        if z > APART:
            return [
                f"The numbers by eq. (1) with the nu that were found are up to {z:.1f} standard errors of held-out "
                "runs from those of the learned functions: more sweeps would bring them nearer."
            ]
        return []
