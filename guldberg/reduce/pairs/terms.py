"""What stands in the equations of nu_1 and nu_2, and what theories of a thin gas put before it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional, SquaredGradient, path
from guldberg.closure.continuous.radial import ONE, PAIRS, Collisions, Contact, Crowding, RadialLaplacian
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space import terms
from guldberg.reduce.space.terms import Wanted

LAPLACIAN, GRADIENT, CONTACT, CROWDING, COLLISIONS = (
    "laplacian nu_2", "|grad nu_2|²", "[r < radius]", "crowding", "collisions"
)  # fmt: skip


def standard(plan: PairPlan) -> tuple[Wanted, ...]:
    """Functions of nu_1 before the operators of `guldberg.closure.continuous.radial`."""
    shells, radius = plan.distances, plan.box.radius
    return (
        Wanted(LAPLACIAN, PAIRS, RadialLaplacian(shells), (ONE,)),
        Wanted(GRADIENT, PAIRS, SquaredGradient(), (ONE,)),
        Wanted(CONTACT, PAIRS, Contact(shells, radius), (ONE,)),
        Wanted(CROWDING, PAIRS, Crowding(shells, radius), (ONE,)),
        Wanted(COLLISIONS, ONE, Collisions(shells, radius), (ONE,)),
    )


def thin(plan: PairPlan) -> dict[str, float]:
    """Before the operators of nu_2, where a third particle is never near."""
    D = plan.box.diffusivity[0]
    return {LAPLACIAN: 2 * D, GRADIENT: -2 * D, CONTACT: plan.rate, CROWDING: 0.0}


def theories(plan: PairPlan) -> dict[str, Mapping[str, float]]:
    """Each by its constants; nu_1 = -log(density) and nu_2 = -log(pair correlation) in all of them."""
    pair = {**thin(plan), COLLISIONS: plan.rate}
    mixed = {**dict.fromkeys(pair, 0.0), COLLISIONS: plan.rate}
    return {"mean_field": mixed, "smoluchowski": pair, "superposition": {**pair, CROWDING: 2 * plan.rate}}


def start(plan: PairPlan) -> Float[np.ndarray, "functions"]:
    """nu_2 and nu_1 at first."""
    return np.array([0.0, -np.log(plan.number / plan.box.volume)])


def blank(plan: PairPlan, nu: Float[np.ndarray, "times functions shells"]) -> Functional:
    """F = 0 on elements over the nu_1 of a path."""
    return terms.blank(standard(plan), nu, plan.distances.grid, plan.function)


def constant(functional: Functional, values: Mapping[str, float]) -> Float[np.ndarray, "dofs"]:
    """The coefficients of functions that are constants, 0 where none is given."""
    each = np.array([values.get(term.name, 0.0) for term in functional.terms])
    return each @ terms.constants(functional)


def followed(plan: PairPlan, values: Mapping[str, float]) -> Float[np.ndarray, "times functions shells"]:
    """nu_2 and nu_1 by a theory."""
    grid, wanted = plan.distances.grid, [each for each in standard(plan) if values[each.name]]

    @jax.jit
    def rate(nu: Float[Array, "functions shells"]) -> Float[Array, "functions shells"]:
        out = jnp.zeros_like(nu)
        for each in wanted:
            out = out.at[each.species].add(values[each.name] * each.operator(nu, each.species, grid))
        return out

    first = np.repeat(start(plan)[:, None], plan.shells, axis=1)
    return np.asarray(path(rate, jnp.asarray(first), plan.span, plan.snapshots, steps(plan)))


def steps(plan: PairPlan) -> int:
    """From one snapshot to the next: twice what diffusion of a pair asks for, that it may be found to be faster."""
    return math.ceil(plan.span / float(plan.distances.grid.longest_step(4 * plan.box.diffusivity[0])))
