"""`guldberg simulate` by every method: what it writes is what was simulated."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray

from guldberg.app.cli import main
from guldberg.app.tables import read_experiments

NETWORK = "0 -> A @ 3\nA -> 0 @ 1\ninitial: A = 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")  # as main leaves it, undone after the test
    Path("feed.crn").write_text(NETWORK)
    return tmp_path


def simulate(*typed, expected=0):
    with pytest.raises(SystemExit) as end:
        main(["simulate", *typed])
    assert end.value.code == expected


@pytest.mark.stochastic
def test_ssa_writes_counts_their_moments_and_a_picture(capsys):
    """From Poisson-distributed births: mean (3 - 2 exp(-t)) V; at 1000 runs z of 3 is 1 % of it."""
    asked = ["feed.crn", "--method", "ssa", "--to", "2", "--points", "5", "--runs", "1000", "--volume", "10"]
    simulate(*asked, "--initial", "A=1", "--initial", "A=3", "--out", "out.nc", "--picture", "out.png")
    simulate(*asked, "--initial", "A=1", "--initial", "A=3", "--out", "out.csv", "--json")
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    with xarray.open_dataset("out.nc") as seen:
        assert dict(seen["count"].sizes) == {"experiment": 2, "run": 1000, "time": 5, "species": 1}
        np.testing.assert_allclose(seen["mean"], seen["count"].mean("run"))
        assert seen.attrs["volume"] == 10 and seen.attrs["network"] == "0 -> A @ 3\nA -> 0 @ 1"
        births = seen["count"].sel(experiment="1")[:, -1, 0].values
    for run, start in zip(read_experiments(["out.csv"]).runs, (1, 3), strict=True):
        exact = 3 + (start - 3) * np.exp(-run.times)
        assert (np.abs(run.values[1:, 0] - exact[1:]) < 3 * run.sd[1:, 0]).all()
    assert births.std() / np.sqrt(1000) / 10 == pytest.approx(read_experiments(["out.csv"]).runs[0].sd[-1, 0], rel=1e-3)
    assert facts["final"]["1"]["A"] == pytest.approx(births.mean() / 10)
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


def test_molecules_are_whole_and_what_was_rounded_is_told(capsys):
    simulate("feed.crn", "--method", "ssa", "--to", "1", "--points", "2", "--volume", "3.4", "--out", "out.nc")
    assert "3.4 of A became 3" in capsys.readouterr().err
    with xarray.open_dataset("out.nc") as seen:
        assert seen["count"].values[0, 0, 0, 0] == 3


def test_the_same_seed_gives_the_same_file_and_another_one_another():
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        simulate("feed.crn", "--method", "ssa", "--to", "3", "--points", "3", "--seed", seed, "--out", f"{name}.csv")
    a, b, c = (Path(f"{name}.csv").read_text() for name in "abc")
    assert a == b != c
