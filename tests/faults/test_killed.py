"""Each job, ended at 20 random moments by what nothing can catch, and by what Ctrl-C sends: the same bits."""

import random
import signal
import time
from pathlib import Path

import pytest
from jobs import JOBS, begun, bits


def whole(job: str, tmp_path: Path) -> tuple[Path, float]:
    """The run of a job that nobody disturbs, and how many seconds it is at work."""
    out = tmp_path / "whole"
    process = begun(JOBS[job].command(tmp_path, out))
    at_work(out, process)
    began = time.monotonic()
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return out, time.monotonic() - began


def at_work(out: Path, process) -> None:
    """Wait until the process holds the run, or is done."""
    lock = out / "lock"
    while process.poll() is None and not (lock.exists() and lock.read_text().strip() == str(process.pid)):
        time.sleep(0.01)


def disturbed(job: str, tmp_path: Path, number: signal.Signals, moments: int, seed: int) -> tuple[int, int]:
    """End a run at random moments between its start and its end, and go on each time; a run that gets to its end is
    compared, and another is begun. How many moments found the run at work, and how many runs came to their end."""
    undisturbed, seconds = whole(job, tmp_path)
    expected, chance = bits(undisturbed), random.Random(seed)
    hit = ended = 0
    out, command = tmp_path / "0", JOBS[job].command(tmp_path, tmp_path / "0")
    while hit < moments:
        process = begun(command)
        at_work(out, process)
        time.sleep(chance.uniform(0, seconds))
        hit += process.poll() is None
        process.send_signal(number)
        said, errors = process.communicate(timeout=120)
        if process.returncode == 0:  # it was done, or heard Ctrl-C while it wrote its result, and finished that first
            assert bits(out) == expected
            ended += 1
            out, command = tmp_path / str(ended), JOBS[job].command(tmp_path, tmp_path / str(ended))
            continue
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
        assert "Traceback" not in errors
        if (out / "spec.toml").exists():
            command = [*command[:1], "resume", str(out)]
    last = begun(command)
    _, errors = last.communicate(timeout=600)
    assert last.returncode == 0, errors
    assert bits(out) == expected
    return hit, ended + 1


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_killed_at_20_random_moments_a_job_ends_with_the_same_bits(job, tmp_path, record_property):
    hit, ended = disturbed(job, tmp_path, signal.SIGKILL, 20, seed=1)
    record_property("killed", hit)
    print(f"{job}: {hit} kills, {ended} runs to their end, all with the same bits")


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_interrupted_at_20_random_moments_a_job_ends_with_the_same_bits(job, tmp_path):
    hit, ended = disturbed(job, tmp_path, signal.SIGINT, 20, seed=2)
    print(f"{job}: {hit} interruptions, {ended} runs to their end, all with the same bits")
