"""The command as a user meets it: statuses, one-line complaints, files that are read back."""

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from guldberg.app.cli import cli, main
from guldberg.app.discovery import experiments
from guldberg.app.tables import read_experiments

COMMAND = Path(sys.executable).parent / "guldberg"
FIRST_ORDER = "A -> B @ 2\ninitial: A = 1\n"
TABLE = "experiment,time,A,B\n1,0,1,0\n1,1,0.5,0.5\n2,0,2,0\n2,1,1,1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test works in a folder of its own, with a network and a table in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")  # as main leaves it, undone after the test
    Path("ab.crn").write_text(FIRST_ORDER)
    Path("data.csv").write_text(TABLE)
    return tmp_path


def status(*typed):
    with pytest.raises(SystemExit) as end:
        main(list(typed))
    return end.value.code


def test_help_loads_nothing_heavy_and_names_every_command():
    heavy = {"jax", "numpy", "numba", "pandas", "xarray", "matplotlib", "diffrax"}
    code = (
        "import sys; from guldberg.app.cli import main\n"
        "try: main(['--help'])\n"
        f"finally: print('loaded:', *({heavy} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {name} " in told for name in cli.commands)
    assert told.endswith("\nloaded:\n")


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_has_help_with_an_example_and_can_be_quiet(name, capsys):
    assert status(name, "--help") == 0
    text = capsys.readouterr().out
    assert f"Example: guldberg {name}" in text and "--quiet" in text


def test_version_is_that_of_the_package(capsys):
    assert status("--version") == 0
    assert capsys.readouterr().out == "guldberg 0.1.0\n"


