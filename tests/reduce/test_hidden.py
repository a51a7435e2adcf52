"""What the hidden model can follow: attracting particles exactly, repelling ones as if they were independent."""

import jax
import jax.numpy as jnp
import numpy as np

from guldberg.closure.chain import Chain
from guldberg.closure.gauge import pair_of_hidden
from guldberg.closure.graphical import PAIRS
from guldberg.closure.polynomial import Polynomial
from guldberg.reduce.baselines import Held
from guldberg.reduce.hidden import HiddenFloor, HiddenModel
from guldberg.reduce.learn import in_a_row

N = 500
CHAIN = Chain(PAIRS, N)
THETAS = np.array([[0.2, 0.7], [0.2, -0.9]])  # attracting, repelling
TRUTH = np.repeat(np.asarray(in_a_row(CHAIN, jnp.asarray(THETAS), 4))[:, None], 3, axis=1)
HELD = Held(CHAIN, THETAS, TRUTH)


def test_the_floor_is_zero_where_particles_attract_and_independence_where_they_repel() -> None:
    found = HiddenFloor().predict(HELD)
    np.testing.assert_allclose(found[0], TRUTH[0], rtol=1e-4)
    r = TRUTH[1, 0, 0] / N
    np.testing.assert_allclose(found[1], np.tile([N * r, (N - 1) * r**2, (N - 2) * r**3, (N - 3) * r**4], (3, 1)))
    assert found[1, 0, 1] > 1.2 * TRUTH[1, 0, 1]  # far more pairs than there are


def test_a_hidden_model_keeps_to_couplings_that_its_weights_can_have() -> None:
    falling = Polynomial.covering(np.array([[-1.0, -1.0], [1.0, 1.0]]), degree=1)
    falling = falling.having(falling.coefficients.at[0, 1].set(-0.5))  # J would fall by 0.5 in each step
    model = HiddenModel(falling)
    paths = model.paths(HELD)
    np.testing.assert_allclose(paths[:, :, 1], [[0.7, 0.2, 0.0], [0.0, 0.0, 0.0]], atol=1e-3)
    back = jax.vmap(jax.vmap(pair_of_hidden))(model.weights(HELD))
    np.testing.assert_allclose(back, paths, atol=1e-7)
