"""One member of a sweep, done in a process of an engine: what is sent there and what comes back."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

STOP = "stop"  # a file in the sweep's folder: whoever works for it ends after the step in hand
PATIENCE = 30.0  # seconds for a process that was given up elsewhere to let go of the folder

_one_at_a_time = threading.Lock()  # compiled code here is not made for two threads at once
_told = threading.Event()


class Outcome(NamedTuple):
    """How it went: "finished", "failed" with why in one line, or "stopped" and saved."""

    state: str
    why: str = ""


def work(folder: str) -> Outcome:
    """Do what the run in `folder` still has to do, nothing if it is finished. Never raises: a failing member must not
    end the others."""
    with _one_at_a_time, _own_files():
        try:
            return _work(Path(folder))
        except Exception as error:  # whatever it is, it is this member's alone, and told
            said = " ".join(str(error).split())
            return Outcome("failed", said if isinstance(error, ValueError) else f"{type(error).__name__}: {said}")


@contextlib.contextmanager
def _own_files() -> Iterator[None]:
    """On a worker of a cluster xarray asks the scheduler for a lock before it writes, and fails where the lease of the
    lock has run out meanwhile; the files of a member are its own."""
    if "distributed" not in sys.modules:
        yield
        return
    from dask import config

    with config.set(scheduler="synchronous"):
        yield


def _work(folder: Path) -> Outcome:
    import jax

    from guldberg.app import jobs, runs

    jax.config.update("jax_enable_x64", True)  # as on the command line; a worker of a cluster was started by another
    if runs.finished(folder):
        return Outcome("finished")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _heed(folder)
            runs.go(folder, jobs.KINDS, on_metrics=lambda metrics: _heed(folder))
            return Outcome("finished")
        except (KeyboardInterrupt, runs.Interrupted):
            return Outcome("stopped")
        except runs.Busy:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _heed(folder: Path) -> None:
    if _told.is_set() or (folder.parents[1] / STOP).exists():
        raise KeyboardInterrupt


def begin_process(alive: Any, threads: int) -> None:
    """A process of the local engine: it ends its step when told to, and when the process that started it is gone.
    `alive` is the reading end of a pipe that only that process can write to."""
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: _told.set())  # `runs.go` has handlers of its own while it works
    threading.Thread(target=_watch, args=(alive,), daemon=True).start()


def _watch(alive: Any) -> None:
    """The other end of the pipe is closed by who says stop, and by the system when its owner dies."""
    try:
        alive.recv()
    except (EOFError, OSError):
        _told.set()
        os.kill(os.getpid(), signal.SIGTERM)
        with _one_at_a_time:  # what was in hand is saved
            if (owner := multiprocessing.parent_process()) and not owner.is_alive():
                os._exit(1)  # nobody is left to say so
