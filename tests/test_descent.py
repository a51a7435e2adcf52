"""Descent on toys whose optimum is known, on cliffs, and against optax alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from guldberg.learn import descent, parameters
from guldberg.learn.descent import Descent, Rates
from guldberg.learn.parameters import Bounded


@pytest.fixture(autouse=True)
def promotion():
    """Adam of optax raises a float to the power of an integer."""
    with jax.numpy_dtype_promotion("standard"):
        yield


class Toy(eqx.Module):
    x: jax.Array
    y: jax.Array


def toy(x=(2.0, -3.0), y=1.0):
    return Toy(jnp.asarray(x), jnp.asarray(y))


def quadratic(model, key):
    model = parameters.resolve(model)
    return jnp.stack([((model.x - jnp.array([1.0, 0.5])) ** 2).sum(), (model.y - 0.25) ** 2])


def run(setting, objective, model, updates, of=None, seed=0):
    still = eqx.filter(model, parameters.learned(model), inverse=True)
    one = jax.jit(lambda c, key: descent.update(setting, objective, still, of or updates, c, key))
    carry, losses = descent.begin(setting, model), []
    for key in jax.random.split(jax.random.key(seed), updates):
        carry, terms = one(carry, key)
        losses.append(float(terms.sum()))
    return carry, np.array(losses)


def test_it_is_adam_with_clipped_gradients_when_nothing_goes_wrong():
    setting = Descent(Rates({"x": 0.1, "y": 0.01}), beta1=0.8, epsilon=1e-3, clip_each=0.5)
    carry, _ = run(setting, quadratic, toy(), 30)
    x, adam = jnp.asarray([2.0, -3.0]), optax.adam(0.1, 0.8, 0.999, 1e-3)
    moments = adam.init(x)
    for _ in range(30):
        g = 2 * (x - jnp.array([1.0, 0.5]))
        step, moments = adam.update(g * jnp.minimum(1, 0.5 / jnp.linalg.norm(g)), moments)
        x = x + step
    assert np.allclose(carry.model.x, x, atol=1e-12)
    assert abs(float(carry.model.y) - 1.0) < 0.31 and carry.rejections == 0  # its own, smaller rate


@pytest.mark.slow
def test_it_reaches_a_known_optimum_on_the_edge_of_the_bounds():
    model = eqx.tree_at(lambda m: m.x, toy(), Bounded.of(jnp.array([2.0, -3.0]), -5.0, 0.75))
    setting = Descent(Rates({"x": 0.1, "y": 0.1}, warmup=5, cosine=True))
    carry, _ = run(setting, quadratic, model, 300)
    found = eqx.combine(carry.best, eqx.filter(model, parameters.learned(model), inverse=True))
    assert np.allclose(found.x.value, [0.75, 0.5], atol=2e-3) and abs(found.y - 0.25) < 2e-3


def cliff(model, key):
    """Falls towards 1, and is not a number beyond it: too long a step loses everything."""
    x = model.x[0]
    return jnp.stack([jnp.where(x > 1, jnp.nan, (1 - x) ** 2 + 0 * model.y)])


@pytest.mark.parametrize("beyond", [jnp.nan, jnp.inf, 50.0])
def test_beyond_a_cliff_the_best_point_is_taken_up_again_with_shorter_steps(beyond):
    def objective(model, key):
        return jnp.where(model.x[0] > 1, beyond, cliff(model, key))

    setting = Descent(Rates({"x": 0.3, "y": 0.3}), beta1=0.95, jump=2.0)
    carry, losses = run(setting, objective, toy(x=(-2.0, 0.0)), 200)
    assert carry.rejections > 0 and carry.factor == 0.5 ** int(carry.rejections)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((carry.model, carry.moments, carry.best)))
    assert 0.8 < carry.best.x[0] <= 1 and carry.best_loss < 0.04


def test_without_a_way_on_it_stays_where_it_was_and_counts():
    carry, _ = run(Descent(Rates({"x": 0.1})), lambda m, key: jnp.stack([m.x.sum() * jnp.nan]), toy(), 7)
    assert np.array_equal(carry.model.x, [2.0, -3.0]) and carry.refused == 7 and np.isinf(carry.best_loss)


def test_the_best_is_that_of_the_running_loss_not_of_a_lucky_draw():
    """The loss is noise around a rising line: a single lucky draw late on is not better than the start."""

    def objective(model, key):
        return jnp.stack([10.0 + model.x.sum() + jax.random.normal(key)])

    away = Descent(Rates({"x": -0.002}))  # uphill
    carry, losses = run(away, objective, toy(x=(0.0, 0.0)), 400)
    assert losses[200:].min() < losses[:20].mean() and carry.best.x.sum() < 0.8 < 1.5 < carry.model.x.sum()


def test_patience_halves_the_rates_and_no_more_than_to_a_hundredth():
    flat = Descent(Rates({"x": 0.1}), patience=10)
    carry, _ = run(flat, lambda m, key: jnp.stack([1.0 + 0 * m.x.sum()]), toy(), 200)
    assert np.isclose(carry.factor, 0.01) and carry.waited > 150
    carry, _ = run(flat, quadratic, toy(), 15)
    assert carry.factor == 1


def test_rates_warm_up_decay_and_halve():
    rates = Rates({}, warmup=4, cosine=True, floor=0.1)
    factors = [float(rates.factor(jnp.asarray(n), 104)) for n in range(105)]
    assert np.allclose(factors[:5], [0.2, 0.4, 0.6, 0.8, 1.0])
    assert np.isclose(factors[54], 0.55) and np.isclose(factors[104], 0.1) and np.all(np.diff(factors[5:]) < 0)
    halved = Rates({}, halved_at=(10, 20))
    assert [float(halved.factor(jnp.asarray(n), 30)) for n in (9, 10, 20)] == [1.0, 0.5, 0.25]


def test_gradients_are_clipped_tensor_by_tensor():
    clip = descent.clip_each(0.5)
    clipped, _ = clip.update({"long": jnp.array([3.0, 4.0]), "short": jnp.array([0.3]), "none": jnp.zeros(2)}, None)
    assert np.allclose(clipped["long"], [0.3, 0.4]) and clipped["short"] == 0.3 and not clipped["none"].any()


@pytest.mark.slow
def test_seeds_go_side_by_side_under_vmap():
    setting = Descent(Rates({"x": 0.1, "y": 0.1}))

    def after(x, key):
        model = Toy(x, jnp.asarray(1.0))
        still = eqx.filter(model, parameters.learned(model), inverse=True)
        carry = descent.begin(setting, model)
        for k in jax.random.split(key, 5):
            carry, _ = descent.update(setting, quadratic, still, 5, carry, k)
        return carry.model.x

    xs, keys = jax.random.normal(jax.random.key(1), (3, 2)), jax.random.split(jax.random.key(0), 3)
    together = jax.vmap(after)(xs, keys)
    assert np.allclose(together, jnp.stack([after(x, k) for x, k in zip(xs, keys, strict=True)]), atol=1e-14)
