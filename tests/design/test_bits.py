import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design import bits
from guldberg.drive import FlowReactor, NoisyFlow
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


def test_recall_in_pieces_is_the_whole_run_read_at_its_times():
    """At a flow beyond what the medium stands, so that some bits are lost on the way, and which ones is seen."""
    system, start = medium((16, 16)), bits.Written(Grid.periodic((16, 16)), (2, 2), *bits.occupied(PHI))
    read = bits.Read((2, 2))
    washed = bits.ReactionDiffusion(system.network, system.grid, jnp.full(5, 0.2), FlowReactor(0.62, FEED))
    z = jnp.stack([drawn(start.bits, seed) for seed in (0, 1)])
    found = bits.recall(washed, start, read, z, ts=(20, 50, 80), key=jax.random.key(0), dt=0.5)
    for word, right in zip(z, found.right, strict=True):
        whole = rollout(washed, start(word), steps=160, dt=0.5, saves=np.array([40, 100, 160])).values
        assert np.array_equal(right, [(read(c) > 0) == (word > 0.5) for c in whole])
    assert not found.right.all() and found.right.any() and (found.lost == 0).all()


def test_noise_differs_between_words_and_between_pieces():
    """The same word twice: were the noise the same as well, what is read would be."""
    grid, drive = Grid.periodic((16, 16), stencil=NinePoint()), NoisyFlow(0.0, FEED, low=0.0, high=1.6)
    start = bits.Written(grid, (1, 1), *bits.occupied(0.2))
    z = jnp.stack([drawn(start.bits)] * 2)
    system = bits.competitors(grid, drive, flow=0.8, threshold=0.2)
    found = bits.recall(system, start, bits.Read((1, 1)), z, ts=(5, 10), key=jax.random.key(0), dt=0.1)
    assert not np.array_equal(*np.asarray(found.right))
