"""What particles in continuous space do: a reaction network read as diffusion, decay, and reactions on contact."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.space.walls import Wall, checked
from guldberg.stochastic.events import Event, events

LIKELY = 0.1  # a pair in contact reacts in one step at most so often: what a step of finite length errs by
MADE = 4  # most products
NONE, NEAR = -1, 2


@dataclasses.dataclass(frozen=True)
class ContactRules:
    """Particles in a box, each diffusing by itself, dx = sqrt(2 D) dW. A pair closer than `radius` reacts at the rate

        lambda = k / v(radius), or 2 k / v(radius) for two of one species; v = 2 r, pi r^2, 4/3 pi r^3,

    the model of Doi, J. Phys. A 9 (1976) 1465 and 1479. `k` is that of the network: when diffusion is fast, numbers in
    a periodic box follow the master equation of its volume (guldberg/network.py); walls cut contacts off, by a share
    of about radius / length.

    Products stand where reactants stood, catalysts where they were. One product of two reactants is put in the place
    of either; what is made beyond the places, as the second of A -> B + C, within `radius` of the first, evenly. Where
    that is outside a reflecting box the reaction does not happen: so A + B <-> C is in detailed balance, walls or not.

    `walls` inside a reflecting plane turn particles back too; reactions then are of one particle at most, since
    contacts would reach through them.

    In a step of at most `dt` all particles move, then what reacts does so in the order of its time, each once. Raises
    InputError for reactions of three, and steps that are too long for the rates.
    """

    network: ReactionNetwork
    _: dataclasses.KW_ONLY
    lengths: tuple[float, ...]
    diffusivity: float | Sequence[float]
    radius: float
    dt: float
    periodic: bool = True
    temperature: float | None = None
    walls: tuple[Wall, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.lengths) <= 3 or not all(0 < length < math.inf for length in self.lengths):
            raise InputError(f"a box of {self.lengths}; expected one to three lengths that are positive")
        if not 0 < self.radius <= min(self.lengths) / 2:
            raise InputError(
                f"a radius of {self.radius:g} in a box of {' x '.join(f'{length:g}' for length in self.lengths)}; "
                "expected it positive and at most half the shortest length"
            )
        D = np.atleast_1d(np.asarray(self.diffusivity, float))
        if D.shape not in [(1,), (len(self.network.species),)] or not (np.isfinite(D) & (D >= 0)).all():
            raise InputError(f"diffusivities {D}; expected one, or one for each species, none of them negative")
        if not 0 < self.dt < math.inf:
            raise InputError(f"a step of {self.dt}; expected a positive time")
        checked(self.walls, self.lengths, self.periodic)
        tables = self.tables()
        if self.walls and (tables.contact.any() or (tables.products[:, NEAR:] != NONE).any()):
            raise InputError("with walls inside the box, expected reactions of one particle that make one at most")
        fastest = max([0.0, *tables.decay, *tables.contact.ravel()])
        if fastest * self.dt > LIKELY:
            raise InputError(
                f"a step of {self.dt:.3g} is too long: particles react at a rate of up to {fastest:.4g}; "
                f"expected at most {LIKELY / fastest:.3g}"
            )

    @property
    def species(self) -> tuple[str, ...]:
        return self.network.species

    @property
    def volume(self) -> float:
        """Length, area or volume of the box."""
        return math.prod(self.lengths)

    def tables(self) -> Tables:
        """The same for compiled code."""
        happening, S = events(self.network, self.temperature), len(self.species)
        rates = np.array([self._rate(event) for event in happening], float)
        decay, contact = np.zeros(S), np.zeros((S, S))
        for event, rate in zip(happening, rates, strict=True):
            if len(event.reactants) == 1:
                decay[event.reactants[0]] += rate
            for pair in {event.reactants, event.reactants[::-1]} if len(event.reactants) == 2 else ():
                contact[pair] += rate
        made = [_places(event) for event in happening]
        return Tables(
            np.broadcast_to(np.asarray(self.diffusivity, float), S),
            float(sum(rates[i] for i, event in enumerate(happening) if not event.reactants)),
            decay,
            contact,
            rates,
            np.array([[*event.reactants, NONE, NONE][:2] for event in happening], np.int64).reshape(-1, 2),
            np.array([slots for slots, _ in made], np.int64).reshape(-1, MADE),
            np.array([either for _, either in made], bool),
            np.array(self.lengths, float),
            self.periodic,
            float(self.radius),
            self._sides(),
        )

    def _sides(self) -> Float[np.ndarray, "walls 4"]:
        """Where there are walls inside, these and the sides of the box, from end to end: axis, place, low, high."""
        if not self.walls:
            return np.zeros((0, 4))
        sides = [(axis, place, -math.inf, math.inf) for axis in (0, 1) for place in (0.0, self.lengths[axis])]
        ends = [1e-12 * self.lengths[1 - wall.axis] for wall in self.walls]  # so that none slips through a corner
        inside = [(w.axis, w.place, w.low - end, w.high + end) for w, end in zip(self.walls, ends, strict=True)]
        return np.array([*sides, *inside], float)

    def _rate(self, event: Event) -> float:
        """Per time: of nothing in the whole box, of one particle, of a pair in contact."""
        if len(event.reactants) > 2:
            raise InputError(f"{event.text}: {len(event.reactants)} particles do not meet; expected at most 2")
        if len(event.reactants) < 2:
            return event.k * (self.volume if not event.reactants else 1.0)
        same = event.reactants[0] == event.reactants[1]
        return event.k * (2 if same else 1) / ball(self.radius, len(self.lengths))


class Tables(NamedTuple):
    """Rules for compiled code; species are numbered from 0."""

    diffusivity: Float[np.ndarray, "species"]
    births: float  # of all reactions of nothing, in the whole box
    decay: Float[np.ndarray, "species"]  # of all reactions of one particle
    contact: Float[np.ndarray, "species species"]  # of all reactions of a pair
    rates: Float[np.ndarray, "events"]
    reactants: Int[np.ndarray, "events 2"]  # -1: none
    products: Int[np.ndarray, "events made"]  # in the place of the first reactant, of the second, near the first; -1
    either: Bool[np.ndarray, "events"]  # whether the first product changes places with the next, every other time
    lengths: Float[np.ndarray, "axes"]
    periodic: bool
    radius: float
    walls: Float[np.ndarray, "walls 4"]  # axis, place, from, to


def ball(radius: float, dimensions: int) -> float:
    """v(r): 2 r, pi r^2, 4/3 pi r^3."""
    return math.pi ** (dimensions / 2) / math.gamma(dimensions / 2 + 1) * radius**dimensions


def _places(event: Event) -> tuple[list[int], bool]:
    """The products by place, and whether the first two are placed at random: not where a reactant is a product too."""
    slots, left = [NONE] * MADE, list(event.products)
    for i, reactant in enumerate(event.reactants):
        if reactant in left:
            slots[i] = reactant
            left.remove(reactant)
    free = [i for i in range(MADE) if slots[i] == NONE and (i >= NEAR or i < max(1, len(event.reactants)))]
    if len(left) > len(free):
        raise InputError(f"{event.text}: {len(event.products)} products are too many; expected at most {MADE - 1}")
    catalysed = len(left) < len(event.products)
    for i, product in zip(free, left, strict=False):
        slots[i] = product
    return slots, not catalysed and len(event.products) != len(event.reactants)
