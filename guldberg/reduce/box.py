"""Job 3 on a box of several species: what energies can represent, then closures of one start and of many.

simulate -> static fits -> roll-outs of the start that is followed longest -> phases -> many starts -> their static fits
-> learned maps -> fresh starts, drawn after all choices -> scores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int8

from guldberg.learn.fit import Metrics
from guldberg.reduce import single, stages, starts
from guldberg.reduce.coordinates import MEAN_SD, LogMoments, edges
from guldberg.reduce.maps import NOTHING_KEPT, PolynomialMap, learn
from guldberg.reduce.persistent import Energy, Recorded, Track
from guldberg.reduce.plan import BoxPlan
from guldberg.reduce.result import BoxReduced, Errors, PhaseTest, Row
from guldberg.reduce.single import Followed
from guldberg.structure import conservation_laws

STAGES = ("single", "fit", "follow", "phases", "many", "static", "learn", "fresh", "judge")
WORDS = {
    "single": "simulating one start",
    "fit": "static fits of one start",
    "follow": "roll-outs of one start",
    "phases": "phases from opposite states",
    "many": "simulating many starts",
    "static": "static fits of many starts",
    "learn": "learning closures of many starts",
    "fresh": "simulating fresh starts",
    "judge": "judging on fresh starts",
    "done": "done",
}
WORK = {  # of one unit of a stage, about
    "single": 4, "fit": 12, "follow": 12, "phases": 3, "many": 4, "static": 5, "learn": 8, "fresh": 4, "judge": 6,
}  # fmt: skip
CONDENSED = 3.0  # times the error of what was predicted: drawn configurations are then in another phase
FOR_LONG = 300  # simulations for as long as the pictures go
BATCH = 10  # starts simulated in a step
FITS = 4  # starts fitted or sampled in a step
SHOWN = (10, 20, 30, 40, 50, 60)  # steps at which phases are looked for


class Simulator(Protocol):
    """Simulations of the lattice; handed in."""

    def __call__(self, counts: tuple[int, ...], *, simulations: int, steps: int, seed: int) -> Recorded: ...

    def snapshots(
        self, counts: tuple[int, ...], steps: tuple[int, ...], *, seed: int
    ) -> Int8[np.ndarray, "steps *box"]: ...


@dataclasses.dataclass(frozen=True)
class BoxState:
    """Where the job stands: lists grow by one in each step of their stage."""

    seed: int
    stage: str = "single"
    unit: int = 0  # of the stage
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)  # by stage; all else follows from the seed
    single: tuple[Recorded, ...] = ()  # to learn from, to be judged by, many for long, one alone
    snapshots: Int8[np.ndarray, "steps *box"] | None = None
    tracks: tuple[Track, ...] = ()  # static fits of each energy
    followed: tuple[Followed, ...] = ()
    phases: tuple[PhaseTest, ...] = ()
    starts: Int[np.ndarray, "starts species"] | None = None
    moments: tuple[Float[np.ndarray, "times moments"], ...] = ()  # of each of the many starts
    fits: tuple[Track, ...] = ()
    maps: tuple[PolynomialMap, ...] = ()
    fresh: Int[np.ndarray, "starts species"] | None = None
    truth: tuple[Recorded, ...] = ()
    judged: tuple[Float[np.ndarray, "maps steps moments"], ...] = ()  # of each fresh start, by each sampled closure


@dataclasses.dataclass(frozen=True)
class BoxReduction:
    """The job: `learn.fit.run(BoxReduction(...), seed)` gives a `BoxReduced`."""

    plan: BoxPlan
    simulate: Simulator
    energies: Mapping[str, Energy]  # by name; the first is that of many starts
    state_types = (BoxState, Recorded, Track, Followed, PhaseTest, PolynomialMap)

    def init(self, seed: int) -> BoxState:
        """Nothing simulated yet."""
        return BoxState(seed)

    def step(self, state: BoxState) -> tuple[BoxState, Metrics]:
        """The next unit of work of the stage."""
        after = stages.advanced(state, getattr(self, f"_{state.stage}"), STAGES, self._units)
        told = stages.progress(after, STAGES, self._units, WORK)
        return after, {"stage": WORDS[state.stage], "progress": told}

    def done(self, state: BoxState) -> bool:
        """Whether the State is final."""
        return state.stage == "done"

    def result(self, state: BoxState) -> BoxReduced:
        """The tables, as far as the work got; ValueError before the first roll-out."""
        if not state.followed:
            raise ValueError("no energy has been followed through time yet")
        return BoxReduced(
            self.plan,
            tuple(next(iter(self.energies.values())).names),
            self._errors(state),
            single.rows(list(self.energies), state.single[1], state.followed),
            state.phases,
            self._many_rows(state),
            self._pictures(state),
            state.seconds,
            tuple(self._warnings(state)),
        )

    # stages

    def _single(self, state: BoxState) -> BoxState:
        plan, unit = self.plan, state.unit
        steps = plan.steps if unit < 2 else plan.long_steps
        simulations = (plan.simulations, plan.simulations, min(plan.simulations, FOR_LONG), 1)[unit]
        seen = self.simulate(plan.counts, simulations=simulations, steps=steps, seed=self._seed(state))
        seed = self._seed(state)
        shown = self.simulate.snapshots(plan.counts, single.SNAPSHOTS, seed=seed) if unit == 3 else None
        return dataclasses.replace(state, single=(*state.single, seen), snapshots=shown)

    def _fit(self, state: BoxState) -> BoxState:
        fitted = single.fit(self._energy(state), state.single[0], self.plan.lattice.sites, self._seed(state))
        return dataclasses.replace(state, tracks=(*state.tracks, fitted))

    def _follow(self, state: BoxState) -> BoxState:
        density = state.single[0].counts[0] / self.plan.lattice.sites
        followed = single.follow(self._energy(state), state.tracks[state.unit], density, self._seed(state))
        return dataclasses.replace(state, followed=(*state.followed, followed))

    def _phases(self, state: BoxState) -> BoxState:
        name = list(self.energies)[state.unit]
        steps = [step for step in SHOWN if step <= self.plan.steps]
        fits, data = state.tracks[state.unit], state.single[0]
        tests = single.phase_tests(name, self._energy(state), fits, data, steps, self._seed(state))
        return dataclasses.replace(state, phases=(*state.phases, *tests))

    def _many(self, state: BoxState) -> BoxState:
        plan, lattice = self.plan, self.plan.lattice
        if state.starts is None:
            species = len(plan.counts)
            chosen = starts.drawn(plan.starts, plan.low, plan.high, species, lattice.sites, state.seed)
            state = dataclasses.replace(state, starts=chosen)
        seen = self._batch(state, state.starts, plan.start_simulations)
        return dataclasses.replace(state, moments=(*state.moments, *(recorded.moments for recorded in seen)))

    def _static(self, state: BoxState) -> BoxState:
        energy, sites, species = self._first, self.plan.lattice.sites, len(self.plan.counts)
        new = []
        for i in range(FITS * state.unit, min(FITS * (state.unit + 1), len(state.moments))):
            data = _moments_only(state.moments[i], species)
            theta = energy.first(np.maximum(data.counts[0], 0.5) / sites)
            new.append(starts.static_fit(energy, data, theta, sites, self._seed(state) + i))
        return dataclasses.replace(state, fits=(*state.fits, *new))

    def _learn(self, state: BoxState) -> BoxState:
        kind, degree, arguments = self._closures[state.unit]
        x0, x, metric = self._data(state, kind)
        laws = NOTHING_KEPT if kind == "theta" else conservation_laws(self.plan.lattice.network)
        keep = {"laws": np.asarray(laws, float), "odds": kind == "moments"}
        learned = learn(x0, x, metric, degree=degree, arguments=arguments, **keep)
        return dataclasses.replace(state, maps=(*state.maps, learned))

    def _fresh(self, state: BoxState) -> BoxState:
        plan = self.plan
        if state.fresh is None:
            inner = (plan.high - plan.low) // 18
            chosen = starts.drawn(
                plan.fresh, plan.low + inner, plan.high - inner, len(plan.counts), plan.lattice.sites, state.seed + 1
            )
            state = dataclasses.replace(state, fresh=chosen)
        return dataclasses.replace(
            state, truth=(*state.truth, *self._batch(state, state.fresh, plan.fresh_simulations))
        )

    def _judge(self, state: BoxState) -> BoxState:
        """One fresh start: its static fits sampled, the closures in theta sampled along their paths, and the static
        fits of what the closure in moments predicts."""
        data, sites = state.truth[state.unit], self.plan.lattice.sites
        density = np.maximum(data.counts[0], 0.5) / sites
        theta, seed = self._first.first(density), self._seed(state)
        paths = [starts.static_fit(self._first, data, theta, sites, seed).theta]
        predicted = _moments_only(self._predicted(state)[state.unit], len(density))
        paths.append(starts.static_fit(self._first, predicted, theta, sites, seed + 1).theta)
        for closure, map in zip(self._closures, state.maps, strict=True):
            if closure[0] == "theta":
                paths.append(map(theta[None], len(data.counts) - 1)[0, 1:])
        sampled = [starts.sampled_along(self._first, path, density, seed + 2) for path in paths]
        return dataclasses.replace(state, judged=(*state.judged, np.array(sampled)))

    # what a stage works on

    @property
    def _first(self) -> Energy:
        return next(iter(self.energies.values()))

    def _energy(self, state: BoxState) -> Energy:
        return list(self.energies.values())[state.unit]

    @property
    def _closures(self) -> list[tuple[str, int, int | None]]:
        """(what is followed, degree, how many of it F sees): the last is that of eq. (45), F of the biases alone."""
        species = len(self.plan.counts)
        return [
            ("means", 2, None), ("means", 3, None), ("moments", 2, None),
            ("theta", 2, None), ("theta", 1, None), ("theta", 2, species),
        ]  # fmt: skip

    @property
    def _logs(self) -> LogMoments:
        lattice = self.plan.lattice
        return LogMoments(len(self.plan.counts), lattice.sites, edges(lattice.size, lattice.periodic))

    def _data(self, state: BoxState, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x at step 0, x later, and the metric in which it is to be met."""
        species, moments = len(self.plan.counts), np.array(state.moments)
        if kind == "means":
            x = moments[..., :species] / self.plan.lattice.sites
            flat = np.eye(species) * (self.plan.lattice.sites / MEAN_SD) ** 2
            return x[:, 0], x[:, 1:], np.broadcast_to(flat, (*x[:, 1:].shape, species))
        if kind == "moments":
            x = self._logs(moments, 0.5 / self.plan.start_simulations)
            return x[:, 0], x[:, 1:], self._logs.metric(x[:, 1:])
        density = np.maximum(moments[:, 0, :species], 0.5) / self.plan.lattice.sites
        known = starts.targets(self._first, [self._first.first(p) for p in density], list(state.fits))
        return known.first, known.theta, known.metric

    def _predicted(self, state: BoxState) -> Float[np.ndarray, "starts times moments"]:
        """Of the fresh starts, by the closure in moments."""
        truth = np.array([recorded.moments[0] for recorded in state.truth])
        x0 = self._logs(truth, 0.5 / self.plan.fresh_simulations)
        return np.asarray(self._logs.moments(jnp.asarray(state.maps[2](x0, self.plan.start_steps))))

    def _batch(self, state: BoxState, chosen: Int[np.ndarray, "s species"] | None, simulations: int) -> list[Recorded]:
        assert chosen is not None
        some = range(BATCH * state.unit, min(BATCH * (state.unit + 1), len(chosen)))
        ask = {"simulations": simulations, "steps": self.plan.start_steps}
        return [self.simulate(tuple(map(int, chosen[i])), **ask, seed=self._seed(state) + i) for i in some]

    def _seed(self, state: BoxState) -> int:
        """Of this unit of this stage; different for every other."""
        words = np.random.SeedSequence([state.seed, STAGES.index(state.stage), state.unit]).generate_state(2)
        return int(words[0]) << 24 | int(words[1]) >> 8

    def _units(self, stage: str) -> int:
        plan, energies = self.plan, len(self.energies)
        fresh = plan.fresh if plan.starts else 0
        return {
            "single": 4, "fit": energies, "follow": energies, "phases": energies,
            "many": -(-plan.starts // BATCH), "static": -(-plan.starts // FITS),
            "learn": len(self._closures) if plan.starts else 0, "fresh": -(-fresh // BATCH), "judge": fresh,
        }[stage]  # fmt: skip

    # what comes out

    def _many_rows(self, state: BoxState) -> tuple[Row, ...]:
        if not state.judged or len(state.judged) < len(state.truth):
            return ()
        species, steps, sites = len(self.plan.counts), self.plan.start_steps, self.plan.lattice.sites
        truth = np.array([recorded.moments[1:] for recorded in state.truth])
        first = np.array([recorded.counts[0] for recorded in state.truth]) / sites
        sizes = [map.coefficients.size for map in state.maps]
        ways = np.swapaxes(np.array(state.judged), 0, 1)
        score = starts.scored
        return (
            score("means alone, quadratic", sites * state.maps[0](first, steps)[:, 1:], truth, species,
                  coefficients=sizes[0], kind="baseline"),
            score("means alone, cubic", sites * state.maps[1](first, steps)[:, 1:], truth, species,
                  coefficients=sizes[1], kind="baseline"),
            score("pair energy, F of its moments, quadratic", self._predicted(state)[:, 1:], truth, species,
                  coefficients=sizes[2]),
            score("the same, sampled anew", ways[1], truth, species, coefficients=sizes[2]),
            score("pair energy, F of all parameters, quadratic", ways[2], truth, species, coefficients=sizes[3]),
            score("pair energy, F of all parameters, linear", ways[3], truth, species, coefficients=sizes[4]),
            score("pair energy, F of the biases alone, quadratic", ways[4], truth, species, coefficients=sizes[5]),
            score("pair energy, static fits", ways[0], truth, species, kind="floor"),
        )  # fmt: skip

    def _errors(self, state: BoxState) -> Errors:
        """Means (order 1) and pairs (order 2), by step, counts per 1000 sites; of fresh starts where there are any."""
        if not self._many_rows(state):
            return single.errors(state.single[1], state.followed[-1], self.plan.lattice.sites)
        species, sites = len(self.plan.counts), self.plan.lattice.sites
        truth = np.array([recorded.moments for recorded in state.truth])
        first = truth[:, 0, :species] / sites
        floor = np.concatenate([truth[:, :1], np.array(state.judged)[:, 0]], axis=1)
        noise = truth + np.array([recorded.error for recorded in state.truth])
        ways = {
            "learned": self._predicted(state),
            "mean_field": sites * state.maps[1](first, self.plan.start_steps),
            "static_floor": floor,
            "noise": noise,
        }
        return {who: single.by_order(way - truth[..., : way.shape[-1]], species, sites) for who, way in ways.items()}

    def _pictures(self, state: BoxState) -> dict[str, Any]:
        followed = dict(zip(self.energies, state.followed, strict=False))
        drawn: dict[str, Any] = {"data": state.single, "snapshots": state.snapshots, "followed": followed}
        if self._many_rows(state):
            drawn["fresh"] = np.array([recorded.moments for recorded in state.truth]), self._predicted(state)
        return drawn

    def _warnings(self, state: BoxState) -> list[str]:
        said = single.warnings(self.plan, state.single, state.followed, list(self.energies), state.phases)
        if rows := self._many_rows(state):
            predicted, sampled = rows[2], rows[3]
            if sampled.worst > CONDENSED * predicted.worst:
                said.append(
                    f"Configurations drawn from the pair energy condense for some fresh starts (means off by "
                    f"{sampled.worst:.0f} counts in the worst, {sampled.median:.1f} in the median start): what the "
                    f"closure predicts of means and pairs holds, the drawn configurations there do not."
                )
        return said


def _moments_only(moments: Float[np.ndarray, "times moments"], species: int) -> Recorded:
    """For energies that look at counts and pairs alone."""
    none = np.zeros((len(moments), 0))
    return Recorded(moments[:, :species], moments[:, species:], none, none, none, none, 0)
