"""Trust: a design is run again in every way that could show it to be an artefact; one table, one verdict.

`Verification` is a job like any other: each step is one run of one control, so that it shows progress and resumes.
Checks read the runs afterwards; a run that blows up is void, and says nothing in favour of the design.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping

import jax

from guldberg.design import controls
from guldberg.design.checks import (
    NULL_FROM,
    AbstractCheck,
    Balanced,
    BetterThan,
    Finding,
    Gentle,
    Lasting,
    Same,
    Shown,
    Tolerant,
    WithinBounds,
    judged_until,
)
from guldberg.design.controls import AbstractControl, AsDesigned, FinerGrid, FinerSteps, LongSteps
from guldberg.design.result import Designed
from guldberg.design.trials import Trial, joined, run, times, wanted
from guldberg.drive import AbstractNoisyDrive
from guldberg.learn.fit import Metrics

MANY, FEW = 8, 2  # draws of a design that starts from random bits, and of what is dear or needs no more
SOON = 100.0  # seconds; a flow which has to be drawn makes a run ten times as dear
ABLATIONS = ("initial parameters", "random parameters", "random start", "random start by species")


@dataclasses.dataclass(frozen=True)
class State:
    """The runs so far; the last trial may lack draws."""

    seed: int
    trials: tuple[Trial, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether all checks passed, each of them, and the runs they read."""

    trials: Mapping[str, Trial]
    checks: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """A verdict without checks is none."""
        return bool(self.checks) and _passed(self.checks)


def look(designed: Designed) -> tuple[AbstractControl, ...]:
    """The design and the nulls: what every result shows, also one that is not verified."""
    return _first(FEW if designed.recipe.used else 1)


def _first(draws: int) -> tuple[AbstractControl, ...]:
    return AsDesigned(draws=draws), controls.OnlyDiffusion(draws=draws), controls.NoReactions(draws=draws)


def standard(designed: Designed) -> tuple[AbstractControl, ...]:
    """All that `guldberg verify` runs."""
    many, few = (MANY, FEW) if designed.recipe.used else (1, 1)
    drawn, until = isinstance(designed.system.drive, AbstractNoisyDrive), judged_until(designed)
    soon, worst = (min(until, SOON), FEW) if drawn else (until, 5)
    noise = [
        controls.NoisyStart(0.05, until, draws=worst),
        controls.NoisyStart(0.1, until, draws=worst),
        controls.NoisyConstants(0.01, until, draws=worst),
    ]
    noise += [controls.NoisyDrive(0.5, until)] if controls.steady(designed.system.drive) else []
    free = [controls.FreeSpace(until, draws=few)] if wanted(designed).spreads else []
    return (
        *_first(many),
        controls.StepsOfOptimisation(draws=many),
        *long_steps(designed),
        FinerSteps(10, soon, draws=few),
        FinerGrid(until, draws=few),
        *free,
        *noise,
        controls.InitialParameters(soon, draws=few),
        controls.RandomStart(soon),
        controls.RandomStart(soon, per_species=True),
        controls.RandomParameters(soon),
    )


def brief(designed: Designed) -> tuple[AbstractControl, ...]:
    """What a pruned design has to stand: all but the controls that ask whether anything had to be learned."""
    needless = lambda control: control.name in ABLATIONS or isinstance(control, LongSteps)  # noqa: E731
    return tuple(control for control in standard(designed) if not needless(control))


def checks_of(designed: Designed, names: Collection[str]) -> list[AbstractCheck]:
    """All that apply to this behaviour and these controls, in the order of a reader's questions."""
    until = judged_until(designed)
    accurate = [name for name in names if name.startswith(("steps", "grid", "free"))]
    noisy = [name for name in names if name.startswith("noise")]
    nulls = [name for name in ("diffusion only", "reactions off") if name in names]
    ablated = [name for name in ABLATIONS if not name.startswith("random start")]
    if wanted(designed).start_matters:
        ablated += ["random start", "random start by species"]
    return [
        Shown(),
        Lasting(),
        *(BetterThan(name, from_=NULL_FROM) for name in nulls),
        *(Same(name, until, name.startswith("steps")) for name in accurate),
        # other constants are another medium, whose slow fronts go elsewhere in the end
        *(Tolerant(name, designed.horizon if name.endswith("constants") else until) for name in noisy),
        *(BetterThan(name) for name in ablated),
        Gentle(),
        WithinBounds(),
        Balanced(),
    ]


