"""Factorised mass action against the law as the network states it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import dense, full, gray_scott_like, kitchen_sink
from guldberg.massaction import MassAction
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.text import parse
from tests.zoo import ZOO

NETWORKS = {
    "gray-scott-like": dense(4, key=jax.random.key(0)),
    "kitchen sink": dense(3, key=jax.random.key(1), reactions=kitchen_sink),
    "full": dense(4, key=jax.random.key(2), reactions=full),
    "unlike": parse("0 -> A @ 2\nA -> 2 A @ 3\n2 A + B -> C @ 5\nB -> 3 A + C @ 0.5\nC <-> 0 @ 1, 2"),
} | {name: ZOO[name].network for name in ("robertson", "gray_scott", "hydrogen_oxidation")}


def constants(network):
    laws = [network.forward] if network.reverse is None else [network.forward, network.reverse]
    return jnp.concatenate([law(1000.0) for law in laws])


def state(network, shape=(2, 3)):
    return jax.random.uniform(jax.random.key(3), (len(network.species), *shape))


@pytest.mark.parametrize("name", NETWORKS)
def test_production_is_that_of_the_network_on_a_grid_and_in_a_vessel(name):
    network = NETWORKS[name]
    c, kinetics, k = state(network), MassAction.of(network), constants(network)
    expected = network.production(c, 1000.0)
    scale = np.abs(network.fluxes(c, 1000.0)).max()
    np.testing.assert_allclose(kinetics.production(k, c), expected, rtol=1e-12, atol=1e-14 * scale)
    np.testing.assert_allclose(kinetics.production(k, c[:, 0, 0]), expected[:, 0, 0], rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_fluxes_and_what_they_are_made_from_are_those_of_the_network(name):
    network = NETWORKS[name]
    c, kinetics, k = state(network), MassAction.of(network), constants(network)
    forward, reverse = network.fluxes(c, 1000.0)
    both = forward if network.reverse is None else jnp.concatenate([forward, reverse])
    np.testing.assert_allclose(kinetics.fluxes(k, c), both, rtol=1e-12)
    rates, made = kinetics.exchange(k, c)
    total = [made.get(j, jnp.zeros_like(c[0])) for j in range(len(c))]
    for (j, i), rate in rates.items():
        assert (rate >= 0).all() if i == j else (rate <= 0).all()
        total[j] = total[j] - rate * c[i]
    assert all((rate >= 0).all() for rate in made.values())
    np.testing.assert_allclose(jnp.stack(total), network.production(c, 1000.0), rtol=1e-11, atol=1e-13 * both.max())


@pytest.mark.parametrize("reactions", [gray_scott_like, kitchen_sink, full])
def test_dense_networks_keep_the_number_of_molecules_at_every_point(reactions):
    network = dense(4, key=jax.random.key(4), reactions=reactions)
    c, k = state(network, (5, 7)), constants(network)
    kinetics = MassAction.of(network)
    largest = kinetics.fluxes(k, c).max()
    assert np.abs(kinetics.production(k, c).sum(0)).max() < 1e-15 * largest
    rates, made = kinetics.exchange(k, c)
    columns = [sum(rate for (_, i), rate in rates.items() if i == column) for column in range(4)]
    assert not made and np.abs(jnp.stack(columns)).max() < 1e-14 * largest


def test_a_network_whose_stoichiometry_is_learned_is_refused():
    network = ReactionNetwork(jnp.ones((1, 2)), jnp.zeros((1, 2)), Constant.of([1.0]), None, ("A", "B"))
    with pytest.raises(ValueError, match="whole numbers"):
        MassAction.of(network)
