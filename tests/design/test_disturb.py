import jax
import jax.numpy as jnp
import numpy as np

from guldberg.design.chemistry import dense, initial_system
from guldberg.design.disturb import Rough
from guldberg.space.grid import Grid

SYSTEM = initial_system(dense(3, key=jax.random.key(0)), Grid.periodic((40, 50)), key=jax.random.key(1))
C0 = jnp.ones((3, 40, 50))


def disturbed(rough: Rough, share: float):
    return rough(SYSTEM, C0, jnp.asarray(share), jax.random.key(2))


def test_noise_has_the_size_that_was_asked_for_and_grows_over_the_ramp():
    full, half = (disturbed(Rough(state=0.02, ramp=0.5), share)[1] - C0 for share in (0.9, 0.25))
    assert np.isclose(full.std(), 0.02, rtol=0.03) and abs(full.mean()) < 3 * 0.02 / np.sqrt(full.size)
    assert np.allclose(half, full / 2)


def test_constants_are_off_by_their_own_share():
    system, c0 = disturbed(Rough(constants=0.01), 0.0)
    ratio = np.concatenate([a / b for a, b in zip(laws(system), laws(SYSTEM), strict=True)])
    assert 0.003 < (ratio - 1).std() < 0.02 and np.array_equal(c0, C0)


def test_nothing_becomes_negative():
    system, c0 = disturbed(Rough(state=3.0, constants=3.0), 0.0)
    assert (c0 >= 0).all() and all((k >= 0).all() for k in laws(system))


def laws(system):
    return [system.network.forward.k, system.network.reverse.k]
