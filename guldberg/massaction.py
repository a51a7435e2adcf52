"""Mass action of whole-numbered orders, as polynomials factorised once from the stoichiometry.

Fields spend their time here. A power for each reaction and species, as `ReactionNetwork.fluxes` takes, costs twenty
times as much; directed reactions one by one twice as much. So reactions of equal or opposite net change share one net
flux (the 24 of a dense network of four species are 6 such fluxes), and each flux is factorised by the first molecule
of its terms. (Horner's rule saves more products and is half as fast: it is one long chain, and its adjoint longer.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import reduce
from operator import add, mul
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.network import ReactionNetwork

Monomial = tuple[int, ...]  # the molecules one by one: (0, 1, 1) is c_0 c_1^2
Term = tuple[float, int, Monomial]  # factor, which rate constant, monomial


class Exchange(NamedTuple):
    """dc_j/dt = made_j - sum_i rates_ji c_i, where what is not there is 0: rates_ii is what consumes i, per molecule of
    it, and -rates_ji how much of that becomes j. No term changes its sign where c is not negative, as a reaction that
    consumes a species has it as a reactant; what keeps the number of molecules has columns that sum to 0."""

    rates: dict[tuple[int, int], Float[Array, "*grid"]]  # (into, from), per time
    made: dict[int, Float[Array, "*grid"]]


@dataclasses.dataclass(frozen=True)
class MassAction:
    """The structure of a network whose stoichiometry is known: hashable, hence static under `jit`.

    Rate constants are one list, those of the forward reactions and then, if there are any, of the reverse ones.
    """

    species: int
    reactants: tuple[Monomial, ...]  # of each rate constant
    changes: tuple[tuple[int, ...], ...]  # of each rate constant, by species

    @classmethod
    def of(cls, network: ReactionNetwork) -> MassAction:
        """ValueError where the stoichiometry is learned, that is floating."""
        left, right = (np.asarray(nu) for nu in (network.reactants, network.products))
        if not np.issubdtype(left.dtype, np.integer) or not np.issubdtype(right.dtype, np.integer):
            raise ValueError("fields need known stoichiometry: expected whole numbers of an integer type")
        both = [(left, right)] if network.reverse is None else [(left, right), (right, left)]
        orders = np.concatenate([a for a, _ in both])
        changes = np.concatenate([b - a for a, b in both])
        monomials = (tuple(np.repeat(np.arange(orders.shape[1]), row).tolist()) for row in orders)
        return cls(orders.shape[1], tuple(monomials), tuple(map(tuple, changes.tolist())))

    def routes(self) -> dict[tuple[int, ...], list[Term]]:
        """Net changes, no two of them equal or opposite, each with the terms of its net flux."""
        routes: dict[tuple[int, ...], list[Term]] = {}
        for r, change in enumerate(self.changes):
            opposite = tuple(-n for n in change)
            sign, change = (-1.0, opposite) if opposite in routes else (1.0, change)
            routes.setdefault(change, []).append((sign, r, self.reactants[r]))
        return {change: terms for change, terms in routes.items() if any(change)}

    def production(
        self, k: Float[Array, "constants"], c: Float[Array, "species *grid"]
    ) -> Float[Array, "species *grid"]:
        """dc/dt = sum over routes of net change times net flux; what the changes conserve is conserved to rounding."""
        x = list(c)  # taken apart once: the adjoint of each slice is a field of zeros
        fluxes = [(change, polynomial(terms, k, x)) for change, terms in self.routes().items()]
        made = [
            [n * v if abs(n) != 1 else v if n > 0 else -v for change, v in fluxes if (n := change[s])]
            for s in range(self.species)
        ]
        return jnp.stack([reduce(add, terms) if terms else jnp.zeros_like(c[0]) for terms in made])

    def exchange(self, k: Float[Array, "constants"], c: Float[Array, "species *grid"]) -> Exchange:
        """The same production, told apart by what it is made from."""
        x, rates, made = list(c), {}, {}
        for change, group in self._by_change().items():
            consumed, produced = ({s: abs(n) for s, n in enumerate(change) if sign * n > 0} for sign in (-1, 1))
            share = min(1.0, sum(consumed.values()) / max(1, sum(produced.values())))  # more out than in: from nowhere
            for i, n in consumed.items():
                rate = polynomial([(float(n), r, without(self.reactants[r], i)) for r in group], k, x)
                _note(rates, (i, i), rate)
                for j, m in produced.items():
                    _note(rates, (j, i), -rate * (share * m / sum(consumed.values())))
            for j, m in produced.items() if share < 1 else ():
                _note(made, j, polynomial([((1 - share) * m, r, self.reactants[r]) for r in group], k, x))
        return Exchange(rates, made)

    def _by_change(self) -> dict[tuple[int, ...], list[int]]:
        """The rate constants of the reactions with each net change."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for r, change in enumerate(self.changes):
            groups.setdefault(change, []).append(r)
        return {change: group for change, group in groups.items() if any(change)}

    def fluxes(self, k: Float[Array, "constants"], c: Float[Array, "species *grid"]) -> Float[Array, "constants *grid"]:
        """k prod c of each directed reaction."""
        x = list(c)
        return jnp.stack([polynomial([(1.0, r, monomial)], k, x) for r, monomial in enumerate(self.reactants)])


def _note(sums: dict, where: int | tuple[int, int], term: Float[Array, "*grid"]) -> None:
    sums[where] = sums[where] + term if where in sums else term


def polynomial(
    terms: Sequence[Term], k: Float[Array, "constants"], c: Sequence[Float[Array, "*grid"]]
) -> Float[Array, "*grid"]:
    """sum of factor k_r c^monomial, written as sum over s of c_s (what is left of the monomials that begin with s)."""
    groups: dict[Monomial, list[Array]] = {}
    for factor, r, monomial in terms:
        rest = [c[s] for s in monomial[1:]]
        term = factor * k[r]
        groups.setdefault(monomial[:1], []).append(term * reduce(mul, rest) if rest else term)
    sums = [reduce(mul, [*(c[s] for s in first), reduce(add, group)]) for first, group in groups.items()]
    return jnp.broadcast_to(reduce(add, sums) if sums else jnp.zeros_like(c[0]), c[0].shape)


def without(monomial: Monomial, species: int) -> Monomial:
    """The monomial divided by one molecule of `species`."""
    i = monomial.index(species)
    return monomial[:i] + monomial[i + 1 :]
