"""The reactions of a network as events among molecules, one way each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork, equation


class Event(NamedTuple):
    """What reacts and what is made, molecule by molecule: (0, 0, 1) is two of the first species and one of the next."""

    reactants: tuple[int, ...]
    products: tuple[int, ...]
    k: float  # of the deterministic flux
    text: str  # "2 A -> B"


def events(network: ReactionNetwork, temperature: float | None = None) -> list[Event]:
    """Each reaction, and where it has a reverse that too, without those that never happen. InputError for orders that
    are not whole and constants that are not finite."""
    nu, mu = np.asarray(network.reactants), np.asarray(network.products)
    forward, reverse = network.constants(temperature).astype(float)
    ways = [way for i in range(len(nu)) for way in [(nu[i], mu[i], forward[i]), (mu[i], nu[i], reverse[i])]]
    return [_event(left, right, float(k), network.species) for left, right, k in ways if k != 0]


def _event(left: np.ndarray, right: np.ndarray, k: float, species: tuple[str, ...]) -> Event:
    text = equation(left, right, species)
    if not np.isfinite(k):
        raise InputError(f"{text}: the rate is {k}; expected a finite one")
    return Event(_molecules(left, text), _molecules(right, text), k, text)


def _molecules(nu: np.ndarray, text: str) -> tuple[int, ...]:
    if (nu < 0).any() or (nu != np.round(nu)).any():
        raise InputError(f"{text}: particles react in whole numbers")
    return tuple(np.repeat(np.arange(len(nu)), nu.astype(int)).tolist())
