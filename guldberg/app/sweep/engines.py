"""Where members are worked on: processes of this machine, or a cluster of dask. Both are a `concurrent.futures` one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from guldberg.app.sweep.member import STOP, Outcome, begin_process, work
from guldberg.errors import InputError

INTERVAL = 0.5  # seconds between looks at what is at work
DIED = "its process was ended from outside; was there memory enough?"

Open = Callable[[int], AbstractContextManager[Executor]]  # for so many at once
Done = tuple[Path, Outcome]


@contextlib.contextmanager
def local(width: int) -> Iterator[Executor]:
    """`width` processes of this machine, which share its cores. When it closes they stop after the step in hand."""
    spawn = multiprocessing.get_context("spawn")
    theirs, ours = spawn.Pipe(duplex=False)
    threads = max(1, (os.cpu_count() or 1) // width)
    pool = ProcessPoolExecutor(width, spawn, begin_process, (theirs, threads))
    try:
        yield pool
    finally:
        ours.close()
        pool.shutdown(cancel_futures=True)
        theirs.close()


def dask(address: str, folder: Path) -> tuple[Open, int]:
    """The workers of the scheduler at `address`, which see `folder` at the same path as this machine; how many."""
    try:
        from distributed import Client
    except ImportError:
        raise InputError("dask.distributed is missing: pip install 'guldberg[cluster]'", file="--engine") from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"no scheduler answers there ({error})", file=f"--scheduler {address}") from error
    seen: Any = client.run(os.path.isdir, str(folder))  # a dict, for a client that is not asynchronous
    if not seen:
        raise InputError("this scheduler has no workers yet; start some with `dask worker`", file=address)
    if not all(seen.values()):
        blind = next(worker for worker, sees in seen.items() if not sees)
        raise InputError(
            f"the worker {blind} does not see this folder; choose an --out that all share", file=str(folder)
        )

    @contextlib.contextmanager
    def opened(width: int) -> Iterator[Executor]:
        try:
            yield client.get_executor(pure=False)
        except BaseException:
            (folder / STOP).touch()  # they hear no signal of this machine
            raise
        finally:
            client.close()

    threads: Any = client.nthreads()
    return opened, sum(threads.values())


def outcomes(opened: Open, folders: Iterator[Path], width: int) -> Iterator[Done | None]:
    """Each folder with its outcome, in the order in which they come; None again and again while nothing comes.

    Where processes die, whoever was at work is tried again alone: one member that takes all the memory is found out,
    and the others go on.
    """
    while True:
        suspects: list[Path] = []
        with opened(width) as executor:
            yield from _feed(executor, folders, width, suspects)
        if not suspects:
            return
        for folder in suspects:
            alone: list[Path] = []
            with opened(1) as executor:
                yield from _feed(executor, iter([folder]), 1, alone)
            if alone:
                yield folder, Outcome("failed", DIED)


def _feed(executor: Executor, folders: Iterator[Path], width: int, suspects: list[Path]) -> Iterator[Done | None]:
    """Keep every worker at work and one member waiting for each; end when all are done or processes died."""
    waiting: dict[Future[Outcome], Path] = {}
    while True:
        while len(waiting) < 2 * width and not suspects and (folder := next(folders, None)) is not None:
            try:
                waiting[executor.submit(work, str(folder))] = folder
            except BrokenExecutor:
                suspects.append(folder)
        if not waiting:
            return
        done, _ = wait(waiting, timeout=INTERVAL, return_when=FIRST_COMPLETED)
        yield from (_done(waiting.pop(future), future, suspects) for future in done)
        if not done:
            yield None


def _done(folder: Path, future: Future[Outcome], suspects: list[Path]) -> Done | None:
    try:
        return folder, future.result()
    except BrokenExecutor:
        suspects.append(folder)
        return None
    except Exception as error:  # of the cluster: a worker that was lost too often, an answer that did not come
        return folder, Outcome("failed", f"{type(error).__name__}: {' '.join(str(error).split())}")
