"""Entropy production: what reactions, diffusion and the flow dissipate, in k_B per volume and time.

Every function gives a value for each cell; a mean over the grid is the system's. Concentrations below the smallest
normal number count as that number: where a reactant is absent the true production is infinite.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlogy
from jaxtyping import Array, Float

from guldberg.drive import FlowReactor
from guldberg.network import ReactionNetwork
from guldberg.space.boundary import NoFlux, Periodic, along
from guldberg.space.grid import Grid
from guldberg.space.stencil import interior, shifted
from guldberg.system import ReactionDiffusion

FLOOR = 1e-5  # of each flux, Elliott (2022) below eq. (18)
STABILISER = 0.1  # of each concentration, below eq. (19)


def reaction(
    system: ReactionDiffusion, c: Float[Array, "species *grid"], *, floor: float = 0.0
) -> Float[Array, "*grid"]:
    """sum over reactions of (v+ - v-) ln(v+ / v-), Elliott eq. (18), fluxes below `floor` counted as that.

    Raises ValueError where a reaction has no reverse: its dissipation is infinite.
    """
    if system.network.reverse is None:
        raise ValueError("the entropy production of a reaction needs the constant of its reverse")
    fluxes = system.kinetics.fluxes(system.constants(c.dtype), c)
    v = jnp.maximum(fluxes, max(floor, float(jnp.finfo(c.dtype).tiny)))
    forward, reverse = jnp.split(v, 2)
    return ((forward - reverse) * (jnp.log(forward) - jnp.log(reverse))).sum(0)


def diffusion(system: ReactionDiffusion, c: Float[Array, "species *grid"]) -> Float[Array, "*grid"]:
    """sum over links of D w (c_a - c_b) ln(c_a / c_b), half to each end: what the grid's diffusion dissipates, exactly.

    w is the weight of the link in the stencil. Exchange with a reservoir beyond a face is not counted.
    """
    padded = system.grid.padded(c, system.diffusivity)
    padded_log = jnp.log(jnp.maximum(padded, jnp.finfo(c.dtype).tiny))
    total = jnp.zeros_like(c)
    for step, weight in system.grid.stencil.weights(system.grid.spacing).items():
        difference, of_logs = (shifted(x, step) - interior(x) for x in (padded, padded_log))
        total += weight / 2 * _within(system.grid, step, c.dtype) * difference * of_logs
    return (along(system.diffusivity, c) * total).sum(0)


def _within(grid: Grid, step: tuple[int, ...], dtype: np.dtype) -> Float[Array, "1 *grid"]:
    """0 where the neighbour one `step` away is a reservoir, 1 where it is a cell (that of a torus or a mirror too)."""
    inside = np.ones(grid.shape, dtype)
    for axis, s in enumerate(step):
        if s and not isinstance(grid.boundaries[axis][int(s > 0)], Periodic | NoFlux):
            np.moveaxis(inside, axis, 0)[-1 if s > 0 else 0] = 0
    return jnp.asarray(inside[None])


def diffusion_by_gradient(
    system: ReactionDiffusion, c: Float[Array, "species *grid"], *, stabiliser: float = STABILISER
) -> Float[Array, "*grid"]:
    """sum_i D_i |grad c_i|^2 / (c_i + stabiliser), Elliott eq. (19) with the differences to the next cell.

    At fronts as steep as the grid it overstates `diffusion`, by up to a factor of two.
    """
    padded = system.grid.padded(c, system.diffusivity)
    axes = range(len(system.grid.shape))
    ahead = [shifted(padded, tuple(int(a == axis) for a in axes)) for axis in axes]
    squares = [((x - c) / h) ** 2 for x, h in zip(ahead, system.grid.spacing, strict=True)]
    return (along(system.diffusivity, c) * sum(squares[1:], squares[0]) / (c + stabiliser)).sum(0)


def mixing(system: ReactionDiffusion, c: Float[Array, "species *grid"]) -> Float[Array, "*grid"]:
    """f sum_i (x_i ln(x_i / c_i) - x_i + c_i): the feed diluted into what is there."""
    flow, feed = _flow(system, c)
    here = jnp.maximum(c, jnp.finfo(c.dtype).tiny)
    return (flow * (xlogy(feed, feed / here) - feed + c)).sum(0)


def supply(
    system: ReactionDiffusion, c: Float[Array, "species *grid"], energy: Float[Array, "species"]
) -> Float[Array, "*grid"]:
    """f (A(x) - A(c)), A = sum_i c_i (mu_i + ln c_i - 1): free energy that the flow brings, less what it takes, in RT.

    At a steady state its mean is that of `reaction` + `diffusion` + `mixing`: the second law, exact on the grid, for
    rates with one free energy mu for each species and boundaries that nothing passes.
    """
    flow, feed = _flow(system, c)
    mu = along(energy, c)

    def A(c: Float[Array, "species *grid"]) -> Float[Array, "species *grid"]:
        return c * (mu - 1) + xlogy(c, c)

    return (flow * (A(feed) - A(c))).sum(0)


def _flow(system: ReactionDiffusion, c: Float[Array, "species *grid"]) -> tuple[Array, Array]:
    if not isinstance(system.drive, FlowReactor):
        raise ValueError(f"expected a system in a flow reactor, got one driven by {system.drive}")
    flow = system.drive.exchange(0.0, c)[1]
    return jnp.broadcast_to(flow, c.shape), jnp.broadcast_to(along(system.drive.feed, c), c.shape)


def energies(network: ReactionNetwork, temperature: float | None = None) -> Float[np.ndarray, "species"]:
    """mu of each species, in RT, of which k_r = k_f exp(sum of S mu); of all that fit, the smallest. Reactions
    that do not happen in either way say nothing.

    Raises ValueError where none fits: a cycle of the reactions is driven by more than the species' energies.
    """
    active = network.forward.active
    if network.reverse is None or (active != network.reversible).any():
        raise ValueError("free energies follow from reversible reactions alone; some here have no reverse")
    S = np.asarray(network.stoichiometry, float)[active]
    forward, reverse = (np.asarray(law.log(temperature), float)[active] for law in (network.forward, network.reverse))
    dG = reverse - forward
    mu = np.linalg.lstsq(S, dG, rcond=None)[0]
    if (driven := np.abs(S @ mu - dG).max()) > 1e-4:
        raise ValueError(
            f"these constants have no free energies: a cycle of reactions is driven by {driven:.3g} RT or more"
        )
    return mu
