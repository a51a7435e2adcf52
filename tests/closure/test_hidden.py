"""Hidden units that share one weight are a chain of pairs with J >= 0; over four sites they say quadruplets."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.fem import CubicElements
from guldberg.closure.gauge import NO_REPULSION, AtLeast, hidden_of_pair, hidden_of_quadruplets, pair_of_hidden
from guldberg.closure.graphical import HIDDEN_PAIRS, HIDDEN_QUADRUPLETS, PAIRS, QUADRUPLETS
from guldberg.closure.rhs import rollout


def marginal(theta: np.ndarray, n: int) -> np.ndarray:
    """log p(v) of every state of a ring under (b, W, b'), each hidden state added one by one."""
    states = np.array(list(itertools.product((0, 1), repeat=n)))
    shape = (len(states), len(states), n)
    both = {"visible": np.broadcast_to(states[:, None], shape), "hidden": np.broadcast_to(states[None], shape)}
    weights = jax.nn.logsumexp(jnp.asarray(HIDDEN_PAIRS.sums(both, periodic=True) @ theta), axis=1)
    return np.asarray(jax.nn.log_softmax(weights))


@pytest.mark.parametrize("n", [3, 8])
def test_the_hidden_model_is_a_pair_chain_that_attracts(n: int) -> None:
    states = np.array(list(itertools.product((0, 1), repeat=n)))
    for theta in np.random.default_rng(n).normal(0, 1.5, (3, 3)):
        pair = pair_of_hidden(jnp.asarray(theta))
        visible = jax.nn.log_softmax(jnp.asarray(PAIRS.sums({"visible": states}, periodic=True)) @ pair)
        np.testing.assert_allclose(marginal(theta, n), visible, atol=1e-12)
        assert pair[1] >= 0
        np.testing.assert_allclose(marginal(np.asarray(hidden_of_pair(pair)), n), visible, atol=1e-12)


def test_no_weights_whatever_make_particles_repel() -> None:
    thetas = jnp.asarray(np.random.default_rng(0).uniform(-8, 8, (5000, 3)))
    assert jax.vmap(pair_of_hidden)(thetas)[:, 1].min() >= -1e-15


def test_the_gauge_is_undone() -> None:
    pairs = jnp.asarray(np.random.default_rng(1).uniform([-3, 0.01], [2, 4], (50, 2)))
    np.testing.assert_allclose(jax.vmap(lambda p: pair_of_hidden(hidden_of_pair(p)))(pairs), pairs, atol=1e-12)


def test_a_floor_is_not_crossed() -> None:
    falling = CubicElements.covering(np.array([[-1.0, -1.0], [1.0, 1.0]]), cell=1.0)
    falling = falling.having(jnp.full_like(falling.coefficients, -0.1))
    path = rollout(AtLeast(falling, NO_REPULSION), jnp.array([0.5, 0.25]), 10)
    assert path[:, 1].min() == 0 and path[-1, 0] < path[0, 0]


def test_units_over_four_sites_with_two_weights_are_quadruplets_of_either_sign() -> None:
    """Every moment in (b, J, K, L) of a ring, whose hidden units are summed out one by one."""
    observed = HIDDEN_QUADRUPLETS.also({"L": QUADRUPLETS.interactions["L"]})
    visible, hidden = Chain(QUADRUPLETS, 16, periodic=True), Chain(observed, 16, periodic=True)
    for four in (0.8, -0.8):
        theta = jnp.array([-0.3, 0.6, -0.4, four])
        same = hidden.pad(hidden_of_quadruplets(theta))
        moments = jax.jit(lambda t: hidden.moments(t))(same)
        np.testing.assert_allclose(
            moments[jnp.array([0, 1, 2, 6])], jax.jit(lambda t: visible.moments(t))(theta), rtol=1e-9
        )
