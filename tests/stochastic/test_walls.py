"""Walls inside a plane: nothing passes, evenly spread stays evenly spread, and a neck lets through what it should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from guldberg import parse
from guldberg.errors import InputError
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid
from guldberg.space.walls import Wall, Walled
from guldberg.stochastic import particles
from guldberg.stochastic.contact import ContactRules

STILL = "A -> B @ 0"
NECK = (Wall(0, 2.0, 0.0, 0.8), Wall(0, 2.0, 1.2, 2.0))  # across x = 2, a gap of .4 in a box of 4 x 2


def rules(walls, **asked):
    return ContactRules(
        parse(STILL), lengths=(4.0, 2.0), periodic=False, walls=walls,
        **{"diffusivity": 1.0, "radius": 0.1, "dt": 0.002} | asked,
    )  # fmt: skip


def left(history):
    return np.array([(snapshot.positions[:, 0] < 2).mean() for snapshot in history.runs[0]])


@pytest.mark.stochastic
@pytest.mark.parametrize("dt", [0.002, 0.5, 50.0])
def test_no_particle_passes_a_closed_wall_whatever_the_step(dt):
    """Two walls that meet in a corner, and steps up to five times the box; half of the particles begin 1e-9 from a
    wall, some at its ends."""
    walls = (Wall(0, 2.0, 0.0, 1.0), Wall(1, 1.0, 0.0, 2.0))  # shut off the corner at the origin
    rng = np.random.default_rng(0)
    start = rng.random((1, 4000, 2)) * (4.0, 2.0)
    start[0, ::4, 0], start[0, 1::4, 1] = 2.0 - 1e-9, 1.0 - 1e-9
    start[0, 2::8] = 2.0 - 1e-12, 1.0 + 1e-12

    def shut(x):
        return (x[:, 0] < 2) & (x[:, 1] < 1)

    history = particles.sample(rules(walls, dt=dt), np.zeros(4000, int), start, [0, 10 * dt, 40 * dt], seed=1)
    for snapshot in history.runs[0]:
        np.testing.assert_array_equal(shut(snapshot.positions), shut(start[0]))
        assert ((snapshot.positions >= 0) & (snapshot.positions <= (4.0, 2.0))).all()


@pytest.mark.stochastic
@pytest.mark.parametrize("dt", [0.01, 1.0])
def test_evenly_spread_stays_evenly_spread(dt):
    """Counts of 8 x 8 cells by chi squared of 63 degrees: mean 63, standard deviation 11."""
    kinds, start = particles.scattered([40_000, 0], (4.0, 2.0), runs=1, seed=3)
    history = particles.sample(rules(NECK, dt=dt), kinds, start, [0.0, 20 * dt], seed=4)
    counts = np.histogramdd(history.runs[0][1].positions, (8, 8), [(0, 4), (0, 2)])[0]
    assert abs(((counts - 625) ** 2 / 625).sum() - 63) < 3.5 * 11.3


def slowest(cells):
    """The rate at which two chambers come to share, by finite volumes."""
    shape, spacing = (2 * cells, cells), (2.0 / cells,) * 2
    grid = Grid(shape, spacing, [NoFlux()] * 2, stencil=Walled.of(NECK, shape, spacing))
    columns = jax.vmap(lambda c: -grid.laplacian(c.reshape(1, *shape)).ravel())(jnp.eye(2 * cells**2))
    return scipy.linalg.eigh(np.asarray(columns), eigvals_only=True, subset_by_index=[1, 1])[0]


@pytest.mark.slow
@pytest.mark.stochastic
def test_a_neck_lets_through_what_finite_volumes_say():
    """From one chamber, the difference decays with the slowest rate, by finite volumes of 15 and 30 cells a side,
    extrapolated: within 5 %; the noise is 2, and steps of .03 before a gap of .4 make it narrower."""
    coarse, fine = slowest(15), slowest(30)
    exact = 2 * fine - coarse  # the tips of walls make an error of first order
    rng = np.random.default_rng(5)
    start = rng.random((1, 40_000, 2)) * 2
    history = particles.sample(rules(NECK, dt=5e-4), np.zeros(40_000, int), start, [0.0, 0.5, 2.0], seed=6)
    difference = 2 * left(history) - 1
    assert abs(np.log(difference[1] / difference[2]) / 1.5 / exact - 1) < 0.05, (difference, coarse, fine)
    assert abs(fine / coarse - 1) < 0.1, (coarse, fine)


def test_closed_faces_keep_amounts_on_their_side():
    shape, spacing = (8, 4), (0.5, 0.5)
    shut = Grid(shape, spacing, [NoFlux()] * 2, stencil=Walled.of([Wall(0, 2.0, 0.0, 2.0)], shape, spacing))
    c = jnp.asarray(np.random.default_rng(0).random((2, *shape)))
    sides = shut.laplacian(c).reshape(2, 2, 16).sum(axis=2)
    np.testing.assert_allclose(sides, 0, atol=1e-12)
    none = Grid(shape, spacing, [NoFlux()] * 2, stencil=Walled.of([], shape, spacing))
    np.testing.assert_allclose(none.laplacian(c), Grid(shape, spacing, [NoFlux()] * 2).laplacian(c), atol=1e-12)


@pytest.mark.parametrize(("walls", "asked", "told"), [
    ([Wall(0, 5.0, 0.0, 1.0)], {}, "not inside the box"),
    ([Wall(0, 2.0, 1.0, 1.0)], {}, "not inside the box"),
    ([Wall(2, 2.0, 0.0, 1.0)], {}, "axis 0 or 1"),
    (NECK, {"periodic": True}, "reflecting planes"),
    (NECK, {"text": "A + B -> C @ 1"}, "one particle"),
    (NECK, {"text": "A -> B + C @ 1"}, "one particle"),
])  # fmt: skip
def test_walls_that_cannot_be_are_refused(walls, asked, told):
    asked = {"text": STILL, "periodic": False} | asked
    with pytest.raises(InputError, match=told):
        ContactRules(
            parse(asked["text"]), lengths=(4.0, 2.0), diffusivity=1.0, radius=0.1, dt=0.001, walls=tuple(walls),
            periodic=asked["periodic"],
        )  # fmt: skip


def test_walls_between_faces_are_told():
    with pytest.raises(InputError, match="between faces"):
        Walled.of([Wall(0, 1.9, 0.0, 1.0)], (8, 4), (0.5, 0.5))
