"""Initial states: learned directly, placed, generated; and bits read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.generator import Encoder, Generator, Norm, widths_between
from guldberg.design.start import Direct, Placed
from guldberg.learn.parameters import project, resolve
from guldberg.space.boundary import NoFlux
from guldberg.space.filter import gaussian
from guldberg.space.grid import Grid

TORUS, DISH = Grid.periodic((8, 8)), Grid((8, 8), 1.0, [NoFlux()] * 2)
KEY = jax.random.key(0)
NOTHING = jnp.zeros(0)


def test_a_start_near_a_state_is_that_state():
    X = jax.random.uniform(KEY, (3, 8, 8), minval=0.01, maxval=5.0)
    assert np.allclose(Direct.near(X, TORUS)(NOTHING), X)
    assert np.allclose(Direct.near(jnp.zeros((3, 8, 8)), TORUS)(NOTHING), 1e-4)


@pytest.mark.parametrize("grid", [TORUS, DISH])
def test_a_smooth_start_is_filtered_with_the_boundary_of_the_dynamics(grid):
    X = jnp.zeros((1, 8, 8)).at[0, 0, 3].set(4.0) + 0.5
    found = Direct.near(X, grid, smooth=True)(NOTHING)
    assert np.allclose(found, gaussian(X, grid, sigma=1.0, radius=1)) and np.isclose(found.sum(), X.sum())
    across = found[0, 7, 3] - 0.5
    assert (across > 0.1) if grid is TORUS else abs(across) < 1e-12


def test_bits_choose_among_several_states():
    several = Direct.random(TORUS, 2, key=KEY, states=4, smooth=False)
    for bits, index in (((0, 0), 0), ((1, 0), 1), ((0, 1), 2), ((1, 1), 3)):
        assert np.allclose(several(jnp.array(bits, jnp.float32)), jax.nn.softplus(several.y[index]))


def test_a_placed_start_has_a_uniform_background_that_is_learned():
    patch = Direct.random(Grid((4, 4), 1.0, [NoFlux()] * 2), 2, key=KEY)
    placed = Placed(patch, jnp.array([0.25, 0.5], jnp.float32), TORUS, (1, 3))
    X = placed(NOTHING)
    assert X.shape == (2, 8, 8) and np.array_equal(X[:, 1:5, 3:7], patch(NOTHING))
    X = X.at[:, 1:5, 3:7].set(jnp.array([0.25, 0.5], jnp.float32)[:, None, None])
    assert np.array_equal(X, np.broadcast_to(np.array([0.25, 0.5], np.float32)[:, None, None], (2, 8, 8)))
    slope = jax.grad(lambda b: Placed(patch, b, TORUS, (1, 3))(NOTHING).sum())(placed.background)
    assert np.array_equal(slope, [48.0, 48.0])


def test_widths_fall_evenly():
    assert widths_between(256, 4, 6) == (256, 206, 155, 105, 54, 4)  # Elliott's for four species
    assert widths_between(9, 3, 1) == (3,)


def test_a_norm_is_of_one_sample_and_softened():
    x = jax.random.normal(KEY, (6, 5, 3)) * 2 + 1
    found = Norm(jnp.full(3, 0.5), jnp.ones(3))(x)
    plain = 0.5 * (x - x.mean((0, 1), keepdims=True)) / np.sqrt(np.var(x, axis=(0, 1), keepdims=True) + 0.1) + 1
    assert np.allclose(found, plain)


@pytest.mark.slow
def test_a_generator_has_the_size_of_the_papers_and_makes_what_bits_tell():
    made = Generator.random(Grid.periodic((64, 64)), 4, bits=256, key=KEY)
    weights = sum(kernel.size for kernel in made.kernels)
    assert 2.7e6 < weights < 2.8e6
    small = Generator.random(TORUS, 3, bits=16, width=8, key=KEY)
    z = jax.random.bernoulli(KEY, shape=(16,)).astype(jnp.float32)
    one, other = (resolve(small)(bits) for bits in (z, 1 - z))
    assert one.shape == (3, 8, 8) and one.min() >= 0 and one.max() <= 1.0001  # s = 1, and a little background
    assert float(jnp.abs(one - other).max()) > 0.05


def test_the_scale_and_the_background_of_a_generator_stay_within_bounds():
    made = Generator.random(TORUS, 3, bits=16, width=8, key=KEY)
    far = jax.tree.map(lambda x: x * 100 if x.ndim == 0 else x, made)
    found = resolve(project(far))
    assert float(found.scale) == 10.0 and (np.asarray(found.background) >= 0).all()


@pytest.mark.slow
def test_an_encoder_gives_a_logit_for_each_bit_and_learns_from_them():
    encoder = Encoder.random((8, 8), 3, bits=16, width=8, key=KEY)
    X = jax.random.uniform(KEY, (3, 8, 8), jnp.float32)
    assert encoder(X).shape == (16,)
    slope = jax.grad(lambda X: encoder(X).sum())(X)
    assert jnp.isfinite(slope).all() and jnp.abs(slope).max() > 0


@pytest.mark.parametrize("shape", [(8, 16), (12, 12), (1, 1)])
def test_only_squares_of_a_power_of_two_are_made_and_read(shape):
    with pytest.raises(ValueError, match="makes squares"):
        Generator.random(Grid.periodic(shape), 3, bits=16, key=KEY)
    with pytest.raises(ValueError, match="reads squares"):
        Encoder.random(shape, 3, bits=16, key=KEY)
