"""What particles on a lattice do: a reaction network read as rates and collision probabilities."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8, UInt64

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.stochastic.events import Event, events
from guldberg.stochastic.sites import Sides
from guldberg.text import parse

ONE = 2.0**32  # the probabilities of hops and collisions are compared with 32 random bits
SMALLEST = 1e-7  # which these bits resolve to half a percent
MAX_SPECIES = 127


@dataclasses.dataclass(frozen=True)
class LatticeRules:
    """The particles of Ernst et al., section IV: at most one on a site. In one step of length `dt`

    1. unimolecular reactions happen as in Gillespie's algorithm, with their constants as rates;
    2. every particle, in random order, tries to hop to a random neighbour, with the probability `hop` of its species.
       An empty site takes it. On a taken one the reactions of the pair are tried in the network's order, each with its
       constant as its probability; where none fires, the particle stays.

    The first product of a collision (in the order of species) is put on the struck site, the second on the old site of
    the particle that hopped, and neither moves again in this step; a struck particle that did not react keeps its
    turn. The second product of a unimolecular reaction is put on a random free neighbour; without one, another molecule
    reacts in its place, and after 20 of these none does. At an open side a particle chooses among neighbours inside.

    Raises InputError for reactions, rates and probabilities that have no such meaning.
    """

    network: ReactionNetwork
    _: dataclasses.KW_ONLY
    hop: float | Sequence[float] = 1.0
    periodic: Sides = True
    dt: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"the step of a lattice is {self.dt}; expected a positive time")
        if len(self.network.species) > MAX_SPECIES:
            raise InputError(f"{len(self.network.species)} species on a lattice; expected at most {MAX_SPECIES}")
        hop = np.atleast_1d(np.asarray(self.hop, float))
        if hop.shape not in [(1,), (len(self.network.species),)]:
            raise InputError(f"{len(hop)} hop probabilities for {len(self.network.species)} species; expected as many")
        for p in hop:
            _probability(p, "a hop")
        self.tables()

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    def tables(self) -> Tables:
        """The same for compiled code."""
        one, two = _events(self.network)
        hop = np.broadcast_to(np.asarray(self.hop, float), len(self.species))
        return Tables(np.append(0, _threshold(hop)), *_decays(one, hop.size), *_collisions(two, hop), float(self.dt))


class Tables(NamedTuple):
    """Rules by the code of a species: 0 is nothing, 1 the first species. Integer thresholds are for 32 random bits."""

    hop: UInt64[np.ndarray, "codes"]
    rates: Float[np.ndarray, "codes events"]  # of unimolecular reactions
    remnants: UInt8[np.ndarray, "codes events 2"]
    collision: UInt64[np.ndarray, "codes codes events"]  # of the hopping and the struck one; cumulative
    products: UInt8[np.ndarray, "codes codes events 2"]  # on the struck site, on the old site
    dt: float


def _events(network: ReactionNetwork) -> tuple[list[Event], list[Event]]:
    """Uni- and bimolecular reactions, molecules by their codes."""
    one, two = [], []
    for event in events(network):
        if len(event.reactants) not in (1, 2) or len(event.products) > 2:
            raise InputError(f"{event.text}: on a lattice, one or two particles become at most two")
        if len(event.reactants) == 2:
            _probability(event.k, event.text)
        left, right = (tuple(s + 1 for s in side) for side in (event.reactants, event.products))
        (one if len(left) == 1 else two).append(event._replace(reactants=left, products=right))
    return one, two


def _probability(p: float, text: str) -> None:
    if not (p == 0 or 0.999 * SMALLEST <= p <= 1):  # a constant is kept as its logarithm, which rounds
        raise InputError(f"{text}: the probability is {p:.6g}; expected 0, or a number from {SMALLEST:g} to 1")


def _threshold(p: np.ndarray) -> UInt64[np.ndarray, "..."]:
    return np.round(p * ONE).astype(np.uint64)


def _decays(events: list[Event], species: int) -> tuple[np.ndarray, np.ndarray]:
    width = max([1, *(sum(e.reactants == (a,) for e in events) for a in range(1, species + 1))])
    rates, remnants = np.zeros((species + 1, width)), np.zeros((species + 1, width, 2), np.uint8)
    filled = np.zeros(species + 1, int)
    for event in events:
        (a,) = event.reactants
        rates[a, filled[a]] = event.k
        remnants[a, filled[a], : len(event.products)] = event.products
        filled[a] += 1
    return rates, remnants


def _collisions(events: list[Event], hop: Float[np.ndarray, "species"]) -> tuple[np.ndarray, np.ndarray]:
    """One after another, each with its own probability: the k-th fires with p_k prod_{i<k} (1 - p_i)."""
    codes = len(hop) + 1
    pairs: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        for pair in {event.reactants, event.reactants[::-1]}:
            pairs.setdefault((pair[0], pair[1]), []).append(event)
    width = max([1, *map(len, pairs.values())])
    until, products = np.zeros((codes, codes, width)), np.zeros((codes, codes, width, 2), np.uint8)
    for (a, b), tried in pairs.items():
        none = np.cumprod([1 - event.k for event in tried])
        until[a, b] = hop[a - 1] * (1 - np.append(none, np.full(width - len(tried), none[-1])))
        for k, event in enumerate(tried):
            products[a, b, k, : len(event.products)] = event.products
    return _threshold(until), products


def annihilation(p: float = 0.01) -> ReactionNetwork:
    """A + A -> 0 with probability p on collision: Ernst et al., section IV A."""
    _probability(p, "2 A -> 0")
    return parse(f"2 A -> 0 @ {p!r}")


def rossler() -> ReactionNetwork:
    """The lattice version of the Williamowski-Rossler oscillator, Ernst et al. eq. (42), with its rates and collision
    probabilities; a step is 0.01 long."""
    return parse(
        "A -> 2 A @ 30\nB -> 0 @ 10\nC -> 2 C @ 16.5\n"
        "2 A -> A @ 0.1\nA + B -> 2 B @ 0.4\nA + C -> 0 @ 0.24\n2 C -> C @ 0.36"
    )
