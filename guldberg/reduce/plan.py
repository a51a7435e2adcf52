"""What is asked of the job reduce: a lattice, where the learning starts from, and what it is judged by."""

from __future__ import annotations

import dataclasses
import math

from guldberg.network import ReactionNetwork


@dataclasses.dataclass(frozen=True)
class Lattice:
    """Particles on sites, one on each at most: where a reaction network happens.

    The constants of first-order reactions are rates per time; those of second-order ones are probabilities that a
    collision, a hop onto an occupied site, is a reaction.
    """

    network: ReactionNetwork
    size: tuple[int, ...]  # sites along each axis
    periodic: bool = False
    hop: float = 1.0  # probability that a particle tries to hop in a step
    dt: float = 0.01  # time of a step

    @property
    def sites(self) -> int:
        return math.prod(self.size)


@dataclasses.dataclass(frozen=True)
class ChainPlan:
    """A chain of one species, reduced to (b, J, K) of Ernst et al. eq. (37)."""

    lattice: Lattice
    steps: int = 200
    starts: int = 50  # start distributions to learn from, uniform in (b, J, K)
    lattices: int = 50  # simulated from each of them
    low: float = -1.0  # of b, J and K at the start
    high: float = 1.0
    held_out: int = 50  # start distributions to be judged by
    truth: int = 1024  # lattices simulated from each of those
    outside: int = 20  # start distributions beyond the cube, to see how far it generalises
    rhs: str = "elements"  # what F is made of, a key of `guldberg.reduce.learn.FAMILIES`
    layers: bool = False  # whether hidden layers are learned beside (b, J, K)
    recipe: bool = False  # whether Algorithm 1 is followed as well, as published and with one change at a time


@dataclasses.dataclass(frozen=True)
class BoxPlan:
    """A box of several species, reduced to energies of pairs and of hidden units, eq. (44)."""

    lattice: Lattice
    counts: tuple[int, ...]  # particles of each species at the start that is followed longest
    steps: int = 100
    simulations: int = 2000  # of that start, to learn from; as many again to be judged by
    starts: int = 160  # further starts, uniform in `low` to `high` particles of each species; 0: none
    start_steps: int = 30
    start_simulations: int = 300
    low: int = 40
    high: int = 400
    fresh: int = 20  # starts drawn after all choices, uniform in the middle of that range
    fresh_simulations: int = 500
    long_steps: int = 500  # how far the pictures follow the start, eq. (42) of the paper


Plan = ChainPlan | BoxPlan
