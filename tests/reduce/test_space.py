"""Reduction in continuous space: where particles start and are counted, what is asked, laws learned and resumed."""

import numpy as np
import pytest
from reduced import refused

from guldberg.app import codec
from guldberg.app.reduce.space import plot, report, results
from guldberg.app.reduce.space.simulate import Particles, placed
from guldberg.app.reduce.space.spec import PRESETS
from guldberg.app.reduce.spec import plan as planned
from guldberg.app.spec import Spec, versions
from guldberg.closure.continuous.functional import AbstractOperator
from guldberg.closure.continuous.likelihood import Seen
from guldberg.learn.fit import run
from guldberg.reduce.space import judge, result, terms
from guldberg.reduce.space.job import GROUPS, SpaceReduction
from guldberg.reduce.space.plan import Box, Cloud, SpacePlan
from guldberg.reduce.space.terms import Wanted
from guldberg.text import parse

BOX = Box(parse("A -> 0 @ 0.5"), (6.0,), (0.5,), radius=0.1, dt=0.1)
SMALL = SpacePlan(
    BOX, (Cloud(0, 150, (3.0,), 0.7), Cloud(0, 50)), 1.0, snapshots=6, runs=100, held_out=50, cells=(30,), elements=6,
    function=1,
)  # fmt: skip


@pytest.mark.stochastic
@pytest.mark.parametrize("periodic", [True, False])
def test_clouds_stay_in_the_box_with_the_width_that_is_asked(periodic):
    """At a wall a Gaussian is folded: its mean distance from there is sigma sqrt(2 / pi)."""
    box = Box(BOX.network, (8.0, 5.0), (1.0,), 0.1, 0.1, periodic)
    kinds, x = placed(box, (Cloud(0, 40, (0.0, 2.5), 0.4), Cloud(0, 10)), runs=500, seed=0)
    assert kinds.shape == (50,) and x.shape == (500, 50, 2) and (x >= 0).all() and (x <= (8.0, 5.0)).all()
    near = x[:, :40]
    assert abs(near[..., 1].std() - 0.4) < 3 * 0.4 / np.sqrt(2 * 20_000)
    across = np.minimum(near[..., 0], 8.0 - near[..., 0])
    assert abs(across.mean() - 0.4 * np.sqrt(2 / np.pi)) < 3 * 0.25 / np.sqrt(20_000)
    assert (near[..., 0].max() > 4) == periodic
    assert abs(x[:, 40:, 0].mean() - 4) < 3 * 8 / np.sqrt(12 * 5000)


@pytest.mark.stochastic
def test_counts_add_up_and_decay_by_the_law():
    counts = Particles(BOX, (30,))(SMALL.start, runs=100, groups=10, times=np.array([0.0, 1.0, 2.0]), seed=3)
    totals = counts.sum(axis=(2, 3))
    assert counts.shape == (10, 3, 1, 30) and np.allclose(totals[:, 0], 200)
    survive = np.exp(-0.5 * np.array([1.0, 2.0]))
    error = np.sqrt(200 * survive * (1 - survive) / 100)
    assert (np.abs(totals[:, 1:].mean(axis=0) - 200 * survive) < 3 * error).all()


def test_the_share_beyond_two_standard_errors_is_that_of_chance():
    """Normal scatter about the truth: 5 per cent and a little more; a shift by five errors: all."""
    rng = np.random.default_rng(0)
    truth = np.full((40, 1, 100), 50.0)
    held = Seen(truth + rng.normal(size=(GROUPS, *truth.shape)), 0.1, 1.0)
    assert 0.02 < judge.outside(truth, held, GROUPS).mean() < 0.09
    assert judge.outside(truth + 5 / np.sqrt(GROUPS), held, GROUPS).mean() > 0.95
    assert not judge.outside(0 * truth, held._replace(counts=held.counts / 10_000), GROUPS).any()  # too few


