"""A sweep is a folder: `sweep.toml`, a run folder for each member in `members/`, and what they came to together."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from guldberg.app import checkpoints, jobs, runs
from guldberg.app import spec as specs
from guldberg.app.sweep import axes, engines
from guldberg.app.sweep.member import STOP, Outcome
from guldberg.app.sweep.plan import Plan
from guldberg.errors import InputError
from guldberg.learn.fit import Metrics

TAIL = 4096  # bytes of a member's metrics that hold its last line


class Sweep:
    """The plan, its folder, and what became of the members of this sitting that did not finish."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.count = axes.members(plan.axes)
        self.failed: dict[int, str] = {}

    def member(self, number: int) -> Path:
        """The run folder of a member."""
        return self.folder / "members" / f"{number:0{len(str(self.count - 1))}d}"

    def finished(self, number: int) -> bool:
        """Whether a member has its result."""
        return runs.finished(self.member(number))

    def begin(self) -> None:
        """Make the folder that of this sweep. InputError, and nothing written, where a setting cannot be used or the
        folder holds another sweep or other things."""
        text = self.plan.text() + self._checked()
        known = self.folder / "sweep.toml"
        if known.exists():
            if known.read_text(encoding="utf-8") != text:
                said = "this folder holds another sweep, or its inputs changed since; choose another --out"
                raise InputError(said, file=str(self.folder))
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError("expected a folder that does not exist yet; choose another --out", file=str(self.folder))
        (self.folder / "members").mkdir(parents=True, exist_ok=True)
        checkpoints.write_whole(known, text.encode())

    def go(
        self, opened: engines.Open, width: int, on_metrics: Callable[[Metrics], None], note: Callable[[str], None]
    ) -> None:
        """Do what there is still to do. KeyboardInterrupt when interrupted, with all that was reached saved."""
        (self.folder / STOP).unlink(missing_ok=True)
        left = [number for number in range(self.count) if not self.finished(number)]
        done, hand = self.count - len(left), _InHand(self)
        with runs.locked(self.folder), _terminated_as_interrupted():
            for came in engines.outcomes(opened, hand.begun(iter(left), note), width):
                if came is not None:
                    folder, outcome = came
                    number = int(folder.name)
                    hand.at_work.discard(folder)
                    done += outcome.state == "finished"
                    self._told(number, outcome, note)
                on_metrics(self._metrics(done, hand.progress()))
        shutil.rmtree(self.folder / "making", ignore_errors=True)

    def _told(self, number: int, outcome: Outcome, note: Callable[[str], None]) -> None:
        if outcome.state == "failed":
            self.failed[number] = outcome.why
            note(f"member {number} failed: {outcome.why}")

    def _metrics(self, done: int, partly: float) -> Metrics:
        share = (done + len(self.failed) + partly) / self.count
        return {"stage": f"{self.count} members", "progress": share, "finished": done}

    def _checked(self) -> str:
        """What the first member reads, by checksum; once it can be begun, and every value of every axis be read."""
        with tempfile.TemporaryDirectory() as scratch:
            first = self.plan.member(0, Path(scratch))
            jobs.KINDS[first.job].build(first.options, first.inputs)
            sums = {path.name: specs.checksum(path) for path in first.inputs}
            stride = 1
            for axis in reversed(self.plan.axes):
                for i in range(1, 1 if isinstance(axis.values, range) else len(axis.values)):
                    self.plan.member(i * stride, Path(scratch))
                stride *= len(axis.values)
        return specs.toml({"inputs": sums})


class _InHand:
    """The members that were begun and have not come back."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep, self.at_work = sweep, set[Path]()

    def begun(self, numbers: Iterator[int], note: Callable[[str], None]) -> Iterator[Path]:
        """The run folder of each member, made when it is asked for; one that cannot be begun is told and left out."""
        for number in numbers:
            folder = self.sweep.member(number)
            try:
                self._begin(folder, number)
            except (InputError, click.UsageError) as error:
                said = error.format_message() if isinstance(error, click.UsageError) else str(error)
                self.sweep._told(number, Outcome("failed", said), note)
                continue
            self.at_work.add(folder)
            yield folder

    def _begin(self, folder: Path, number: int) -> None:
        if not (folder / "spec.toml").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a crash left of a beginning
            one = self.sweep.plan.member(number, self.sweep.folder / "making")
            runs.begin(folder, jobs.KINDS, **one._asdict())

    def progress(self) -> float:
        """What they have done, together, in members."""
        return sum(map(_progress, self.at_work))


def _progress(folder: Path) -> float:
    """From the last whole line of its metrics."""
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            return float(json.loads(file.read().splitlines()[-1])["progress"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return 0.0


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def again(spec: str, over: tuple[str, ...], folder: Path) -> str:
    """The command that goes on."""
    words = ["guldberg", "sweep", spec, *(w for one in over for w in ("--over", one)), "--out", str(folder)]
    return shlex.join(words)
