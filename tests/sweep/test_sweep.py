"""A sweep: each member as the command alone would do it, none twice, one failing member alone."""

import csv
import functools
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from guldberg.app.cli import main
from guldberg.app.sweep import engines, pictures, plan, table
from guldberg.app.sweep.sweep import Sweep
from guldberg.errors import InputError

DECAY = "A -> B @ 2\ninitial: A = 1\n"
SPEC = """
command = "simulate"
arguments = ["decay.crn"]
[options]
to = 1
points = 3
{more}
"""
SSA = 'method = "ssa"\nvolume = 1000'


@pytest.fixture
def spec(tmp_path) -> Path:
    (tmp_path / "decay.crn").write_text(DECAY)
    (tmp_path / "decay.toml").write_text(SPEC.format(more=SSA))
    return tmp_path / "decay.toml"


def asked(spec, *over, out="swept") -> Sweep:
    return Sweep(plan.read(str(spec), over), spec.parent / out)


def go(sweep, opened=ThreadPoolExecutor, width=1) -> tuple[dict, list[str]]:
    """Begin, do what is left, gather: the table, and what was said."""
    notes: list[str] = []
    sweep.begin()
    sweep.go(opened, width, lambda metrics: None, notes.append)
    return table.gather(sweep, "as typed"), notes


def bits(folder: Path) -> dict:
    """What a member computed, without what depends on the hour or the place."""
    found = json.loads((folder / "result.json").read_text())
    found.pop("seconds")
    found.pop("provenance")
    return found


@pytest.mark.slow
def test_every_member_meets_the_exact_solution(spec):
    """A(1) = exp(-k), and B its rest and what there was, for each k; the network's own file is not touched."""
    spec.write_text(SPEC.format(more=""))
    found, _ = go(asked(spec, "k1=0.5,3", "B=1"))
    for row, k in zip(found["members"], (0.5, 3), strict=True):
        assert row["state"] == "finished" and row["k1"] == k
        final = _final(spec, row)
        assert abs(final["A"] - np.exp(-k)) < 1e-5 and abs(final["B"] - (2 - np.exp(-k))) < 1e-5
    assert (spec.parent / "decay.crn").read_text() == DECAY


def _final(spec, row) -> dict:
    return json.loads((spec.parent / "swept" / "members" / row["member"] / "result.json").read_text())["final"]["1"]


def test_the_table_is_a_file_of_its_own(spec):
    found, _ = go(asked(spec, "k1=0.5,1"))
    with (spec.parent / "swept" / "members.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["k1"] for row in rows] == ["0.5", "1"] and {row["state"] for row in rows} == {"finished"}
    assert json.loads((spec.parent / "swept" / "result.json").read_text()) == found
    page = (spec.parent / "swept" / "report.html").read_text()
    assert page.count("data:image/png") == 2 and "2 of 2 members finished" in page


@pytest.mark.slow
def test_a_member_is_a_run_that_repeats_alone(spec, capsys, monkeypatch):
    """The command in its spec, typed in its folder, gives what the member has."""
    sweep = asked(spec, "k1=0.5,1", "seed=0..1")
    go(sweep)
    folder = sweep.member(3)
    typed = tomllib.loads((folder / "spec.toml").read_text())
    assert typed["command"] == "guldberg simulate data/decay.crn --to 1 --points 3 --method ssa --volume 1000 --seed 1"
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as end:
        main(["simulate", *typed["command"].split()[2:], "--out", "again.csv", "--json"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["final"] == bits(folder)["final"]


def test_a_finished_member_is_never_done_again(spec):
    sweep = asked(spec, "k1=0.5,1,2")
    go(sweep)
    before = {path: path.stat().st_mtime_ns for path in (spec.parent / "swept" / "members").rglob("*")}
    again, _ = go(asked(spec, "k1=0.5,1,2"))
    assert before == {path: path.stat().st_mtime_ns for path in (spec.parent / "swept" / "members").rglob("*")}
    assert again["finished"] == 3


def test_what_is_left_is_done_by_the_same_command(spec):
    """As after a crash: one member lacks its result, one was never begun, one was cut short while it was begun."""
    first, _ = go(asked(spec, "k1=0.5,1,2,3"))
    members = spec.parent / "swept" / "members"
    (members / "0" / "result.json").unlink()
    subprocess.run(["rm", "-r", members / "1", members / "2"], check=True)
    (members / "2" / "data").mkdir(parents=True)
    again, _ = go(asked(spec, "k1=0.5,1,2,3"))
    without = [{k: v for k, v in row.items() if k != "seconds"} for row in first["members"]]
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in again["members"]] == without


def test_one_member_that_fails_is_told_and_the_others_go_on(spec):
    spec.write_text(SPEC.format(more='method = "ssa"'))
    found, notes = go(asked(spec, "volume=1,1e30,10"))
    assert [row["state"] for row in found["members"]] == ["finished", "failed", "finished"]
    assert notes == ["member 1 failed: --volume: 1e+30 molecules are too many to count"]
    assert "too many to count" in (spec.parent / "swept" / "report.html").read_text()


@pytest.mark.slow
def test_seeds_are_those_of_the_command(spec):
    found, _ = go(asked(spec, "seed=0..2"))
    ends = [_final(spec, row)["A"] for row in found["members"]]
    assert len(set(ends)) == 3
    again, _ = go(asked(spec, "seed=2,1", out="other"))
    folder = spec.parent / "other" / "members"
    assert [bits(folder / "0")["final"], bits(folder / "1")["final"]] == [
        {"1": _final(spec, found["members"][i])} for i in (2, 1)
    ]
    assert again["finished"] == 2


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (["k9=1"], "no 'k9' here; there are options .*constants k1 to k1.*species A, B"),
        (["k1=-1"], "numbers that are not negative"),
        (["k1=fast"], "numbers that are not negative, got 'fast'"),
        (["out=x"], "no 'out' here"),
        (["seed=1", "seed=2"], "seed is given twice"),
    ],
)
def test_bad_settings_leave_nothing_behind(spec, over, message):
    with pytest.raises(InputError, match=message):
        asked(spec, *over).begin()
    assert not (spec.parent / "swept").exists()


