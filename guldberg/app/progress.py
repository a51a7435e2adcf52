"""What a long job shows on standard error: a live line on a terminal, plain lines where the output is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Line
from rich.text import Text

from guldberg.learn.fit import Metrics

INTERVAL = 10.0  # seconds between plain lines within one stage


class Progress:
    """A context; called with the Metrics of each step. `live`: a line that moves on standard error; else `say`.

    Beside "stage" and "progress" it shows these, where a job gives them: "score" (the best so far), "reactions" (their
    number in the best mechanism), "solves" and "failed"; "loss", "correlation" and such, and "updates" per second.
    """

    def __init__(self, say: Callable[[str], None], *, live: bool) -> None:
        self.say, self.stage, self.said, self.started = say, "", -math.inf, time.monotonic()
        self.first: tuple[float, float] | None = None  # (seconds, progress): what came before is not this sitting's
        self.last = (math.nan, 0.0)  # updates, seconds
        self.line = _line() if live else None
        self.task = self.line.add_task("starting", total=1.0, facts="") if self.line else None

    def __enter__(self) -> Self:
        if self.line:
            self.line.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.line:
            self.line.stop()

    def __call__(self, metrics: Metrics) -> None:
        stage, done, now = str(metrics["stage"]), float(metrics["progress"]), time.monotonic() - self.started
        told = "  ".join([*facts(metrics), *self._speed(metrics, now), *self._left(done, now)])
        if self.line and self.task is not None:
            self.line.update(self.task, completed=done, description=Text(stage).markup, facts=Text(told).markup)
        elif stage != self.stage or now - self.said >= INTERVAL:
            self.say(f"{now:6.1f} s  {done:4.0%}  {stage}{'  ' if told else ''}{told}")
            self.said = now
        self.stage = stage

    def _speed(self, metrics: Metrics, now: float) -> list[str]:
        """Updates per second, since the last call."""
        (before, at), self.last = self.last, (_number(metrics, "updates"), now)
        rate = (self.last[0] - before) / (now - at) if now > at else math.nan
        return [f"{rate:.3g} updates/s"] if rate > 0 else []

    def _left(self, done: float, now: float) -> list[str]:
        """A guess at the time left, once there is something to guess from."""
        if self.first is None:
            self.first = now, done
        seconds, work = now - self.first[0], done - self.first[1]
        return [f"about {seconds * (1 - done) / work:.0f} s left"] if seconds > 2 and work > 0.02 and done < 1 else []


def facts(metrics: Metrics) -> list[str]:
    """What the metrics say beyond stage and progress, in words; what is not known yet is left out."""
    words = {
        "finished": "{:.0f} finished",
        "reactions": "{:.0f} reactions",
        "score": "score {:.6g}",
        "loss": "loss {:.4g}",
        "correlation": "r {:.3f}",
        "within": "r within species {:.3f}",
        "contrast": "contrast {:.2f}",
        "sigma": "sigma {:.3g} k_B",
        "bits": "bits {:.3f}",
        "rejected": "{:.0f} rejected",
    }
    known = {name: value for name in words if math.isfinite(value := _number(metrics, name))}
    told = [words[name].format(value) for name, value in known.items() if name != "rejected" or value > 0]
    failed, solves = _number(metrics, "failed"), _number(metrics, "solves")
    if failed > 0:
        told.append(f"{failed:.0f} of {solves:.0f} solves failed" if solves > 0 else f"{failed:.0f} solves failed")
    return told


def _number(metrics: Metrics, name: str) -> float:
    value = metrics.get(name, math.nan)
    return math.nan if isinstance(value, str) else float(value)


def _line() -> Line:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn())
    facts = TextColumn("{task.fields[facts]}")
    return Line(*columns, TimeElapsedColumn(), facts, console=Console(stderr=True), transient=True)
