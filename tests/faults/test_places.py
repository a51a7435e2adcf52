"""Places that cannot be written to: one line, nothing lost, and the run goes on when there is room."""

import contextlib
import json
import os
import resource
import subprocess
from pathlib import Path

import pytest
from jobs import JOBS, begun, bits

SMALL = JOBS["discover"]


def mounted(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


@contextlib.contextmanager
def read_only(folder: Path):
    """What nobody can write to: the superuser needs a mount for that, everybody else permissions."""
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
    elif mounted("--bind", str(folder), str(folder)) and mounted("-o", "remount,ro,bind", str(folder)):
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        pytest.skip("the superuser may not mount here")


def one_line(process: subprocess.Popen, status: tuple[int, ...], *words: str) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode in status and "Traceback" not in errors, errors
    last = errors.strip().splitlines()[-1]
    assert last.startswith("guldberg: ") and all(word in last for word in words), errors


@pytest.mark.slow
@pytest.mark.parametrize("largest", [200, 4_000, 12_000, 60_000])
def test_a_full_disk_costs_nothing_but_time(tmp_path, largest):
    """No file may grow beyond so many bytes: one write fails half done. With room again, the run goes
    on to the bits of one that was never disturbed."""
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))  # noqa: E731
    process = begun(SMALL.command(tmp_path, tmp_path / "run"), preexec_fn=full)
    one_line(process, (1, 2), "File too large")
    assert not (tmp_path / "run" / "result.json").exists()
    resumed = (tmp_path / "run" / "spec.toml").exists()
    command = [SMALL.command(tmp_path, tmp_path / "run")[0], "resume", str(tmp_path / "run")]
    again = begun(command if resumed else SMALL.command(tmp_path, tmp_path / "run"))
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    whole = begun(SMALL.command(tmp_path, tmp_path / "whole"))
    _, errors = whole.communicate(timeout=300)
    assert bits(tmp_path / "run") == bits(tmp_path / "whole")


@pytest.mark.slow
def test_a_file_system_that_is_full(tmp_path):
    """The same, for real: 64 kB of memory as a disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not mounted("-t", "tmpfs", "-o", "size=64k", "none", str(disk)):
        pytest.skip("only the superuser can mount")
    try:
        one_line(begun(SMALL.command(tmp_path, disk / "run")), (1, 2), "No space left on device")
        kept = [json.loads(line) for line in (disk / "run" / "metrics.jsonl").read_bytes().splitlines()[:3]]
        assert not (disk / "run" / "result.json").exists() and kept[0]["step"] == 1
        assert mounted("-o", "remount,size=64m", str(disk))
        again = begun([SMALL.command(tmp_path, disk / "run")[0], "resume", str(disk / "run")])
        _, errors = again.communicate(timeout=300)
        assert again.returncode == 0, errors
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
def test_a_folder_that_is_read_only_is_told_before_the_work(tmp_path):
    with read_only(tmp_path / "kept"):
        one_line(
            begun(SMALL.command(tmp_path, tmp_path / "kept" / "run")),
            (2,),
            "kept/run",
            "Read-only" if os.geteuid() == 0 else "denied",
        )
        assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.slow
def test_of_two_processes_on_one_folder_the_second_is_refused(tmp_path):
    command = SMALL.command(tmp_path, tmp_path / "run")
    first = begun(command)
    while not (tmp_path / "run" / "metrics.jsonl").exists():
        assert first.poll() is None
    one_line(begun([command[0], "resume", str(tmp_path / "run")]), (2,), f"another process (pid {first.pid})")
    _, errors = first.communicate(timeout=300)
    assert first.returncode == 0, errors
