"""Cubic elements: every cubic exactly, value and slope continuous, 1 / cell in the derivative, roughness exact."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

from guldberg.closure.fem import CubicElements
from guldberg.closure.perceptron import Perceptron
from guldberg.closure.polynomial import Polynomial
from guldberg.closure.regression import approximate
from guldberg.closure.rhs import AbstractLinearFamily
from guldberg.errors import InputError

RNG = np.random.default_rng(0)
BOX = np.array([[-1.0, -0.5, 0.0], [1.0, 1.0, 0.6]])
GRID = CubicElements.covering(BOX, cell=np.array([0.7, 0.5, 0.3]))
POWERS = [p for p in itertools.product(range(4), repeat=3)]


def fitted(family: AbstractLinearFamily, function, points: np.ndarray) -> AbstractLinearFamily:
    indices, values = jax.vmap(family.rows)(jnp.asarray(points))
    rows = np.repeat(np.arange(len(points)), indices.shape[1])
    matrix = csr_array((np.ravel(values), (rows, np.ravel(indices))), shape=(len(points), len(family.coefficients)))
    u = np.linalg.lstsq(matrix.toarray(), np.asarray(function(points)), rcond=None)[0]
    return family.having(jnp.asarray(u))


def cubic(x: np.ndarray) -> np.ndarray:
    c = np.random.default_rng(1).normal(size=(len(POWERS), 3))
    return np.stack([np.prod(x ** np.array(p), axis=-1) for p in POWERS], axis=-1) @ c


@pytest.fixture(scope="module")
def element() -> CubicElements:
    low, high = GRID.low, GRID.low + GRID.cell * np.array(GRID.counts)
    return fitted(GRID, cubic, RNG.uniform(low, high, (3000, 3)))


def test_every_product_of_cubics_is_reproduced_with_its_derivative(element: CubicElements) -> None:
    x = jnp.asarray(RNG.uniform(BOX[0], BOX[1], (50, 3)))
    np.testing.assert_allclose(jax.vmap(element)(x), cubic(np.asarray(x)), atol=1e-9)
    step = 1e-6
    for axis in range(3):  # the slope against differences: without 1 / cell it would be wrong by 0.3 to 0.7
        e = step * np.eye(3)[axis]
        expected = (cubic(np.asarray(x) + e) - cubic(np.asarray(x) - e)) / (2 * step)
        np.testing.assert_allclose(jax.vmap(jax.jacfwd(element))(x)[..., axis], expected, atol=1e-6)


def test_value_and_slope_are_continuous_across_cells_for_any_coefficients() -> None:
    element = GRID.having(jnp.asarray(RNG.normal(size=GRID.coefficients.shape)))
    face = np.array(GRID.low + GRID.cell)
    for axis in range(3):
        x = RNG.uniform(BOX[0], BOX[1], (20, 3))
        below, above = x.copy(), x.copy()
        below[:, axis], above[:, axis] = face[axis] - 1e-10, face[axis] + 1e-10
        for of in (element, jax.jacfwd(element)):
            np.testing.assert_allclose(jax.vmap(of)(below), jax.vmap(of)(above), atol=1e-7)


@pytest.mark.parametrize("family", [GRID, Polynomial.covering(BOX, degree=3)])
def test_roughness_is_the_mean_square_of_all_second_derivatives(family: AbstractLinearFamily) -> None:
    family = family.having(jnp.asarray(RNG.normal(size=family.coefficients.shape)))
    low, high, counts = GRID.low, GRID.low + GRID.cell * np.array(GRID.counts), GRID.counts
    if isinstance(family, Polynomial):  # one cell
        low, high, counts = BOX[0], BOX[1], (1, 1, 1)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    axes = [
        (a + (b - a) * (np.arange(n)[:, None] + (nodes + 1) / 2).ravel() / n, np.tile(weights / 2 / n, n))
        for a, b, n in zip(low, high, counts, strict=True)
    ]
    points = jnp.asarray(list(itertools.product(*(x for x, _ in axes))))
    w = np.array([np.prod(p) for p in itertools.product(*(w for _, w in axes))])
    bends = jax.vmap(jax.jacfwd(jax.jacfwd(family)))(points)
    expected = np.einsum("p,pkij->k", w, np.asarray(bends) ** 2)
    u = np.asarray(family.coefficients)
    np.testing.assert_allclose(np.einsum("ik,ij,jk->k", u, family.roughness(), u), expected, rtol=1e-9)


def test_leaving_the_grid_is_told(element: CubicElements) -> None:
    edge = jnp.asarray(GRID.low + GRID.cell * np.array(GRID.counts))
    assert not element.outside(edge) and element.outside(edge + 1e-6) and np.all(np.isfinite(element(edge + 1.0)))


def test_a_grid_that_would_not_fit_in_memory_is_refused() -> None:
    with pytest.raises(InputError, match="larger cells"):
        CubicElements.covering(BOX, cell=0.02)


def test_a_small_network_learns_by_least_squares_and_knows_its_roughness() -> None:
    network = Perceptron.covering(BOX, units=120)
    x = RNG.uniform(BOX[0], BOX[1], (3000, 3))
    np.testing.assert_array_equal(jax.vmap(network)(x[:20]), 0)
    smooth = approximate(network, lambda t: jnp.stack([jnp.sin(t[0] * t[1]), jnp.cos(t[2]), t[0]]), x, penalty=1e-9)
    new = RNG.uniform(BOX[0], BOX[1], (50, 3))
    expected = np.stack([np.sin(new[:, 0] * new[:, 1]), np.cos(new[:, 2]), new[:, 0]], axis=1)
    np.testing.assert_allclose(jax.vmap(smooth)(new), expected, atol=0.02)
    drawn = network.having(jnp.asarray(RNG.normal(size=network.coefficients.shape)))
    u, points = np.asarray(drawn.coefficients), jnp.asarray(RNG.uniform(BOX[0], BOX[1], (4000, 3)))
    bends = jax.jit(jax.vmap(jax.jacfwd(jax.jacfwd(drawn))))(points)
    for matrix, square in ((drawn.roughness(), bends**2), (drawn.mass(), jax.vmap(drawn)(points) ** 2)):
        expected = np.asarray(square).reshape(len(points), 3, -1).sum(axis=2).mean(axis=0)
        np.testing.assert_allclose(np.einsum("ik,ij,jk->k", u, matrix, u), expected, rtol=0.1)  # 4000 points each


@pytest.mark.parametrize("family", [Polynomial.covering(BOX, degree=2), Perceptron.covering(BOX, units=3)])
def test_far_from_the_training_points_is_outside(family: AbstractLinearFamily) -> None:
    assert not family.outside(jnp.asarray(BOX[1])) and family.outside(jnp.asarray(2 * BOX[1] - BOX[0]))
