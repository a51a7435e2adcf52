"""Job 3 with pairs: from who is how far from whom to learned equations of nu_1(t) and nu_2(r, t), eqs. (1), (8), (15).

simulate -> maximum entropy at each time -> all functions through the whole path, on a parabola around these -> the same
again around what was found -> judged on runs that nothing was learned from, beside theories.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float

from guldberg.closure.continuous import likelihood, warm
from guldberg.closure.continuous.functional import Functional
from guldberg.closure.continuous.likelihood import Model
from guldberg.closure.continuous.sampled import Around, Sample, closer, gathered
from guldberg.closure.continuous.warm import Fits
from guldberg.learn.fit import Metrics
from guldberg.reduce import stages
from guldberg.reduce.pairs import judge, terms
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.pairs.result import PairReduced
from guldberg.reduce.space.terms import constants, means, roughness
from guldberg.reduce.stages import there

STAGES = ("simulate", "static", "learn", "judge")
WORDS = {
    "simulate": "simulating particles",
    "static": "static fits",
    "learn": "functions through the path",
    "judge": "held-out runs",
    "done": "done",
}
WORK = {"simulate": 1, "static": 1, "learn": 6, "judge": 20}  # of a unit, about
GROUPS, UNITS = 50, 5  # of runs that intervals rest on, and steps they are simulated in
NEWTON = 3  # steps of a static fit, from the one before
STIFF = 0.3  # of second differences of nu_2 in static fits, nats
PENALTY = 0.01  # of the roughness of functions relative to their sizes, nats per run
ROUNDS, ITERATIONS = 4, 15  # parabolas, and steps on each
LONGER = 4  # times the sweeps, where held-out runs are judged
BURN = 60  # sweeps that are not counted
FAINT = 0.3  # of the standard errors of held-out runs, that those of Monte Carlo should stay below

Counts = Float[np.ndarray, "groups times functions shells"]


class Simulator(Protocol):
    """Mean counts in groups of runs, as fields: pairs in each shell, and the number of particles over all shells."""

    def __call__(
        self, number: float, *, runs: int, groups: int, times: Float[np.ndarray, "times"], seed: int
    ) -> Counts: ...


class Chains(Protocol):
    """Moments of exp(-nu_1 - nu_2), sampled."""

    def __call__(
        self, nu: Float[np.ndarray, "functions shells"], *, chains: int, sweeps: int, burn: int, seed: int
    ) -> Sample: ...


@dataclasses.dataclass(frozen=True)
class Sampled:
    """Samples at every time, as arrays."""

    path: Float[np.ndarray, "times functions shells"]  # whose they are
    mean: Float[np.ndarray, "times counted"]
    error: Float[np.ndarray, "times counted"]
    covariance: Float[np.ndarray, "times counted counted"]

    @property
    def each(self) -> tuple[Sample, ...]:
        return tuple(map(Sample, self.mean, self.error, self.covariance))


@dataclasses.dataclass(frozen=True)
class PairState:
    """Where the job stands."""

    seed: int
    stage: str = "simulate"
    unit: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    training: Counts | None = None
    held: Counts | None = None
    fitted: Sampled | None = None  # at each time by itself, so far
    parameters: Float[np.ndarray, "p"] | None = None
    gains: tuple[float, ...] = ()  # of penalised entropy in each round, nats per run
    final: Sampled | None = None


@dataclasses.dataclass(frozen=True)
class PairReduction:
    """The job: `learn.fit.run(PairReduction(...), seed)` gives a `PairReduced`."""

    plan: PairPlan
    simulate: Simulator
    chains: Chains
    state_types = (PairState, Sampled)

    def init(self, seed: int) -> PairState:
        """Nothing simulated yet."""
        return PairState(seed)

    def step(self, state: PairState) -> tuple[PairState, Metrics]:
        """The next unit of work of the stage."""
        after = stages.advanced(state, getattr(self, f"_{state.stage}"), STAGES, self._units)
        return after, {"stage": WORDS[state.stage], "progress": stages.progress(after, STAGES, self._units, WORK)}

    def done(self, state: PairState) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: PairState) -> PairReduced:
        """What was learned, and how far it is from held-out runs; ValueError before it was judged."""
        if state.final is None or state.held is None or state.fitted is None or state.parameters is None:
            raise ValueError("nothing has been judged yet")
        model, held = self._model(state), judge.seen(self.plan, state.held)
        mixtures = {
            "learned": judge.sampled(self.plan, state.final.each),
            "static_floor": judge.sampled(self.plan, state.fitted.each),
        }
        theories = terms.theories(self.plan)
        mixtures |= {who: judge.read(terms.followed(self.plan, theories[who])) for who in reversed(theories)}
        around = self._around(state, state.final)
        ask = model, state.parameters, around, *self._free(model.functional, state.parameters)
        functional = model.split(jnp.asarray(state.parameters), 2)[1]
        return PairReduced(
            self.plan,
            self.plan.times,
            held,
            mixtures,
            {who: judge.outside(mixture, held) for who, mixture in mixtures.items()},
            state.final.path,
            state.fitted.path,
            judge.curves(self.plan, functional, likelihood.covariance(*ask)[2:, 2:], state.final.path),
            state.gains,
            state.seconds,
            tuple(self._warnings(mixtures["learned"].correlation_error, held.correlation_error)),
        )

    # stages

    def _simulate(self, state: PairState) -> PairState:
        """Half of the units for what is learned from, half for what it is judged by."""
        name, runs = ("training", self.plan.runs) if state.unit < UNITS else ("held", self.plan.held_out)
        ask = {"runs": runs // UNITS, "groups": GROUPS // UNITS, "times": self.plan.times}
        more = self.simulate(self.plan.number, **ask, seed=self._seed(state))
        return dataclasses.replace(state, **{name: stages.grown(getattr(state, name), more)})

    def _static(self, state: PairState) -> PairState:
        """One time, from the fit of the time before."""
        before, rng = state.fitted, np.random.default_rng(self._seed(state))
        first = np.repeat(terms.start(self.plan)[:, None], self.plan.shells, axis=1)
        nu, seen = first if before is None else before.path[-1], gathered(there(state.training).mean(axis=0))
        for _ in range(NEWTON):
            sample = self._sampled(nu, self.plan.sweeps, int(rng.integers(2**62)))
            nu = closer(nu, seen[state.unit], sample, STIFF)
        found = _stacked([nu], [self._sampled(nu, self.plan.sweeps, int(rng.integers(2**62)))])
        return dataclasses.replace(state, fitted=found if before is None else _joined(before, found))

    def _learn(self, state: PairState) -> PairState:
        """A round: all functions on the parabola around the last path, at first around the static fits."""
        around = state.fitted if state.parameters is None else self._followed(state, self.plan.sweeps)
        assert around is not None
        model = self._model(state)
        begin = self._begun(state, model) if state.parameters is None else state.parameters
        ask = model, begin, self._around(state, around), *self._free(model.functional, begin)
        found = likelihood.learn(*ask, iterations=ITERATIONS)
        gains = (*state.gains, found.values[0] - found.values[-1])
        return dataclasses.replace(state, parameters=found.parameters, gains=gains)

    def _judge(self, state: PairState) -> PairState:
        return dataclasses.replace(state, final=self._followed(state, LONGER * self.plan.sweeps))

    # what a stage works on

    def _units(self, stage: str) -> int:
        return {"simulate": 2 * UNITS, "static": self.plan.snapshots, "learn": ROUNDS}.get(stage, 1)

    def _seed(self, state: PairState) -> int:
        return int(np.random.default_rng([state.seed, STAGES.index(state.stage), state.unit]).integers(2**62))

    def _sampled(self, nu: Float[np.ndarray, "functions shells"], sweeps: int, seed: int) -> Sample:
        return self.chains(nu, chains=self.plan.chains, sweeps=sweeps, burn=BURN, seed=seed)

    def _followed(self, state: PairState, sweeps: int) -> Sampled:
        """The path that was learned, and its moments."""
        model, rng = self._model(state), np.random.default_rng(self._seed(state))
        ask = model, jnp.asarray(state.parameters), self.plan.snapshots, 2, self.plan.span
        nu = np.asarray(likelihood.followed(*ask))
        return _stacked(list(nu), [self._sampled(each, sweeps, int(rng.integers(2**62))) for each in nu])

    def _around(self, state: PairState, sampled: Sampled) -> Around:
        return Around(there(state.training), self.plan.span, sampled.path, sampled.each)

    def _model(self, state: PairState) -> Model:
        """nu at the start is given: the first two parameters, which nothing moves."""
        assert state.fitted is not None
        functional = terms.blank(self.plan, state.fitted.path)
        return Model(functional, np.ones((self.plan.shells, 1)), np.array(terms.steps(self.plan)))

    def _begun(self, state: PairState, model: Model) -> Float[np.ndarray, "p"]:
        """nu_2 as in a thin gas, and a constant before the collisions by least squares of the static fits."""
        assert state.fitted is not None
        functional, path = model.functional, state.fitted.path
        seen = likelihood.Seen(np.exp(-path)[None], self.plan.span, 1.0)
        known, free = terms.constant(functional, terms.thin(self.plan)), constants(functional)[-1:]
        u = warm.least_squares(functional, Fits(path, path), seen, free, known)
        return np.concatenate([terms.start(self.plan), u])

    def _free(
        self, functional: Functional, parameters: Float[np.ndarray, "p"]
    ) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "q p"]]:
        """What parameters are penalised by, and those that move: all but the start."""
        rough = roughness(functional, means(functional, parameters[2:]))
        stiffness = scipy.linalg.block_diag(np.zeros((2, 2)), PENALTY * rough)
        return np.asarray(stiffness), np.eye(len(parameters))[2:]

    def _warnings(self, sampled: np.ndarray, held: np.ndarray) -> list[str]:
        share = float(np.median(sampled[1:] / np.maximum(held[1:], 1e-12)))
        if share > FAINT:
            return [f"The moments of the learned model were sampled with {share:.0%} of the error of held-out runs."]
        return []


def _stacked(nu: list[np.ndarray], samples: list[Sample]) -> Sampled:
    return Sampled(np.stack(nu), *(np.stack([sample[k] for sample in samples]) for k in range(3)))


def _joined(before: Sampled, more: Sampled) -> Sampled:
    names = [field.name for field in dataclasses.fields(Sampled)]
    return Sampled(*(np.concatenate([getattr(before, name), getattr(more, name)]) for name in names))