@pytest.mark.parametrize("option", ['initial = ["A=4"]', 'initials = "starts.csv"'])
def test_what_is_swept_over_is_not_overruled_by_another_option(spec, option):
    (spec.parent / "starts.csv").write_text("B,A\n0,4\n")
    spec.write_text(f"{spec.read_text().partition('[options]')[0]}[options]\nto = 2\n{option}\n")
    with pytest.raises(InputError, match="A is swept over, and --initial or --initials says it as well"):
        asked(spec, "A=1,2").begin()
    asked(spec, "k1=1,2").begin()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("command = 3", "command = 3: expected command"),
        ('command = "show"', "expected one of discover, design, reduce, simulate"),
        ('command = "simulate"\nargument = ["x"]', "argument = .*expected command"),
        ("command = ", "not a spec in TOML"),
        (
            'command = "simulate"\narguments = ["decay.crn"]\n[options]\nto = 1\nout = "x.csv"',
            "--out is not for a member",
        ),
    ],
)
def test_bad_specs_are_refused(spec, text, message):
    spec.write_text(text)
    with pytest.raises(InputError, match=message):
        asked(spec).begin()


def test_another_sweep_in_the_folder_is_not_touched(spec):
    go(asked(spec, "k1=1,2"))
    with pytest.raises(InputError, match="another sweep"):
        asked(spec, "k1=1,3").begin()
    (spec.parent / "decay.crn").write_text(DECAY.replace("A = 1", "A = 4"))
    with pytest.raises(InputError, match="another sweep, or its inputs changed"):
        asked(spec, "k1=1,2").begin()


def test_specs_of_other_jobs_are_taken_as_they_are(tmp_path):
    """What each member would be given, without the work."""
    (tmp_path / "reduce.toml").write_text('reactions = "A + A -> 0 @ 0.01"\nsteps = 20\n[lattice]\nsize = [50]\n')
    (tmp_path / "design.toml").write_text('preset = "pattern"\n[target]\npicture = "p.png"\n[options]\nspecies = 3\n')
    (tmp_path / "p.png").write_bytes(b"a picture")
    closure = plan.read(str(tmp_path / "reduce.toml"), ["k1=0.01,0.02", "starts.number=10,20", "seed=4"])
    job, options, inputs, seed, _ = closure.member(3, tmp_path / "scratch")
    text = inputs[0].read_text()
    assert (job, options, seed) == ("reduce", {}, 4) and "@ 0.02" in text and "number = 20" in text
    held = plan.read(str(tmp_path / "design.toml"), ["species=3,4", "updates=5,6"])
    job, options, inputs, seed, _ = held.member(2, tmp_path / "scratch")
    assert job == "design" and options["options"] == {"species": 4} and options["updates"] == 5
    assert inputs == [tmp_path / "p.png"]


