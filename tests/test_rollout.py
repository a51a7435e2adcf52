"""Fields in fixed steps against plain loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import dense, initial_system
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint


@pytest.fixture(scope="module")
def system():
    grid = Grid.periodic((6, 8), stencil=NinePoint())
    return initial_system(dense(3, key=jax.random.key(0)), grid, key=jax.random.key(1))


@pytest.fixture(scope="module")
def c0():
    return jax.random.uniform(jax.random.key(2), (3, 6, 8))


def test_states_and_excess_are_those_of_a_plain_loop(system, c0):
    states, excess = [c0], []
    for _ in range(7):
        change = system(0.0, states[-1])
        states.append(states[-1] + 0.5 * change)
        excess.append(np.maximum(np.abs(change) - 0.02, 0).mean())
    saves = [5, 0, 7, 5]  # in any order, more than once
    seen = rollout(system, c0, steps=7, dt=0.5, saves=saves, limit=0.02)
    np.testing.assert_allclose(seen.values, np.stack([states[n] for n in saves]), rtol=1e-13)
    np.testing.assert_allclose(seen.excess, excess, rtol=1e-11)
    np.testing.assert_array_equal(seen.ts, [2.5, 0, 3.5, 2.5])
    np.testing.assert_array_equal(rollout(system, c0, steps=7, dt=0.5).values, seen.values[2:3])


def test_gradients_are_those_of_a_plain_loop_also_at_traced_saves(system, c0):
    target = jax.random.uniform(jax.random.key(3), c0.shape)

    def by_rollout(parts, saves):
        seen = rollout(*parts, steps=5, saves=saves, limit=0.05)
        return ((seen.values - target[None]) ** 2).sum() + seen.excess.sum()

    def by_loop(parts, saves):
        system, c = parts
        total, states = 0.0, [c]
        for _ in range(5):
            change = system(0.0, c)
            c = c + change
            states.append(c)
            total += jnp.maximum(jnp.abs(change) - 0.05, 0).mean()
        return total + sum(((states[n] - target) ** 2).sum() for n in saves)

    ours = eqx.filter_jit(eqx.filter_grad(by_rollout))((system, c0), jnp.array([5, 2, 2]))
    plain = eqx.filter_grad(by_loop)((system, c0), [5, 2, 2])
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_a_save_that_is_no_step_is_refused_or_if_traced_not_a_number(system, c0):
    with pytest.raises(ValueError, match="from 0 to 3"):
        rollout(system, c0, steps=3, saves=[4])
    seen = eqx.filter_jit(rollout)(system, c0, steps=3, saves=jnp.array([4, 3]))
    assert np.isnan(seen.values[0]).all() and np.isfinite(seen.values[1]).all()
