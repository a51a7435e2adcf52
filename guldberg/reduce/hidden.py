"""Hidden layers beside (b, J, K), each learned in the gauge where it can be: as the visible interactions it is worth.

The units of the paper's eq. (39) are chains of pairs that attract; where particles repel, the best they can do is
independent sites. With two weights they repel as well, and over four sites they say something of (b, J, K)'s next
order (`closure.gauge`).
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from guldberg.closure.chain import Chain
from guldberg.closure.gauge import NO_REPULSION, AtLeast
from guldberg.closure.graphical import PAIRS, QUADRUPLETS, Energy
from guldberg.closure.regression import Solved
from guldberg.closure.rhs import AbstractRightHandSide, rollout
from guldberg.reduce import learn
from guldberg.reduce.baselines import ORDER, Held, Rules, StaticFloor, independent, starting
from guldberg.reduce.learn import Lesson, in_a_row

CONSULTED = 4000  # points at which the rules are asked: a polynomial needs fewer than local elements
ITERATIONS = 20  # of the refinement


@dataclasses.dataclass(frozen=True)
class Layer:
    """Hidden units, by the energy of the visible sites that has the same distributions."""

    name: str
    energy: Energy
    attracting: bool = False  # J >= 0: one weight for both sites
    rhs: str = "elements"  # what F is made of
    penalty: float = learn.PENALTY  # the first that is tried: few coefficients need less of it

    def chain(self, like: Chain) -> Chain:
        """The visible distribution, on as many sites as `like`."""
        return Chain(self.energy, like.length, periodic=like.periodic)

    def fits(self, held: Held) -> Float[np.ndarray, "starts times k"]:
        """The best of the class at each time; where particles repel and it cannot, independent sites."""
        chain = self.chain(held.ensemble)
        free = np.asarray(StaticFloor(self.name, chain).fits(held))
        return self._allowed(free, chain, held.moments[..., :1])

    def starts(self, held: Held) -> Float[np.ndarray, "starts k"]:
        """The same at time 0, from the start distributions themselves."""
        chain = self.chain(held.ensemble)
        particles = np.asarray(in_a_row(held.ensemble, jnp.asarray(held.thetas), 1))
        return self._allowed(np.asarray(starting(chain, held.ensemble, held.thetas)), chain, particles)

    def floor(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        """What no closure of the class can beat."""
        return np.asarray(in_a_row(self.chain(held.ensemble), jnp.asarray(self.fits(held)), ORDER))

    def _allowed(self, thetas: np.ndarray, chain: Chain, particles: np.ndarray) -> np.ndarray:
        alone = np.asarray(independent(chain, jnp.asarray(particles)))
        return np.where(thetas[..., 1:2] < 0, alone, thetas) if self.attracting else thetas


LAYERS = (
    Layer("hidden units over two sites, one weight: eq. (39)", PAIRS, attracting=True),
    Layer("hidden units over two sites, a weight for each", PAIRS),
    Layer("hidden units over four sites, two weights, and b, J, K", QUADRUPLETS, rhs="polynomial", penalty=1.0),
)


@dataclasses.dataclass(frozen=True)
class HiddenModel:
    """A right-hand side for the visible interactions of a layer."""

    layer: Layer
    rhs: AbstractRightHandSide

    def predict(self, held: Held) -> Float[np.ndarray, "starts times orders"]:
        """Mean numbers of 1, 2, 3 and 4 consecutive taken sites at every step."""
        return np.asarray(in_a_row(self.layer.chain(held.ensemble), self.paths(held), ORDER))

    def paths(self, held: Held) -> Float[Array, "starts times k"]:
        """The interactions of every start, those that attract held there."""
        rhs = AtLeast(self.rhs, NO_REPULSION) if self.layer.attracting else self.rhs
        return _paths(rhs, jnp.asarray(self.layer.starts(held)), held.moments.shape[1] - 1)


def learned(layer: Layer, known: Held, rules: Rules) -> HiddenModel:
    """The same road as for (b, J, K): static fits, the rules as a prior, least squares, refinement; without the last
    where a bound would be crossed on the way."""
    chain, fits = layer.chain(known.ensemble), layer.fits(known)
    prior = learn.from_rules(chain, rules, fits, rhs=layer.rhs, consulted=CONSULTED)
    lesson = Lesson.of(chain, prior, layer.starts(known), known.moments[..., : fits.shape[-1]], fits)
    penalty = learn.chosen(lesson, first=layer.penalty)
    found = learn.warm_start(lesson, penalty)
    if not layer.attracting:
        found = Solved(learn.refine(lesson, found, penalty, iterations=ITERATIONS).coefficients, found.factors)
    return HiddenModel(layer, prior.having(jnp.asarray(found.coefficients)))


@eqx.filter_jit
def _paths(rhs: AbstractRightHandSide, starts: Float[Array, "starts k"], steps: int) -> Float[Array, "starts times k"]:
    return jax.vmap(lambda theta: rollout(rhs, theta, steps))(starts)
