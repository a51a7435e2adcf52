"""Mechanisms with the same equations, which no experiment can tell apart (Craciun and Pantea, J. Math. Chem. 44, 2008).

The monomials prod c^nu of different reactant complexes are independent functions. So two mechanisms have the same
equations if and only if, for each reactant complex R, they have the same

    w_R = sum_i k_i (P_i - R)    over the reactions R -> P_i.

Other reactions of R that make up w_R, with positive constants and no more of them than needed, have independent net
changes within the span of those at hand: which ones lie there is a question of whole numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from guldberg import integers
from guldberg.discover.library import Complexes
from guldberg.discover.result import Discovered, Estimate, Rewriting
from guldberg.network import equation

SMALLEST = 1e-9  # a constant below this part of the largest is rounding error: the reaction is not needed
MOST = 20_000  # sets tried for one reactant complex

Allowed = Callable[[np.ndarray, np.ndarray], bool]  # whether reactants may become products


def rewritings(
    reactants: Int[np.ndarray, "species"],
    products: Int[np.ndarray, "reactions species"],
    k: Float[np.ndarray, "reactions"],
    pool: Complexes,
) -> Iterator[tuple[Int[np.ndarray, "others species"], Float[np.ndarray, "others"]]]:
    """(products, constants) of other reactions of the same reactants with the same equations, none of them idle."""
    change = products - reactants
    rank, present = integers.rank(change), {tuple(row) for row in products}
    near = [p for p in pool if (p != reactants).any() and integers.rank([*change, p - reactants]) == rank]
    for chosen in itertools.islice(itertools.combinations(near, rank), MOST):
        other = np.array(chosen)
        if {tuple(row) for row in chosen} != present and integers.rank(other - reactants) == rank:
            constants = np.linalg.lstsq((other - reactants).T.astype(float), k @ change, rcond=None)[0]
            if constants.min() > SMALLEST * constants.max():
                yield other, constants


def classes(
    found: Discovered, pool: Complexes, allowed: Allowed, required: frozenset[str] = frozenset()
) -> tuple[Rewriting, ...]:
    """For each reactant complex of the mechanism, what could stand for its reactions without changing the equations.

    A feed (0 -> A) brings one molecule at a time; reactions `required` (as text) stay.
    """
    out = []
    for reactants, (products, estimates) in _by_reactants(found).items():
        left, k = np.array(reactants), np.array([e.value for e in estimates])
        names = [equation(left, p, found.species) for p in products]
        for other, constants in rewritings(left, np.array(products), k, pool):
            gained = tuple(equation(left, p, found.species) for p in other)
            happens = all(allowed(left, p) and (left.any() or p.sum() == 1) for p in other)
            if happens and not required & (set(names) - set(gained)):
                out.append(Rewriting(tuple(names), gained, tuple(map(float, constants))))
    return tuple(out)


def _by_reactants(found: Discovered) -> dict[tuple[int, ...], tuple[list[tuple[int, ...]], list[Estimate]]]:
    """The directed reactions of the mechanism: reactants to products and constants."""
    out: dict[tuple[int, ...], tuple[list, list]] = {}
    for step in found.steps:
        ways = [(step.reactants, step.products, step.forward), (step.products, step.reactants, step.reverse)]
        for left, right, estimate in ways:
            if estimate is not None:
                products, estimates = out.setdefault(left, ([], []))
                products.append(right)
                estimates.append(estimate)
    return out
