"""What is asked of a reduction to pairs: A + A -> 0 in a homogeneous mixture, and the distances that are kept."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from guldberg.closure.continuous.radial import Shells
from guldberg.errors import InputError
from guldberg.reduce.space.plan import Box


@dataclasses.dataclass(frozen=True)
class PairPlan:
    """nu_1(t) and nu_2(r, t), learned from how many particles there are and how many pairs are how far apart.

    At first a number of particles drawn from Poisson's law is anywhere: nu_1 = -log(number / volume), nu_2 = 0. Raises
    InputError for other networks, walls, and distances that do not fit into the box.
    """

    box: Box
    number: float  # mean, at first
    time: float
    reach: float  # beyond which nu_2 is 0
    snapshots: int = 21
    runs: int = 4000
    held_out: int = 1000  # further runs, to be judged by
    shells: int = 60
    function: int = 1  # elements of each function of w_1
    chains: int = 16  # of Monte Carlo, at each time
    sweeps: int = 1000  # of each

    def __post_init__(self) -> None:
        if not self.box.reacts_alone([2.0]):
            raise InputError(f"{'; '.join(self.box.network.equations())}: pairs are kept of A + A -> 0 alone")
        if not self.box.periodic:
            raise InputError("walls make a mixture inhomogeneous; expected a periodic box")
        self.box.check_reach(self.reach)

    @property
    def span(self) -> float:
        """Between two snapshots."""
        return self.time / (self.snapshots - 1)

    @property
    def times(self) -> Float[np.ndarray, "times"]:
        return np.linspace(0.0, self.time, self.snapshots)

    @property
    def distances(self) -> Shells:
        return Shells(len(self.box.lengths), self.reach, self.shells)

    @property
    def rate(self) -> float:
        """lambda = 2 k / v(radius), that of a pair in contact."""
        k = float(np.asarray(self.box.network.forward(None))[0])
        return 2 * k / float(self.distances.within(np.array(self.box.radius)))
