"""The reaction network: stoichiometry, rate laws and the law of mass action.

Rate convention, stated here and nowhere else: the deterministic flux is `k prod_j c_j^nu_j`, without factorials; the
stochastic propensity of n molecules in a volume V is `k V^(1-|nu|) prod_j n_j! / (n_j - nu_j)!`, so that its mean
tends to the deterministic flux as V grows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real
from numpy.typing import ArrayLike

from guldberg.cursor import NAME
from guldberg.rates import AbstractRateLaw


class ReactionNetwork(eqx.Module):
    """Reversible mass action, Huang, Zhou and Yong eq. (1.1):

        dc_k/dt = sum_i (nu''_ik - nu'_ik) (k_if prod_j c_j^nu'_ij - k_ir prod_j c_j^nu''_ij).

    Integer stoichiometry is known, floating stoichiometry is learned: `eqx.filter_grad` skips integer leaves.
    Raises ValueError where shapes and names do not fit.
    """

    reactants: Real[Array, "reactions species"]  # nu'
    products: Real[Array, "reactions species"]  # nu''
    forward: AbstractRateLaw
    reverse: AbstractRateLaw | None  # None: every reaction is irreversible
    species: tuple[str, ...] = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.reactants.shape != self.products.shape or self.reactants.ndim != 2:
            raise ValueError(
                f"reactants and products must both have shape (reactions, species), "
                f"got {self.reactants.shape} and {self.products.shape}"
            )
        if self.reactants.shape[1] != len(self.species):
            raise ValueError(f"{self.reactants.shape[1]} columns of stoichiometry, {len(self.species)} species names")
        if len(set(self.species)) != len(self.species) or "" in self.species:
            raise ValueError(f"species names must differ and not be empty, got {', '.join(self.species)}")

    @property
    def stoichiometry(self) -> Real[Array, "reactions species"]:
        """S = nu'' - nu', the net change of each species by one event of each reaction."""
        return self.products - self.reactants

    @property
    def reversible(self) -> Bool[np.ndarray, "reactions"]:
        """Which reactions have a reverse: k_r > 0."""
        return np.zeros(len(self.reactants), bool) if self.reverse is None else self.reverse.active

    def constants(self, temperature: ArrayLike | None = None) -> Float[np.ndarray, "ways reactions"]:
        """Forward and reverse rate constants as plain numbers; 0 where a reaction has no reverse."""
        forward = np.asarray(self.forward(temperature))
        reverse = np.zeros_like(forward) if self.reverse is None else np.asarray(self.reverse(temperature))
        return np.stack([forward, reverse])

    def equations(self) -> tuple[str, ...]:
        """Each reaction as chemists write it, "A + B <-> 2 C"."""
        rows = zip(np.asarray(self.reactants), np.asarray(self.products), self.reversible, strict=True)
        return tuple(equation(left, right, self.species, bool(both)) for left, right, both in rows)

    def __str__(self) -> str:
        """The text of `guldberg.text`: one reaction a line; species first where their order does not follow from it."""
        equations, forward = self.equations(), self.forward.texts()
        reverse = forward if self.reverse is None else self.reverse.texts()
        rates = [f"{f}, {r}" if both else f for f, r, both in zip(forward, reverse, self.reversible, strict=True)]
        lines = [f"{equation} @ {rate}" for equation, rate in zip(equations, rates, strict=True)]
        if self.species != self._appearing():
            lines.insert(0, f"species: {', '.join(map(written, self.species))}")
        return "\n".join(lines)

    def _appearing(self) -> tuple[str, ...]:
        sides = np.stack([np.asarray(self.reactants), np.asarray(self.products)], axis=1)
        return tuple(dict.fromkeys(self.species[j] for j in np.argwhere(sides)[:, 2]))

    def fluxes(
        self, c: Float[Array, "species *grid"], temperature: ArrayLike | None = None
    ) -> tuple[Float[Array, "reactions *grid"], Float[Array, "reactions *grid"]]:
        """(k_f prod c^nu', k_r prod c^nu''): concentration per time, at one state or at each point of a grid."""
        c = self._checked(c)
        forward = _flux(self.forward(temperature), self.reactants, c)
        if self.reverse is None:
            return forward, jnp.zeros_like(forward)
        return forward, _flux(self.reverse(temperature), self.products, c)

    def production(
        self, c: Float[Array, "species *grid"], temperature: ArrayLike | None = None
    ) -> Float[Array, "species *grid"]:
        """dc/dt = S^T (forward - reverse)."""
        forward, reverse = self.fluxes(c, temperature)
        return jnp.einsum("rs,r...->s...", self.stoichiometry.astype(forward.dtype), forward - reverse)

    def _checked(self, c: ArrayLike) -> Float[Array, "species *grid"]:
        c = jnp.asarray(c)
        if c.ndim == 0 or c.shape[0] != len(self.species):  # else it would be broadcast to a wrong answer
            raise ValueError(
                f"concentrations have shape {c.shape}, expected ({len(self.species)}, *grid): species first"
            )
        return c if jnp.issubdtype(c.dtype, jnp.floating) else c.astype(float)


