"""What is asked of a reduction in continuous space: a box, where particles start, and what is seen of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.space.walls import Wall, Walled


@dataclasses.dataclass(frozen=True)
class Box:
    """Where particles diffuse and react: `guldberg.stochastic.contact.ContactRules` says how."""

    network: ReactionNetwork
    lengths: tuple[float, ...]
    diffusivity: tuple[float, ...]  # of each species
    radius: float  # within which two react
    dt: float  # the longest step of the simulation
    periodic: bool = True
    walls: tuple[Wall, ...] = ()  # inside a reflecting plane

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    @property
    def volume(self) -> float:
        return math.prod(self.lengths)

    def reacts_alone(self, reactants: Sequence[float]) -> bool:
        """Whether the network is these reactants -> 0 at a constant rate, and nothing else."""
        network = self.network
        moved = [np.asarray(side, float).tolist() for side in (network.reactants, network.products)]
        alone = moved == [[list(reactants)], [[0.0] * len(reactants)]]
        return alone and isinstance(network.forward, Constant) and not network.reversible.any()

    def check_reach(self, reach: float) -> None:
        """InputError unless pairs that are kept to this distance are beyond contact and meet no image of theirs."""
        if not self.radius < reach <= min(self.lengths) / 2:
            raise InputError(
                f"pairs are kept to a distance of {reach:g}; expected more than the radius ({self.radius:g}), at most "
                f"half of the shortest length ({min(self.lengths) / 2:g})"
            )


@dataclasses.dataclass(frozen=True)
class Cloud:
    """So many particles of a species around a place, or, without one, anywhere."""

    species: int
    count: int
    centre: tuple[float, ...] = ()
    width: float = math.inf  # standard deviation along each axis; beyond walls they are put anywhere


@dataclasses.dataclass(frozen=True)
class SpacePlan:
    """One-body functions nu_1(x, t) of each species, learned from where particles are seen."""

    box: Box
    start: tuple[Cloud, ...]
    time: float
    snapshots: int = 21
    runs: int = 500
    held_out: int = 500  # further runs, to be judged by
    cells: tuple[int, ...] = (100,)  # of nu along each axis
    elements: int = 16  # of nu at the start, along each axis
    function: int = 3  # elements of each function, along each of what it is of

    @property
    def span(self) -> float:
        """Between two snapshots."""
        return self.time / (self.snapshots - 1)

    @property
    def grid(self) -> Grid:
        spacing = [length / n for length, n in zip(self.box.lengths, self.cells, strict=True)]
        sides = [Periodic() if self.box.periodic else NoFlux()] * len(self.cells)
        inside = Walled.of(self.box.walls, self.cells, tuple(spacing)) if self.box.walls else None
        return Grid(self.cells, spacing, sides, stencil=inside)
