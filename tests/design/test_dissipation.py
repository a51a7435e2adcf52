"""Dissipation: what the grid resolves, random starts, the pool of states, and a short design."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg import thermo
from guldberg.design.dissipation import (
    DEAD,
    ENERGY,
    POOL,
    Pool,
    Scattered,
    accounted,
    dissipation,
    judge,
    labyrinth,
    labyrinths,
    lasting,
    moved_on,
    resolution,
    resolved,
)
from guldberg.design.job import Design
from guldberg.design.model import Model, consistent, learnable
from guldberg.learn.fit import run
from guldberg.learn.parameters import resolve
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

GRID = Grid.periodic((16, 16), stencil=NinePoint())
ANYWHERE = Scattered(jnp.asarray([4.5, 1.0, 0.6, 0.05, 0.05]), jnp.asarray([1.5, 1.0, 0.05, 0.02, 0.02]), GRID)

PLACES = (0.0625, 1.75), (0.08, 1.75), (0.0625, 40.0)


@pytest.fixture(scope="module")
def medium():
    return labyrinth(GRID, key=jax.random.key(0), settled=0.0)[0]


def stripes(period):
    wave = 1 + 0.01 * np.cos(2 * np.pi * np.arange(16) / period + 0.3)
    return jnp.asarray(np.broadcast_to(wave, (5, 16, 16)))


def test_resolution_is_that_of_a_wave(medium):
    """Differences of cos kx over one cell are sin(k/2)/(1/2), over two sin k: their squares are as cos^2(k/2) to 1."""
    for period in (2, 4, 8, 16):
        assert np.isclose(resolution(medium, stripes(period)), np.cos(np.pi / period) ** 2, atol=2e-3)


def test_a_flat_field_has_resolution_0_and_not_a_quotient_of_zeros(medium):
    assert resolution(medium, jnp.ones((5, 16, 16))) == 0


def test_a_random_start_is_its_seeds_and_not_negative():
    one, again, other = (ANYWHERE(jnp.asarray(z)) for z in ([1.0, 0, 1], [1.0, 0, 1], [1.0, 1, 1]))
    np.testing.assert_array_equal(one, again)
    assert jnp.abs(one - other).max() > 0.1 and one.min() >= 0
    assert np.allclose(one[0].std(), 1.5, rtol=0.1)


def test_the_pool_gives_the_state_that_z_counts_and_is_not_learned():
    states = jnp.arange(POOL, dtype=float).reshape(POOL, 1, 1, 1) * jnp.ones((1, 5, 4, 4))
    for n in range(POOL):
        z = jnp.asarray([float(b) for b in f"{n:03b}"[::-1]] + [1.0])
        assert (Pool(states)(z) == n).all()
    assert (jax.grad(lambda s: Pool(s)(jnp.ones(3)).sum())(states) == 0).all()


@pytest.mark.slow
def test_states_move_on_with_the_medium_and_dead_ones_are_replaced(medium):
    dead = jnp.full((5, 16, 16), 0.5, jnp.float32).at[0].set(6.0)
    alive = jax.vmap(ANYWHERE.draw)(jax.random.split(jax.random.key(1), POOL - 1))
    states = moved_on(
        Model(medium, Pool(jnp.concatenate([dead[None], alive]))),
        jax.random.key(2),
        anywhere=ANYWHERE,
        seconds=4,
        dt=0.5,
    ).start.states
    assert states.shape == (POOL, 5, 16, 16) and jnp.isfinite(states).all()
    assert thermo.diffusion_by_gradient(medium, states[0]).mean() > DEAD, "a flat state stayed in the pool"
    assert 0.5 < jnp.abs(states[1] - alive[0]).max(), "a state stood still"


def test_two_labyrinths_are_each_a_gray_scott_system_that_knows_nothing_of_the_other():
    both = labyrinths(GRID, feed=0.05, decay=0.06, pace=2.0, level=3.0)
    X = 3 * jax.random.uniform(jax.random.key(3), (5, 16, 16))
    change = both(0.0, X)
    for food, j in ((0, 2), (1, 3)):
        u, v = X[food] / 3, X[j] / 3
        spread = [GRID.diffusion(X, both.diffusivity)[i] / 3 for i in (food, j)]
        eaten = 2.0 * u * v**2
        np.testing.assert_allclose(change[food] / 3, spread[0] - eaten + 0.1 * (1 - u), atol=1e-5)
        np.testing.assert_allclose(change[j] / 3, spread[1] + eaten - 2.0 * (0.05 + 0.06) * v, atol=1e-5)


def test_supply_is_what_is_spent_and_what_the_free_energy_rises_by():
    """The second law at any state: at rest the free energy does not rise, and a run tells both."""
    system, _ = labyrinth(GRID, key=jax.random.key(0), settled=0.0)
    medium = resolve(consistent(learnable(system, dtype=float), jnp.asarray(ENERGY)))
    X = 0.1 + jax.random.uniform(jax.random.key(4), (5, 16, 16))
    mu = thermo.energies(medium.network)[:, None, None]
    rise = ((mu + jnp.log(X)) * medium(0.0, X)).sum(0).mean()
    told = accounted(Model(medium, None), None, X, X)
    assert float(told["supply"] - told["spent"]) == pytest.approx(float(rise), rel=1e-6)
    assert abs(rise) > 0.1 and told["sigma"] == judge(Model(medium, None), None, X, X)["sigma"]


def test_what_lasts_is_told_from_what_does_not():
    """Beyond the saddle-node of Gray-Scott, and with steps that blow up, nothing is left after 1000 s."""
    anywhere = Scattered(jnp.asarray([8.0, 8.0, 0.5, 0.5, 1.0]), jnp.asarray([1.0, 1.0, 2.0, 2.0, 0.2]), GRID)
    held, faded, blown = (lasting(labyrinths(GRID, decay=k, pace=p), anywhere) for k, p in PLACES)
    assert held > 0.1 and faded < 1e-6 and blown == 0


def short(recipe, updates):
    stages = tuple(dataclasses.replace(s, updates=updates, horizon=4.0) for s in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)


@pytest.mark.parametrize(
    "recipe", [dissipation(shape=(16, 16)), resolved(shape=(16, 16))], ids=["steepest", "resolved"]
)
@pytest.mark.slow
def test_a_short_design_ends_with_its_figures(recipe):
    with jax.numpy_dtype_promotion("standard"):  # optax counts on it
        designed = run(Design(short(recipe, 10)), 0)
    assert designed.behaviour == "dissipation" and designed.updates == 10 * len(recipe.stages)
    assert {"sigma", "sigma_links", "sigma_per_molecule", "resolution"} <= set(designed.metrics)
    k = designed.network
    if recipe.bits == 0:  # free energies exist: rates are consistent
        thermo.energies(k)
    else:
        assert isinstance(designed.start, Scattered)
