"""Algorithm 1: its adjoint against automatic differentiation of the exact relative entropy; its sampler; descent."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.algorithm import Begin, Exact, Gibbs, Online, adjoint_gradient, counted, learn
from guldberg.closure.chain import Chain
from guldberg.closure.enumeration import Enumeration
from guldberg.closure.fem import CubicElements
from guldberg.closure.graphical import HIDDEN_PAIRS, TRIPLETS, Energy
from guldberg.closure.rhs import rollout

RNG = np.random.default_rng(3)
BOX = np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
BLANK = CubicElements.covering(BOX, cell=1.0)
ELEMENTS = BLANK.having(jnp.asarray(0.1 * RNG.normal(size=BLANK.coefficients.shape)))
STARTS = jnp.asarray(RNG.uniform(-0.5, 0.5, (3, 3)))
WEIGHTS = jnp.asarray(RNG.uniform(0.5, 1.5, 6))
SITES = 5
STATES = np.array(list(itertools.product((0, 1), repeat=SITES)), np.int8)
DATA = jnp.asarray(RNG.dirichlet(np.ones(len(STATES)), size=(3, 6)))  # a distribution over all states at each time


def log_probabilities(energy: Energy, theta: jax.Array) -> jax.Array:
    """log p(v) of every visible state, hidden ones enumerated: no transfer matrix, no derivative of log Z."""
    hidden = np.array(list(itertools.product((0, 1), repeat=SITES - 1)), np.int8)
    if energy is HIDDEN_PAIRS:
        shape = (len(STATES), len(hidden))
        states = {
            "visible": np.broadcast_to(STATES[:, None], (*shape, SITES)),
            "hidden": np.broadcast_to(hidden[None], (*shape, SITES - 1)),
        }
        weights = jax.nn.logsumexp(jnp.asarray(energy.sums(states, periodic=False)) @ theta, axis=1)
    else:
        weights = jnp.asarray(energy.sums({"visible": STATES}, periodic=False)) @ theta
    return jax.nn.log_softmax(weights)


@pytest.mark.parametrize("energy", [TRIPLETS, pytest.param(HIDDEN_PAIRS, marks=pytest.mark.slow)])
def test_adjoint_gradient_is_the_derivative_of_the_exact_relative_entropy(energy: Energy) -> None:
    """Three starts at once, under vmap, where a custom rule that forgot theta would be wrong by the number of times."""

    def action(u: jax.Array) -> jax.Array:
        def of_start(theta: jax.Array, p: jax.Array) -> jax.Array:
            path = rollout(BLANK.having(u), theta, 5)
            return WEIGHTS @ -jnp.sum(p * jax.vmap(lambda t: log_probabilities(energy, t))(path), axis=1)

        return jnp.sum(jax.vmap(of_start)(STARTS, DATA))

    def by_adjoint(theta: jax.Array, p: jax.Array) -> jax.Array:
        path = rollout(ELEMENTS, theta, 5)
        scores = jax.vmap(jax.jacfwd(lambda t: log_probabilities(energy, t)))(path)
        mismatch = -jnp.einsum("tv,tvk->tk", p, scores)  # mu~ - mu, hidden units awake
        return adjoint_gradient(ELEMENTS, path, mismatch, weights=WEIGHTS).slope

    expected = jax.jit(jax.grad(action))(ELEMENTS.coefficients)
    found = jnp.sum(jax.jit(jax.vmap(by_adjoint))(STARTS, DATA), axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert np.abs(expected).max() > 1e-2


def test_the_published_codes_adjoint_is_another_gradient() -> None:
    path = rollout(ELEMENTS, STARTS[0], 5)
    mismatch = jnp.asarray(RNG.normal(size=(6, 3)))
    right = adjoint_gradient(ELEMENTS, path, mismatch, weights=WEIGHTS).slope
    published = adjoint_gradient(ELEMENTS, path, mismatch, weights=WEIGHTS, transposed=False).slope
    assert np.abs(right - published).max() > 1e-2 * np.abs(right).max()


def test_gibbs_sweeps_reach_the_moments_of_every_state() -> None:
    theta = jnp.array([-0.3, 0.8, -0.5])
    gibbs = Gibbs(TRIPLETS, 20)
    begun = jnp.zeros((4000, 12), jnp.int8)
    moments, ended = eqx.filter_jit(gibbs)(theta, begun, jax.random.key(0))
    exact = Enumeration(TRIPLETS, [12], periodic=False)
    expected, covariance = jax.jit(lambda t: (exact.moments(t), exact.covariance(t)))(theta)
    assert (
        np.abs((moments - expected) / np.sqrt(np.diag(covariance) / len(begun))).max() < 4
    )  # 3 % off would be 5 standard errors
    np.testing.assert_allclose(counted(TRIPLETS, ended), moments)


SAMPLED = [pytest.param(begin, marks=pytest.mark.slow) for begin in Begin if begin is not Begin.DATA]


@pytest.mark.parametrize("begin", [Begin.DATA, *SAMPLED])
def test_descent_learns_a_decay_from_nothing(begin: Begin) -> None:
    """Independent sites whose b falls by 0.05 in a step: after the descent F_b is near -0.05 where the data were."""
    times, batch, sites = 8, 40, 50
    b = -0.05 * np.arange(times)
    lattices = np.random.default_rng(4).random((1, times, batch, sites)) < (1 / (1 + np.exp(-b)))[None, :, None, None]
    chain = Chain(TRIPLETS, sites)
    settings = Online(rate=2e-3, adam=True, updates=150, every=20, width=5, batch=20, begin=begin)
    asleep = Exact(chain) if begin is Begin.DATA else Gibbs(TRIPLETS, 10)
    start = jnp.zeros((1, 3))
    with jax.numpy_dtype_promotion("standard"):  # Adam of optax raises a float to the power of an integer
        learned = learn(BLANK, asleep, TRIPLETS, start, lattices.astype(np.int8), settings, key=jax.random.key(1))
    path = rollout(learned, start[0], times - 1)
    assert abs(float(path[-1, 0]) - b[-1]) < 0.15 and np.abs(path[:, 0]).max() > 0.2