SPECS = {
    "no reactions": ('[box]\nlengths = [5.0]\n', ("reactions",)),
    "three axes": ('reactions = "A -> 0 @ 1"\n[box]\nlengths = [5, 5, 5]\n', ("[box] lengths", "1 or 2")),
    "too much at once": (
        'reactions = "A + B -> C @ 1\\nC + D -> A @ 1"\n[box]\nlengths = [5]\n', ("reactions", "than 3", "A, B, C, D")
    ),
    "a wall between cells": (
        'preset = "neck"\n[box]\nwalls = [[0, 3.1, 0.0, 1.0]]\n', ("between faces", "0.25")
    ),
    "a wall outside": ('preset = "neck"\n[box]\nwalls = [[0, 7.0, 0.0, 1.0]]\n', ("not inside the box",)),
    "half a wall": ('preset = "neck"\n[box]\nwalls = [[0, 3.0]]\n', ("[box] walls", "[axis, place, from, to]")),
    "no start": ('reactions = "A -> 0 @ 1"\n[box]\nlengths = [5]\n', ("start", "[[start]]")),
    "a species that is none": ('preset = "diffusion"\n[[start]]\nspecies = "C"\ncount = 5\n', ("species", "'C'", "A")),
    "outside": ('preset = "diffusion"\n[[start]]\nspecies = "A"\ncount = 5\ncentre = [11]\n', ("centre", "11")),
    "odd runs": ('preset = "diffusion"\n[runs]\ntraining = 120\n', ("[runs] training", "multiple of 50")),
    "two diffusivities": ('preset = "diffusion"\n[box]\ndiffusivity = [1, 2]\n', ("diffusivity", "list of 1")),
    "an unknown entry": ('preset = "diffusion"\ncolour = 3\n', ("colour", "no such entry")),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_that_cannot_be_followed_names_the_entry(name, tmp_path):
    refused(tmp_path, *SPECS[name])


def test_a_spec_changes_what_it_names_and_nothing_else(tmp_path):
    (tmp_path / "asked.toml").write_text('preset = "plane"\ntime = 3.0\n[box]\nsides = "periodic"\n')
    asked, preset = planned({}, [tmp_path / "asked.toml"]), PRESETS["plane"]()
    assert isinstance(asked, SpacePlan) and asked.time == 3.0 and asked.box.periodic and not preset.box.periodic
    assert asked.start == preset.start and asked.cells == preset.cells


@pytest.mark.slow
@pytest.mark.stochastic
def test_a_run_that_was_interrupted_learns_the_same_and_is_written(tmp_path):
    """Each State through bytes; D and k within four standard errors; every file and picture."""
    job = SpaceReduction(SMALL, Particles(BOX, SMALL.cells))
    state = job.init(0)
    while not job.done(state):
        state, _ = job.step(state)
        state = codec.decode(codec.encode(state, job.state_types), job.state_types)
    found, again = job.result(state), run(job, 0)
    for mine, other in zip(found.constants, again.constants, strict=True):
        assert mine == other and mine.known is not None
        assert abs(mine.value - mine.known) < 2 * (mine.high - mine.low)
    results.write(tmp_path, found, Spec("reduce", 0, "<b>", {}, (), versions()), 1.0)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == len(report.PICTURES) and "<b>" not in page
    assert plot.densities(found).axes and "laplacian A" in results.summary(found)


class Slope(AbstractOperator):
    """d nu / dx."""

    def __call__(self, nu, species, grid):
        return grid.gradient(nu[species][None])[0, 0]


def test_a_front_is_where_the_lines_cross():
    """2 - x and x, in cells of half a unit: they meet at 1; where the first is nowhere the denser, nowhere."""
    x = (np.arange(4) + 0.5) * 0.5
    densities = np.stack([np.stack([2 - x, x]), np.stack([x - 5, x])])
    found = result.front(densities, 0.5)
    assert found[0] == pytest.approx(1.0) and np.isnan(found[1])


def test_what_happens_to_a_species_is_a_function_of_all_that_react_there():
    """Catalysts are among them, products that come from nothing else are not; both sides of what is reversible."""
    network = parse("A -> B @ 1\nB + E -> C + E @ 1\nC <-> D @ 1, 1")
    found = {name: terms.reacting(network, s) for s, name in enumerate(network.species)}
    names = {name: {network.species[i] for i in of} for name, of in found.items()}
    assert names == {"A": {"A"}, "B": {"A", "B", "E"}, "E": set(), "C": {"B", "E", "C", "D"}, "D": {"C", "D"}}


@pytest.mark.slow
@pytest.mark.stochastic
def test_three_species_in_a_row_have_their_constants():
    """A -> B -> C, a cloud of each: all constants within four standard errors; those of A, the most of them, have
    intervals shorter than themselves."""
    box = Box(parse("A -> B @ 1\nB -> C @ 0.5"), (6.0,), (0.5, 0.5, 0.5), radius=0.1, dt=0.1)
    clouds = tuple(Cloud(s, n, (x,), 0.7) for s, (n, x) in enumerate([(150, 3.0), (80, 1.0), (80, 5.0)]))
    start = clouds + tuple(Cloud(s, 30) for s in range(3))
    plan = SpacePlan(box, start, 1.0, snapshots=5, runs=100, held_out=50, cells=(20,), elements=5, function=1)
    found = {c.name: c for c in run(SpaceReduction(plan, Particles(box, plan.cells)), 0).constants}
    assert {f"laplacian {s}" for s in "ABC"} | {"1 A"} <= set(found)
    for name, c in found.items():
        assert c.known is not None and abs(c.value - c.known) < 2 * (c.high - c.low), name
        assert not name.endswith("A") or c.high - c.low < abs(c.known), (name, c)


def windy(start, *, runs, groups, times, seed):
    """Particles that diffuse (D = 0.5), decay (k = 0.5) and drift (v = 1) on a ring, exactly, by ten lines."""
    rng, L = np.random.default_rng(seed), BOX.lengths[0]
    x = placed(BOX, start, runs=runs, seed=seed)[1][..., 0]
    until = rng.exponential(1 / 0.5, x.shape)
    counts = np.zeros((groups, len(times), 1, 30))
    for t, (span, time) in enumerate(zip(np.diff(times, prepend=0.0), times, strict=True)):
        x = (x + span + np.sqrt(2 * 0.5 * span) * rng.normal(size=x.shape)) % L
        for r in range(runs):
            counts[r % groups, t, 0] += np.histogram(x[r, until[r] > time], 30, (0, L))[0]
    return counts / (runs / groups)


@pytest.mark.slow
@pytest.mark.stochastic
def test_an_operator_of_ones_own_is_learned_beside_the_others():
    """f = -v before d nu / dx; without it there is no wind."""
    job = SpaceReduction(SMALL, windy, more=(Wanted("d/dx A", 0, Slope(), (0,)),))
    found = {c.name: c for c in run(job, 1).constants}
    wind, D = found["d/dx A"], found["laplacian A"]
    assert wind.known is None and wind.high - wind.low < 0.2 and abs(wind.value + 1) < (wind.high - wind.low)
    assert abs(D.value - 0.5) < 2 * (D.high - D.low)
