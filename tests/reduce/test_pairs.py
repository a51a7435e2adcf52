"""Reduction to pairs: what is asked, what is counted, and a whole run, interrupted at every step."""

import json

import numpy as np
import pytest
from reduced import refused

from guldberg.app import codec
from guldberg.app.reduce.pairs import report, results
from guldberg.app.reduce.pairs.simulate import Chains, Pairs
from guldberg.app.reduce.pairs.spec import pairs
from guldberg.app.reduce.spec import plan as planned
from guldberg.app.spec import Spec, versions
from guldberg.closure.continuous.sampled import gathered
from guldberg.learn.fit import run
from guldberg.reduce.pairs import judge
from guldberg.reduce.pairs.job import PairReduction
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space.plan import Box
from guldberg.text import parse

SMALL = PairPlan(
    Box(parse("A + A -> 0 @ 1"), (20.0,), (1.0,), 0.2, 0.01), 20.0, 0.6, 3.0, snapshots=4, runs=400, held_out=400,
    shells=15, chains=4, sweeps=600,
)  # fmt: skip

SPECS = {
    "another reaction": ('[pairs]\nnumber = 5\n[box]\nlengths = [9]\n', ("reactions",)),
    "two species": ('reactions = "A + B -> 0 @ 1"\n[box]\nlengths = [50]\n[pairs]\n', ("alone",)),
    "walls": ('preset = "pairs"\n[box]\nsides = "reflecting"\n', ("walls", "periodic")),
    "too far": ('preset = "pairs"\n[pairs]\nreach = 26.0\n', ("26", "25")),
    "too many": ('preset = "pairs"\n[pairs]\nnumber = 1000\n', ("[pairs] number", "300")),
    "odd runs": ('preset = "pairs"\n[runs]\nheld_out = 70\n', ("[runs] held_out", "multiple of 50")),
    "unknown": ('preset = "pairs"\n[pairs]\ncolour = 3\n', ("[pairs] colour", "no such entry")),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_that_cannot_be_followed_names_the_entry(name, tmp_path):
    refused(tmp_path, *SPECS[name])


def test_a_spec_changes_what_it_names_and_nothing_else(tmp_path):
    (tmp_path / "asked.toml").write_text('preset = "pairs"\ntime = 1.0\n[pairs]\nshells = 30\n')
    asked = planned({}, [tmp_path / "asked.toml"])
    assert isinstance(asked, PairPlan) and (asked.time, asked.shells) == (1.0, 30) and asked.box == pairs().box
    assert asked.number == 50 and asked.rate == pytest.approx(5)


@pytest.mark.stochastic
def test_runs_begin_as_an_ideal_gas_and_lose_what_they_should():
    """A Poisson number anywhere: its mean and variance, g = 1 in every shell; then the rate of loss at the start is
    lambda times the pairs in contact: 2 k rho^2 per length. 3.5 standard errors."""
    counts = Pairs(SMALL.box, SMALL.distances)(20.0, runs=2000, groups=2000, times=np.array([0.0, 0.02]), seed=1)
    number = counts[:, :, 1].sum(axis=2)
    assert abs(number[:, 0].mean() - 20) < 3.5 * np.sqrt(20 / 2000)
    assert abs(number[:, 0].var() / 20 - 1) < 3.5 * np.sqrt(2 / 2000)
    mixture = judge.seen(SMALL, counts)
    assert (np.abs(mixture.correlation[0] - 1) < 3.5 * mixture.correlation_error[0]).all()
    lost = (number[:, 0] - number[:, 1]) / (0.02 * 20.0)
    assert abs(lost.mean() - 2 * 0.95) < 3.5 * lost.std() / np.sqrt(2000) + 0.05  # contacts are lost at first: 5 %


@pytest.mark.stochastic
def test_chains_of_nothing_but_nu_1_are_a_poisson_process():
    nu = np.stack([np.zeros(15), np.full(15, -np.log(1.5))])
    found = Chains(SMALL.box, SMALL.distances)(nu, chains=16, sweeps=400, burn=50, seed=2)
    assert abs(found.mean[-1] - 30) < 3.5 * found.error[-1]
    assert (np.abs(found.mean[:-1] - 1.5**2 * 20 * 0.2) < 4 * found.error[:-1]).all()
    assert abs(found.covariance[-1, -1] / 30 - 1) < 0.2


@pytest.mark.slow
@pytest.mark.stochastic
def test_a_run_that_was_interrupted_learns_the_same_and_meets_runs_it_has_not_seen(tmp_path):
    """Each State through bytes: the same bits. The density of held-out runs within four standard errors at every time,
    where mean field is ten away at the end; every file and picture."""
    job = PairReduction(SMALL, Pairs(SMALL.box, SMALL.distances), Chains(SMALL.box, SMALL.distances))
    state = job.init(0)
    while not job.done(state):
        state, _ = job.step(state)
        state = codec.decode(codec.encode(state, job.state_types), job.state_types)
    found, again = job.result(state), run(job, 0)
    np.testing.assert_array_equal(found.nu, again.nu)
    for who in found.mixtures:
        np.testing.assert_array_equal(found.mixtures[who].correlation, again.mixtures[who].correlation)
    away = {who: (each.density - found.held.density) / found.held.density_error for who, each in found.mixtures.items()}
    assert np.abs(away["learned"]).max() < 4 and away["mean_field"][-1] < -10
    start = gathered(state.training.mean(axis=0))[0]
    assert abs(start[-1] - 20) < 1
    results.write(tmp_path, found, Spec("reduce", 0, "<b>", {}, (), versions()), 1.0)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == len(report.PICTURES) and "<b>" not in page
    table = json.loads((tmp_path / "result.json").read_text())
    assert len(table["moments"]["rmse"]["learned"]["2"]) == 4 and "Kirkwood" in results.summary(found)
