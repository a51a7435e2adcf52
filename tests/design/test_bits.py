import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design import bits
from guldberg.drive import FlowReactor
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

FLOW, PHI = 0.6, 0.14
FEED = jnp.asarray([1.0, 0, 0, 0, 0])


def medium(shape: tuple[int, ...], flow: float = FLOW) -> bits.ReactionDiffusion:
    grid = Grid.periodic(shape, stencil=NinePoint() if len(shape) == 2 else None)
    return bits.competitors(grid, FlowReactor(flow, FEED), flow=flow, threshold=PHI)


def drawn(count: int, seed: int = 0) -> jnp.ndarray:
    return jax.random.bernoulli(jax.random.key(seed), 0.5, (count,)).astype(float)


@pytest.mark.parametrize("shape, block", [((12,), (3,)), ((8, 12), (2, 3)), ((8, 12), (8, 2)), ((4, 4, 4), (2, 2, 4))])
def test_what_is_written_is_read(shape, block):
    start = bits.Written(Grid.periodic(shape), block, *bits.occupied(PHI))
    z = drawn(start.bits)
    assert np.array_equal(bits.Read(block)(start(z)) > 0, z > 0.5)


def test_the_occupied_state_is_at_rest():
    food, winner = bits.occupied(PHI)
    c = jnp.zeros((5, 4, 4)).at[0].set(food).at[3].set(winner)
    assert np.abs(medium((4, 4))(0.0, c)).max() < 1e-15


def test_beyond_the_threshold_nothing_holds():
    with pytest.raises(ValueError, match="1/4"):
        bits.competitors(Grid.periodic((4,)), FlowReactor(0.1, FEED), flow=0.1, threshold=0.26)


def test_bits_last_where_the_chemistry_holds_them_and_not_without():
    start = bits.Written(Grid.periodic((16, 16), stencil=NinePoint()), (4, 4), *bits.occupied(PHI))
    z, system, read = drawn(start.bits, 1), medium((16, 16)), bits.Read((4, 4))
    off = bits.ReactionDiffusion(bits.sparse(5, {}), system.grid, system.diffusivity, system.drive)
    held, lost = (rollout(s, start(z), steps=1000, dt=0.5).values[0] for s in (system, off))
    assert np.array_equal(read(held) > 0, z > 0.5)
    assert np.abs(lost[1:]).max() < 1e-12


def test_blocks_that_do_not_fill_the_grid_are_refused():
    with pytest.raises(ValueError, match="do not fill"):
        bits.blocks((16, 16), (5, 4))
