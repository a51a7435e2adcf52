"""What follows from the reactions alone: conservation laws, complexes, deficiency, and detailed balance of the rates.

Exact integer arithmetic throughout. Every function needs known (integer) stoichiometry and raises ValueError for
learned (floating) stoichiometry. A direction counts as a reaction where its rate constant is positive.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike

from guldberg.integers import kernel, rank, smallest_kernel
from guldberg.network import ReactionNetwork, equation

Complex = tuple[int, ...]  # molecules of each species


@dataclasses.dataclass(frozen=True)
class Cycle:
    """Reactions that, run so many times each (negative: backward), change nothing.

    In equilibrium prod (k_f / k_r)^times = 1 (Wegscheider 1901). `deviation` is the logarithm of that product, the
    driving force of the cycle in units of RT; 0 where the rates are balanced.
    """

    reactions: tuple[str, ...]
    times: tuple[int, ...]
    deviation: float

    @property
    def balanced(self) -> bool:
        """Zero up to the digits to which rate constants are written, one part in a million each."""
        return abs(self.deviation) <= 1e-6 * sum(map(abs, self.times))


@dataclasses.dataclass(frozen=True)
class DetailedBalance:
    """Whether there is a positive state in which every reaction is balanced by its own reverse."""

    cycles: tuple[Cycle, ...]  # a basis of them, the shortest; over the reversible reactions
    irreversible: tuple[str, ...]  # reactions without a reverse: with any of them there is no detailed balance

    @property
    def holds(self) -> bool:
        """No reaction is irreversible and every cycle is balanced."""
        return not self.irreversible and all(cycle.balanced for cycle in self.cycles)


def conservation_laws(network: ReactionNetwork) -> Int[np.ndarray, "laws species"]:
    """A basis of {l: S l = 0}, so that l . c never changes: small integers, non-negative where there are such."""
    laws = smallest_kernel(_stoichiometry(network))
    return np.array(laws, dtype=np.int64).reshape(-1, len(network.species))


def complexes(network: ReactionNetwork) -> tuple[Complex, ...]:
    """The different sides of reactions, in order of appearance."""
    return tuple(dict.fromkeys(side for edge in _edges(network) for side in edge))


def linkage_classes(network: ReactionNetwork) -> tuple[tuple[Complex, ...], ...]:
    """The connected parts of the graph of complexes, whatever the direction of its reactions."""
    edges = _edges(network)
    both_ways = [*edges, *((b, a) for a, b in edges)]
    appearing = complexes(network)
    classes = dict.fromkeys(frozenset(_reachable(c, both_ways)) for c in appearing)
    return tuple(tuple(c for c in appearing if c in members) for members in classes)


def deficiency(network: ReactionNetwork) -> int:
    """Complexes - linkage classes - rank of the stoichiometry (Feinberg); never negative."""
    independent = rank(_stoichiometry(network))
    return len(complexes(network)) - len(linkage_classes(network)) - independent


def is_reversible(network: ReactionNetwork) -> bool:
    """Whether every reaction has its reverse, be it written as one reaction or as two."""
    edges = _edges(network)
    return all((b, a) in edges for a, b in edges)


def is_weakly_reversible(network: ReactionNetwork) -> bool:
    """Whether from every product complex a way leads back to its reactant complex."""
    edges = _edges(network)
    return all(a in _reachable(b, edges) for a, b in edges)


def detailed_balance(network: ReactionNetwork, temperature: ArrayLike | None = None) -> DetailedBalance:
    """Wegscheider's conditions on the rate constants at `temperature` (kelvin), cycle by cycle.

    The cycles are a basis of {n: S^T n = 0} over the reversible reactions; two irreversible reactions that undo each
    other count as a reversible one.
    """
    pairs, irreversible = _pairs(network, temperature)
    names = [equation(a, b, network.species, reversible=True) for a, b, _ in pairs]
    changes = np.array([np.subtract(b, a) for a, b, _ in pairs], int).reshape(-1, len(network.species))
    cycles = (_cycle(names, times, [log_K for *_, log_K in pairs]) for times in kernel(changes.T))
    alone = tuple(equation(a, b, network.species) for a, b in irreversible)
    return DetailedBalance(tuple(cycles), alone)


def _cycle(names: list[str], times: tuple[int, ...], log_K: list[float]) -> Cycle:
    used = [i for i, n in enumerate(times) if n]
    deviation = float(sum(times[i] * log_K[i] for i in used))
    return Cycle(tuple(names[i] for i in used), tuple(times[i] for i in used), deviation)


def _pairs(
    network: ReactionNetwork, temperature: ArrayLike | None
) -> tuple[list[tuple[Complex, Complex, float]], list[tuple[Complex, Complex]]]:
    """Reversible reactions (reactants, products, ln k_f/k_r), and those directions that have no opposite."""
    forward = np.asarray(network.forward.log(temperature), float)
    reverse = np.full_like(forward, -np.inf) if network.reverse is None else network.reverse.log(temperature)
    pairs: list[tuple[Complex, Complex, float]] = []
    single: dict[tuple[Complex, Complex], float] = {}
    for (a, b), f, r in zip(_sides(network), forward.tolist(), np.asarray(reverse, float).tolist(), strict=True):
        if min(f, r) > -np.inf:
            pairs.append((a, b, f - r))
        elif max(f, r) > -np.inf:
            way = (a, b) if f > r else (b, a)
            single[way] = np.logaddexp(single.get(way, -np.inf), max(f, r))
    pairs += [(a, b, f - single[b, a]) for (a, b), f in single.items() if (b, a) in single and a < b]
    return pairs, [(a, b) for a, b in single if (b, a) not in single]


def _sides(network: ReactionNetwork) -> list[tuple[Complex, Complex]]:
    if not jnp.issubdtype(network.stoichiometry.dtype, jnp.integer):
        raise ValueError(
            "the stoichiometry is learned (floating): round it to integers before asking for its structure"
        )
    rows = zip(network.reactants.tolist(), network.products.tolist(), strict=True)
    return [(tuple(reactants), tuple(products)) for reactants, products in rows]


def _edges(network: ReactionNetwork) -> dict[tuple[Complex, Complex], None]:
    """The directed reactions that happen, as (from, to), in order and without repetition."""
    rows = zip(_sides(network), network.forward.active, network.reversible, strict=True)
    ways = (way for (a, b), forward, reverse in rows for way, on in (((a, b), forward), ((b, a), reverse)) if on)
    return dict.fromkeys(ways)


def _stoichiometry(network: ReactionNetwork) -> Int[np.ndarray, "reactions species"]:
    changes = [np.subtract(b, a) for a, b in _edges(network)]
    return np.array(changes, int).reshape(-1, len(network.species))


def _reachable(start: Complex, edges: Collection[tuple[Complex, Complex]]) -> set[Complex]:
    """The complexes to which a way leads from `start`, itself included."""
    reached, frontier = {start}, {start}
    while frontier:
        frontier = {b for a, b in edges if a in frontier} - reached
        reached |= frontier
    return reached
