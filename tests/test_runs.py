"""A run folder: what is refused, what survives damage, and that a stopped run ends as one that was not."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from guldberg.app import checkpoints, runs
from guldberg.app import spec as specs
from guldberg.errors import InputError
from guldberg.learn import fit


@dataclasses.dataclass(frozen=True)
class Descent:
    """x after some steps of noisy descent; the generator's state travels along."""

    x: np.ndarray
    generator: dict
    steps: int


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """Stochastic descent on |A x - b|^2, A and b from a CSV: all floats differ if one step is lost or repeated."""

    table: np.ndarray
    steps: int
    pause: float
    fails_at: int
    state_types = (Descent,)

    def init(self, seed: int) -> Descent:
        generator = np.random.default_rng(seed)
        return Descent(generator.normal(size=self.table.shape[1] - 1), generator.bit_generator.state, 0)

    def step(self, state: Descent) -> tuple[Descent, fit.Metrics]:
        if state.steps == self.fails_at:
            raise FloatingPointError("the descent ran away")
        time.sleep(self.pause)
        generator = np.random.default_rng()
        generator.bit_generator.state = state.generator
        rows = generator.choice(len(self.table), 3)
        A, b = self.table[rows, :-1], self.table[rows, -1]
        x = state.x - 0.05 * A.T @ (A @ state.x - b)
        metrics = {"stage": "descending", "progress": (state.steps + 1) / self.steps, "score": float("inf")}
        return Descent(x[::-1][::-1], generator.bit_generator.state, state.steps + 1), metrics

    def done(self, state: Descent) -> bool:
        return state.steps >= self.steps

    def result(self, state: Descent) -> np.ndarray:
        return state.x


