"""Verification: true designs pass, planted artefacts are told by the check that is meant for them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from designed import bistable, by_grid, by_steps, honest, made

from guldberg.app import codec
from guldberg.design import checks, controls, trials, verify
from guldberg.design.controls import (
    AsDesigned,
    FinerGrid,
    FinerSteps,
    FreeSpace,
    InitialParameters,
    NoisyConstants,
    NoisyDrive,
    NoisyStart,
    NoReactions,
    OnlyDiffusion,
    RandomParameters,
    RandomStart,
    StepsOfOptimisation,
)
from guldberg.drive import FlowReactor
from guldberg.learn import fit
from guldberg.space.boundary import Dirichlet, NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.system import ReactionDiffusion
from guldberg.text import parse

KEY = jax.random.key(5)
ACCURACY = (AsDesigned(), StepsOfOptimisation(), FinerSteps(5, 32.0))
FEW = (
    *ACCURACY,
    OnlyDiffusion(),
    NoReactions(),
    FinerGrid(32.0),
    NoisyStart(0.1, draws=2),
    NoisyConstants(0.01, draws=2),
    InitialParameters(),
    RandomStart(draws=3),
    RandomParameters(draws=2),
)


@functools.cache
def verdict(design, controls=FEW):
    return fit.run(verify.Verification(design(), controls), 0)


def failed(design, controls=FEW):
    return {check.name for check in verdict(design, controls).checks if not check.passed}


# -- verdicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_true_design_passes_every_check():
    assert failed(honest) == set()
    assert verdict(honest).passed and len(verdict(honest).checks) > 15


def test_a_checkerboard_of_the_time_step_is_rejected():
    trained = trials.run(by_steps(), StepsOfOptimisation(), 0, 0)
    even = trained.times % 2 == 0
    assert (trained.figures["correlation"][0, even] > 0.99).all()  # in its own steps, the artefact convinces
    assert np.allclose(trained.figures["contrast"][0, even], 1, atol=0.05)
    told = {"steps of the optimisation: correlation", "steps of the optimisation: contrast", "contrast at T"}
    assert told <= failed(by_steps, ACCURACY) and not verdict(by_steps, ACCURACY).passed


def test_a_pattern_that_the_grid_pins_is_rejected_by_the_finer_grid_and_by_nothing_else():
    every = (*ACCURACY, NoReactions(), NoisyStart(0.1, draws=1), RandomStart(draws=1), FinerGrid(320.0))
    assert failed(by_grid, every) == {"grid twice as fine: correlation", "grid twice as fine: contrast"}


def test_doing_nothing_does_not_pass():
    """Slow diffusion keeps r above .9 for long: contrast and the nulls see through it."""
    idle = made("A -> 0 @ 1e-9", np.add.outer(np.sin(np.arange(16) * np.pi / 8), np.zeros(4)) / 2 + 0.5, D=0.02)
    found = fit.run(verify.Verification(idle, (AsDesigned(), NoReactions())), 0)
    said = {check.name: check for check in found.checks}
    assert said["correlation at T"].passed and said["correlation at T"].figure > 0.999
    assert not said["better than reactions off"].passed and not said["contrast at 10 T"].passed


def test_a_verdict_without_checks_is_not_passed():
    assert not verify.Verdict({}, ()).passed


def test_what_is_checked_is_what_the_command_runs():
    names = [control.name for control in verify.standard(honest())]
    assert len(set(names)) == len(names)
    assert [c.name for c in verify.look(honest())] == names[:3]
    assert sum(c.draws == 32 for c in verify.standard(honest())) == 3  # Elliott D.4
    with_flow = dataclasses.replace(honest(), system=_fed())
    assert "noise 0.5 in the drive" in [c.name for c in verify.standard(with_flow)]


# -- each check can fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "change", "name"),
    [
        ("as designed", {"outside": np.array([1e-3])}, "cells at a bound"),
        ("as designed", {"fastest": np.array([5.0])}, "largest |dc/dt|"),
        ("as designed", {"imbalance": np.array([0.01])}, "mass balance"),
        ("noise 0.1 on the start", {"correlation": 0.9}, "noise 0.1 on the start: correlation lost"),
        ("noise 0.1 on the start", {"outside": np.array([0.0, 0.5])}, "noise 0.1 on the start: correlation lost"),
        ("steps 5 times finer", {"contrast": 1.1}, "steps 5 times finer: contrast"),
        ("steps 5 times finer", {"correlation": np.nan}, "steps 5 times finer: correlation"),
        ("diffusion only", {"correlation": 1.01}, "better than diffusion only"),
        ("reactions off", {"correlation": 1.01}, "better than reactions off"),
        ("random start", {"correlation": 1.01}, "better than random start"),
        ("initial parameters", {"correlation": 1.01}, "better than initial parameters"),
        ("random parameters", {"correlation": 1.01}, "better than random parameters"),
    ],
)
def test_each_check_sees_what_it_is_for(control, change, name):
    runs = dict(verdict(honest).trials)
    trial = runs[control]
    for field, value in change.items():
        if field in trial.figures:
            figures = {**trial.figures, field: np.full_like(trial.figures[field], value)}
            trial = dataclasses.replace(trial, figures=figures)
        else:
            trial = dataclasses.replace(trial, **{field: value})
    found = [f for check in verify.checks_of(honest(), runs) for f in check(honest(), {**runs, control: trial})]
    assert name in {f.name for f in found if not f.passed}


def test_as_good_as_a_control_is_not_better():
    runs = dict(verdict(honest).trials)
    same = dataclasses.replace(runs["as designed"], control="random start")
    (finding,) = checks.BetterThan("random start")(honest(), {**runs, "random start": same})
    assert finding.figure == 0 and not finding.passed


def test_runs_that_blew_up_are_void_and_count_for_nobody():
    runs = dict(verdict(honest).trials)
    random = runs["random start"]
    figures = {
        **random.figures,
        "correlation": np.vstack([np.full_like(random.times, 2.0), random.figures["correlation"][1:]]),
    }
    one_bad = dataclasses.replace(random, figures=figures, outside=np.array([0.3, 0, 0]))
    assert one_bad.void.tolist() == [True, False, False]
    better = checks.BetterThan("random start")
    (finding,) = better(honest(), {**runs, "random start": one_bad})
    assert finding.passed and "1 of 3 runs blew up" in finding.meaning
    all_bad = dataclasses.replace(random, outside=np.ones(3))
    (finding,) = better(honest(), {**runs, "random start": all_bad})
    assert finding.passed and "3 of 3 runs blew up" in finding.meaning


# -- controls ----------------------------------------------------------------------------------------------------------


def _wave(n: int = 32, amplitude: float = 0.3) -> np.ndarray:
    return 0.5 + amplitude * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)


@pytest.mark.parametrize("control", [NoReactions(), FinerGrid()], ids=["same grid", "finer grid"])
def test_diffusion_has_its_speed_on_every_grid(control):
    """A cosine decays by exp(-D q^2 t): D and h are scaled rightly, whatever the grid."""
    D, n = 0.4, 32
    wave = made("A -> 2 A @ 0", _wave(n), D=D, horizon=64.0)
    trial = trials.run(wave, control, 0, 0)
    q = 2 * np.pi / n
    np.testing.assert_allclose(trial.figures["contrast"][0], np.exp(-D * q * q * trial.times), rtol=0.02, atol=1e-6)


def test_the_finer_grid_is_nearer_to_the_continuum_than_the_coarse_one():
    D, n = 0.4, 8
    wave = made("A -> 2 A @ 0", _wave(n), D=D, horizon=16.0)
    coarse, fine = (trials.run(wave, control, 0, 0) for control in (AsDesigned(), FinerGrid()))
    exact = -D * (2 * np.pi / n) ** 2
    i = int(np.argmin(np.abs(coarse.times - 16)))
    rates = [np.log(t.figures["contrast"][0, i] / t.figures["contrast"][0, 0]) / t.times[i] for t in (coarse, fine)]
    gaps = [abs(rate / exact - 1) for rate in rates]
    assert gaps[1] < 0.3 * gaps[0] and gaps[0] > 0.02  # second order: a quarter


@pytest.mark.parametrize("boundary", [Periodic(), NoFlux()])
def test_interpolation_keeps_the_amount(boundary):
    grid = Grid((6, 5), 1.0, [boundary, boundary])
    c = jax.random.uniform(KEY, (2, 6, 5))
    fine = controls.interpolated(grid, c)
    assert fine.shape == (2, 12, 10)
    np.testing.assert_allclose(grid.refined(2).integral(fine), grid.integral(c))


def test_interpolation_is_exact_for_planes():
    grid = Grid((6, 4), 1.0, [(Dirichlet(0.0), Dirichlet(6.0)), NoFlux()])
    plane = jnp.broadcast_to((jnp.arange(6.0) + 0.5)[None, :, None], (1, 6, 4))
    fine = controls.interpolated(grid, plane)
    np.testing.assert_allclose(fine[0], np.broadcast_to(((np.arange(12) + 0.5) / 2)[:, None], (12, 8)))


def test_states_are_brought_back_to_the_grid_of_the_design():
    states = jax.random.uniform(KEY, (3, 2, 6, 4))
    subject = controls.as_designed(honest(), KEY)
    fine = dataclasses.replace(subject, finer=2)
    np.testing.assert_allclose(controls.on_own_grid(fine, jnp.repeat(jnp.repeat(states, 2, 2), 2, 3), (6, 4)), states)
    wide = jnp.pad(states, ((0, 0), (0, 0), (3, 3), (2, 2)), constant_values=7.0)
    placed = dataclasses.replace(subject, corner=(3, 2))
    np.testing.assert_allclose(controls.on_own_grid(placed, wide, (6, 4)), states)


def test_free_space_surrounds_the_start_by_its_edge():
    subject = FreeSpace()(honest(), KEY)
    c0 = honest().c0
    np.testing.assert_allclose(subject.c0[0, 24:72], c0[0])
    np.testing.assert_allclose(subject.c0[0, :24], (c0[0, 0] + c0[0, -1]) / 2)
    assert subject.system.grid.shape == (96,) and subject.system.grid.spacing == (1.0,)


def test_random_starts_have_the_mean_and_sd_of_the_design_and_differ():
    board = np.random.default_rng(0).uniform(4, 6, (40, 40))
    design = made(bistable(0.5), board, D=0.1)
    draws = [np.asarray(RandomStart()(design, jax.random.key(i)).c0) for i in range(4)]
    for c0 in draws:  # 1600 cells: the standard error of the mean is sd / 40
        assert abs(c0.mean() - board.mean()) < 5 * board.std() / 40
        assert abs(c0.std() / board.std() - 1) < 5 / np.sqrt(2 * 1600)
    assert not np.array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], RandomStart()(design, jax.random.key(0)).c0)
    assert RandomStart()(honest(), KEY).c0.min() == 0  # truncated, not negative


def test_random_starts_by_species_keep_each_species_apart():
    two = np.stack([np.random.default_rng(1).normal(1, 0.01, 400), np.random.default_rng(2).normal(9, 0.02, 400)])
    design = made("A -> B @ 1", two[0], D=0.1, c0=two)
    alike = np.asarray(RandomStart(per_species=True)(design, KEY).c0)
    np.testing.assert_allclose(alike.mean(1), [1, 9], rtol=0.01)
    assert np.asarray(RandomStart()(design, KEY).c0).std() > 3


def _fed() -> ReactionDiffusion:
    network = parse("A + 2 B <-> 3 B @ 1, 0.1\nA <-> B @ 0.02, 0.01")
    return ReactionDiffusion(
        network, Grid.periodic((8, 8)), jnp.array([0.1, 0.2]), FlowReactor(0.05, jnp.array([1.0, 0.2]))
    )


def _fed_design():
    c0 = np.random.default_rng(3).uniform(0.2, 0.8, (2, 8, 8))
    return dataclasses.replace(made("A <-> B @ 1, 1", c0[0], D=0.1, c0=c0), system=_fed())


def test_random_parameters_are_allowed_ones():
    for i in range(8):
        system = RandomParameters()(_fed_design(), jax.random.key(i)).system
        assert (controls.constants(system) >= 0).all() and (system.drive.feed >= 0).all()
        assert (system.diffusivity >= 0.05).all() and (system.diffusivity <= 0.2).all()
        assert 0 <= float(system.drive.rate) <= 0.08
    assert not np.allclose(controls.constants(system), controls.constants(_fed()))


def test_noise_has_the_size_it_says():
    design = made(bistable(0.5), np.full((60, 60), 0.5), D=0.1)
    noise = np.asarray(NoisyStart(0.05)(design, KEY).c0) - 0.5
    assert abs(noise.std() / 0.05 - 1) < 5 / np.sqrt(2 * 3600) and abs(noise.mean()) < 5 * 0.05 / 60
    k, noisy = (np.asarray(controls.constants(d)) for d in (design.system, NoisyConstants(0.01)(design, KEY).system))
    assert 0 < np.abs(noisy / k - 1).max() < 0.05


def test_the_noisy_drive_fluctuates_about_the_learned_flow():
    drive = NoisyDrive(0.5)(_fed_design(), KEY).system.drive
    raw = drive.start((2, 8, 8), jnp.float64, key=KEY)
    flows = [
        np.asarray(drive.frozen(drive.start((2, 8, 8), jnp.float64, key=jax.random.key(i)), _fed().grid).rate)
        for i in range(40)
    ]
    assert raw.shape == (2, 8, 8) and np.std(flows) > 0.01 * 0.05
    assert abs(np.mean(flows) - 0.05) < 0.05 * 0.05


def test_switching_reactions_off_leaves_the_rest():
    system = NoReactions()(_fed_design(), KEY).system
    assert not np.any(controls.constants(system))
    c = jax.random.uniform(KEY, (2, 8, 8))
    np.testing.assert_allclose(system(0.0, c), system.grid.diffusion(c, jnp.array([0.1, 0.2])) + system.drive(0.0, c))


def test_a_noisy_flow_is_the_same_field_on_a_finer_grid():
    noisy = NoisyDrive(0.5)(_fed_design(), KEY).system
    fine = controls.refined(noisy)
    raw = noisy.drive.start((2, 8, 8), jnp.float64, key=KEY)
    np.testing.assert_array_equal(raw, fine.drive.start((2, 16, 16), jnp.float64, key=KEY))
    coarse = noisy.drive.frozen(raw, noisy.grid).rate
    np.testing.assert_array_equal(fine.drive.frozen(raw, fine.grid).rate[:, ::2, 1::2], coarse)


# -- figures of a run --------------------------------------------------------------------------------------------------


def test_mass_balance_holds_for_a_flow_reactor_and_sees_a_leak():
    design = _fed_design()
    subject = controls.as_designed(design, KEY)
    ts = np.linspace(0, 100, 11)
    states = trials.states(design, ts, 0)
    assert trials.imbalance(subject, ts, states) < checks.BALANCE
    assert trials.imbalance(subject, ts, states * (1 - 1e-4 * ts)[:, None, None, None]) > checks.BALANCE


def test_nothing_conserved_nothing_balanced():
    subject = controls.as_designed(honest(), KEY)
    assert np.isnan(trials.imbalance(subject, np.zeros(1), np.zeros((1, 1, 48))))


def test_times_are_whole_steps_and_hold_those_that_are_asked_for():
    ts = trials.times(dataclasses.replace(honest(), dt=0.25, evaluation_dt=0.1))
    assert {0.0, 10.0, 32.0, 100.0, 320.0, 1000.0} <= set(ts.tolist())
    np.testing.assert_array_equal(ts / 0.25, np.round(ts / 0.25))
    assert (np.diff(ts) > 0).all()


@pytest.mark.parametrize(("dt", "evaluation"), [(1.0, 0.1), (0.25, 0.1), (0.5, 0.5), (0.1, 0.1)])
def test_evaluation_is_ten_times_finer_than_the_optimisation_at_least(dt, evaluation):
    subject = controls.as_designed(dataclasses.replace(honest(), dt=dt, evaluation_dt=evaluation), KEY)
    assert subject.dt <= dt / 10 + 1e-12 and subject.dt <= evaluation + 1e-12
    assert dt / subject.dt == pytest.approx(round(dt / subject.dt), abs=1e-9)


# -- the job -----------------------------------------------------------------------------------------------------------


def test_a_verification_that_was_stopped_ends_as_one_that_was_not():
    job = verify.Verification(honest(), (AsDesigned(), NoisyStart(0.1, draws=2), RandomStart(draws=2)))
    state, parts = job.init(3), []
    while not job.done(state):
        state, metrics = job.step(codec.decode(codec.encode(state, job.state_types), job.state_types))
        parts.append(metrics["progress"])
    whole = fit.run(job, 3)
    assert parts == [0.2, 0.4, 0.6, 0.8, 1.0]
    for name, trial in job.result(state).trials.items():
        np.testing.assert_array_equal(trial.figures["correlation"], whole.trials[name].figures["correlation"])
    assert len(whole.trials["noise 0.1 on the start"].fastest) == 2
