"""The job: one small design from end to end, resumed, upset, and given what cannot be done."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.app import codec
from guldberg.design.digest import digest
from guldberg.design.disturb import Rough
from guldberg.design.job import Design, State
from guldberg.design.pattern import pattern
from guldberg.design.result import Picture
from guldberg.errors import InputError
from guldberg.learn.fit import run


@pytest.fixture(autouse=True, scope="module")
def promotion():
    """Adam of optax raises a float to the power of an integer."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def picture():
    y, x = np.mgrid[0:12, 0:12]
    return Picture(1, 0.5 + 0.4 * np.sin(2 * np.pi * x / 12) * np.cos(2 * np.pi * y / 12), "waves")


def recipe(**changes):
    made = pattern(picture(), species=3, horizons=(4, 8), updates=(900, 150), noise=0)
    stages = tuple(dataclasses.replace(stage, **changes) for stage in made.stages)
    return dataclasses.replace(made, stages=stages)


@pytest.fixture(scope="module")
def job(monkeypatch_module):
    return Design(recipe())


@pytest.fixture(scope="module")
def monkeypatch_module():
    """Chunks so small that a stage has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("guldberg.design.job.CHUNK", 12 * 12 * 3 * 4 * 300)
        yield patch


@pytest.fixture(scope="module")
def states(job):
    """Every State of the run, as bytes."""
    kept = [codec.encode(job.init(3), job.state_types)]
    found = run(job, 3, on_step=lambda state, metrics: kept.append(codec.encode(state, job.state_types)))
    return kept, found


def test_a_design_resembles_its_picture(states):
    found = states[1]
    r, contrast = (found.metrics[name] for name in ("correlation", "contrast"))
    at = {t: i for i, t in enumerate(found.metrics["time"])}
    assert r[at[8.0]] > 0.95 and 0.6 < contrast[at[8.0]] < 1.3
    direct = np.corrcoef(found.c0[1].ravel(), picture().concentration.ravel())[0, 1]
    assert np.isclose(r[0], direct, atol=1e-5)
    assert found.updates == 1050 and found.horizon == 8 and not found.warnings


def test_history_is_the_loss_by_term(states):
    history = states[1].history
    assert set(history.terms) == {"Target", "Steps"} and set(history.horizon) == {4.0, 8.0}
    assert np.allclose(sum(history.terms.values()), history.loss) and history.loss[-1] < 0.5 * history.loss[0]
    assert history.update[-1] == 1050 and (np.diff(history.update) > 0).all()


def test_resumed_from_any_state_it_ends_with_the_same_bits(job, states):
    kept, _ = states
    for first in (1, len(kept) // 2):
        state = codec.decode(kept[first], job.state_types)
        for following in kept[first + 1 :]:
            state, _ = job.step(state)
            assert codec.encode(state, job.state_types) == following
        assert job.done(state)


def test_a_stage_begins_where_the_one_before_was_best(job, states):
    kept = [codec.decode(data, job.state_types) for data in states[0]]
    entered = next(state for state in kept if state.stage == 1)
    X = job.best(entered).start(jnp.zeros(0))
    assert np.corrcoef(X[1].ravel(), picture().concentration.ravel())[0, 1] > 0.9


def test_parameters_stay_within_the_bounds_of_the_paper(states):
    system = states[1].system
    D, flow = np.asarray(system.diffusivity), float(system.drive.rate)
    assert (D >= 0.05 - 1e-7).all() and (D <= 0.2 + 1e-7).all() and 0.01 - 1e-8 <= flow <= 1
    assert (system.network.forward.k >= 0).all() and (system.network.reverse.k >= 0).all()


def test_a_state_of_another_recipe_is_refused_in_one_line(job, states):
    state = codec.decode(states[0][1], job.state_types)
    for other in (recipe(updates=901), recipe(descent=dataclasses.replace(job.recipe.stages[0].descent, beta1=0.9))):
        for go in (Design(other).step, Design(other).result):
            with pytest.raises(InputError, match="begun under another version of its recipe") as error:
                go(state)
            assert "\n" not in str(error.value)


def test_a_digest_sees_every_number_and_is_the_same_for_the_same_recipe():
    def brighter():
        shown = picture()
        return pattern(dataclasses.replace(shown, concentration=shown.concentration * 1.01), species=3, noise=0)

    stage = recipe().stages[0]
    changed = [
        recipe(loss=stage.loss * 2),
        recipe(disturb=Rough(state=0.1)),
        recipe(disturb=Rough(state=0.2)),
        recipe(dt=0.5),
        dataclasses.replace(recipe(), evaluation_dt=0.05),
        pattern(picture(), species=3, noise=0),
        brighter(),
    ]
    assert len({digest(one) for one in [recipe(), *changed]}) == len(changed) + 1
    assert digest(recipe()) == digest(recipe())


def test_no_result_before_the_first_update_and_then_as_far_as_it_got(job, states):
    with pytest.raises(ValueError, match="no update"):
        job.result(job.init(0))
    half = job.result(codec.decode(states[0][1], job.state_types))
    assert 0 < half.updates < 900 and half.horizon == 4


def breaks(at):
    """A disturbance that leaves nothing finite from a share of the stage on."""

    def disturb(system, c0, share, key):
        return system, jnp.where(share >= at, jnp.nan, c0)

    return disturb


def test_what_cannot_be_simulated_at_all_is_told(monkeypatch_module):
    with pytest.raises(ArithmeticError, match=r"cannot be followed to T = 4 s in steps of 1 s"):
        run(Design(recipe(disturb=breaks(0.0))), 0)


def test_where_numbers_break_down_midway_the_best_is_kept_and_the_cause_told(monkeypatch_module):
    made = recipe(disturb=breaks(0.5), updates=200)
    found = run(Design(dataclasses.replace(made, stages=made.stages[:1])), 0)
    assert len(found.warnings) == 1 and "stage 1 (T = 4 s) ended after 150 of 200 updates" in found.warnings[0]
    assert np.isfinite(found.loss) and np.isfinite(found.c0).all() and np.isfinite(found.metrics["correlation"]).all()
    assert np.isfinite(found.history.loss).all()


@pytest.mark.slow
def test_several_z_are_averaged_and_disturbed_each_in_its_own_way(monkeypatch_module):
    """With a noise of the start the loss of a batch is the mean over its samples: seen by its smaller spread."""
    from guldberg.design.objective import objective

    rough = recipe(disturb=Rough(state=0.3), batch=64)
    model, share, keys = rough.build(jax.random.key(0)), jnp.asarray(1.0), jax.random.split(jax.random.key(1), 64)
    many = objective(rough, rough.stages[0])(model, share, keys[0])[1]  # the steps: smooth in the noise
    one = dataclasses.replace(rough.stages[0], batch=1)
    alone = jax.jit(jax.vmap(lambda key: objective(rough, one)(model, share, key)))(keys)[:, 1]
    assert abs(many - alone.mean()) < 5 * alone.std() / 64**0.5 * 2**0.5 and alone.std() > 0


def test_a_state_holds_plain_data_only(job):
    state = codec.decode(codec.encode(job.init(0), job.state_types), job.state_types)
    assert isinstance(state, State) and all(isinstance(leaf, np.ndarray) for leaf in state.carry)
