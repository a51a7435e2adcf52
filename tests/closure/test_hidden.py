"""Hidden units that share one weight are a chain of pairs with J >= 0; conserved totals stay where they were."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.conserving import Conserving, laws_of
from guldberg.closure.fem import CubicElements
from guldberg.closure.gauge import NO_REPULSION, AtLeast, hidden_of_pair, pair_of_hidden
from guldberg.closure.graphical import HIDDEN_PAIRS, PAIRS, TRIPLETS, Energy, Unit
from guldberg.closure.polynomial import Polynomial
from guldberg.closure.rhs import rollout
from guldberg.text import parse


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


def test_what_the_reactions_conserve_is_conserved_by_any_right_hand_side() -> None:
    A, B = Unit("A"), Unit("B")
    energy = Energy({"a": A[0], "b": B[0], "AB": A[0] * B[1] + B[0] * A[1]})
    chain, laws = Chain(energy, 100), laws_of(parse("A -> B @ 1"), energy)
    np.testing.assert_array_equal(laws, [[1, 1, 0]])
    blank = Polynomial.covering(np.array([[-2.0] * 3, [2.0] * 3]), degree=2)
    rough = blank.having(jnp.asarray(0.05 * np.random.default_rng(5).normal(size=blank.coefficients.shape)))
    start = jnp.array([0.2, -0.3, 0.4])
    totals = {}
    for name, rhs in {"free": rough, "kept": Conserving(rough, chain, laws)}.items():
        path = jax.jit(lambda t, rhs=rhs: rollout(rhs, t, 20))(start)
        totals[name] = jax.jit(jax.vmap(lambda t: jnp.asarray(laws) @ chain.moments(t)))(path)[:, 0]
    np.testing.assert_allclose(totals["kept"], totals["kept"][0], rtol=1e-11)
    assert np.abs(totals["free"] - totals["free"][0]).max() > 0.1


def test_an_energy_that_does_not_count_a_species_cannot_conserve_it() -> None:
    with pytest.raises(ValueError, match="no interaction counts B"):
        laws_of(parse("A -> B @ 1"), TRIPLETS)
