"""The adjoint equation of interaction functions in space, Ernst et al. eqs. (12), (16), by the method of lines.

    d zeta / dt = Delta mu - delta J / delta nu,   zeta(t_f) = 0,   J = integral zeta F[nu],

    dS = - integral over time and space of  zeta . dF   -   integral of  zeta(t_0) . d eta.

Snapshots are seen at some times only, so Delta mu is a sum of pulses, at each of which zeta jumps; Delta mu = mu - mu~,
see `guldberg.closure.continuous.likelihood`. Forwards and backwards go by the classical rule of Runge and Kutta, nu
between two steps by a cubic: both of fourth order, so that what is found tends to the derivative of the discretised
action as the fourth power of the step, and is not its copy.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional, runge_kutta

THIRDS = (0.0, 0.5, 1.0)  # of a step, where the integral (16) is weighed by Simpson's rule


class Slopes(NamedTuple):
    """Derivatives of the action."""

    start: Float[Array, "species *grid"]  # by nu at the start
    coefficients: Float[Array, "dofs"]
    multipliers: Float[Array, "snapshots species *grid"]  # zeta, just after each snapshot's pulse on the way back


@eqx.filter_jit
def slopes(
    functional: Functional,
    start: Float[Array, "species *grid"],
    counts: Float[Array, "snapshots species *grid"],
    *,
    cell: float,
    span: float,
    substeps: int,
) -> Slopes:
    """dS for S = sum over snapshots of counts . nu + integral exp(-nu)."""
    dt = span / substeps

    def onward(nu: Array, _: None) -> tuple[Array, Array]:
        return runge_kutta(functional, nu, dt), nu

    def interval(nu: Array, _: None) -> tuple[Array, Array]:
        return jax.lax.scan(onward, nu, None, substeps)

    end, nus = jax.lax.scan(interval, start, None, len(counts) - 1)
    after = jnp.concatenate([nus.reshape(-1, *start.shape)[1:], end[None]]).reshape(nus.shape)

    def pulse(zeta: Array, nu: Array, seen: Array) -> Array:
        return zeta - (seen - cell * jnp.exp(-nu))

    def back(carry: tuple[Array, Array], ends: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        zeta, u = carry
        before, moved = _back(functional, zeta, *ends, dt)
        return (before, u + moved), None

    def leap(carry: tuple[Array, Array], known: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        nu, following, seen = known
        (zeta, u), _ = jax.lax.scan(back, carry, (nu, following), reverse=True)
        zeta = pulse(zeta, nu[0], seen)
        return (zeta, u), zeta

    last = pulse(jnp.zeros_like(start), end, counts[-1])
    zero = jnp.zeros_like(functional.coefficients)
    (zeta, u), zetas = jax.lax.scan(leap, (last, zero), (nus, after, counts[:-1]), reverse=True)
    return Slopes(-zeta, -u, jnp.concatenate([zetas, last[None]]))


def _back(functional: Functional, zeta: Array, nu: Array, after: Array, dt: float) -> tuple[Array, Array]:
    """zeta a step earlier, and the step's share of the integral of zeta . dF / du."""
    middle = (nu + after) / 2 + dt / 8 * (functional(nu) - functional(after))
    times = dict(zip(THIRDS, (nu, middle, after), strict=True))

    def rate(part: float, zeta: Array) -> Array:  # delta J / delta nu
        return jax.vjp(functional, times[part])[1](zeta)[0]

    first = rate(1.0, zeta)
    second = rate(0.5, zeta + dt / 2 * first)
    third = rate(0.5, zeta + dt / 2 * second)
    fourth = rate(0.0, zeta + dt * third)
    before = zeta + dt / 6 * (first + 2 * second + 2 * third + fourth)
    halfway = (zeta + before) / 2 + dt / 8 * (first - rate(0.0, before))
    weighed = zip(THIRDS, (before, halfway, zeta), (1, 4, 1), strict=True)
    return before, sum(
        (w * dt / 6 * _by_coefficients(functional, times[part], z) for part, z, w in weighed), jnp.zeros(())
    )


def _by_coefficients(functional: Functional, nu: Array, zeta: Array) -> Float[Array, "dofs"]:
    """delta J / delta F, function by function: eq. (16)."""
    return jax.vjp(lambda u: functional.having(u)(nu), functional.coefficients)[1](zeta)[0]