@pytest.mark.slow
def test_hostile_names_do_no_harm(tmp_path):
    name = "<script>alert(1)</script>'; -- ../../x"
    (tmp_path / "n.crn").write_text(f'"{name}" -> B @ 1\ninitial: "{name}" = 1\n')
    (tmp_path / "n.toml").write_text(SPEC.format(more=SSA).replace("decay", "n"))
    found, _ = go(asked(tmp_path / "n.toml", "k1=1,2", f"{name}=1,2"))
    assert found["finished"] == 4
    page = (tmp_path / "swept" / "report.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


# -- in processes of their own, through the command --------------------------------------------------------------------

LONG = """
command = "discover"
arguments = ["carotenoid.csv"]
[options]
max-order = 1
[over]
forbid = ["b10 -> bcar", "b10 -> zea", "zea -> bcar"]
"""


def start(folder: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", "from guldberg.app.cli import main; main()", "sweep", "long.toml", *words]
    # A shell that runs the tests in the background has them, and what they start, ignore the signal.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )


@pytest.fixture
def long(tmp_path) -> Path:
    import guldberg

    data = Path(guldberg.__file__).parent / "data" / "carotenoid.csv"
    (tmp_path / "carotenoid.csv").write_bytes(data.read_bytes())
    (tmp_path / "long.toml").write_text(LONG)
    return tmp_path


def until(happens, process: subprocess.Popen, seconds=120.0):
    began = time.monotonic()
    while not happens():
        assert process.poll() is None and time.monotonic() - began < seconds, process.communicate()
        time.sleep(0.02)


@pytest.mark.slow
def test_interrupted_killed_and_started_again_a_sweep_ends_with_the_same_bits(long):
    whole = start(long, "--workers", "2", "--out", "whole")
    said, errors = whole.communicate(timeout=600)
    assert whole.returncode == 0, errors
    checkpoints = lambda: [*(long / "swept" / "members").glob("*/checkpoints/0*")]  # noqa: E731
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        before = len(checkpoints())
        process = start(long, "--workers", "2", "--out", "swept")
        until(lambda: len(checkpoints()) > before or not before and checkpoints(), process)  # noqa: B023
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
        if number != signal.SIGKILL:
            assert "guldberg sweep long.toml --out swept" in errors
    last = start(long, "--workers", "2", "--out", "swept")
    _, errors = last.communicate(timeout=600)
    assert last.returncode == 0, errors
    for i in range(3):
        assert bits(long / "swept" / "members" / str(i)) == bits(long / "whole" / "members" / str(i))


@pytest.mark.slow
def test_a_process_that_dies_costs_its_member_no_more_than_a_beginning_anew(long):
    """One process is killed once: its member and its neighbour are tried again, and all finish."""
    process = start(long, "--workers", "2", "--out", "swept")
    locks = lambda: [p for p in (long / "swept" / "members").glob("*/checkpoints/0*")]  # noqa: E731
    until(locks, process)
    owner = int((locks()[0].parents[1] / "lock").read_text())
    os.kill(owner, signal.SIGKILL)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert "3 of 3 members finished" in said


@pytest.mark.slow
def test_the_local_engine_ends_when_its_owner_does(tmp_path, spec):
    """A child starts the engine and is killed: its workers are gone soon after."""
    code = (
        "import os, sys, time\nfrom guldberg.app.sweep import engines\n"
        "if __name__ == '__main__':\n"
        "    with engines.local(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    (tmp_path / "owner.py").write_text(code)
    owner = subprocess.Popen([sys.executable, tmp_path / "owner.py"], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    began = time.monotonic()
    while Path(f"/proc/{worker}/cmdline").exists() and Path(f"/proc/{worker}/cmdline").read_bytes():
        assert time.monotonic() - began < 10
        time.sleep(0.05)


def test_a_width_that_is_never_exceeded(tmp_path):
    """No more than two for each worker are begun ahead."""
    begun, seen = [], []

    def folders():
        for i in range(9):
            begun.append(i)
            yield tmp_path / str(i)

    for done in engines.outcomes(ThreadPoolExecutor, folders(), 1):
        if done is not None:
            seen.append(done)
            assert len(begun) - len(seen) <= 2
    assert [outcome.state for _, outcome in seen] == ["failed"] * 9


@pytest.mark.filterwarnings("error")
def test_the_small_picture_of_a_field_is_drawn_without_a_word(tmp_path):
    fields = np.random.default_rng(0).uniform(size=(2, 3, 8, 8))
    states = xr.Dataset({"concentration": (("time", "species", "y", "x"), fields)}, {"species": ["A", "B", "C"]})
    states.to_netcdf(tmp_path / "fields.nc", engine="h5netcdf")
    assert pictures.small(tmp_path).startswith("data:image/png")