def _flux(
    k: Float[Array, "reactions"], nu: Real[Array, "reactions species"], c: Float[Array, "species *grid"]
) -> Float[Array, "reactions *grid"]:
    """k_i prod_j c_j^nu_ij, with finite derivatives of every order at c = 0; nu is cast once, here."""
    if k.shape != nu.shape[:1]:  # else one constant would silently serve every reaction
        raise ValueError(f"rate constants have shape {k.shape}, expected one for each of {len(nu)} reactions")
    grid = (1,) * (c.ndim - 1)
    exponents = nu.astype(c.dtype).reshape(*nu.shape, *grid)
    learned = jnp.issubdtype(nu.dtype, jnp.floating)
    powers = _positive(c)[None] ** exponents if learned else _power(c[None], exponents)
    return k.astype(c.dtype).reshape(-1, *grid) * jnp.prod(powers, axis=1)


def _power(c: Float[Array, "1 species *grid"], nu: Float[Array, "reactions species ..."]) -> Float[Array, "..."]:
    """c^nu for whole nu. Near c = 0 the power rule multiplies 0 by infinity, so there c^nu is written out: its value
    and its first two derivatives are exact (third powers and higher have neither slope nor curvature)."""
    near = jnp.abs(c) <= jnp.finfo(c.dtype).tiny
    written_out = jnp.where(nu == 0, 1.0, jnp.where(nu == 1, c, jnp.where(nu == 2, c * c, 0.0)))
    return jnp.where(near, written_out, jnp.where(near, 1.0, c) ** nu)


def _positive(c: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
    """A power that is learned has no value below zero and no derivative at zero: c is kept above eps^2, and the
    derivative is that of c itself, so that c^1 has slope 1 at c = 0."""
    floor = jnp.finfo(c.dtype).eps ** 2
    return jax.lax.stop_gradient(jnp.maximum(c, floor)) + (c - jax.lax.stop_gradient(c))


def equation(
    reactants: Sequence[float] | np.ndarray,
    products: Sequence[float] | np.ndarray,
    species: Sequence[str],
    reversible: bool = False,
) -> str:
    """ "A + B <-> 2 C", or with "->"; 0 is nothing. Names that need it are quoted, so that the text is read back."""
    return f"{complex_text(reactants, species)} {'<->' if reversible else '->'} {complex_text(products, species)}"


def complex_text(nu: Sequence[float] | np.ndarray, species: Sequence[str]) -> str:
    """One side of a reaction, "A + 2 B"; "0" where nothing stands there."""
    terms = [f"{n:.6g} {written(name)}" for n, name in zip(nu, species, strict=True) if n != 0]
    return " + ".join(term.removeprefix("1 ") for term in terms) or "0"


def written(name: str) -> str:
    """A species name as it stands in a reaction: bare if it is a plain word, else as a JSON string."""
    return name if NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
