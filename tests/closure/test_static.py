"""Static learning: moments matched, by any start; data without triplets; hidden class as a check on the gauge."""

import jax
import jax.numpy as jnp
import numpy as np

from guldberg.closure.chain import Chain
from guldberg.closure.graphical import TRIPLETS
from guldberg.closure.static import static_fits


def test_parameters_are_recovered_from_their_moments_along_a_path() -> None:
    chain = Chain(TRIPLETS, 200)
    paths = np.linspace([[0.9, 0.8, 0.9], [-0.9, 0.5, -0.7]], [[-2.0, -0.4, 0.1], [-1.5, 0.3, 0.9]], 5, axis=1)
    moments = jax.jit(jax.vmap(jax.vmap(lambda t: chain.moments(t))))(jnp.asarray(paths))
    fits = static_fits(chain, moments, jnp.zeros((2, 3)))  # two starts, the first nearly full
    np.testing.assert_allclose(fits.thetas, paths, atol=2e-2)  # what the weak prior toward the guess leaves
    assert fits.gap.max() < 5e-3


def test_lattices_without_a_single_triplet_have_a_finite_fit() -> None:
    moments = jnp.broadcast_to(jnp.array([20.0, 1.0, 0.0]), (2, 5, 3))  # the shapes of the test above
    fits = static_fits(Chain(TRIPLETS, 200), moments, jnp.zeros((2, 3)))
    assert np.all(np.isfinite(fits.thetas)) and fits.gap.max() < 0.01 and fits.thetas[0, 0, 2] < -2
