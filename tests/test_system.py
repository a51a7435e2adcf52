"""Right-hand sides against the same equations written by hand."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.drive import FlowReactor
from guldberg.network import ReactionNetwork
from guldberg.rates import GAS_CONSTANT, Arrhenius, Constant
from guldberg.simulation import simulate
from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.system import ReactionDiffusion, WellMixed


def network(forward=None):
    """2 A + B <-> C, C -> 3 A."""
    reactants = jnp.array([[2, 1, 0], [0, 0, 1]])
    products = jnp.array([[0, 0, 1], [3, 0, 0]])
    return ReactionNetwork(reactants, products, forward or Constant.of([2, 5]), Constant.of([0.5, 0]), tuple("ABC"))


def by_hand(c, k=(2.0, 5.0)):
    a, b, d = c
    first, second = k[0] * a * a * b - 0.5 * d, k[1] * d
    return jnp.stack([3 * second - 2 * first, -first, first - second])


@pytest.mark.parametrize("c", [[0.3, 0.7, 1.1], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
def test_right_hand_side_and_jacobian_equal_those_written_by_hand(c):
    c = jnp.array(c)
    f = diffrax.ODETerm(WellMixed(network()))
    np.testing.assert_allclose(f.vf(0.0, c, None), by_hand(c), rtol=1e-15, atol=1e-16)
    jacobian = jax.jacfwd(lambda c: f.vf(0.0, c, None))
    np.testing.assert_allclose(jacobian(c), jax.jacfwd(by_hand)(c), rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(jax.jacrev(jacobian)(c), jax.jacrev(jax.jacfwd(by_hand))(c), rtol=1e-15, atol=1e-16)


def test_each_point_of_a_grid_is_a_vessel_of_its_own():
    c = jax.random.uniform(jax.random.key(0), (3, 4, 5))
    system = WellMixed(network())
    field = system(0.0, c)
    for i, j in np.ndindex(4, 5):
        np.testing.assert_allclose(field[:, i, j], system(0.0, c[:, i, j]), rtol=1e-15)


def test_temperature_reaches_the_rate_law_and_has_a_gradient():
    c = jnp.array([0.3, 0.7, 1.1])
    hot = network(Arrhenius.of([1e3, 2e3], [0.0, 0.0], [2e4, 3e4]))

    def k(T):
        return 1e3 * np.exp(-2e4 / (GAS_CONSTANT * T)), 2e3 * np.exp(-3e4 / (GAS_CONSTANT * T))

    np.testing.assert_allclose(WellMixed(hot, 350.0)(0.0, c), by_hand(c, k(350.0)), rtol=1e-13)
    slope = jax.grad(lambda T: WellMixed(hot, T)(0.0, c)[1])(jnp.array(350.0))
    np.testing.assert_allclose(slope, (by_hand(c, k(350.1)) - by_hand(c, k(349.9)))[1] / 0.2, rtol=1e-6)


@pytest.mark.parametrize("temperature, expected", [(None, "got None"), (-3.0, "got -3.0"), (float("nan"), "got nan")])
def test_a_temperature_that_cannot_be_is_refused_at_construction(temperature, expected):
    with pytest.raises(ValueError, match=expected):
        WellMixed(network(Arrhenius.of([1, 1], [0, 0], [1e4, 1e4])), temperature)


GRID = Grid((3, 4), 0.5, [NoFlux(), Periodic()])


def test_reaction_diffusion_is_reaction_and_diffusion_and_drive():
    c = jax.random.uniform(jax.random.key(0), (3, 3, 4))
    D, drive = jnp.array([0.1, 0.0, 2.0]), FlowReactor(0.3, [1.0, 0.0, 0.5])
    everything = ReactionDiffusion(network(), GRID, D, drive)(0.0, c)
    expected = by_hand(c) + D[:, None, None] * GRID.laplacian(c) + 0.3 * (jnp.array([1.0, 0, 0.5])[:, None, None] - c)
    np.testing.assert_allclose(everything, expected, rtol=1e-12, atol=1e-14)


def test_without_reactions_it_is_diffusion_and_without_diffusion_a_vessel_in_each_cell_and_so_with_one_cell():
    c = jax.random.uniform(jax.random.key(0), (3, 3, 4))
    D = jnp.array([0.1, 0.3, 2.0])
    idle = ReactionNetwork(network().reactants, network().products, Constant.of([0, 0]), None, tuple("ABC"))
    np.testing.assert_allclose(ReactionDiffusion(idle, GRID, D)(0.0, c), GRID.diffusion(c, D), rtol=1e-14)
    still = ReactionDiffusion(network(), GRID, 0 * D)(0.0, c)
    np.testing.assert_allclose(still, WellMixed(network())(0.0, c), rtol=1e-13, atol=1e-15)
    one = ReactionDiffusion(network(), Grid((1, 1), 1.0, [NoFlux(), Periodic()]), D)
    np.testing.assert_allclose(one(0.0, c[:, :1, :1]), WellMixed(network())(0.0, c[:, :1, :1]), rtol=1e-13)


@pytest.mark.slow
def test_a_field_is_integrated_by_the_same_solvers_as_a_vessel():
    """A sine decays as exp(-D lambda t), lambda the eigenvalue of the five points."""
    n, D = 8, 0.3
    wave = np.sin(2 * np.pi * np.arange(n) / n)
    idle = ReactionNetwork(jnp.array([[1]]), jnp.array([[0]]), Constant.of([0]), None, ("A",))
    system = ReactionDiffusion(idle, Grid.periodic((n,)), [D])
    last = simulate(system, 1 + wave[None], [0.0, 2.0], solver=diffrax.Tsit5()).values[-1]
    decay = np.exp(-D * (2 - 2 * np.cos(2 * np.pi / n)) * 2.0)
    np.testing.assert_allclose(last[0], 1 + decay * wave, rtol=1e-7)


def test_a_field_has_a_temperature():
    hot = network(Arrhenius.of([1e3, 2e3], [0.0, 0.0], [2e4, 3e4]))
    c = jax.random.uniform(jax.random.key(0), (3, 3, 4))
    field = ReactionDiffusion(hot, GRID, jnp.zeros(3), temperature=350.0)(0.0, c)
    np.testing.assert_allclose(field, WellMixed(hot, 350.0)(0.0, c), rtol=1e-12)
    with pytest.raises(ValueError, match="got None"):
        ReactionDiffusion(hot, GRID, jnp.zeros(3))


def test_every_species_has_a_diffusivity():
    with pytest.raises(ValueError, match="each of 3 species"):
        ReactionDiffusion(network(), GRID, [0.1, 0.2])
