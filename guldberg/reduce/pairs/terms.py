"""What stands in the equations of w_1 = -log density and w_2 = -log g, and what theories put before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from guldberg.closure.continuous.functional import Functional, SquaredGradient, Term, path
from guldberg.closure.continuous.radial import ONE, PAIRS, Collisions, Contact, Crowding, RadialLaplacian
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space import terms
from guldberg.reduce.space.terms import Wanted

LAPLACIAN, GRADIENT, CONTACT, CROWDING, COLLISIONS = (
    "laplacian w_2", "|grad w_2|²", "[r < radius]", "crowding", "collisions"
)  # fmt: skip
Rate = Callable[[Float[Array, "functions shells"]], Float[Array, "functions shells"]]
WITHIN, CLOSURE = 0.02, 0.5  # of itself, a constant is taken to be known: one that is exact, and that of superposition
SMOOTH = 100.0  # nats, of the square of relative second derivatives by w_1


def standard(plan: PairPlan) -> tuple[Wanted, ...]:
    """Functions of w_1 before the operators of `guldberg.closure.continuous.radial`."""
    shells, radius = plan.distances, plan.box.radius
    return (
        Wanted(LAPLACIAN, PAIRS, RadialLaplacian(shells), (ONE,)),
        Wanted(GRADIENT, PAIRS, SquaredGradient(), (ONE,)),
        Wanted(CONTACT, PAIRS, Contact(shells, radius), (ONE,)),
        Wanted(CROWDING, PAIRS, Crowding(shells, radius), (ONE,)),
        Wanted(COLLISIONS, ONE, Collisions(shells, radius), (ONE,)),
    )


def thin(plan: PairPlan) -> dict[str, float]:
    """Before the operators of w_2, where a third particle is never near."""
    D = plan.box.diffusivity[0]
    return {LAPLACIAN: 2 * D, GRADIENT: -2 * D, CONTACT: plan.rate, CROWDING: 0.0}


def theories(plan: PairPlan) -> dict[str, Mapping[str, float]]:
    """Each by its constants."""
    pair = {**thin(plan), COLLISIONS: plan.rate}
    mixed = {**dict.fromkeys(pair, 0.0), COLLISIONS: plan.rate}
    return {"mean_field": mixed, "smoluchowski": pair, "superposition": {**pair, CROWDING: 2 * plan.rate}}


def start(plan: PairPlan) -> Float[np.ndarray, "functions"]:
    """w_2 and w_1 at first."""
    return np.array([0.0, -np.log(plan.number / plan.box.volume)])


def blank(plan: PairPlan, w: Float[np.ndarray, "times functions shells"]) -> Functional:
    """F = 0 on elements over the w_1 of a path."""
    return terms.blank(standard(plan), w, plan.distances.grid, plan.function)


def begun(
    plan: PairPlan, functional: Functional
) -> tuple[Float[np.ndarray, "p"], tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "q p"]]]:
    """Superposition as parameters, with w at the start; and what departures from it cost, nats per run, and that all
    may depart but the start."""
    known = theories(plan)["superposition"]
    each = np.array([known[term.name] for term in functional.terms])
    begin = np.concatenate([start(plan), each @ terms.constants(functional)])
    costs = [_cost(term, known[term.name]) for term in functional.terms]
    cost = np.asarray(scipy.linalg.block_diag(np.zeros((2, 2)), *costs))
    return begin, (cost / plan.runs, np.eye(len(begin))[2:])


def _cost(term: Term, size: float) -> Float[np.ndarray, "dofs dofs"]:
    """Of a Gaussian law for the relative departure of its function, so wide and smooth."""
    wide = CLOSURE if term.name == CROWDING else WITHIN
    return np.asarray(term.function.mass() / wide**2 + SMOOTH * term.function.roughness()) / size**2


def onto(plan: PairPlan, functional: Functional) -> Functional:
    """The same functions before the operators of another plan: from another density, in another box, to another time.
    Beyond the w_1 they were learned over, each is what it is at the end."""
    both = zip(standard(plan), functional.terms, strict=True)
    return Functional(
        tuple(Term(w.name, w.species, w.operator, w.of, term.function) for w, term in both), plan.distances.grid
    )


def theory(plan: PairPlan, values: Mapping[str, float]) -> Rate:
    """d w / dt of constants, 0 where none is given."""
    grid, wanted = plan.distances.grid, [each for each in standard(plan) if values.get(each.name)]

    def rate(w: Float[Array, "functions shells"]) -> Float[Array, "functions shells"]:
        out = jnp.zeros_like(w)
        for each in wanted:
            out = out.at[each.species].add(values[each.name] * each.operator(w, each.species, grid))
        return out

    return rate


def followed(plan: PairPlan, rate: Rate) -> Float[np.ndarray, "times functions shells"]:
    """w_2 and w_1 at the times of a plan."""
    first = jnp.asarray(np.repeat(start(plan)[:, None], plan.shells, axis=1))
    return np.asarray(path(rate, first, plan.span, plan.snapshots, steps(plan)))


def steps(plan: PairPlan) -> int:
    """From one snapshot to the next: twice what diffusion of a pair asks for, that it may be found to be faster."""
    return math.ceil(plan.span / float(plan.distances.grid.longest_step(4 * plan.box.diffusivity[0])))