def build(options, inputs) -> LeastSquares:
    try:
        table = np.loadtxt(inputs[0], delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(str(error), file=str(inputs[0])) from error
    return LeastSquares(table, options["steps"], options.get("pause", 0.0), options.get("fails_at", -1))


def write(folder, result, spec, seconds) -> None:
    text = json.dumps({"seed": spec.seed, "seconds": seconds, "x": [x.hex() for x in result]})
    checkpoints.write_whole(folder / "result.json", text.encode())


KINDS = {"squares": runs.Kind(build, write, lambda result, spec, seconds: str(result), str)}


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "table.csv"
    np.savetxt(path, np.random.default_rng(1).normal(size=(8, 5)), delimiter=",")
    return path


def begin(folder, table, seed=3, **options):
    options = {"steps": 40} | options
    runs.begin(folder, KINDS, job="squares", options=options, inputs=[table], seed=seed, command="make again")


def timeless(folder) -> dict:
    return json.loads((folder / "result.json").read_text()) | {"seconds": None}


def test_a_run_ends_as_the_plain_loop_does(tmp_path, table):
    begin(tmp_path / "run", table)
    result = runs.go(tmp_path / "run", KINDS)
    plain = fit.run(build({"steps": 40}, [table]), 3)
    assert result.tobytes() == plain.tobytes()
    assert timeless(tmp_path / "run")["x"] == [x.hex() for x in plain]


def test_the_spec_alone_repeats_the_run(tmp_path, table):
    begin(tmp_path / "run", table)
    expected = runs.go(tmp_path / "run", KINDS)
    table.unlink()  # the copy inside the run is enough
    spec = tomllib.loads((tmp_path / "run" / "spec.toml").read_text())
    copy = tmp_path / "run" / spec["inputs"][0]["file"]
    again = fit.run(build(spec["options"], [copy]), spec["seed"])
    assert again.tobytes() == expected.tobytes()


def test_every_step_has_its_line_once_and_all_lines_are_json(tmp_path, table):
    begin(tmp_path / "run", table, fails_at=17)
    with pytest.raises(FloatingPointError):
        runs.go(tmp_path / "run", KINDS)
    metrics = tmp_path / "run" / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write('{"step": 18, "cut')
    mend(tmp_path / "run", "fails_at = 17", "fails_at = -1")
    runs.go(tmp_path / "run", KINDS)
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert all(line["score"] is None and line["stage"] == "descending" for line in lines)


def mend(folder, old, new):
    spec = (folder / "spec.toml").read_text()
    assert old in spec
    (folder / "spec.toml").write_text(spec.replace(old, new))


def test_what_a_failed_run_reached_is_saved(tmp_path, table):
    begin(tmp_path / "run", table, fails_at=17)
    with pytest.raises(FloatingPointError):
        runs.go(tmp_path / "run", KINDS)
    assert not runs.finished(tmp_path / "run")
    x, spec, seconds = runs.reached(tmp_path / "run", KINDS)
    assert x.tobytes() == fit.run(build({"steps": 17}, [table]), 3).tobytes()
    assert spec.seed == 3 and seconds > 0


def test_a_damaged_checkpoint_is_told_and_the_one_before_used(tmp_path, table, monkeypatch):
    monkeypatch.setattr(runs, "INTERVAL", 0.0)
    begin(tmp_path / "whole", table)
    expected = runs.go(tmp_path / "whole", KINDS)
    begin(tmp_path / "run", table, fails_at=17)
    with pytest.raises(FloatingPointError):
        runs.go(tmp_path / "run", KINDS)
    mend(tmp_path / "run", "fails_at = 17", "fails_at = -1")
    kept = sorted((tmp_path / "run" / "checkpoints").iterdir())
    assert [path.name for path in kept] == ["00000015.json", "00000016.json", "00000017.json"]
    damaged = bytearray(kept[2].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    kept[2].write_bytes(damaged)
    kept[1].write_bytes(kept[1].read_bytes()[:40])
    notes = []
    result = runs.go(tmp_path / "run", KINDS, on_note=notes.append)
    assert len(notes) == 2 and "00000017.json is damaged (its checksum differs)" in notes[0]
    assert result.tobytes() == expected.tobytes()


def test_with_every_checkpoint_damaged_the_run_starts_again(tmp_path, table):
    begin(tmp_path / "run", table)
    expected = runs.go(tmp_path / "run", KINDS)
    (tmp_path / "run" / "result.json").unlink()
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(b"")
    assert runs.go(tmp_path / "run", KINDS).tobytes() == expected.tobytes()


def test_a_finished_run_is_returned_and_not_written_again(tmp_path, table):
    begin(tmp_path / "run", table)
    first = runs.go(tmp_path / "run", KINDS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json*")}
    assert runs.go(tmp_path / "run", KINDS).tobytes() == first.tobytes()
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.json*")}


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_bad_input_leaves_nothing_behind(tmp_path, table):
    table.write_text("1,2\n3,four\n")
    with pytest.raises(InputError, match="table.csv: .*four"):
        begin(tmp_path / "run", table)
    assert not (tmp_path / "run").exists()


def test_folders_that_are_not_free_are_refused(tmp_path, table):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: this is a file"):
        begin(tmp_path / "file", table)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("")
    with pytest.raises(InputError, match="photos: this folder holds other things than a run"):
        begin(tmp_path / "photos", table)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.png"]
    begin(tmp_path / "run", table)
    with pytest.raises(InputError, match="unfinished run; choose another --out, go on with it by `guldberg resume"):
        begin(tmp_path / "run", table)
    runs.go(tmp_path / "run", KINDS)
    with pytest.raises(InputError, match="holds a finished run; choose another --out or delete it"):
        begin(tmp_path / "run", table)
    (tmp_path / "empty").mkdir()
    begin(tmp_path / "empty", table)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "spec.toml").unlink(), "there is no run here: spec.toml is missing"),
        (lambda run: (run / "spec.toml").write_text("job = ?"), "cannot be read: .*line 1, column 7"),
        (lambda run: (run / "spec.toml").write_text("job = 1\nsed = 2"), "expected exactly job, seed"),
        (lambda run: mend(run, '"squares"', '"circles"'), "unknown job 'circles'; expected squares"),
        (lambda run: (run / "data" / "table.csv").unlink(), "this copy of .*table.csv is missing"),
        (lambda run: (run / "data" / "table.csv").write_text("1,2\n"), "changed since the run began"),
    ],
)
def test_a_folder_that_cannot_be_resumed_says_why(tmp_path, table, damage, message):
    begin(tmp_path / "run", table)
    damage(tmp_path / "run")
    with pytest.raises(InputError, match=message):
        runs.go(tmp_path / "run", KINDS)


def test_other_versions_are_told(tmp_path, table):
    begin(tmp_path / "run", table)
    mend(tmp_path / "run", f'numpy = "{np.__version__}"', 'numpy = "1.0"')
    notes = []
    runs.go(tmp_path / "run", KINDS, on_note=notes.append)
    assert notes == [
        f"versions changed since this run began (numpy 1.0 -> {np.__version__}): "
        "figures may differ in their last digits"
    ]


def test_default_folders_count_up(tmp_path):
    names = []
    for _ in range(3):
        folder = runs.default_folder("discover", tmp_path)
        folder.mkdir()
        names.append(folder.name)
    assert names == ["discover-run", "discover-run-2", "discover-run-3"]


def test_inputs_of_one_name_keep_it(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.csv").write_text(folder)
    sources = specs.inside([tmp_path / "a" / "run.csv", tmp_path / "b" / "run.csv"])
    assert [source.file for source in sources] == ["data/run.csv", "data/2/run.csv"]
    assert sources[0].sha256 != sources[1].sha256


values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), values, max_size=4), st.text())
def test_a_spec_is_read_as_it_was_written(options, command):
    spec = specs.Spec("squares", 7, command, options, (specs.Source("data/a.csv", "a\\b.csv", "00"),), {"numpy": "2"})
    table = tomllib.loads(spec.text())
    assert table["options"] == options and table["command"] == command
    assert table["inputs"] == [{"file": "data/a.csv", "original": "a\\b.csv", "sha256": "00"}]


