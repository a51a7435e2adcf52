"""Spots, waves and chaos of one chemistry: two Gray-Scott systems coupled, Elliott (2022) figure 1.

U_i + 2 V_i -> 3 V_i and V_i -> P, fed with U_1 and U_2, the two autocatalysts turning into each other. Feed F and decay
k decide, as Pearson found, Science 261 (1993) 189: spots multiply until they fill the plane and come to rest; rings run
outwards at one speed and leave rest behind; or all moves for ever, and a trace of difference becomes a different state.
"""

import jax.numpy as jnp
import numpy as np

from guldberg import parse
from guldberg.drive import FlowReactor
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.system import ReactionDiffusion

CELLS = 96


def coupled(F: float, k: float) -> ReactionDiffusion:
    network = parse(f"""
        species: U1, V1, U2, V2, P
        U1 + 2 V1 -> 3 V1 @ 1
        U2 + 2 V2 -> 3 V2 @ 1
        V1 <-> V2 @ 5e-4, 5e-4
        V1 -> P @ {k}
        V2 -> P @ {k}
    """)
    grid = Grid.periodic((CELLS, CELLS), stencil=NinePoint())
    return ReactionDiffusion(network, grid, [0.2, 0.1, 0.2, 0.1, 0.1], FlowReactor(F, [1.0, 0.0, 1.0, 0.0, 0.0]))


def seeds(corners: list[tuple[int, int, int]]) -> np.ndarray:
    """The feed everywhere, but in squares of 12 cells half of U_i is replaced by V_i."""
    c = np.zeros((5, CELLS, CELLS), np.float32)
    c[0] = c[2] = 1
    for i, x, y in corners:
        c[2 * i, x : x + 12, y : y + 12], c[2 * i + 1, x : x + 12, y : y + 12] = 0.5, 0.25
    return c


def field(system: ReactionDiffusion, c0: np.ndarray, times: list[int]) -> np.ndarray:
    saves = [2 * t for t in times]
    return np.asarray(rollout(system, jnp.asarray(c0), steps=saves[-1], dt=0.5, saves=saves).values)


def spots(v: np.ndarray) -> int:
    """Cells that are the highest of their surroundings."""
    around = [np.roll(v, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3) if (i, j) != (0, 0)]
    return int(((v > 0.15) & (v > np.max(around, axis=0))).sum())


def radius(v: np.ndarray) -> int:
    """How far the crest of a ring is from where it began, in cells."""
    return int(np.argmax(v[CELLS // 2, CELLS // 2 :]))


four = seeds([(0, 20, 20), (1, 60, 60), (0, 70, 25), (1, 25, 70)])
ripple = four * (1 + 0.1 * np.random.default_rng(0).standard_normal(four.shape).astype(np.float32))

if __name__ == "__main__":
    resting = coupled(0.030, 0.062)
    (state,) = field(resting, ripple, [10000])
    change = np.abs(resting(0.0, jnp.asarray(state))).max()
    print(f"F = .030, k = .062: {spots(state[1])} and {spots(state[3])} spots, largest |dc/dt| = {change:.0e}")

    rings = field(coupled(0.014, 0.047), seeds([(0, CELLS // 2 - 6, CELLS // 2 - 6)]), [200, 300, 400])
    print("F = .014, k = .047: a ring of radius", ", ".join(str(radius(c[1])) for c in rings), "at 200, 300, 400")

    moving = coupled(0.018, 0.051)
    (one,), (other,) = (field(moving, c0, [8000]) for c0 in (ripple, ripple * np.float32(1.0001)))
    apart = np.sqrt(((one - other)[1] ** 2).mean() / one[1].var())
    print(f"F = .018, k = .051: after 8000, twins that differed by 1e-4 are {apart:.1f} of the contrast apart")
