"""Dissipation: what the grid resolves, random starts, the pool of states, and a short design."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg import thermo
from guldberg.design.dissipation import POOL, Pool, Scattered, dissipation, labyrinth, moved_on, resolution, resolved
from guldberg.design.job import Design
from guldberg.design.model import Model
from guldberg.learn.fit import run
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

GRID = Grid.periodic((16, 16), stencil=NinePoint())
ANYWHERE = Scattered(jnp.asarray([4.5, 1.0, 0.6, 0.05, 0.05]), jnp.asarray([1.5, 1.0, 0.05, 0.02, 0.02]), GRID)


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
    assert thermo.diffusion_by_gradient(medium, states[0]).mean() > 0.02, "a flat state stayed in the pool"
    assert 0.5 < jnp.abs(states[1] - alive[0]).max(), "a state stood still"


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
    assert designed.behaviour == "dissipation" and designed.updates == 20
    assert {"sigma", "sigma_links", "sigma_per_molecule", "resolution"} <= set(designed.metrics)
    k = designed.network
    if recipe.bits == 0:  # free energies exist: rates are consistent
        thermo.energies(k)
    else:
        assert isinstance(designed.start, Scattered)