def test_simulate_from_standard_input_in_double_precision():
    typed = [COMMAND, "simulate", "-", "--to", "3", "--points", "4", "--out", "out.csv", "--json", "--quiet"]
    done = subprocess.run(typed, input=FIRST_ORDER, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["final"]["1"]["A"] == pytest.approx(np.exp(-6), rel=1e-6, abs=0)
    run = read_experiments(["out.csv"]).runs[0]
    np.testing.assert_allclose(run.values[:, 0], np.exp(-2 * run.times), rtol=1e-6)


def test_ctrl_c_ends_with_130_and_leaves_nothing_behind(folder):
    os.mkfifo("slow.crn")
    typed = [COMMAND, "simulate", "slow.crn", "--to", "3", "--out", "out.csv"]
    # A shell that runs the tests in the background has them, and what they start, ignore the signal.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(typed, stderr=subprocess.PIPE, text=True, preexec_fn=heard) as process:
        with open("slow.crn", "w"):  # opens when the command has begun to read
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.strip() == "guldberg: interrupted"
    assert not Path("out.csv").exists()


def test_csv_and_netcdf_hold_the_same_trajectories_of_several_initial_states(capsys):
    Path("starts.csv").write_text("experiment;A;B\nsmall;0,5;\nmixed;1;2\n")
    asked = ["simulate", "ab.crn", "--to", "10", "--log", "0.1", "--points", "4", "--initial", "A=3", "--initials"]
    assert status(*asked, "starts.csv", "--out", "out.csv") == 0
    assert status(*asked, "starts.csv", "--out", "out.nc") == 0
    data, dataset = read_experiments(["out.csv"]), xarray.open_dataset("out.nc")
    assert [run.name for run in data.runs] == dataset.experiment.values.tolist() == ["1", "small", "mixed"]
    for run, (a, b) in zip(data.runs, [(3, 0), (0.5, 0), (1, 2)], strict=True):
        np.testing.assert_allclose(run.times, [0, 0.1, 1, 10], rtol=1e-15)
        left = a * np.exp(-2 * run.times)
        np.testing.assert_allclose(run.values, np.stack([left, a + b - left], axis=1), rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(dataset.concentration.sel(experiment=run.name), run.values)
    assert dataset.outcome.values.tolist() == ["solved"] * 3
    assert dataset.attrs["network"] == "A -> B @ 2" and "outcome" not in dataset.attrs


@pytest.mark.slow
def test_a_temperature_reaches_the_rates_and_the_table():
    Path("hot.crn").write_text("A -> B @ arrhenius(A=1e3, Ea=2e4)\ninitial: A = 1\n")
    assert status("simulate", "hot.crn", "--to", "1", "--points", "2", "--temperature", "350", "--out", "out.csv") == 0
    run = read_experiments(["out.csv"]).runs[0]
    assert run.temperature == 350
    np.testing.assert_allclose(run.values[1, 0], np.exp(-1e3 * np.exp(-2e4 / (8.314462618 * 350))), rtol=1e-7)


def test_a_failed_solve_ends_with_1_and_names_the_file_with_what_was_reached(capsys):
    Path("burst.crn").write_text("2 A -> 3 A @ 1\n")  # A = A0 / (1 - A0 t)
    asked = ["--to", "2", "--points", "5", "--initial", "A=1", "--initial", "A=0.1", "--out", "out.csv"]
    assert status("simulate", "burst.crn", *asked) == 1
    assert "1 of 2 solves failed; what was reached is in out.csv. experiment 1: the solver stopped" in (
        told := capsys.readouterr().err
    )
    assert told.count("\n") == 1
    burst, slow = read_experiments(["out.csv"]).runs
    np.testing.assert_allclose(burst.values[:, 0], [1, 2], rtol=1e-6)
    np.testing.assert_allclose(slow.values[:, 0], 0.1 / (1 - 0.1 * slow.times), rtol=1e-6)


def test_check_solves_a_problem_with_a_known_answer(capsys):
    assert status("check", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] and 0 < told["error"] < 1e-7 and told["versions"]["jax"]


def test_show_tells_what_follows_from_a_network(capsys):
    assert status("show", "ab.crn") == 0
    assert "A -> B" in capsys.readouterr().out
    assert status("show", "ab.crn", "--json") == 0
    assert json.loads(capsys.readouterr().out)["deficiency"] == 0


def test_look_tells_of_the_data_and_draws_them(capsys):
    assert status("look", "data.csv", "--json", "--out", "curves.png") == 0
    assert json.loads(capsys.readouterr().out)["species"] == ["A", "B"]
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


SIMULATE = ("simulate", "ab.crn", "--to", "1", "--out", "out.csv")
DISCOVER = ("discover", "data.csv", "--out", "run")
BAD = [
    (("simulat", "ab.crn"), "No such command 'simulat'. Did you mean 'simulate'?"),
    (("simulate", "ab.crn", "--too", "1"), "No such option '--too'"),
    (("simulate", "ab.crn", "--out", "out.csv"), "Missing option '--to'"),
    (("simulate",), "Missing argument 'NETWORK'"),
    (("simulate", "no.crn", *SIMULATE[2:]), "no.crn: No such file or directory"),
    (("simulate", ".", *SIMULATE[2:]), ".: Is a directory"),
    (("simulate", "broken.xml", *SIMULATE[2:]), "broken.xml:1:6: no XML: mismatched tag"),
    (("convert", "ab.crn", "ab.txt"), "ab.txt: expected a file name that ends in .crn or .xml or .sbml or .ant"),
    (("convert", "hot.crn", "hot.xml"), "--temperature: this network has Arrhenius rates"),
    (("simulate", "broken.crn", *SIMULATE[2:]), "broken.crn:2:6: "),
    (("simulate", "latin.crn", *SIMULATE[2:]), "latin.crn: not UTF-8 text (byte 1 is 0xe9)"),
    (("simulate", "empty.crn", *SIMULATE[2:]), "empty.crn: expected at least one reaction"),
    (("simulate", "bare.crn", *SIMULATE[2:]), 'no initial state: give --initial "A=1,B=0"'),
    (("simulate", "hot.crn", *SIMULATE[2:]), "--temperature: this network has Arrhenius rates"),
    (("show", "hot.crn", "--temperature", "0"), "--temperature: expected a temperature in kelvin"),
    (("show", "broken.crn"), "broken.crn:2:6: expected a species"),
    ((*SIMULATE, "--temperature", "-3"), "--temperature: expected a temperature in kelvin"),
    ((*SIMULATE, "--to", "0"), "--to: expected a last time that is positive and finite"),
    ((*SIMULATE, "--to", "inf"), "--to: expected a last time that is positive and finite"),
    ((*SIMULATE, "--to", "soon"), "'soon' is not a valid float"),
    ((*SIMULATE, "--points", "1"), "1 is not in the range x>=2"),
    ((*SIMULATE, "--log", "2"), "--log: expected a first time between 0 and 1"),
    ((*SIMULATE, "--runs", "3"), "--runs: this option does not belong to --method ode"),
    ((*SIMULATE, "--method", "ssa", "--runs", "0"), "0 is not in the range x>=1"),
    ((*SIMULATE, "--method", "ssa", "--volume", "-2"), "a volume of -2.0; expected a positive one"),
    ((*SIMULATE, "--method", "ssa", "--volume", "1e300"), "--volume: 1e+300 molecules are too many to count"),
    ((*SIMULATE, "--picture", "p.bmp"), "p.bmp: expected a file name that ends in .png"),
    ((*SIMULATE, "--method", "magic"), "'magic' is not one of"),
    ((*SIMULATE, "--seed", "-1"), "-1 is not in the range"),
    ((*SIMULATE, "--initial", "A"), "--initial: expected NAME=AMOUNT, got 'A'"),
    ((*SIMULATE, "--initial", "A=x"), "--initial: A: expected a number, got 'x'"),
    ((*SIMULATE, "--initial", "A=nan"), "--initial: A: expected a finite number"),
    ((*SIMULATE, "--initial", "A=-1"), "--initial: A: expected a finite number, not negative"),
    ((*SIMULATE, "--initial", "A=1,A=2"), "--initial: A is given twice"),
    ((*SIMULATE, "--initial", "Q=1"), "--initial: unknown species Q; there are A, B"),
    ((*SIMULATE, "--initials", "no.csv"), "no.csv: no such file"),
    ((*SIMULATE, "--initials", "wrong.csv"), "wrong.csv:1:2: 'Q' is no species of the network (A, B)"),
    ((*SIMULATE, "--initials", "negative.csv"), "negative.csv:3:1: column 'A': an amount must not be negative"),
    ((*SIMULATE, "--initials", "ragged.csv"), "ragged.csv:2: expected 2 cells, got 1"),
    ((*SIMULATE, "--initials", "twins.csv"), "twins.csv: two initial states are named 'x'"),
    ((*SIMULATE, "--out", "out.txt"), "out.txt: expected a file name that ends in .csv or .nc"),
    ((*SIMULATE, "--out", "no/out.csv"), "no/out.csv: expected a file name in a folder that exists"),
    (("look", "no.csv"), "no.csv: no such file"),
    (("look", "data.csv", "--out", "curves.bmp"), "curves.bmp: expected a file name that ends in .png"),
    (("look",), "Missing argument 'DATA.csv ...'"),
    (("resume", "nothing"), "nothing: there is no run here"),
    (("report", "nothing"), "nothing: there is no run here"),
    (("view", "nothing"), "nothing: No such file"),
    (("view", "."), ".: there is no run here"),
    (("view", "bare.crn"), "no initial state: give --initial"),
    (("view", "bare.crn", "--initial", "A=1", "--out", "a.png"), "a.png: expected a file name that ends in .html"),
    (("view", "bare.crn", "--initial", "A=1", "--to", "-1"), "-1.0 is not in the range x>0"),
    ((*DISCOVER, "--method", "freeze"), "--method freeze needs to know how many reactions"),
    ((*DISCOVER, "--method", "freeze", "--reactions", "1"), "--method freeze learns from derivatives"),
    ((*DISCOVER, "--method", "freeze", "--max-order", "2"), "--max-order: not with --method freeze"),
    ((*DISCOVER, "--starts", "2"), "--starts: not with --method search"),
    (("demo", "magic"), "'magic' is not one of 'discover'"),
    (("discover", "no.csv", "--out", "run"), "no.csv: no such file"),
    ((*DISCOVER, "--max-order", "9"), "9 is not in the range 1<=x<=4"),
    ((*DISCOVER, "--require", "A ->"), "--require 'A ->':1:5: "),
    ((*DISCOVER, "--require", "A -> Q"), "--require: unknown species Q; there are A, B"),
    ((*DISCOVER, "--forbid", "Q -> A"), "--forbid: unknown species Q; there are A, B"),
    ((*DISCOVER, "--forbid", "A"), "--forbid 'A':1:2: "),
    ((*DISCOVER, "--law", "A -> B"), "--law: expected a sum such as 'A + 2 B', got 'A -> B'"),
    ((*DISCOVER, "--law", "A + Q"), "--law: unknown species Q"),
    ((*DISCOVER, "--unmeasured", "A"), "--unmeasured: A: in the table already"),
    ((*DISCOVER, "--scale", "3"), "--scale: no experiment named 3; the data have 1, 2"),
    ((*DISCOVER, "--initial", "Q=1"), "--initial: unknown species Q"),
    ((*DISCOVER, "--noise", "loud"), "--noise: noise: expected a number, got 'loud'"),
    ((*DISCOVER, "--noise", "0"), "--noise: a standard deviation must be positive"),
    ((*DISCOVER, "--noise", "Q=1"), "--noise: unknown species Q"),
]


@pytest.mark.parametrize("typed, expected", BAD, ids=[" ".join(typed) for typed, _ in BAD])
def test_bad_input_is_one_line_with_status_2_and_nothing_written(typed, expected, folder, capsys):
    Path("broken.crn").write_text("A -> B @ 1\nB => @ 2\n")
    Path("broken.xml").write_text("<a></b>")
    Path("latin.crn").write_bytes("é -> B @ 1".encode("latin-1"))
    Path("empty.crn").write_text("# nothing\n")
    Path("bare.crn").write_text("A -> B @ 1\n")
    Path("hot.crn").write_text("A -> B @ arrhenius(A=1, Ea=1)\ninitial: A = 1\n")
    Path("wrong.csv").write_text("A,Q\n1,2\n")
    Path("negative.csv").write_text("A,B\n1,2\n-1,2\n")
    Path("ragged.csv").write_text("A,B\n1\n")
    Path("twins.csv").write_text("experiment,A\nx,1\nx,2\n")
    before = set(folder.rglob("*"))
    assert status(*typed) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("guldberg: ") and told.err.count("\n") == 1
    assert expected in told.err
    assert set(folder.rglob("*")) == before


def test_options_of_discover_change_the_data_as_they_say():
    options = {"unmeasured": ["C, D"], "initial": ["C=0"], "scale": ["1,2"], "noise": "A=0.1"}
    data = experiments(options, [Path("data.csv")])
    assert data.species == ("A", "B", "C", "D")
    for run in data.runs:
        assert run.scale == "1,2" and run.exact.tolist() == [False, False, True, False]
        np.testing.assert_array_equal(run.sd[:, 0], 0.1)
        assert run.sd[0, 2] == 0 and np.isnan(run.sd[:, [1, 3]]).all() and np.isnan(run.values[:, 3]).all()
