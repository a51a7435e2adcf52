"""Steps of fixed length against adaptive solutions and against what a step must keep."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import dense, initial_system
from guldberg.drive import FlowReactor
from guldberg.rollout import rollout
from guldberg.simulation import simulate
from guldberg.space.boundary import Dirichlet, Flux, NoFlux
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.stepper import Euler, Guarded, Patankar
from guldberg.system import ReactionDiffusion
from guldberg.text import parse


@pytest.fixture(scope="module")
def system():
    grid = Grid.periodic((3, 4), stencil=NinePoint())
    return initial_system(dense(3, key=jax.random.key(0)), grid, key=jax.random.key(1))


@pytest.fixture(scope="module")
def c0():
    return 2 * jax.random.uniform(jax.random.key(2), (3, 3, 4))


def solved(system, c, t):
    return simulate(system, c, [0.0, t], solver=diffrax.Tsit5()).values[-1]


def stepped(system, c, dt, stepper):
    return eqx.filter_jit(stepper)(system, 0.0, c, dt)


@pytest.mark.parametrize("stepper, order", [(Euler(), 1), (Patankar(), 2), (Guarded(), 2)], ids=str)
def test_error_falls_with_the_order_of_the_step(system, c0, stepper, order):
    exact = solved(system, c0, 1.0)
    errors = [
        np.abs(rollout(system, c0, steps=n, dt=1 / n, stepper=stepper).values[0] - exact).max() for n in (50, 100)
    ]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("dt", [1.0, 100.0, 1e6])
def test_patankar_is_positive_and_keeps_the_molecules_of_each_cell_whatever_the_step(system, c0, dt):
    closed = ReactionDiffusion(system.network, system.grid, jnp.zeros(3))
    c = jnp.where(jax.random.bernoulli(jax.random.key(3), 0.3, c0.shape), 0.0, 10 * c0)  # some are absent
    new = stepped(closed, c, dt, Patankar())
    assert stepped(closed, c, dt, Euler()).min() < 0 <= new.min()
    np.testing.assert_allclose(new.sum(0), c.sum(0), rtol=1e-12 * (1 + 1e-2 * dt))


def test_patankar_is_positive_with_diffusion_drive_reservoirs_and_where_matter_grows():
    network = parse("A -> 2 B @ 40\nB -> A @ 30\n0 -> A @ 2\n2 A + B -> C @ 9\nC -> 3 C @ 0.1")
    faces = [(Dirichlet(0.0), Flux([-5.0, 0.0, 1.0])), NoFlux()]
    system = ReactionDiffusion(network, Grid((4, 3), 0.3, faces), [2.0, 0.5, 0.0], FlowReactor(0.7, [1.0, 0.0, 0.0]))
    c = jax.random.uniform(jax.random.key(4), (3, 4, 3))
    assert stepped(system, c, 3.0, Euler()).min() < 0
    for stepper in (Patankar(), Guarded()):
        later = c
        for _ in range(5):
            later = stepped(system, later, 3.0, stepper)
            assert (later >= 0).all() and jnp.isfinite(later).all()


@pytest.mark.slow
def test_the_guarded_step_is_heuns_in_quiet_cells_and_patankars_in_wild_ones(system, c0):
    still = ReactionDiffusion(system.network, system.grid, jnp.zeros(3), system.drive)
    c = 0.1 * c0.at[:, 1, 2].mul(100.0)
    change = still(0.0, c)
    heun = c + 0.25 * (change + still(0.0, c + 0.5 * change))
    guarded, patankar = (stepped(still, c, 0.5, stepper) for stepper in (Guarded(), Patankar()))
    np.testing.assert_allclose(guarded[:, 1, 2], patankar[:, 1, 2], rtol=1e-13)
    np.testing.assert_allclose(guarded[:, 0, 0], heun[:, 0, 0], rtol=1e-13)
    assert np.abs(heun - patankar)[:, [0, 1], [0, 2]].min() > 1e-9  # the two can be told apart


def test_patankar_rests_where_the_system_rests(system):
    vessel = ReactionDiffusion(system.network, Grid.periodic((1,)), system.diffusivity, system.drive)
    rest = rollout(vessel, jnp.full((3, 1), 0.5), steps=20000).values[0]
    assert np.abs(vessel(0.0, rest)).max() < 1e-10
    np.testing.assert_allclose(stepped(vessel, rest, 5.0, Patankar()), rest, rtol=1e-7)


@pytest.mark.slow
def test_a_state_on_which_eulers_step_bursts_is_harmless_to_patankars(system, c0):
    """Every value of c0 up to 5 where up to 1 is usual: dt k c^2 is far beyond 2."""
    exact = solved(system, 2.5 * c0, 30.0)
    euler = rollout(system, 2.5 * c0, steps=30)
    assert not np.isfinite(euler.values).all() and euler.out_of_bounds[-1] == c0.size
    seen = rollout(system, 2.5 * c0, steps=30, stepper=Patankar())
    assert seen.out_of_bounds.sum() == 0
    np.testing.assert_allclose(seen.values[0], exact, rtol=0.15)
    finer = rollout(system, 2.5 * c0, steps=120, dt=0.25, stepper=Patankar())
    np.testing.assert_allclose(finer.values[0], exact, rtol=0.015)


def test_diffusion_that_eulers_step_would_make_unstable_is_refused(system, c0):
    fine = ReactionDiffusion(system.network, system.grid.refined(4), system.diffusivity, system.drive)
    with pytest.raises(ValueError, match="unstable beyond 0"):
        rollout(fine, jnp.zeros((3, 12, 16)), steps=1)
