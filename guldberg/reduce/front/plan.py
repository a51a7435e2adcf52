"""What is asked of a reduction to a front: A + B -> 0 on a line between walls, and the distances that are kept."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from guldberg.closure.continuous.radial import Shells
from guldberg.closure.continuous.unlike import Line
from guldberg.errors import InputError
from guldberg.reduce.space.plan import Box, Cloud

IMAGES = 3  # of a cloud in the walls, to either side


@dataclasses.dataclass(frozen=True)
class FrontPlan:
    """nu_A(x, t), nu_B(x, t) and nu_AB(r, t), learned from where particles are, and how many pairs of unlike ones are
    how far apart.

    At first each cloud has a number of particles from Poisson's law, its mean being `count`: nu_AB = 0, and exp(-nu) is
    the density of the clouds. Raises InputError for other networks and boxes, and distances that do not fit.
    """

    box: Box
    start: tuple[Cloud, ...]
    time: float
    reach: float  # beyond which nu_AB is 0
    snapshots: int = 11
    runs: int = 2000
    held_out: int = 2000  # further runs, to be judged by
    cells: int = 40  # of the line, and shells of distance
    function: int = 1  # elements of each learned function
    chains: int = 16  # of Monte Carlo, at each time
    sweeps: int = 1000  # of each while learning

    def __post_init__(self) -> None:
        if not self.box.reacts_alone([1.0, 1.0]):
            raise InputError(f"{'; '.join(self.box.network.equations())}: a front is learned of A + B -> 0 alone")
        if len(self.box.lengths) != 1 or self.box.periodic:
            raise InputError(
                'a front is learned on a line between walls; expected one length, and sides = "reflecting"'
            )
        if {cloud.species for cloud in self.start} != {0, 1}:
            raise InputError(f"expected clouds of both {' and '.join(self.box.species)} at the start")
        self.box.check_reach(self.reach)

    @property
    def span(self) -> float:
        """Between two snapshots."""
        return self.time / (self.snapshots - 1)

    @property
    def times(self) -> Float[np.ndarray, "times"]:
        return np.linspace(0.0, self.time, self.snapshots)

    @property
    def line(self) -> Line:
        return Line(self.box.lengths[0], self.cells, Shells(1, self.reach, self.cells))

    @property
    def rate(self) -> float:
        """lambda = k / (2 radius), that of a pair in contact."""
        return self.constant / (2 * self.box.radius)

    @property
    def constant(self) -> float:
        """k."""
        return float(np.asarray(self.box.network.forward(None))[0])

    @property
    def density(self) -> Float[np.ndarray, "2 cells"]:
        """At the start, the mean in each cell."""
        edges = np.linspace(0, self.box.lengths[0], self.cells + 1)
        out = np.zeros((2, self.cells))
        for cloud in self.start:
            out[cloud.species] += cloud.count * np.diff(_below(cloud, edges, self.box.lengths[0])) / self.line.cell
        return out


def _below(cloud: Cloud, x: Float[np.ndarray, "edges"], length: float) -> Float[np.ndarray, "edges"]:
    """The share of a cloud to the left of x, with what the walls fold back; up to a constant."""
    if not cloud.centre:
        return x / length
    turns = 2 * length * np.arange(-IMAGES, IMAGES + 1)[:, None]
    images = np.concatenate([turns + cloud.centre[0], turns - cloud.centre[0]])
    return ndtr((x - images) / cloud.width).sum(axis=0)
