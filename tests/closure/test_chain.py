"""Transfer matrices against enumeration of every state, hidden units included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.enumeration import Enumeration
from guldberg.closure.graphical import HIDDEN_PAIRS, HIDDEN_QUADRUPLETS, PAIRS, TRIPLETS, Energy, Unit

A, B, X, Y = Unit("A"), Unit("B"), Unit("X", "hidden"), Unit("Y", "hidden")
TWO_SPECIES = Energy({"a": A[0], "b": B[0], "AB": A[0] * B[1] + B[0] * A[1], "AAB": A[0] * A[1] * B[3]})
TWO_HIDDEN = Energy({"a": A[0], "b": B[0], "x": X[1], "y": Y[0], "AX": A[0] * X[0] + A[1] * X[0], "BY": B[-1] * Y[0]})
FAR = Energy({"b": A[0], "J2": A[0] * A[2], "L": A[0] * A[1] * A[2] * A[3]})

CASES = [(PAIRS, 7), (TRIPLETS, 4), (TRIPLETS, 12), (FAR, 8), (HIDDEN_PAIRS, 8), (HIDDEN_QUADRUPLETS, 6)]
CASES += [(TWO_SPECIES, 5), (TWO_HIDDEN, 4)]


def everything(ensemble: Chain | Enumeration, theta: jax.Array) -> list[np.ndarray]:
    return jax.jit(lambda t: [ensemble.log_partition(t), ensemble.moments(t), ensemble.covariance(t)])(theta)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("energy", "length"), CASES)
def test_log_partition_moments_and_covariance_equal_enumeration(energy: Energy, length: int, periodic: bool) -> None:
    theta = jnp.asarray(np.random.default_rng(length).uniform(-1.5, 1.5, len(energy.names)))
    chain, exact = Chain(energy, length, periodic=periodic), Enumeration(energy, [length], periodic=periodic)
    for fast, counted in zip(everything(chain, theta), everything(exact, theta), strict=True):
        np.testing.assert_allclose(fast, counted, atol=1e-10)


def test_independent_sites_of_a_long_chain_have_the_moments_of_coins() -> None:
    p = 0.3
    chain = Chain(TRIPLETS, 1000)
    moments = jax.jit(lambda t: chain.moments(t))(jnp.array([np.log(p / (1 - p)), 0.0, 0.0]))
    np.testing.assert_allclose(moments, [1000 * p, 999 * p**2, 998 * p**3], rtol=1e-11)


@pytest.mark.parametrize("b", [-40.0, 40.0])
def test_nearly_empty_and_nearly_full_lattices_stay_finite(b: float) -> None:
    chain = Chain(TRIPLETS, 1000)
    value, slope = jax.jit(jax.value_and_grad(lambda t: chain.log_partition(t)))(jnp.array([b, 1.0, -1.0]))
    assert np.isfinite(value) and np.all(np.isfinite(slope))


def test_draws_have_the_exact_moments() -> None:
    chain = Chain(TRIPLETS, 60)
    theta = jnp.array([-0.3, 0.9, -0.7])
    draws = jax.jit(jax.vmap(lambda key: chain.sample(theta, key=key)))(jax.random.split(jax.random.key(3), 4000))
    sums = TRIPLETS.sums({"visible": np.asarray(draws)}, periodic=False)
    moments, covariance = jax.jit(lambda t: (chain.moments(t), chain.covariance(t)))(theta)
    z = (sums.mean(0) - moments) / (sums.std(0) / np.sqrt(len(sums)))
    assert np.abs(z).max() < 4  # a bias of 1 % in any of the three moments would be 4 to 8 standard errors
    np.testing.assert_allclose(np.cov(sums.T), covariance, rtol=0.15)


def test_draws_of_two_species_keep_their_numbers() -> None:
    chain = Chain(TWO_SPECIES, 40)
    theta = jnp.array([0.2, -0.5, 1.0, -1.0])
    draws = jax.jit(jax.vmap(lambda key: chain.sample(theta, key=key)))(jax.random.split(jax.random.key(5), 4000))
    sums = TWO_SPECIES.sums({"visible": np.asarray(draws)}, periodic=False)
    z = (sums.mean(0) - jax.jit(lambda t: chain.moments(t))(theta)) / (sums.std(0) / np.sqrt(len(sums)))
    assert np.abs(z).max() < 4


@pytest.mark.parametrize(
    ("energy", "length", "words"),
    [
        (Energy({"b": A[0, 0]}), 5, "one dimension"),
        (TRIPLETS, 1, "shorter"),
        (Energy({"b": A[0], "XX": X[0] * X[1]}), 5, "hidden units that touch"),
    ],
)
def test_what_a_chain_cannot_hold_is_said(energy: Energy, length: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Chain(energy, length)
