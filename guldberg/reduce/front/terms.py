"""What stands in the equations of u_A, u_B and w, and what the network puts before it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from guldberg.closure.continuous.functional import Functional, Laplacian, Levelled, SquaredGradient, level, path
from guldberg.closure.continuous.radial import Contact, RadialLaplacian
from guldberg.closure.continuous.unlike import AB, Between, Contacts, Overlap
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.space import terms
from guldberg.reduce.space.terms import Wanted

ROOM = 1.6  # diffusion may become so many times faster in learning before steps are too long
LAPLACIAN, GRADIENT, OVERLAP, CONTACT = "laplacian w", "|grad w|²", "overlap", "[r < radius]"


def standard(plan: FrontPlan) -> tuple[Wanted, ...]:
    """Functions of u_A before what u_A does, of u_B before what u_B does, and of how many particles there are before
    the operators of pairs."""
    line, radius = plan.line, plan.box.radius
    each = tuple(
        wanted
        for s, name in enumerate(plan.box.species)
        for wanted in (
            Wanted(f"laplacian {name}", s, Laplacian(), (s,)),
            Wanted(f"|grad {name}|²", s, SquaredGradient(), (s,)),
            Wanted(f"contacts {name}", s, Contacts(line, radius), (s,)),
        )
    )
    return (
        *each,
        Wanted(LAPLACIAN, AB, Between(RadialLaplacian(line.shells), line.shells), (0, 1)),
        Wanted(GRADIENT, AB, Between(SquaredGradient(), line.shells), (0, 1)),
        Wanted(OVERLAP, AB, Overlap(line), (0, 1)),
        Wanted(CONTACT, AB, Between(Contact(line.shells, radius), line.shells), (0, 1)),
    )


def law(plan: FrontPlan) -> dict[str, float]:
    """The network's constants: of a pair with nobody else near, and of densities among pairs."""
    D, out = plan.box.diffusivity, {}
    for s, name in enumerate(plan.box.species):
        out |= {f"laplacian {name}": D[s], f"|grad {name}|²": -D[s], f"contacts {name}": plan.rate}
    return out | {LAPLACIAN: sum(D), GRADIENT: -sum(D), OVERLAP: sum(D), CONTACT: plan.rate}


def theories(plan: FrontPlan) -> dict[str, Mapping[str, float]]:
    """Each by its constants; exp(-u) are densities, exp(-w) is the pair correlation in all of them."""
    pair = law(plan)
    uncorrelated = {name: 0.0 if name in (LAPLACIAN, GRADIENT, OVERLAP, CONTACT) else c for name, c in pair.items()}
    return {"mean_field": uncorrelated, "smoluchowski": {**pair, OVERLAP: 0.0}, "superposition": pair}


def start(plan: FrontPlan) -> Float[np.ndarray, "3 points"]:
    """u_A, u_B and w at first."""
    return np.concatenate([-np.log(plan.density), np.zeros((1, plan.cells))])


def blank(plan: FrontPlan, fields: Float[np.ndarray, "times 3 points"]) -> Functional:
    """F = 0 on elements over the values of a path."""
    local = terms.blank(standard(plan), fields, plan.line.grid, plan.function)
    levels = np.array([float(level(jnp.asarray(each[:AB]))) for each in fields])[:, None]
    over = terms.over(levels, plan.function)
    each = [Levelled(t.name, t.species, t.operator, t.of, over) if t.species == AB else t for t in local.terms]
    return Functional(tuple(each), local.grid)


def constant(functional: Functional, values: Mapping[str, float]) -> Float[np.ndarray, "dofs"]:
    """The coefficients of functions that are constants."""
    return np.array([values[term.name] for term in functional.terms]) @ terms.constants(functional)


def followed(plan: FrontPlan, values: Mapping[str, float]) -> Float[np.ndarray, "times 3 points"]:
    """u_A, u_B and w by constants."""
    functional = blank(plan, start(plan)[None])
    having = functional.having(jnp.asarray(constant(functional, values)))
    return np.asarray(path(having, jnp.asarray(start(plan)), plan.span, plan.snapshots, steps(plan)))


def steps(plan: FrontPlan) -> int:
    """From one snapshot to the next."""
    D, line = plan.box.diffusivity, plan.line
    longest = min(float(line.grid.longest_step(max(D))), float(line.shells.grid.longest_step(sum(D))))
    return math.ceil(plan.span * ROOM / longest)
