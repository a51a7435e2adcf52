"""Mass action of whole-numbered orders, as polynomials factorised once from the stoichiometry.

Fields spend their time here. A power for each reaction and species, as `ReactionNetwork.fluxes` takes, costs twenty
times as much; directed reactions one by one twice as much. So reactions of equal or opposite net change share one net
flux (the 24 of a dense network of four species are 6 such fluxes), and each flux is factorised by Horner's rule.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.network import ReactionNetwork

Monomial = tuple[int, ...]  # the molecules one by one: (0, 1, 1) is c_0 c_1^2
Term = tuple[float, int, Monomial]  # factor, which rate constant, monomial


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
        total = [jnp.zeros_like(c[0])] * self.species
        for change, terms in self.routes().items():
            flux = horner(terms, k, c)
            total = [t + n * flux if n else t for t, n in zip(total, change, strict=True)]
        return jnp.stack(total)

    def gain_and_loss(
        self, k: Float[Array, "constants"], c: Float[Array, "species *grid"]
    ) -> tuple[Float[Array, "species *grid"], Float[Array, "species *grid"]]:
        """(P, L) of dc/dt = P - L c: what makes each species, and what consumes it, per molecule of it. Neither is
        negative where c is not: a reaction that consumes a species has it as a reactant."""
        gains, losses = [], []
        for s in range(self.species):
            terms = [(float(change[s]), r, self.reactants[r]) for r, change in enumerate(self.changes)]
            gains.append(horner([term for term in terms if term[0] > 0], k, c))
            losses.append(horner([(-n, r, without(m, s)) for n, r, m in terms if n < 0], k, c))
        return jnp.stack(gains), jnp.stack(losses)

    def fluxes(self, k: Float[Array, "constants"], c: Float[Array, "species *grid"]) -> Float[Array, "constants *grid"]:
        """k prod c of each directed reaction."""
        return jnp.stack([horner([(1.0, r, monomial)], k, c) for r, monomial in enumerate(self.reactants)])


def horner(
    terms: Sequence[Term], k: Float[Array, "constants"], c: Float[Array, "species *grid"]
) -> Float[Array, "*grid"]:
    """sum of factor k_r c^monomial: what holds the commonest species is c_s (the same without it), and so on."""
    common = Counter(s for _, _, monomial in terms for s in set(monomial)).most_common(1)
    if not common:
        constants = [factor * k[r] for factor, r, _ in terms]
        return jnp.broadcast_to(sum(constants[1:], constants[0]) if constants else jnp.zeros((), c.dtype), c.shape[1:])
    s, _ = common[0]
    inner = [(factor, r, without(monomial, s)) for factor, r, monomial in terms if s in monomial]
    others = [term for term in terms if s not in term[2]]
    product = c[s] * horner(inner, k, c)
    return product + horner(others, k, c) if others else product


def without(monomial: Monomial, species: int) -> Monomial:
    """The monomial divided by one molecule of `species`."""
    i = monomial.index(species)
    return monomial[:i] + monomial[i + 1 :]
