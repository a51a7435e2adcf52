"""Dense networks against the counts of the paper, its initial constants, and equilibrium."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import Consistent, dense, full, gray_scott_like, initial_system, kitchen_sink, sparse
from guldberg.space.grid import Grid
from guldberg.structure import detailed_balance
from guldberg.text import parse

COUNTS = {gray_scott_like: {3: 12, 4: 24, 5: 40}, kitchen_sink: {3: 18, 4: 48, 5: 100}, full: {3: 24, 4: 60, 5: 120}}


@pytest.mark.parametrize("reactions", COUNTS)
def test_every_preset_has_its_number_of_different_directed_reactions(reactions):
    for species, count in COUNTS[reactions].items():
        listed = reactions(species)
        directed = {tuple(map(tuple, map(sorted, side))) for a, b in listed for side in ((a, b), (b, a))}
        assert 2 * len(listed) == len(directed) == count
        assert all(len(a) == len(b) for a, b in listed)  # molecules are kept


def test_the_network_of_three_species_is_that_of_the_paper():
    equations = dense(3, key=jax.random.key(0)).equations()
    assert equations == (
        "X0 + 2 X1 <-> 3 X1",
        "X0 <-> X1",
        "X0 + 2 X2 <-> 3 X2",
        "X0 <-> X2",
        "X1 + 2 X2 <-> 3 X2",
        "X1 <-> X2",
    )


@pytest.mark.parametrize("reactions", COUNTS)
def test_initial_constants_are_small_but_for_the_autocatalysis_that_consumes_the_first_species(reactions):
    network = dense(4, key=jax.random.key(1), reactions=reactions)
    fast = [name in {f"X0 + 2 X{j} <-> 3 X{j}" for j in (1, 2, 3)} for name in network.equations()]
    forward, reverse = np.asarray(network.forward()), np.asarray(network.reverse())
    np.testing.assert_array_equal(forward[fast], 1.0)
    slow = np.concatenate([forward[~np.array(fast)], reverse])
    assert sum(fast) == 3 and ((slow >= 0.9e-3) & (slow <= 1.1e-3)).all() and len(set(slow)) == len(slow)


def test_the_initial_system_has_the_flow_and_diffusion_of_the_paper():
    system = initial_system(dense(4, key=jax.random.key(0)), Grid.periodic((4, 4)), key=jax.random.key(1))
    np.testing.assert_allclose(system.drive.feed, [1, 1 / 4, 1 / 16, 1 / 64], rtol=1e-7)
    assert float(system.drive.rate) == pytest.approx(0.03)
    assert ((system.diffusivity > 0.1) & (system.diffusivity < 0.2)).all()


def test_a_network_is_written_and_read_back_with_its_constants():
    network = dense(3, key=jax.random.key(2))
    again = parse(str(network))
    assert again.equations() == network.equations() and again.species == network.species
    np.testing.assert_allclose(again.forward(), network.forward(), rtol=1e-14)
    np.testing.assert_allclose(again.reverse(), network.reverse(), rtol=1e-14)


def test_one_free_energy_for_each_species_balances_every_cycle():
    network = dense(3, key=jax.random.key(0), reactions=full)
    energy = jnp.array([1.5, -0.5, 0.3])
    consistent = Consistent.of(network, energy).network()
    assert not detailed_balance(network).holds and detailed_balance(consistent).holds
    at_equilibrium = consistent.fluxes(2 * jnp.exp(-energy))
    np.testing.assert_allclose(*at_equilibrium, rtol=1e-12)


def test_a_sparse_network_has_what_it_is_told_and_no_more():
    reaction = ((0, 1, 1), (1, 1, 1))
    network = sparse(3, {reaction: 2.0}, others=0.5)
    assert (
        float(network.forward()[0]) == 2.0 and (network.forward()[1:] == 0.5).all() and (network.reverse() == 0.5).all()
    )
    with pytest.raises(ValueError, match="not a reaction"):
        sparse(3, {((0,), (0,)): 1.0})
