"""The same sweep on a cluster: a real scheduler, two real workers, one of them killed in the middle."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import guldberg

pytest.importorskip("distributed")

SPEC = """
command = "discover"
arguments = ["carotenoid.csv"]
[options]
max-order = 1
[over]
forbid = ["b10 -> bcar", "b10 -> zea", "zea -> bcar", "zea -> b10", "ohb10 -> bcry"]
"""
SWEEP = [sys.executable, "-c", "from guldberg.app.cli import main; main()", "sweep", "spec.toml"]


def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and its two workers; all ended at the end."""
    address = f"tcp://127.0.0.1:{port()}"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"], **quiet
    )
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen(worker, **quiet, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def sweep(folder: Path, *words: str) -> subprocess.Popen:
    return subprocess.Popen([*SWEEP, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def bits(folder: Path) -> dict:
    found = json.loads((folder / "result.json").read_text())
    found.pop("seconds")
    found.pop("provenance")
    return found


def owners(folder: Path) -> dict[int, Path]:
    """The process that works on each member that is begun and not finished."""
    at_work = [p.parent for p in folder.glob("members/*/checkpoints") if not (p.parent / "result.json").exists()]
    return {int(member.joinpath("lock").read_text()): member for member in at_work}


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_its_members_to_the_other(tmp_path, cluster):
    """Every member has the bits of the local run, one row each; the one in the hands of the dead goes on elsewhere."""
    address, workers = cluster
    (tmp_path / "carotenoid.csv").write_bytes((Path(guldberg.__file__).parent / "data/carotenoid.csv").read_bytes())
    (tmp_path / "spec.toml").write_text(SPEC)
    time.sleep(3)  # for the workers to be known
    process = sweep(tmp_path, "--engine", "dask", "--scheduler", address, "--out", "far")
    pids, began = {worker.pid for worker in workers}, time.monotonic()
    while not (caught := pids & owners(tmp_path / "far").keys()):
        assert process.poll() is None and time.monotonic() - began < 120, process.communicate()
        time.sleep(0.02)
    victim = caught.pop()
    orphan = owners(tmp_path / "far")[victim]
    os.kill(victim, signal.SIGKILL)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert "5 of 5 members finished" in said
    assert int((orphan / "lock").read_text()) in pids - {victim}
    with (tmp_path / "far" / "members.csv").open(newline="") as file:
        assert [row["member"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4"]
    near = sweep(tmp_path, "--workers", "1", "--out", "near")
    _, errors = near.communicate(timeout=600)
    assert near.returncode == 0, errors
    for i in range(5):
        assert bits(tmp_path / "far" / "members" / str(i)) == bits(tmp_path / "near" / "members" / str(i))
        lines = [json.loads(line)["step"] for line in open(tmp_path / f"far/members/{i}/metrics.jsonl")]
        assert lines == list(range(1, len(lines) + 1))


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_told_in_one_line(tmp_path):
    (tmp_path / "carotenoid.csv").write_bytes((Path(guldberg.__file__).parent / "data/carotenoid.csv").read_bytes())
    (tmp_path / "spec.toml").write_text(SPEC)
    process = sweep(tmp_path, "--engine", "dask", "--scheduler", f"tcp://127.0.0.1:{port()}")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and "no scheduler answers there" in errors and len(errors.splitlines()) == 1
