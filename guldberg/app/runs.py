"""A run is a folder: what was asked, the data, checkpoints, progress, the result. `learn.fit.run` does the work."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guldberg.app import checkpoints, codec
from guldberg.app import spec as specs
from guldberg.app.spec import Spec
from guldberg.errors import InputError
from guldberg.learn import fit

INTERVAL = 1.0  # seconds between checkpoints, at least


Verify = Callable[[Path, Callable[[fit.Metrics], None], Callable[[str], None]], str]


@dataclasses.dataclass(frozen=True)
class Kind:
    """All that a run needs to know of one kind of job."""

    build: Callable[[Mapping[str, Any], Sequence[Path]], fit.Job[Any, Any]]  # from options and input files
    write: Callable[[Path, Any, Spec, float], None]  # the result's files into the folder; result.json last
    page: Callable[[Any, Spec, float], str]  # report.html
    summary: Callable[[Any], str]  # for the terminal
    slow_start: Callable[[], str] = str  # what takes long before the first step, once on this machine; "": nothing
    beside: Callable[[Path, Any, Spec], Any] = lambda folder, result, spec: result  # what `page` shows of a result
    verify: Verify | None = None  # repeat a finished run under controls; what came out, as text


class Busy(InputError):
    """Another process works in the folder."""


class Interrupted(Exception):
    """A signal ended the run between two steps; what was reached is saved."""

    def __init__(self, folder: Path, command: str = "resume") -> None:
        super().__init__(f"interrupted; what was reached is saved: guldberg {command} {shlex.quote(str(folder))}")
        self.folder = folder


def default_folder(job: str, parent: Path = Path()) -> Path:
    """`discover-run`, or the first of `discover-run-2`, `discover-run-3`, ... that is free."""
    folder, number = parent / f"{job}-run", 1
    while folder.exists():
        number += 1
        folder = parent / f"{job}-run-{number}"
    return folder


def finished(folder: Path) -> bool:
    """Whether the run in `folder` has its result."""
    return (folder / "result.json").exists()


def kind(folder: Path, kinds: Mapping[str, Kind]) -> Kind:
    """The kind of job that the run in `folder` does. InputError where there is no run, or none of these kinds."""
    name = specs.read(_run(folder) / "spec.toml").job
    if name not in kinds:
        raise InputError(f"unknown job {name!r}; expected {', '.join(kinds)}", file=str(folder / "spec.toml"))
    return kinds[name]


def begin(
    folder: Path,
    kinds: Mapping[str, Kind],
    *,
    job: str,
    options: Mapping[str, Any],
    inputs: Sequence[Path],
    seed: int,
    command: str,
) -> None:
    """Make `folder` a run: its spec and copies of its inputs. `options` hold no None: leave out what was not asked.

    InputError, and nothing written, where the job does not take these inputs or the folder is not free.
    """
    _refuse_unless_free(folder)
    kinds[job].build(options, inputs)
    spec = Spec(job, seed, command, options, tuple(specs.inside(inputs)), specs.versions())
    text = spec.text()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _refuse_unless_free(folder)
        for source in spec.inputs:
            (folder / source.file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.original, folder / source.file)
        checkpoints.write_whole(folder / "spec.toml", text.encode())


def go(
    folder: Path,
    kinds: Mapping[str, Kind],
    *,
    on_metrics: Callable[[fit.Metrics], None] = lambda metrics: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Any:
    """Do what the run in `folder` still has to do, from its last checkpoint if there is one, and return its result.

    A run that was stopped at any moment ends with the same result as one that was not. Interrupted on SIGINT and
    SIGTERM; InputError where `folder` is no run, another process works on it, or its data were changed.
    """
    with _signals() as signals, locked(_run(folder)):
        spec, job = _reopen(folder, kinds, on_note)
        saved = checkpoints.load(folder / "checkpoints", job.state_types, on_note)
        if finished(folder):
            return job.result(_last(folder, saved).state)
        with _Recorder(job, folder, saved, signals) as recorder:
            state = None if saved is None else saved.state
            result = fit.run(recorder, spec.seed, state=state, on_step=lambda state, metrics: on_metrics(metrics))
        kinds[spec.job].write(folder, result, spec, recorder.seconds)
    return result


def reached(folder: Path, kinds: Mapping[str, Kind]) -> tuple[Any, Spec, float]:
    """The result as far as the run in `folder` got, its spec, and the seconds of work so far; nothing is computed.

    InputError where it has none yet."""
    spec, job = _reopen(folder, kinds, lambda note: None)
    saved = _last(folder, checkpoints.load(folder / "checkpoints", job.state_types, lambda note: None))
    try:
        return job.result(saved.state), spec, saved.seconds
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"this run has no result to show: {error}", file=str(folder)) from None


def further(
    folder: Path,
    name: str,
    job: fit.Job[Any, Any],
    seed: int,
    *,
    command: str,
    on_metrics: Callable[[fit.Metrics], None],
    on_note: Callable[[str], None],
) -> Any:
    """Do a further job on the finished run in `folder`, from its last checkpoint if there is one; it is written down
    in the folder `name` inside. Interrupted, `guldberg COMMAND RUN` goes on with it."""
    if not finished(_run(folder)):
        again = f"guldberg resume {shlex.quote(str(folder))}"
        raise InputError(f"this run is not finished: `{again}` first", file=str(folder))
    place = folder / name
    place.mkdir(exist_ok=True)
    with _signals() as signals, locked(folder):
        saved = checkpoints.load(place / "checkpoints", job.state_types, on_note)
        try:
            with _Recorder(job, place, saved, signals) as recorder:
                state = None if saved is None else saved.state
                return fit.run(recorder, seed, state=state, on_step=lambda state, metrics: on_metrics(metrics))
        except Interrupted:
            raise Interrupted(folder, command) from None


class _Recorder:
    """`job`, written down as it goes. Each State passes through bytes, so that what goes on is what would be read."""

    def __init__(
        self, job: fit.Job[Any, Any], folder: Path, saved: checkpoints.Checkpoint | None, signals: _Signals
    ) -> None:
        self.job, self.state_types, self.folder, self.signals = job, job.state_types, folder, signals
        self.steps, self.earlier = (saved.step, saved.seconds) if saved else (0, 0.0)
        self.started, self.saved_at = time.monotonic(), -math.inf
        self.unsaved: tuple[int, bytes] | None = None
        _forget_after(folder / "metrics.jsonl", self.steps)

    @property
    def seconds(self) -> float:
        return self.earlier + time.monotonic() - self.started

    def init(self, seed: int) -> Any:
        with self.signals.may_abandon():
            state = self.job.init(seed)
        return self._keep(state)

    def step(self, state: Any) -> tuple[Any, fit.Metrics]:
        with self.signals.may_abandon():
            state, metrics = self.job.step(state)
        self.steps += 1
        # Before the checkpoint: killed between the two, the line is dropped and written again; never is one missing.
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.steps, "seconds": round(self.seconds, 3), **_plain(metrics)}) + "\n")
        return self._keep(state), metrics

    def done(self, state: Any) -> bool:
        if not self.job.done(state):
            self.signals.stop_if_asked()
            return False
        return True

    def result(self, state: Any) -> Any:
        self._save()
        return self.job.result(state)

    def _keep(self, state: Any) -> Any:
        written = codec.encode(state, self.state_types)
        self.unsaved = self.steps, written
        if time.monotonic() - self.saved_at >= INTERVAL:
            self._save()
        return codec.decode(written, self.state_types)

    def _save(self) -> None:
        if self.unsaved is not None:
            step, state = self.unsaved
            checkpoints.save(self.folder / "checkpoints", step, self.seconds, state)
            self.saved_at, self.unsaved = time.monotonic(), None

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._save()
        if kind is KeyboardInterrupt:
            raise Interrupted(self.folder) from None


class _Signals:
    """SIGINT and SIGTERM: the step in hand is abandoned (it is pure), anything else is finished first."""

    def __init__(self) -> None:
        self.asked = self.abandonable = False

    def __call__(self, number: int, frame: object) -> None:
        self.asked = True
        if self.abandonable:
            raise KeyboardInterrupt

    def stop_if_asked(self) -> None:
        # Also where the exception above was swallowed on its way, as in a callback of the garbage collector.
        if self.asked:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def may_abandon(self) -> Iterator[None]:
        self.abandonable = True
        try:
            yield
        finally:
            self.abandonable = False


@contextlib.contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals  # only the main thread is told of signals
        return
    before, told = {n: signal.signal(n, signals) for n in (signal.SIGINT, signal.SIGTERM)}, sys.unraisablehook
    sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, KeyboardInterrupt) else told(lost)
    try:
        yield signals
    finally:
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process per folder. The system drops the lock of a process that dies, so a stale file never blocks."""
    path = folder / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise Busy(
                f"another process (pid {owner}) is at work on this run; wait for it or end it", file=str(folder)
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _refuse_unless_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file; expected a folder that does not exist yet, or an empty one", file=str(folder))
    if (folder / "spec.toml").exists():
        remedy = "" if finished(folder) else f", go on with it by `guldberg resume {shlex.quote(str(folder))}`"
        state = "a finished run" if finished(folder) else "an unfinished run"
        raise InputError(f"this folder holds {state}; choose another --out{remedy} or delete it", file=str(folder))
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    cut_short = {"lock", "data", ".spec.toml.part"} if "lock" in inside else set()  # what a crash leaves of `begin`
    if inside - cut_short:
        raise InputError("this folder holds other things than a run; choose another --out", file=str(folder))


def _reopen(folder: Path, kinds: Mapping[str, Kind], on_note: Callable[[str], None]) -> tuple[Spec, fit.Job[Any, Any]]:
    """The spec of the run in `folder` and its job, rebuilt from the copies of its inputs."""
    build = kind(folder, kinds).build
    spec = specs.read(folder / "spec.toml")
    for source in spec.inputs:
        _check(folder / source.file, source)
    changed = [
        f"{name} {spec.versions.get(name)} -> {now}"
        for name, now in specs.versions().items()
        if spec.versions.get(name) != now
    ]
    if changed:
        on_note(
            f"versions changed since this run began ({', '.join(changed)}): figures may differ in their last digits"
        )
    return spec, build(spec.options, [folder / source.file for source in spec.inputs])


def _run(folder: Path) -> Path:
    if not (folder / "spec.toml").is_file():
        raise InputError("there is no run here: spec.toml is missing; `guldberg discover --help`", file=str(folder))
    return folder


def _check(path: Path, source: specs.Source) -> None:
    if not path.is_file():
        raise InputError(f"this copy of {source.original} is missing; put it back or begin anew", file=str(path))
    if specs.checksum(path) != source.sha256:
        raise InputError("changed since the run began (its sha256 differs); put it back or begin anew", file=str(path))


def _last(folder: Path, saved: checkpoints.Checkpoint | None) -> checkpoints.Checkpoint:
    if saved is None:
        raise InputError("this run has no whole checkpoint; `guldberg resume` or begin anew", file=str(folder))
    return saved


def _forget_after(path: Path, step: int) -> None:
    """Drop the lines of steps that will be done again, and what a crash or a bad disk made of others."""
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        checkpoints.write_whole(path, b"".join(line for line in lines if 0 <= _step(line) <= step))


def _step(line: bytes) -> int:
    """The step that a line tells of; -1 where it is not whole."""
    try:
        return int(json.loads(line)["step"]) if line.endswith(b"\n") else -1
    except (ValueError, KeyError, TypeError):
        return -1


def _plain(metrics: fit.Metrics) -> dict[str, Any]:
    """As JSON has it: what is not a finite number is null."""
    return {k: v if isinstance(v, str) else float(v) if math.isfinite(v) else None for k, v in metrics.items()}
