"""Dense networks: every reaction of a few prototypes among N species, Elliott (2022) eqs. (3) and (17).

Every prototype keeps the number of molecules (1 to 1, 2 to 2, 3 to 3), so reactions never change the sum of all
concentrations at any point. The paper's counts (24 and 40 directed reactions for 4 and 5 species) are those of
`gray_scott_like`, which its figures are made with; eq. (17) read literally is `full`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.drive import FlowReactor
from guldberg.network import ReactionNetwork
from guldberg.rates import Plain
from guldberg.space.grid import Grid
from guldberg.system import ReactionDiffusion

Side = tuple[int, ...]  # molecules one by one
Reaction = tuple[Side, Side]
Reactions = list[Reaction]  # each reversible


def gray_scott_like(species: int) -> Reactions:
    """X_i + 2 X_j <-> 3 X_j and X_i <-> X_j for i < j: 2 N (N - 1) directed reactions."""
    pairs = itertools.combinations(range(species), 2)
    return [reaction for i, j in pairs for reaction in (((i, j, j), (j, j, j)), ((i,), (j,)))]


def kitchen_sink(species: int) -> Reactions:
    """Those, and X + Y <-> 2 Z for each pair X, Y and each other Z: N^2 (N - 1)."""
    return gray_scott_like(species) + _conversions(species)


def full(species: int) -> Reactions:
    """Eq. (17) read literally: X + 2 Y <-> 3 Y for both orders, X <-> Y, X + Y <-> 2 Z."""
    ordered = itertools.permutations(range(species), 2)
    autocatalysis = [((i, j, j), (j, j, j)) for i, j in ordered]
    exchange = [((i,), (j,)) for i, j in itertools.combinations(range(species), 2)]
    return autocatalysis + exchange + _conversions(species)


def _conversions(species: int) -> Reactions:
    pairs = itertools.combinations(range(species), 2)
    return [((i, j), (z, z)) for i, j in pairs for z in range(species) if z not in (i, j)]


def dense(
    species: int, *, key: Key[Array, ""], reactions: Callable[[int], Reactions] = gray_scott_like
) -> ReactionNetwork:
    """A dense network with Elliott's initial constants: 1 for X_0 + 2 X_j -> 3 X_j, .001 +- .0001 for all others."""
    listed = reactions(species)
    left, right = (_orders((r[side] for r in listed), species) for side in (0, 1))
    k = 1e-3 + jax.random.uniform(key, (2, len(listed)), minval=-1e-4, maxval=1e-4)
    fast = np.array([a[0] == 0 and len(a) == 3 for a, _ in listed])
    return ReactionNetwork(left, right, Plain(jnp.where(fast, 1.0, k[0])), Plain(k[1]), _names(species))


def sparse(
    species: int,
    forward: Mapping[Reaction, float],
    *,
    reactions: Callable[[int], Reactions] = gray_scott_like,
    others: float = 0.0,
) -> ReactionNetwork:
    """A dense network of which few reactions happen at first, those in `forward`; all other constants are `others`.
    ValueError where one of `forward` is not among the network's."""
    listed = reactions(species)
    if not set(forward) <= set(listed):
        raise ValueError(f"not a reaction of this network: {sorted(set(forward) - set(listed))}")
    left, right = (_orders((r[side] for r in listed), species) for side in (0, 1))
    k = Plain(jnp.asarray([forward.get(reaction, others) for reaction in listed]))
    return ReactionNetwork(left, right, k, Plain(jnp.full(len(listed), others)), _names(species))


def _names(species: int) -> tuple[str, ...]:
    return tuple(f"X{i}" for i in range(species))


def _orders(sides: Iterable[Side], species: int) -> Array:
    return jnp.asarray(np.stack([np.bincount(side, minlength=species) for side in sides]))


def initial_system(network: ReactionNetwork, grid: Grid, *, key: Key[Array, ""]) -> ReactionDiffusion:
    """A network in a flow reactor as Elliott starts it: f = .03, feed 4^-j, D uniform in .1 to .2 (as the code has
    it; the paper says .05 to .2)."""
    species = len(network.species)
    D = jax.random.uniform(key, (species,), minval=0.1, maxval=0.2)
    drive = FlowReactor(jnp.asarray(0.03, D.dtype), 4.0 ** -jnp.arange(species, dtype=D.dtype))
    return ReactionDiffusion(network, grid, D, drive)


class Consistent(eqx.Module):
    """k_r = k_f exp(dG / RT), dG = sum of S mu: one free energy for each species, so that no cycle of reactions is
    driven by anything but the flow."""

    reactants: Array
    products: Array
    forward: Float[Array, "reactions"]  # k_f
    energy: Float[Array, "species"]  # mu / RT
    species: tuple[str, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, network: ReactionNetwork, energy: Float[Array, "species"]) -> Consistent:
        """The forward reactions of `network`, with reverse ones that follow from the energies."""
        return cls(network.reactants, network.products, network.forward(), energy, network.species)

    def network(self) -> ReactionNetwork:
        """The network with all its constants."""
        dG = (self.products - self.reactants).astype(self.energy.dtype) @ self.energy
        forward, reverse = Plain(self.forward), Plain(self.forward * jnp.exp(dG))
        return ReactionNetwork(self.reactants, self.products, forward, reverse, self.species)