def test_a_spec_does_not_hold_none(tmp_path, table):
    with pytest.raises(TypeError, match="got NoneType"):
        begin(tmp_path / "run", table, out=None)
    assert not (tmp_path / "run").exists()


# -- stopped by the system, in a process of its own --------------------------------------------------------------------


def start(folder) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]\n"
        "import test_runs as t; from guldberg.app import runs\n"
        "runs.INTERVAL = 0.01\n"
        "try: runs.go(Path(sys.argv[1]), t.KINDS, on_metrics=lambda m: print(m['progress'], flush=True))\n"
        "except runs.Interrupted as error: print(error, flush=True); sys.exit(130)\n"
        "except t.InputError as error: print(error, flush=True); sys.exit(2)\n"
    )
    arguments = [sys.executable, "-c", code, str(folder), str(Path(__file__).parent)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_stopped_at_random_moments_a_run_ends_with_the_same_result(tmp_path, table):
    begin(tmp_path / "whole", table, steps=60)
    runs.go(tmp_path / "whole", KINDS)
    begin(tmp_path / "run", table, steps=60, pause=0.01)
    moments = random.Random(5)
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        process = start(tmp_path / "run")
        assert process.stdout is not None
        process.stdout.readline()  # the first step of this sitting is done
        time.sleep(moments.uniform(0, 0.1))
        os.kill(process.pid, number)
        rest, errors = process.communicate(timeout=30)
        assert process.returncode == (-9 if number == signal.SIGKILL else 130), errors
        if number != signal.SIGKILL:
            assert f"guldberg resume {tmp_path / 'run'}" in rest
    assert not runs.finished(tmp_path / "run")
    runs.go(tmp_path / "run", KINDS)
    assert timeless(tmp_path / "run") == timeless(tmp_path / "whole")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 61))


def test_a_step_in_hand_is_abandoned(tmp_path, table):
    begin(tmp_path / "run", table, steps=2, pause=20.0)
    process = start(tmp_path / "run")
    while not list((tmp_path / "run").glob("checkpoints/0*")):
        time.sleep(0.01)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130 and time.monotonic() - began < 5


def test_two_processes_never_work_on_one_folder_and_the_lock_dies_with_its_owner(tmp_path, table):
    begin(tmp_path / "run", table, steps=1000, pause=0.02)
    first = start(tmp_path / "run")
    assert first.stdout is not None
    first.stdout.readline()
    second = start(tmp_path / "run")
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 2 and f"another process (pid {first.pid}) is at work on this run" in said
    first.kill()
    first.wait()
    third = start(tmp_path / "run")
    assert third.stdout is not None
    assert float(third.stdout.readline()) > 0
    third.kill()
    third.communicate()


# -- further work on a finished run ------------------------------------------------------------------------------------


def further(folder, job, **callbacks):
    told = {"on_metrics": lambda metrics: None, "on_note": lambda note: None} | callbacks
    return runs.further(folder, "more", job, 5, command="verify", **told)


def test_further_work_is_kept_in_a_folder_of_its_own_and_not_done_twice(tmp_path, table):
    begin(folder := tmp_path / "run", table)
    runs.go(folder, KINDS)
    before, seen = timeless(folder), []
    job = build({"steps": 7}, [table])
    first = further(folder, job, on_metrics=seen.append)
    steps = len(seen)
    second = further(folder, job, on_metrics=seen.append)
    assert steps == 7 and len(seen) == 7 and str(first) == str(second)
    assert timeless(folder) == before and (folder / "more" / "metrics.jsonl").exists()


def test_further_work_needs_a_finished_run(tmp_path, table):
    begin(folder := tmp_path / "run", table)
    with pytest.raises(InputError, match="not finished: `guldberg resume"):
        further(folder, build({"steps": 4}, [table]))
    with pytest.raises(InputError, match="there is no run here"):
        further(tmp_path, build({"steps": 4}, [table]))


class Swallows:
    """The interpreter tells on its own what is raised as this goes."""

    def __init__(self, act):
        self.act = act

    def __del__(self):
        self.act()


def test_an_interruption_that_is_swallowed_on_its_way_is_heard_without_a_traceback(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    with runs._signals() as signals:
        with signals.may_abandon():
            Swallows(lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(1))
        with pytest.raises(KeyboardInterrupt):
            signals.stop_if_asked()
        Swallows(lambda: int("x"))
    Swallows(lambda: {}["x"])
    assert told == [ValueError, KeyError]
