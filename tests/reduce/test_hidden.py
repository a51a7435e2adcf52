"""What hidden layers can follow: attracting particles exactly, repelling ones as if they were independent."""

import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.events import processes
from guldberg.closure.graphical import PAIRS
from guldberg.closure.polynomial import Polynomial
from guldberg.closure.projection import Projection
from guldberg.closure.rhs import rollout
from guldberg.reduce.baselines import Held
from guldberg.reduce.hidden import LAYERS, HiddenModel, learned
from guldberg.reduce.learn import in_a_row
from guldberg.text import parse

N = 500
CHAIN = Chain(PAIRS, N)
THETAS = np.array([[0.2, 0.7], [0.2, -0.9]])  # attracting, repelling
TRUTH = np.repeat(np.asarray(in_a_row(CHAIN, jnp.asarray(THETAS), 4))[:, None], 3, axis=1)
HELD = Held(CHAIN, THETAS, TRUTH)
ONE_WEIGHT, TWO_WEIGHTS, OVER_FOUR = LAYERS


def test_one_weight_is_exact_where_particles_attract_and_independence_where_they_repel() -> None:
    found = ONE_WEIGHT.floor(HELD)
    np.testing.assert_allclose(found[0], TRUTH[0], rtol=1e-4)
    r = TRUTH[1, 0, 0] / N
    np.testing.assert_allclose(found[1], np.tile([N * r, (N - 1) * r**2, (N - 2) * r**3, (N - 3) * r**4], (3, 1)))
    assert found[1, 0, 1] > 1.2 * TRUTH[1, 0, 1]  # far more pairs than there are
    np.testing.assert_allclose(TWO_WEIGHTS.floor(HELD), TRUTH, rtol=1e-4)


def test_a_hidden_model_keeps_to_couplings_that_its_weights_can_have() -> None:
    falling = Polynomial.covering(np.array([[-1.0, -1.0], [1.0, 1.0]]), degree=1)
    falling = falling.having(falling.coefficients.at[0, 1].set(-0.5))  # J would fall by 0.5 in each step
    paths = HiddenModel(ONE_WEIGHT, falling).paths(HELD)
    np.testing.assert_allclose(paths[:, :, 1], [[0.7, 0.2, 0.0], [0.0, 0.0, 0.0]], atol=1e-3)
    paths = HiddenModel(TWO_WEIGHTS, falling).paths(HELD)
    np.testing.assert_allclose(paths[:, :, 1], [[0.7, 0.2, -0.3], [-0.9, -1.4, -1.9]], atol=1e-3)


@pytest.mark.slow
def test_a_layer_learns_what_moves_within_its_class() -> None:
    """Moments of a motion that a chain of pairs follows exactly: learned to a count of 500 sites."""
    rules = processes(parse("2 A -> 0 @ 0.05"))
    closure, starts = Projection(CHAIN, rules, substeps=8), np.random.default_rng(0).uniform(-1, 1, (16, 2))
    paths = jnp.stack([rollout(closure, jnp.asarray(theta), 20) for theta in starts])
    moments = np.asarray(in_a_row(CHAIN, paths, 4))
    known, held = (Held(CHAIN, starts[part], moments[part]) for part in (slice(12), slice(12, None)))
    model = learned(TWO_WEIGHTS, known, rules)
    assert np.abs(model.predict(held) - held.moments).max() < 1.0
