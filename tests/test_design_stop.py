"""A design as its user stops and resumes it: real processes, real signals."""

import functools
import json
import shutil
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

COMMAND = str(Path(sysconfig.get_path("scripts")) / "guldberg")
SPEC = """preset = "pattern"
[options]
species = 3
shape = [48, 48]
horizons = [8, 32]
updates = [2400, 1200]
rates = [2e-2, 1e-2]
"""  # a step of the job is some hundred updates


def begun(*typed: str) -> subprocess.Popen[str]:
    # A shell that runs the tests in the background has them, and what they start, ignore the signal.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen([COMMAND, *typed], stderr=subprocess.PIPE, text=True, preexec_fn=heard)


def stopped(process: subprocess.Popen[str], folder: Path, steps: int, job: str = "", command: str = "resume") -> None:
    """Ctrl-C once so many steps were made, of the run or of a further job on it."""
    lines = folder / job / "metrics.jsonl"
    while not lines.exists() or len(lines.read_text().splitlines()) < steps:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and f"guldberg {command} {folder}" in told and "Traceback" not in told


def kept(folder: Path) -> dict:
    """All but when and where it was made."""
    table = json.loads((folder / "result.json").read_text())
    return {name: x for name, x in table.items() if name not in ("seconds", "provenance")}


@pytest.mark.slow
def test_a_design_stopped_by_ctrl_c_and_resumed_ends_with_the_same_bits(tmp_path):
    spec, whole, parts = tmp_path / "small.toml", tmp_path / "whole", tmp_path / "parts"
    spec.write_text(SPEC)
    assert begun("design", str(spec), "--out", str(whole), "--quiet").wait() == 0
    stopped(begun("design", str(spec), "--out", str(parts)), parts, steps=1)
    stopped(begun("resume", str(parts)), parts, steps=3)
    assert not (parts / "result.json").exists()
    assert begun("resume", str(parts), "--quiet").wait() == 0
    assert kept(parts) == kept(whole)
    with xr.open_dataset(parts / "fields.nc") as a, xr.open_dataset(whole / "fields.nc") as b:
        np.testing.assert_array_equal(a["concentration"], b["concentration"])
    for steps in (4, 7):  # three controls were run for the first look
        stopped(begun("verify", str(whole)), whole, steps, "verification", "verify")
    done = [json.loads(line) for line in (whole / "verification" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in done] == list(range(4, 4 + len(done))) and "verdict" not in kept(whole)


@pytest.mark.slow
def test_a_run_of_another_recipe_is_not_resumed(tmp_path):
    spec, run = tmp_path / "small.toml", tmp_path / "run"
    spec.write_text(SPEC)
    stopped(begun("design", str(spec), "--out", str(run)), run, steps=1)
    other = tmp_path / "other"
    shutil.copytree(run, other)
    asked = (other / "spec.toml").read_text()
    assert "1200" in asked
    (other / "spec.toml").write_text(asked.replace("1200", "1300"))
    process = begun("resume", str(other))
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2 and "begun under another version of its recipe" in told and "Traceback" not in told
