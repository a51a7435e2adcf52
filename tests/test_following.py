"""`guldberg next`: a table that can be filled in and read again, facts, a picture, and refusals in one line."""

import dataclasses
import json

import numpy as np
import pytest
from measured import measure

from guldberg.app import following, jobs, runs
from guldberg.app.cli import cli
from guldberg.app.tables import read_experiments, write_experiments
from guldberg.discover import discover
from guldberg.discover.result import Check
from guldberg.errors import InputError

FEW = "A -> B @ 2\nB -> C @ 1\nB + C -> 2 C @ 0.3"


@pytest.fixture(scope="module")
def data():
    """Few enough to leave rivals."""
    return measure(FEW, 3.0, runs=2, points=8, relative=0.04)


@pytest.fixture(scope="module")
def found(data):
    return discover(data)


def test_the_proposal_is_a_table_to_fill_in_with_facts_and_a_picture(found, tmp_path):
    typed = {"limits": ["A=0.1:0.8,C=0.5"], "times": "0.05:2", "points": 6, "experiments": 2}
    made = following.plan(found, typed, 0)
    table, picture, facts = following.write(tmp_path, made)
    said = following.summary(made)
    assert said.startswith("Experiment 1: start from A = ") and "Experiment 2" in said
    assert "chi2 is expected to rise by" in said
    planned, told = read_experiments([table]), json.loads(facts.read_text())
    assert [run.name for run in planned.runs] == ["next 1", "next 2"]
    for run, one in zip(planned.runs, told["experiments"], strict=True):
        assert run.times.tolist() == one["times"] and len(run.times) == 6
        assert run.times[0] == 0 and run.times[1] >= 0.05 and run.times[-1] <= 2
        assert dict(zip(planned.species, run.values[0], strict=True)) == one["initial"]
        assert 0.1 <= one["initial"]["A"] <= 0.8 and one["initial"]["C"] == 0.5
        assert np.isnan(run.values[1:]).all()
    rivals = told["experiments"][0]["rivals"]
    assert rivals and all(rival["expected_rise_of_chi2"] >= 0 for rival in rivals)
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_same_seed_proposes_the_same(found):
    once, again = (following.facts(following.plan(found, {}, 3)) for _ in range(2))
    assert once == again


def test_where_no_mechanism_fits_the_proposal_says_so(found):
    made = following.plan(found, {"points": 3}, 0)
    bad = dataclasses.replace(found.fit, checks=(Check("slow", None, 1e-9),))
    doubted = dataclasses.replace(made, found=dataclasses.replace(found, fit=bad))
    assert following.summary(doubted) == "\n\n".join(
        [following.summary(doubted).split("\n")[0], following.summary(made)]
    )
    assert following.summary(doubted).startswith("No mechanism fits")


def test_constants_can_be_asked_for_in_place_of_rivals(found):
    made = following.plan(found, {"aim": "worst"}, 0)
    (one,) = following.facts(made)["experiments"]
    assert one["aim"] == "worst" and "the least known constant" in following.summary(made)
    known = [(c["relative_sd_before"], c["relative_sd_after"]) for c in one["constants"]]
    assert all(after < (before or np.inf) for before, after in known)


@pytest.mark.parametrize(
    "typed, said",
    [
        ({"limits": ["Z=0:1"]}, "expected SPECIES=LOW:HIGH of A, B, C"),
        ({"limits": ["A"]}, "expected SPECIES=LOW:HIGH of A, B, C"),
        ({"limits": ["A=1:0"]}, "smaller number first"),
        ({"limits": ["A=-1:1"]}, "not negative"),
        ({"times": "3"}, "expected FIRST:LAST"),
        ({"times": "0:0"}, "a last time above 0"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(found, typed, said):
    with pytest.raises(InputError, match=said):
        following.plan(found, typed, 0)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="no run here"):
        following.after(tmp_path)


@pytest.mark.slow
def test_the_command_follows_a_run(data, tmp_path, capsys):
    write_experiments(data, tmp_path / "data.csv")
    begun = {"job": "discover", "options": {}, "inputs": [tmp_path / "data.csv"], "seed": 0, "command": "test"}
    runs.begin(tmp_path / "run", jobs.KINDS, **begun)
    with pytest.raises(InputError, match="no whole checkpoint"):
        following.after(tmp_path / "run")
    runs.go(tmp_path / "run", jobs.KINDS)
    cli.main(["next", str(tmp_path / "run"), "--points", "5", "--quiet"], standalone_mode=False)
    assert capsys.readouterr().out.startswith("Experiment 1: start from A = ")
    assert len(read_experiments([tmp_path / "run" / "next.csv"]).runs[0].times) == 5
