import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design import division
from guldberg.design.job import Design
from guldberg.design.model import typed
from guldberg.design.replication import FEED, TORUS, likeness, surrounded, whole
from guldberg.learn.losses import Seen, per_species
from guldberg.learn.parameters import resolve
from guldberg.rollout import rollout

BACKGROUND = jnp.asarray(FEED, jnp.float32)


def test_daughters_are_turned_with_their_sister_upwards():
    """A state that brightens towards the middle column, and to the top: what faced the sister is at the top, and as
    the state is its own mirror image, so are the daughters each other's."""
    y, x = np.mgrid[:48, :96]
    state = jnp.asarray(np.stack([100.0 - abs(x - 47.5), 48.0 - y]))
    left, right = division.SISTERS.daughters(state)
    assert (np.diff(left[0], axis=0) == -1).all() and (np.diff(right[0], axis=0) == -1).all()
    assert np.array_equal(left, right[..., ::-1]) and not np.array_equal(left, right)


def test_the_medium_is_that_of_gray_and_scott_in_two_species():
    """u' = D lap u - u v^2 + F (1 - u), v' = D' lap v + u v^2 - (F + k) v at unit pace, in units of the feed."""
    system = division.dividing(division.PLACE, feed=0.03, decay=0.06, pace=0.45, slower=0.11)
    c = np.random.default_rng(0).uniform(0, 2, (5, *TORUS))
    u, v = c[:2] / FEED[0]

    def laplacian(c: np.ndarray) -> np.ndarray:
        rows = np.roll(c, 1, 0) + 2 * c + np.roll(c, -1, 0)
        return (np.roll(rows, 1, 1) + 2 * rows + np.roll(rows, -1, 1)) / 4 - 4 * c

    du = 0.2 * laplacian(u) + 0.45 * (-u * v * v + 0.03 * (1 - u))
    dv = 0.11 * laplacian(v) + 0.45 * (u * v * v - (0.03 + 0.06) * v)
    found = np.asarray(system(0.0, jnp.asarray(c))) / FEED[0]
    assert np.allclose(found[0], du, atol=1e-6) and np.allclose(found[1], dv, atol=1e-6)


@pytest.fixture(scope="module")
def medium():
    return typed(division.dividing(division.PLACE), jnp.float32)


@pytest.fixture(scope="module")
def spot(medium):
    return division.settled(medium)


@pytest.mark.slow
def test_every_daughter_of_three_generations_is_its_ancestor_again(medium, spot):
    level = [spot]
    for _ in range(3):
        ends = [division.followed(medium, surrounded(parent, BACKGROUND, TORUS)) for parent in level]
        level = [daughter for end in ends for daughter in division.SISTERS.daughters(end)]
        assert min(float(likeness(spot, daughter).within) for daughter in level) > 0.95
    assert len(level) == 8


@pytest.mark.slow
def test_unlike_a_wave_the_spot_comes_back_from_noise(medium, spot):
    noise = 0.1 * np.random.default_rng(0).standard_normal((5, *TORUS))
    start = jnp.maximum(surrounded(spot, BACKGROUND, TORUS) + noise.astype(np.float32), 0)
    found = division.SISTERS.compared(spot, division.followed(medium, start))
    assert min(float(alike.within) for alike in found) > 0.9


@pytest.mark.slow
def test_the_loss_of_descendants_is_that_of_what_serial_transfer_gives(medium, spot):
    first = surrounded(spot, BACKGROUND, TORUS)
    end = division.followed(medium, first)
    seen = Seen(medium, rollout(medium, first, steps=1), jnp.stack([first, end]), jnp.zeros(0))
    state, expected = end, []
    for side in (0, 1):
        daughter = division.SISTERS.daughters(state)[side]
        state = rollout(medium, surrounded(daughter, BACKGROUND, TORUS), steps=630, plain=True).values[0]
        expected += [float(per_species(spot, new)) for new in division.SISTERS.daughters(state)]
    assert float(division.Descendants(generations=2)(seen)) == pytest.approx(np.mean(expected), rel=1e-3)


@pytest.mark.slow
def test_the_recipe_begins_with_half_the_spot_and_ends_with_the_whole_one():
    job = Design(division.lineage().within(2))
    state = job.init(0)
    half = resolve(division.parent(jax.random.key(0)))
    with jax.numpy_dtype_promotion("standard"):  # Adam of optax raises a float to the power of an integer
        while not job.done(state):
            state, metrics = job.step(state)
    c0 = job.best(state).start(jnp.zeros(0))
    assert c0.shape == (5, *TORUS) and half.start(jnp.zeros(0)).shape == (5, 48, 48)
    assert np.array_equal(c0, c0[..., ::-1]) and not np.array_equal(c0, c0[:, ::-1])
    assert resolve(whole(division.parent(jax.random.key(0)), division.MIRRORS)).medium.grid.shape == TORUS
    assert float(metrics["within"]) > 0.95
