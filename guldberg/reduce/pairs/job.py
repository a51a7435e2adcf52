"""Job 3 with pairs: from who is how far from whom to learned equations of nu_1(t) and nu_2(r, t), eqs. (1), (8), (15).

simulate -> maximum entropy at each time -> all functions through the whole path, as departures from superposition, in
the potentials of mean force -> nu_1 and nu_2 along it -> judged on runs that nothing was learned from, beside theories.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from guldberg.closure.continuous import likelihood
from guldberg.closure.continuous.likelihood import Model
from guldberg.closure.continuous.sampled import Around, Path, Sample, closer, gathered, precision
from guldberg.learn.fit import Metrics
from guldberg.reduce import stages
from guldberg.reduce.pairs import judge, terms
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.pairs.result import Mixture, PairReduced
from guldberg.reduce.stages import there

STAGES = ("simulate", "static", "learn", "judge")
WORDS = {
    "simulate": "simulating particles",
    "static": "static fits",
    "learn": "functions through the path",
    "judge": "interactions along the path",
    "done": "done",
}
WORK = {"simulate": 2, "static": 1, "learn": 2, "judge": 1}  # of a unit, about
GROUPS, UNITS = 50, 5  # of runs that intervals rest on, and steps they are simulated in
NEWTON, MOST = 3, 12  # whole steps of a static fit, and steps
STIFF = 0.3  # of second differences of nu_2 in static fits, nats
ITERATIONS = 30
BURN = 60  # sweeps that are not counted
APART = 5  # standard errors of Monte Carlo, at which eq. (1) is no longer what the functions say

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
    gains: tuple[float, ...] = ()  # of penalised entropy in each step, nats per run
    final: Sampled | None = None  # along the learned path, so far


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
        model, held, w = self._model(), judge.seen(self.plan, state.held), self._followed(state)
        mixtures = {
            "learned": judge.read(w),
            "distribution": judge.sampled(self.plan, state.final.each),
            "static_floor": judge.sampled(self.plan, state.fitted.each),
            "training": judge.seen(self.plan, there(state.training)),
        }
        theories = terms.theories(self.plan)
        mixtures |= {who: judge.read(self._by(theories[who])) for who in reversed(theories)}
        _, ask = terms.begun(self.plan, model.functional)
        spread = likelihood.covariance(model, state.parameters, self._around(state), *ask)
        functional = model.split(jnp.asarray(state.parameters), 2)[1]
        return PairReduced(
            self.plan,
            self.plan.times,
            held,
            mixtures,
            {who: judge.outside(mixture, held) for who, mixture in mixtures.items()},
            state.final.path,
            state.fitted.path,
            functional,
            judge.curves(self.plan, functional, spread[2:, 2:], w),
            state.gains,
            state.seconds,
            tuple(self._warnings(mixtures["learned"], mixtures["distribution"])),
        )

    # stages

    def _simulate(self, state: PairState) -> PairState:
        """Half of the units for what is learned from, half for what it is judged by."""
        draw = functools.partial(
            self.simulate, self.plan.number, times=self.plan.times, seed=stages.seed(state, STAGES)
        )
        return stages.simulated(state, draw, (self.plan.runs, self.plan.held_out), GROUPS, UNITS)

    def _static(self, state: PairState) -> PairState:
        """One time, from the fit of the time before, moved as superposition moves."""
        before, w, k = state.fitted, self._superposition, state.unit
        first = w[0] if before is None else before.path[-1] + w[k] - w[k - 1]
        seen = gathered(there(state.training).mean(axis=0))[k]
        return dataclasses.replace(state, fitted=joined(before, self._matched(first, seen, stages.seed(state, STAGES))))

    def _learn(self, state: PairState) -> PairState:
        """All functions, from those of superposition."""
        model = self._model()
        begin, ask = terms.begun(self.plan, model.functional)
        found = likelihood.learn(model, begin, self._around(state), *ask, iterations=ITERATIONS, around=begin)
        return dataclasses.replace(state, parameters=found.parameters, gains=tuple((-np.diff(found.values)).tolist()))

    def _judge(self, state: PairState) -> PairState:
        """nu_1 and nu_2 at one time of what was learned, from the static fit there."""
        assert state.fitted is not None
        asked = self._around(state).moments(self._followed(state))[state.unit]
        found = self._matched(state.fitted.path[state.unit], asked, stages.seed(state, STAGES))
        return dataclasses.replace(state, final=joined(state.final, found))

    # what a stage works on

    def _units(self, stage: str) -> int:
        return {"simulate": 2 * UNITS, "learn": 1}.get(stage, self.plan.snapshots)

    def _matched(
        self, nu: Float[np.ndarray, "functions shells"], asked: Float[np.ndarray, "counted"], seed: int
    ) -> Sampled:
        """nu with these moments, by Newton's method, and a sample there."""
        rng, left = np.random.default_rng(seed), NEWTON
        for _ in range(MOST):
            nu, whole = closer(nu, asked, self._sampled(nu, rng), STIFF)
            left -= whole
            if left == 0:
                break
        return Sampled(nu[None], *(part[None] for part in self._sampled(nu, rng)))

    def _sampled(self, nu: Float[np.ndarray, "functions shells"], rng: np.random.Generator) -> Sample:
        return self.chains(
            nu, chains=self.plan.chains, sweeps=self.plan.sweeps, burn=BURN, seed=int(rng.integers(2**62))
        )

    def _followed(self, state: PairState) -> Path:
        """The potentials of mean force by the learned functions."""
        ask = self._model(), jnp.asarray(state.parameters), self.plan.snapshots, 2, self.plan.span
        return np.asarray(likelihood.followed(*ask))

    @functools.cached_property
    def _superposition(self) -> Path:
        return self._by(terms.theories(self.plan)["superposition"])

    def _by(self, values: Mapping[str, float]) -> Path:
        return terms.followed(self.plan, terms.theory(self.plan, values))

    def _around(self, state: PairState) -> Around:
        assert state.fitted is not None
        sharp = np.stack([precision(each) for each in state.fitted.covariance])
        return Around(there(state.training), self.plan.span, self.plan.box.volume, self.plan.distances.volumes, sharp)

    def _model(self) -> Model:
        """w at the start is given: the first two parameters, which nothing moves."""
        functional = terms.blank(self.plan, self._superposition)
        return Model(functional, np.ones((self.plan.shells, 1)), np.array(terms.steps(self.plan)))

    def _warnings(self, learned: Mixture, sampled: Mixture) -> list[str]:
        z = np.abs(sampled.density - learned.density) / sampled.density_error
        if z.max() > APART:
            return [
                f"The density of eq. (1) with the nu_1 and nu_2 that were found is {z.max():.1f} of its standard "
                f"errors from that of the learned functions, at t = {self.plan.times[z.argmax()]:.3g}."
            ]
        return []


def joined(before: Sampled | None, more: Sampled) -> Sampled:
    """What came before, if anything, and then more."""
    if before is None:
        return more
    names = [field.name for field in dataclasses.fields(Sampled)]
    return Sampled(*(np.concatenate([getattr(before, name), getattr(more, name)]) for name in names))
