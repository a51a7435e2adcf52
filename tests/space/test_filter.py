"""The Gaussian filter against a sum written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid


@pytest.mark.parametrize("boundary, mode", [(Periodic(), "wrap"), (NoFlux(), "symmetric")])
def test_each_cell_becomes_the_weighted_mean_of_its_surroundings(boundary, mode):
    grid = Grid((5, 6), 1.0, [boundary, boundary])
    c = jax.random.uniform(jax.random.key(0), (2, 5, 6))
    x = np.arange(-2, 3)
    kernel = np.exp(-(x[:, None] ** 2 + x**2) / (2 * 1.3**2))
    kernel /= kernel.sum()
    padded = np.pad(c, ((0, 0), (2, 2), (2, 2)), mode=mode)
    by_hand = sum(kernel[i, j] * padded[:, i : i + 5, j : j + 6] for i in range(5) for j in range(5))
    filtered = gaussian(c, grid, sigma=1.3, radius=2)
    np.testing.assert_allclose(filtered, by_hand, rtol=1e-12)
    np.testing.assert_allclose(grid.integral(filtered), grid.integral(c), rtol=1e-12)


def test_a_filter_wider_than_the_grid_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        gaussian(jnp.zeros((1, 3, 8)), Grid.periodic((3, 8)), sigma=1.0, radius=4)
