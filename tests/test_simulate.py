"""`guldberg simulate` by every method: what it writes is what was simulated."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray
from PIL import Image

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


def test_particles_are_where_the_file_says(folder):
    Path("turn.crn").write_text("A + B <-> C @ 1, 1\ninitial: A = 2, B = 1\n")
    asked = [
        "--method",
        "particles",
        "--box",
        "4x3",
        "--diffusivity",
        "A=1,B=2,C=0.5",
        "--radius",
        "0.5",
        "--step",
        "0.02",
    ]
    simulate("turn.crn", *asked, "--to", "1", "--points", "3", "--runs", "2", "--out", "out.nc", "--picture", "out.png")
    with xarray.open_dataset("out.nc") as seen:
        np.testing.assert_array_equal(seen["count"].values[0, :, 0], [[24, 12, 0]] * 2)
        for law in ([1, 0, 1], [0, 1, 1]):
            assert (np.ptp(seen["count"].values @ law, axis=2) == 0).all()
        for run, time in ((0, 0), (1, 2)):
            here = (seen["run_index"] == run).values & (seen["time_index"] == time).values
            kinds = np.bincount(seen["species_index"].values[here], minlength=3)
            np.testing.assert_array_equal(kinds, seen["count"].values[0, run, time])
        assert (seen["position"] >= 0).all() and (seen["position"].max("sighting") <= [4, 3]).all()


def test_a_lattice_keeps_what_its_reactions_keep():
    Path("turn.crn").write_text("A + B -> 2 B @ 0.5\ninitial: A = 0.2, B = 0.1\n")
    asked = ["--method", "lattice", "--grid", "20x10", "--boundary", "no-flux", "--to", "8", "--points", "5"]
    simulate("turn.crn", *asked, "--runs", "3", "--out", "out.nc")
    with xarray.open_dataset("out.nc") as seen:
        assert (seen["count"].sum("species") == 60).all() and (seen["count"][0, :, -1, 1] > 20).all()


@pytest.mark.slow
def test_a_field_starts_from_its_picture_and_both_ways_of_stepping_agree():
    shade = np.zeros((12, 16), np.uint8)
    shade[3:8, 5:12] = 255
    Image.fromarray(shade).save("spot.png")
    Path("decay.crn").write_text("U -> V @ 0.2\ninitial: U = 2, V = 1\n")
    asked = ["decay.crn", "--method", "field", "--grid", "12x16", "--boundary", "no-flux", "--diffusivity", "U=0.3"]
    asked += ["--start", "U=spot.png", "--to", "4", "--points", "3"]
    simulate(*asked, "--out", "fine.nc", "--picture", "out.png")
    simulate(*asked, "--step", "0.1", "--out", "steps.nc")
    simulate(*asked, "--step", "0.1", "--out", "means.csv")
    with xarray.open_dataset("fine.nc") as fine, xarray.open_dataset("steps.nc") as steps:
        assert fine["concentration"].dims == ("experiment", "time", "species", "y", "x")
        np.testing.assert_allclose(fine["concentration"].values[0, 0, 0], shade / 127.5)
        np.testing.assert_allclose(fine["concentration"], steps["concentration"], atol=2e-3)
        mean = fine["concentration"].mean(["y", "x"]).values[0]
        np.testing.assert_allclose(mean[:, 0], 2 * 35 / 192 * np.exp(-0.2 * fine["time"]), rtol=1e-6)
    np.testing.assert_allclose(read_experiments(["means.csv"]).runs[0].values, mean, rtol=1e-3)


def test_a_field_whose_steps_are_too_long_is_told(capsys):
    Path("burst.crn").write_text("2 A -> 3 A @ 1\ninitial: A = 1\n")
    asked = ["burst.crn", "--method", "field", "--grid", "4", "--diffusivity", "1", "--to", "40", "--points", "5"]
    simulate(*asked, "--step", "1", "--out", "out.nc", expected=1)
    assert "there were values negative or not finite" in capsys.readouterr().err and Path("out.nc").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--method", "particles", "--box", "3"], "--method particles needs --box, --diffusivity, --radius and --step"),
        (["--method", "field", "--grid", "4"], "--method field needs --grid and --diffusivity"),
        (["--method", "field", "--grid", "4.5", "--diffusivity", "1"], "--grid: expected whole numbers of cells"),
        (["--method", "field", "--grid", "2x2x2x2", "--diffusivity", "1"], "--grid: expected one to three positive"),
        (
            ["--method", "field", "--grid", "4", "--diffusivity", "1", "--spacing", "0"],
            "--spacing: expected a positive",
        ),
        (["--method", "field", "--grid", "4", "--diffusivity", "Q=1"], "--diffusivity: unknown species Q"),
        (["--method", "field", "--grid", "4", "--diffusivity", "1", "--start", "A=x.png"], "--start: pictures are for"),
        (["--method", "field", "--grid", "4x4", "--diffusivity", "1", "--start", "A=no.png"], "no.png: No such file"),
        (["--method", "field", "--grid", "4x4", "--diffusivity", "1", "--start", "Q=x"], "--start: expected SPECIES="),
        (["--method", "field", "--grid", "4", "--diffusivity", "1", "--step", "0"], "--step: expected a positive step"),
        (["--method", "lattice"], "--grid: a lattice needs its sites along each axis"),
        (["--method", "lattice", "--grid", "10x10", "--step", "0.7"], "--step: times 1 apart are no whole number"),
        (["--method", "lattice", "--grid", "10x10"], "0 -> A: on a lattice, one or two particles become at most two"),
        (["--method", "ssa", "--start", "A=x.png"], "--start: this option does not belong to --method ssa"),
    ],
)
def test_what_a_method_lacks_or_does_not_take_is_one_line(typed, told, capsys):
    simulate("feed.crn", "--to", "2", "--points", "3", *typed, "--out", "out.nc", expected=2)
    line = capsys.readouterr().err
    assert told in line and line.count("\n") == 1 and not Path("out.nc").exists()
