"""Work in stages, each of some units: how the jobs of reduce go on from one State to the next."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

State = TypeVar("State", bound=Any)  # a dataclass with `stage`, `unit` of it, and `seconds` spent in each so far
Units = Callable[[str], int]  # of a stage


def advanced(state: State, work: Callable[[State], State], stages: Sequence[str], units: Units) -> State:
    """The State after a unit of work, in the stage that is due then, or "done"."""
    began = time.monotonic()
    after = work(state)
    spent = {**state.seconds, state.stage: state.seconds.get(state.stage, 0.0) + time.monotonic() - began}
    unit, stage = state.unit + 1, state.stage
    while stage != "done" and unit >= units(stage):
        stage, unit = (*stages, "done")[stages.index(stage) + 1], 0
    return dataclasses.replace(after, stage=stage, unit=unit, seconds=spent)


def simulated(state: State, draw: Callable[..., np.ndarray], runs: tuple[int, int], groups: int, units: int) -> State:
    """After a unit of simulation: `units` of `runs[0]` runs to learn from, then as many of `runs[1]` to judge by, each
    in its share of the groups. `draw` takes the numbers of runs and of groups."""
    name, all_runs = ("training", runs[0]) if state.unit < units else ("held", runs[1])
    more = draw(runs=all_runs // units, groups=groups // units)
    return dataclasses.replace(state, **{name: grown(getattr(state, name), more)})


def seed(state: Any, stages: Sequence[str]) -> int:
    """Of the random numbers of a unit: another one in every unit of every stage."""
    return int(np.random.default_rng([state.seed, stages.index(state.stage), state.unit]).integers(2**62))


def grown(before: np.ndarray | None, more: np.ndarray) -> np.ndarray:
    """What units of a stage gather one after another, along the first axis."""
    return more if before is None else np.concatenate([before, more])


def there(array: np.ndarray | None) -> np.ndarray:
    """What an earlier stage has left."""
    assert array is not None
    return array


def progress(state: Any, stages: Sequence[str], units: Units, work: Mapping[str, float]) -> float:
    """The share of all work that is done; `work` is that of a unit of each stage."""
    if state.stage == "done":
        return 1.0
    whole = {stage: work[stage] * units(stage) for stage in stages}
    before = sum(whole[stage] for stage in stages[: stages.index(state.stage)])
    return (before + work[state.stage] * state.unit) / sum(whole.values())
