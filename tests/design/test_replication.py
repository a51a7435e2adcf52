import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design import replication
from guldberg.design.chemistry import sparse
from guldberg.design.job import Design
from guldberg.design.objective import objective
from guldberg.design.start import mirrored
from guldberg.learn.losses import Seen, Steps
from guldberg.learn.parameters import resolve
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint


@pytest.fixture
def fields() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.uniform(0, 1, (3, 6, 8)), random.uniform(0, 1, (3, 6, 8))


def test_likeness_is_pearsons_r_pooled_and_within_species(fields):
    parent, daughter = fields
    found = replication.likeness(jnp.asarray(parent), jnp.asarray(daughter))
    means = parent.mean((1, 2), keepdims=True), daughter.mean((1, 2), keepdims=True)
    within = np.corrcoef((parent - means[0]).ravel(), (daughter - means[1]).ravel())[0, 1]
    assert np.isclose(found.pooled, np.corrcoef(parent.ravel(), daughter.ravel())[0, 1], rtol=1e-12)
    assert np.isclose(found.within, within, rtol=1e-12)
    assert np.allclose(found.contrast, daughter.std((1, 2)) / parent.std((1, 2)), rtol=1e-12)


def test_a_flat_daughter_has_a_high_pooled_r_and_none_within():
    parent = 0.02 * np.random.default_rng(1).standard_normal((2, 9, 9)) + np.array([2.0, 0.1])[:, None, None]
    flat = np.broadcast_to(np.array([2.0, 0.1])[:, None, None], parent.shape)
    found = replication.likeness(jnp.asarray(parent), jnp.asarray(flat))
    assert found.pooled > 0.99 and abs(found.within) < 1e-12 and (found.contrast == 0).all()


def test_daughters_are_found_where_a_parent_was_copied_to():
    before = np.zeros((2, 48, 96))
    before[:, 20:28, 44:52] = np.random.default_rng(2).uniform(size=(2, 8, 8))
    after = np.roll(before, -24, 2) + np.roll(before, 24, 2)
    left, right = replication.TWINS.likeness(jnp.asarray(before), jnp.asarray(after))
    assert np.isclose(left.within, 1) and np.isclose(right.within, 1)
    wrong = np.roll(before, -20, 2) + np.roll(before, 20, 2)
    assert max(a.within for a in replication.TWINS.likeness(jnp.asarray(before), jnp.asarray(wrong))) < 0.9


def test_twins_cover_their_grid_and_leave_the_rest_of_a_larger_one():
    assert not replication.TWINS.outside((48, 96)).any()
    free = replication.TWINS.moved((24, 48)).outside((96, 192))
    assert free.sum() == 96 * 192 - 48 * 96 and not free[24:72, 48:144].any()


def test_surrounded_keeps_the_middle_and_is_uniform_around_it(fields):
    background = jnp.asarray([1.0, 2.0, 3.0])
    large = replication.surrounded(jnp.asarray(fields[0]), background, (12, 16))
    assert np.allclose(large[:, 3:9, 4:12], fields[0])
    assert np.allclose(large[:, :3], background[:, None, None]) and np.allclose(
        large[:, :, 12:], 2 * 0 + background[:, None, None]
    )


def test_slaves_do_not_act_on_the_wave():
    system = replication.travelling_wave(Grid.periodic((48, 96), stencil=NinePoint()))
    c0 = replication.seed((48, 96))
    other = c0.at[2:].set(jax.random.uniform(jax.random.key(0), c0[2:].shape, c0.dtype))
    a, b = (rollout(system, c, steps=40, dt=0.5).values[0] for c in (c0, other))
    assert np.array_equal(a[:2], b[:2]) and not np.allclose(a[2:], b[2:])


def test_the_wave_of_the_start_travels_as_far_as_the_daughters_lie():
    """In 300 s from the middle to 24 cells beside it, where uniform decay would have left nothing."""
    system = replication.travelling_wave(Grid.periodic((48, 96), stencil=NinePoint()))
    c0 = replication.seed((48, 96))
    there = rollout(system, c0, steps=300).values[0, 1, 24]
    assert c0[1, 24, 24] < 1e-3 and there[16:32].max() > 0.3


def test_a_reaction_that_the_network_lacks_is_named():
    with pytest.raises(ValueError, match="not a reaction of this network"):
        sparse(3, {((1, 0, 0), (0, 0, 0)): 1.0})


