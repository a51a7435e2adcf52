"""The doubling of an image against XLA's transposed convolution, and where each tap falls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.upsample import upsample

KEYS = jax.random.split(jax.random.key(0), 3)


def convolution(x, kernel):
    hwio = kernel.transpose(1, 2, 0, 3)[::-1, ::-1]
    return jax.lax.conv_transpose(x[None], hwio, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))[0]


@pytest.mark.parametrize(
    "shape", [(4, 6, 7), *(pytest.param(s, marks=pytest.mark.slow) for s in ((1, 1, 5), (2, 1, 3)))]
)
def test_values_and_gradients_are_those_of_a_transposed_convolution(shape):
    x = jax.random.normal(KEYS[0], shape)
    kernel = jax.random.normal(KEYS[1], (shape[-1], 4, 4, 2))
    cotangent = jax.random.normal(KEYS[2], (2 * shape[0], 2 * shape[1], 2))
    ours, back = jax.vjp(upsample, x, kernel)
    theirs, their_back = jax.vjp(convolution, x, kernel)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    for a, b in zip(back(cotangent), their_back(cotangent), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_one_cell_spreads_its_kernel_around_it():
    kernel = jnp.arange(16.0).reshape(1, 4, 4, 1)
    y = upsample(jnp.zeros((3, 3, 1)).at[1, 1].set(1.0), kernel)[..., 0]
    np.testing.assert_array_equal(y[1:5, 1:5], kernel[0, :, :, 0])
    assert y.sum() == kernel.sum()
