"""What can happen to a few consecutive sites of a chain in a step: a reaction network read as changes with rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork, equation

Sites = tuple[int, ...]  # states of consecutive sites: 0 empty, 1, 2, ... the species


@dataclasses.dataclass(frozen=True)
class Process:
    """Hops of a species, or a reaction: `rate` times the share of each change, at each place where it fits."""

    name: str
    rate: float  # per step
    changes: tuple[tuple[Sites, Sites, float], ...]  # (before, after, share)


def processes(network: ReactionNetwork, *, hop: float = 1.0, dt: float = 1.0) -> tuple[Process, ...]:
    """The rules of Ernst et al., section IV, as a continuous-time process: a particle tries to hop with probability
    `hop` in a step, to the left or to the right; unimolecular constants are rates, times `dt`; bimolecular ones are
    probabilities on collision. The first product stands on the struck site, the second on the one it was struck from.

    Left out: that every particle has exactly one turn in a step; that another molecule divides where one is hemmed in.
    InputError: a reaction of another order, or with more than two products.
    """
    names = network.species
    found = [Process(f"hop {name}", hop, tuple(_hops(i + 1))) for i, name in enumerate(names)]
    survived: dict[tuple[int, int], float] = {}  # of a pair's collisions, by the reactions tried before
    for text, left, right, k in _reactions(network):
        if len(left) not in (1, 2) or len(right) > 2:
            raise InputError(f'"{text}": a chain needs one or two reactants and at most two products')
        if len(left) == 1:
            found.append(Process(text, k * dt, tuple(_divisions(left[0], right, 1 + len(names)))))
            continue
        if not 0 <= k <= 1:
            raise InputError(f'"{text}": the probability of a reaction on collision is {k:g}; expected 0 to 1')
        before = survived.get((left[0], left[1]), 1.0)
        survived[left[0], left[1]] = before * (1 - k)
        found.append(Process(text, hop * k * before, tuple(_collisions(left, right))))
    return tuple(found)


def _reactions(network: ReactionNetwork) -> Iterator[tuple[str, list[int], list[int], float]]:
    nu, products = np.asarray(network.reactants), np.asarray(network.products)
    for constants, left, right in [
        (network.forward(None), nu, products),
        *([(network.reverse(None), products, nu)] if network.reverse is not None else []),
    ]:
        for k, a, b in zip(np.asarray(constants, float), left, right, strict=True):
            if k > 0:
                yield equation(a, b, network.species), _molecules(a), _molecules(b), float(k)


def _molecules(nu: np.ndarray) -> list[int]:
    return [i + 1 for i, n in enumerate(nu) for _ in range(int(n))]


def _hops(a: int) -> Iterator[tuple[Sites, Sites, float]]:
    yield (a, 0), (0, a), 0.5
    yield (0, a), (a, 0), 0.5


def _collisions(left: list[int], right: list[int]) -> Iterator[tuple[Sites, Sites, float]]:
    struck, old = (*right, 0, 0)[:2]
    for mover, other in dict.fromkeys([(left[0], left[1]), (left[1], left[0])]):
        yield (mover, other), (old, struck), 0.5
        yield (other, mover), (struck, old), 0.5


def _divisions(a: int, right: list[int], states: int) -> Iterator[tuple[Sites, Sites, float]]:
    """The second of two products goes to a free neighbour, and nothing happens where there is none."""
    if len(right) < 2:
        yield (a,), (right[0] if right else 0,), 1.0
        return
    for x in range(states):
        share = 0.5 if x == 0 else 1.0
        yield (0, a, x), (right[1], right[0], x), share
        yield (x, a, 0), (x, right[0], right[1]), share
