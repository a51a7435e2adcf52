"""Reduction to a front: what is asked, what is counted, and a whole run, interrupted at every step."""

import dataclasses
import json

import numpy as np
import pytest
from reduced import refused

from guldberg.app import codec
from guldberg.app.reduce.front import report, results
from guldberg.app.reduce.front.simulate import Chains, Clouds
from guldberg.app.reduce.front.spec import front
from guldberg.app.reduce.spec import plan as planned
from guldberg.app.spec import Spec, versions
from guldberg.learn.fit import run
from guldberg.reduce.front import judge, terms
from guldberg.reduce.front.job import FrontReduction
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.space.plan import Box, Cloud
from guldberg.text import parse

BOX = Box(parse("A + B -> 0 @ 3"), (10.0,), (1.0, 0.5), 0.2, 0.01, periodic=False)
SMALL = FrontPlan(
    BOX, (Cloud(0, 12, (3.0,), 1.5), Cloud(0, 2), Cloud(1, 9, (7.0,), 1.5), Cloud(1, 2)), 0.8, 3.0, snapshots=4,
    runs=500, held_out=500, cells=20, chains=8, sweeps=500,
)  # fmt: skip

SPECS = {
    "another reaction": ('preset = "front"\nreactions = "A + B -> B @ 3"\n', ("A + B -> 0",)),
    "a ring": ('preset = "front"\n[box]\nsides = "periodic"\n', ("between walls", "reflecting")),
    "too far": ('preset = "front"\n[front]\nreach = 11.0\n', ("11", "10")),
    "one cloud": ('preset = "front"\n[[start]]\nspecies = "A"\ncount = 5\n', ("clouds of both A and B",)),
    "too many": (
        'preset = "front"\n[[start]]\nspecies = "A"\ncount = 500\n[[start]]\nspecies = "B"\ncount = 5\n',
        ("start", "300"),
    ),
    "too many cells": ('preset = "front"\n[front]\ncells = 101\n', ("[front] cells", "100")),
    "unknown": ('preset = "front"\n[front]\ncolour = 3\n', ("[front] colour", "no such entry")),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_that_cannot_be_followed_names_the_entry(name, tmp_path):
    refused(tmp_path, *SPECS[name])


def test_a_spec_changes_what_it_names_and_nothing_else(tmp_path):
    (tmp_path / "asked.toml").write_text('preset = "front"\ntime = 1.0\n[front]\ncells = 30\n')
    asked = planned({}, [tmp_path / "asked.toml"])
    assert isinstance(asked, FrontPlan) and (asked.time, asked.cells) == (1.0, 30) and asked.box == front().box
    assert asked == dataclasses.replace(front(), time=1.0, cells=30) and asked.rate == pytest.approx(7.5)


@pytest.mark.stochastic
def test_runs_begin_as_the_clouds_that_are_asked_and_lose_what_they_should():
    """Poisson numbers: mean and variance; densities of the clouds in each cell, g = 1 in each shell; then both lose
    alike, at first k times the overlap. 3.7 standard errors for some 60 values."""
    counts = Clouds(BOX, SMALL.line)(SMALL.start, runs=1000, groups=1000, times=np.array([0.0, 0.02]), seed=1)
    gas, number = judge.seen(SMALL, counts), counts[:, :, :2].sum(axis=-1)
    assert (np.abs(number[:, 0].mean(axis=0) - [14, 11]) < 3.7 * np.sqrt(np.array([14, 11]) / 1000)).all()
    assert (np.abs(number[:, 0].var(axis=0) / [14, 11] - 1) < 3.7 * np.sqrt(2 / 1000)).all()
    expected = np.sqrt(SMALL.density / SMALL.line.cell / 1000)
    assert (np.abs(gas.density[0] - SMALL.density) < 3.7 * expected).all()
    assert (np.abs(gas.correlation[0] - 1) < 3.7 * gas.correlation_error[0]).all()
    assert np.ptp(number[:, 0] - number[:, 1], axis=1).max() < 1e-12
    lost, overlap = (number[:, 0, 0] - number[:, 1, 0]) / 0.02, SMALL.density.prod(axis=0).sum() * SMALL.line.cell
    assert abs(lost.mean() - 3 * overlap) < 3.7 * lost.std() / np.sqrt(1000) + 0.12 * 3 * overlap  # contacts are lost


def test_theories_keep_the_difference_of_the_species_and_lose_what_contacts_say():
    """d (N_A - N_B) / dt = 0; mean field loses k times its overlap, the equation of a pair less, more with time."""
    theories = terms.theories(SMALL)
    found = {who: terms.followed(SMALL, theories[who]) for who in ("smoluchowski", "mean_field")}
    numbers = {who: np.exp(-fields[:, :2]).sum(axis=-1) * SMALL.line.cell for who, fields in found.items()}
    for number in numbers.values():
        np.testing.assert_allclose(number[:, 0] - number[:, 1], 3.0, atol=1e-3)
    assert (numbers["smoluchowski"][1:, 1] > numbers["mean_field"][1:, 1] + 0.3).all()
    assert not found["mean_field"][:, 2].any() and (np.diff(found["smoluchowski"][:, 2, 0]) > 0).all()


@pytest.mark.slow
@pytest.mark.stochastic
def test_a_run_that_was_interrupted_learns_the_same_and_meets_runs_it_has_not_seen(tmp_path):
    """Each State through bytes: the same bits. Numbers of held-out runs within 3.5 standard errors at every time,
    where mean field is three away at the end; constants within four of the network's; every file and picture."""
    job = FrontReduction(SMALL, Clouds(BOX, SMALL.line), Chains(SMALL.line))
    state = job.init(0)
    while not job.done(state):
        state, _ = job.step(state)
        state = codec.decode(codec.encode(state, job.state_types), job.state_types)
    found, again = job.result(state), run(job, 0)
    np.testing.assert_array_equal(found.nu, again.nu)
    for who in found.gases:
        np.testing.assert_array_equal(found.gases[who].density, again.gases[who].density)
    away = {who: (gas.number - found.held.number) / found.held.number_error for who, gas in found.gases.items()}
    assert np.abs(away["learned"]).max() < 3.5 and away["mean_field"][-1, 1] < -3
    for constant in found.constants[:6]:
        assert constant.known is not None
        assert abs(constant.value - constant.known) < 2 * (constant.high - constant.low), constant
    assert found.outside["learned"].correlation[1:].mean() < 0.25 < found.outside["mean_field"].correlation[1:].mean()
    results.write(tmp_path, found, Spec("reduce", 0, "<b>", {}, (), versions()), 1.0)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == len(report.PICTURES) and "<b>" not in page
    table = json.loads((tmp_path / "result.json").read_text())
    assert len(table["moments"]["rmse"]["learned"]["2"]) == 4 and "front" in results.summary(found)
    assert len(table["front"]["error"]) == 4 and table["interactions"] == ["nu_A", "nu_B", "nu_AB"]
