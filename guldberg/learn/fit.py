"""A job is a value with `init`, `step`, `done` and `result`; the loop is outside it, here and only here.

A job's State is plain data: (nested) dataclasses, tuples, dicts, numpy arrays, numbers, strings and None, so that it
can be written down between any two steps and read back to the same bits. `step` is pure: the same State gives the
same next State. Hence a run that was interrupted and resumed ends with the same result as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

Metrics = Mapping[str, float | str]  # what a reader is shown; "stage" in words and "progress" from 0 to 1 always there


State = TypeVar("State")
Result = TypeVar("Result", covariant=True)


class Job(Protocol[State, Result]):
    """Discovery, Design, Reduction: parameters are moved until a loss is small."""

    state_types: tuple[type, ...]  # the dataclasses a State is made of: the only ones a checkpoint may name

    def init(self, seed: int) -> State:
        """The State before the first step; all randomness follows from `seed`."""
        ...

    def step(self, state: State) -> tuple[State, Metrics]:
        """One unit of work, seconds rather than minutes."""
        ...

    def done(self, state: State) -> bool:
        """Whether the State is final."""
        ...

    def result(self, state: State) -> Result:
        """What the user takes home; also of an unfinished State, as far as it got. ValueError: nothing yet."""
        ...


def run(
    job: Job[State, Result],
    seed: int = 0,
    *,
    state: State | None = None,
    on_step: Callable[[State, Metrics], None] | None = None,
) -> Result:
    """Step `job` until it is done, from `state` if one is given, and return its result."""
    state = job.init(seed) if state is None else state
    while not job.done(state):
        state, metrics = job.step(state)
        if on_step is not None:
            on_step(state, metrics)
    return job.result(state)