def longest(designed: Designed, trials: Mapping[str, Trial]) -> int:
    """By which factor steps can be longer and still show the same, as far as it was tried."""
    until = judged_until(designed)
    tried = [(control.factor, Same(control.name, until, True)) for control in long_steps(designed)]
    same = [factor for factor, check in tried if check.control in trials and _passed(check(designed, trials))]
    return max(same, default=1)


def long_steps(designed: Designed) -> list[LongSteps]:
    """From those of the optimisation on downwards."""
    return [LongSteps(factor, judged_until(designed)) for factor in controls.longer(designed)]


def _passed(findings: Collection[Finding]) -> bool:
    return all(finding.passed for finding in findings)


@dataclasses.dataclass(frozen=True)
class Verification:
    """The job: `learn.fit.run(Verification(designed, standard(designed)))` gives a `Verdict`."""

    designed: Designed
    controls: tuple[AbstractControl, ...]
    state_types = (State, Trial)

    def init(self, seed: int = 0) -> State:
        """No runs yet."""
        return State(seed)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One run."""
        index, draw = self._next(state)
        control = self.controls[index]
        trial = run(self.designed, control, state.seed, draw, self._longer(control, state.trials))
        if draw:
            trial = joined(state.trials[index], trial)
        trials = (*state.trials[:index], trial, *state.trials[index + 1 :])
        name = next(iter(wanted(self.designed).kept))
        progress, figure = self._progress(trials), float(trial.figures[name][-1, -1])
        return State(state.seed, trials), {"stage": trial.control, "progress": progress, name: figure}

    def done(self, state: State) -> bool:
        """Whether every control has all its draws."""
        return self._next(state)[0] == len(self.controls)

    def result(self, state: State) -> Verdict:
        """The findings of all checks whose runs are there."""
        trials = {trial.control: trial for trial in state.trials}
        found = [check(self.designed, trials) for check in checks_of(self.designed, trials)]
        return Verdict(trials, tuple(finding for findings in found for finding in findings))

    def _longer(self, control: AbstractControl, trials: tuple[Trial, ...]) -> int:
        """How much longer the steps of a control may be. What only has to do worse is run in steps as long as show the
        design itself unchanged."""
        needless = control.name not in ABLATIONS
        return 1 if needless else longest(self.designed, {trial.control: trial for trial in trials})

    def _progress(self, trials: tuple[Trial, ...]) -> float:
        """The share of the work that is done: cells times steps."""
        each = [n / self._longer(c, trials) for c, n in zip(self.controls, self._work, strict=True)]
        total = sum(n * c.draws for n, c in zip(each, self.controls, strict=True))
        drawn = [min(len(trial.fastest), c.draws) for trial, c in zip(trials, self.controls, strict=False)]
        return sum(n * count for n, count in zip(each, drawn, strict=False)) / total

    @functools.cached_property
    def _work(self) -> tuple[float, ...]:
        """Of one run of each control: cells times steps."""
        end = float(times(self.designed)[-1])
        subjects = [control(self.designed, jax.random.key(0)) for control in self.controls]
        return tuple(x.c0.size * min(end, x.until) / x.dt for x in subjects)

    def _next(self, state: State) -> tuple[int, int]:
        """Which control is to be run next, and which draw of it."""
        drawn = [len(trial.fastest) for trial in state.trials]
        lacking = (i for i, n in enumerate(drawn) if n < self.controls[i].draws)
        index = next(lacking, len(drawn))
        return index, (drawn[index] if index < len(drawn) else 0)
