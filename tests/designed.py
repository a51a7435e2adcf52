"""Designs made by hand, of which it is known whether they are what they seem."""

import jax.numpy as jnp
import numpy as np

from guldberg.design.controls import with_constants
from guldberg.design.measure import resembles
from guldberg.design.recipe import Recipe
from guldberg.design.result import Designed, History, Picture
from guldberg.design.start import Direct
from guldberg.space.grid import Grid
from guldberg.stepper import Euler
from guldberg.system import ReactionDiffusion
from guldberg.text import parse


def bistable(threshold: float, rate: float = 1.0) -> str:
    """dA/dt = -rate A (A - threshold) (A - 1): 0 and 1 are stable. Equally so at threshold 1/2, where fronts rest."""
    return f"2 A -> 3 A @ {rate * (1 + threshold)}\n3 A -> 2 A @ {rate}\nA -> 0 @ {rate * threshold}"


def made(text: str, picture, *, D: float, c0=None, horizon: float = 32.0, grid: Grid | None = None) -> Designed:
    """A pattern of one species: the picture itself is the start, unless there is another one."""
    picture = np.asarray(picture, float)
    grid = Grid.periodic(picture.shape) if grid is None else grid
    network = parse(text)
    target = Picture(0, picture)
    system = ReactionDiffusion(network, grid, jnp.full(len(network.species), D))
    c0 = picture[None] if c0 is None else np.asarray(c0, float)
    start = Direct.near(jnp.asarray(c0), grid)
    recipe = Recipe("pattern", lambda key: start, (), resembles(target), target=target)
    return Designed(
        recipe=recipe,
        behaviour="pattern",
        system=system,
        initial=with_constants(system, 0.0),
        start=start,
        z=np.zeros(0),
        c0=c0,
        decoder=None,
        stepper=Euler(),
        dt=1.0,
        horizon=horizon,
        evaluation_stepper=Euler(),
        evaluation_dt=0.1,
        target=target,
        loss=0.1,
        updates=3,
        history=History(
            np.array([1, 2]), np.array([32.0, 32.0]), np.array([2.0, 1.0]), {"Target": np.array([1.5, 0.5])}
        ),
        seed=0,
    )


def stripes(cells: int = 48, *, D: float) -> np.ndarray:
    """Where two resting fronts stand, a quarter and three quarters of the way along."""
    x = np.arange(cells) + 0.5
    width = 2 * np.sqrt(2 * D)
    return 0.5 * (np.tanh((x - cells / 4) / width) - np.tanh((x - 3 * cells / 4) / width))


def honest() -> Designed:
    """Two fronts at rest between two equally stable states, two cells wide: true, and nothing else shows it."""
    return made(bistable(0.5), stripes(D=0.3), D=0.3)


def by_steps() -> Designed:
    """Euler's rule at dt = 1 makes dA/dt = r A (1 - A) jump between two values for ever; cells of opposite phase keep
    a checkerboard, seen at every other step. With short steps all cells go to 1."""
    r = 2.3
    root = np.sqrt(r * r - 4)
    high, low = (r + 2 + root) / (2 * r), (r + 2 - root) / (2 * r)
    board = np.where(np.indices((8, 8)).sum(axis=0) % 2, high, low)
    return made(f"A -> 2 A @ {r}\n2 A -> A @ {r}", board, D=1e-6)


def by_grid() -> Designed:
    """A front that would move, 0 being the more stable, held in place by cells much wider than itself."""
    block = np.where((np.arange(48) // 12) % 2, 1.0, 0.0)
    return made(bistable(0.35), block, D=0.04)