def test_a_folded_parent_is_a_quarter_of_the_whole_one():
    """The same start, and the same after 40 s."""
    folded = replication.parent(jax.random.key(0), shape=(48, 64), folded=True)
    quarter, whole = resolve(folded), resolve(replication.whole(folded))
    c0 = whole.start(jnp.zeros(0))
    assert c0.shape == (5, 48, 64) and np.allclose(c0, c0[:, ::-1, ::-1]) and np.allclose(c0[:, :8], c0[:, :1, :1])
    a = rollout(whole.medium, c0, steps=40, dt=0.5).values[0]
    b = rollout(quarter.medium, quarter.start(jnp.zeros(0)), steps=40, dt=0.5).values[0]
    assert np.allclose(a, mirrored(b, replication.MIRRORS), rtol=1e-5, atol=1e-7) and not np.allclose(a, c0, atol=0.1)


@pytest.mark.slow
def test_a_stage_that_folds_has_the_loss_and_the_slope_of_the_whole():
    recipe = replication.replication()
    stage = dataclasses.replace(recipe.stages[0], horizon=10.0)
    folded, share, key = recipe.build(jax.random.key(1)), jnp.asarray(0.0), jax.random.key(2)
    of_quarter = objective(recipe, stage)
    of_whole = objective(recipe, dataclasses.replace(stage, mirrors=()))
    ours = eqx.filter_value_and_grad(lambda m: of_quarter(m, share, key).sum())(folded)
    plain = eqx.filter_value_and_grad(lambda m: of_whole(replication.whole(m), share, key).sum())(folded)
    assert np.isclose(ours[0], plain[0], rtol=1e-5)
    for a, b in zip(jax.tree.leaves(ours[1]), jax.tree.leaves(plain[1]), strict=True):
        assert np.allclose(a, b, rtol=1e-3, atol=1e-4 * float(jnp.abs(b).max()))


def test_the_judge_reports_the_worse_daughter():
    before = np.zeros((2, 48, 96))
    before[:, 20:28, 44:52] = np.random.default_rng(2).uniform(size=(2, 8, 8))
    after = np.roll(before, -24, 2)  # only one of the two is there
    model = replication.parent(jax.random.key(0))
    said = replication.Judged(replication.TWINS)(model, jnp.zeros(0), jnp.asarray(before), jnp.asarray(after))
    assert abs(said["within"]) < 1e-12 and said["contrast_least"] == 0 and np.isclose(said["contrast_most"], 1)


def test_the_loss_sees_copies_and_asks_for_nothing_outside():
    """Of a perfect pair of copies in free space the loss is that of steps alone, which is not counted here."""
    recipe = replication.replication()
    system = replication.travelling_wave(Grid.periodic((96, 96)))
    before = np.zeros((5, 96, 96))
    before[:, 44:52, 44:52] = np.random.default_rng(3).uniform(2, 4, (5, 8, 8))
    after = np.roll(before, -24, 2) + np.roll(before, 24, 2)
    stray = after + 0.5 * np.roll(before, 40, 1)

    def loss(end: np.ndarray) -> float:
        states = jnp.stack([jnp.asarray(before), jnp.asarray(end)])
        parts = [part for part in recipe.stages[1].loss.losses if not isinstance(part, Steps)]
        ran = rollout(system, states[0], steps=1)
        return sum(float(part(Seen(system, ran, states[-part.when.count :], jnp.zeros(0)))) for part in parts)

    assert loss(after) < 1e-6 < 0.1 < loss(before) and loss(stray) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("make", [replication.replication, replication.tolerant])
def test_a_recipe_ends_in_the_whole_place_with_a_parent_that_keeps_its_mirror_planes(make):
    """What is learned of the parent is a quarter of it."""
    job = Design(make().within(4))
    state = job.init(0)
    first = job.best(state).start(jnp.zeros(0))
    with jax.numpy_dtype_promotion("standard"):  # Adam of optax raises a float to the power of an integer
        while not job.done(state):
            state, metrics = job.step(state)
            assert np.isfinite(float(metrics["loss"])) and float(metrics["within"]) > 0.1
    found = job.best(state)
    c0 = found.start(jnp.zeros(0))
    assert c0.shape == (5, *replication.FREE) and found.medium.grid.shape == replication.FREE
    assert np.array_equal(c0, c0[:, ::-1]) and np.array_equal(c0, c0[:, :, ::-1])
    assert not np.array_equal(c0[:, 48:, 48:], first[:, -48:, -48:])
