"""2048 bits in 64 x 64 cells, without any training, and what a finer grid says of them.
`python examples/memory.py [words] [halvings of h under noise]`

Elliott (2022) Figure 4 holds 16 bits for 1000 s against a noisy flow, on one grid. Four equal autocatalysts that
compete for the feed hold two bits in every 2 x 2 cells there, under noise that has a limit as dt -> 0. On a finer grid
of the same place those are lost, and so are larger blocks: their fronts were pinned by the cells. Stripes are not
lost, under noise neither.
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np

from guldberg.design.bits import Read, Written, competitors, occupied, recall
from guldberg.design.controls import Repeated
from guldberg.design.model import typed
from guldberg.drive import AbstractDrive, FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

FEED = jnp.eye(5)[0]
RATE, FLOW, THRESHOLD = 0.2, 0.6, 0.14  # f; with what the noise adds on average; flow / k
TIMES = (10.0, 100.0, 1000.0)


def right(grid: Grid, block: tuple[int, ...], drive: AbstractDrive, words: int, *, off: bool = False) -> np.ndarray:
    """The share of words of which all bits are right, at each of TIMES."""
    medium = competitors(grid, drive, flow=0.0 if off else FLOW, threshold=THRESHOLD)
    start = Written(grid, block, *occupied(THRESHOLD))
    z = jax.random.bernoulli(jax.random.key(1), 0.5, (words, start.bits)).astype(jnp.float32)
    found = recall(typed(medium, jnp.float32), start, Read(block), z, ts=TIMES, key=jax.random.key(2), dt=0.1)
    return np.asarray(found.right).all(2).mean(0)


def show(name: str, shares: np.ndarray) -> None:
    print(f"{name:44}" + "".join(f"{x:8.3f}" for x in shares))


def main(words: int = 10, halvings: int = 0) -> None:
    plane = Grid.periodic((64, 64), stencil=NinePoint())
    noisy = OrnsteinUhlenbeckFlow(NoisyFlow(RATE, FEED))
    print(f"words right of {words} at{'':29}" + "".join(f"{t:6g} s" for t in TIMES))
    show("2048 bits, blocks of 2 x 2, noise", right(plane, (2, 2), noisy, words))
    show("2048 bits, no reactions", right(plane, (2, 2), noisy, words, off=True))
    steady = FlowReactor(FLOW, FEED)
    for finer in (1, 2):
        show(f"32 bits, blocks of 16 x 16, h / {finer}", right(plane.refined(finer), (16 * finer,) * 2, steady, words))
    line = Grid.periodic((64,))  # what does not vary along a stripe need not be followed there
    for finer in (1, 2, 4, 8):
        show(f"32 bits, stripes of 4, h / {finer}", right(line.refined(finer), (4 * finer,), steady, words))
    for finer in (2**n for n in range(halvings + 1)):  # noise bends the stripes: followed in the plane
        drive, block = Repeated(noisy, plane, finer), (64 * finer, 4 * finer)
        show(f"32 bits, stripes of 4, noise, h / {finer}", right(plane.refined(finer), block, drive, words))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
