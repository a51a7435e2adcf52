"""Learning a closure from a truth whose right-hand side is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.events import processes
from guldberg.closure.graphical import PAIRS
from guldberg.closure.projection import Projection
from guldberg.closure.rhs import AbstractRightHandSide, rollout
from guldberg.reduce.learn import (
    FACTOR,
    TRIES,
    Lesson,
    ReducedModel,
    excess,
    from_rules,
    further,
    held_out,
    nothing,
    refine,
    static_fits,
    warm_start,
)
from guldberg.text import parse

CHAIN = Chain(PAIRS, 100)
STEPS, LATTICES = 24, 40
RULES = processes(parse("2 A -> 0 @ 0.03"))


class Known(AbstractRightHandSide):
    """Straight down in b, exponentially to no correlation in J: in every space of cubics."""

    def __call__(self, theta: jax.Array) -> jax.Array:
        return jnp.stack([-0.03 + 0.01 * theta[1], -0.05 * theta[1]])


STARTS = np.random.default_rng(0).uniform(-1, 1, (24, 2))
PATHS = jax.jit(jax.vmap(lambda theta: rollout(Known(), theta, STEPS)))(STARTS)
MOMENTS = np.asarray(jax.jit(jax.vmap(jax.vmap(lambda theta: CHAIN.moments(theta))))(PATHS))


def noisy(seed: int) -> np.ndarray:
    spread = np.linalg.cholesky(jax.jit(jax.vmap(jax.vmap(lambda theta: CHAIN.covariance(theta))))(PATHS))
    z = np.random.default_rng(seed).normal(size=(*MOMENTS.shape, 1)) / np.sqrt(LATTICES)
    return MOMENTS + (spread @ z)[..., 0]


def lesson_of(moments: np.ndarray) -> Lesson:
    fits = np.asarray(static_fits(CHAIN, jnp.asarray(moments), jnp.asarray(STARTS)).thetas)
    return Lesson.of(CHAIN, nothing(fits), STARTS, moments, fits)


def test_the_least_squares_problem_finds_a_known_right_hand_side() -> None:
    lesson = lesson_of(MOMENTS)
    learned = lesson.prior.having(jnp.asarray(warm_start(lesson, 1e-6).coefficients))
    inside = np.asarray(PATHS).reshape(-1, 2)
    np.testing.assert_allclose(jax.vmap(learned)(inside), jax.vmap(Known())(inside), atol=2e-3)
    assert np.abs(excess(lesson, learned, np.arange(24))).max() < 1e-3


@pytest.mark.stochastic
@pytest.mark.slow
def test_refinement_reaches_the_noise_and_unseen_starts_profit() -> None:
    """A perfect closure has an excess of k / (2 lattices) = 0.025 nats; twice that is 10 standard errors away."""
    lesson = lesson_of(noisy(1))
    warm = warm_start(lesson, 10.0)
    learned = refine(lesson, warm, 10.0, iterations=15)
    assert learned.values[-1] < learned.values[0]
    rhs = lesson.prior.having(jnp.asarray(learned.coefficients))
    before = lesson.prior.having(jnp.asarray(warm.coefficients))
    everywhere = np.arange(24)
    assert excess(lesson, rhs, everywhere).mean() < min(0.05, excess(lesson, before, everywhere).mean() + 1e-3)
    assert held_out(lesson, 10.0, 0, iterations=5) < held_out(lesson, 1e7, 0, iterations=0) + 0.05


@pytest.mark.slow
def test_a_prior_from_the_rules_is_the_projection_near_the_data() -> None:
    elements = from_rules(CHAIN, RULES, np.asarray(PATHS))
    points = np.asarray(PATHS)[::4, ::6].reshape(-1, 2)
    np.testing.assert_allclose(jax.vmap(elements)(points), jax.vmap(Projection(CHAIN, RULES))(points), atol=3e-3)


def test_a_reduced_model_simulates_counts_draws_and_says_where_it_is_lost() -> None:
    lesson = lesson_of(MOMENTS)
    model = ReducedModel(CHAIN, lesson.prior.having(jnp.asarray(warm_start(lesson, 1e-6).coefficients)))
    path = model.simulate(STARTS[3], STEPS)
    np.testing.assert_allclose(path, PATHS[3], atol=0.02)
    np.testing.assert_allclose(model.moments(path)[:, :2], MOMENTS[3], atol=0.5)
    lattice = model.sample(path[-1], key=jax.random.key(0))
    assert lattice.shape == (100,) and set(np.unique(lattice)) <= {0, 1}
    assert not model.outside(path).any() and model.outside(path + 5).all()


@pytest.mark.parametrize("bottom", [1.0, 10.0, 300.0])
def test_the_penalty_walks_to_the_bottom_and_stops_there(bottom: float) -> None:
    tried: dict[float, float] = {}
    while (penalty := further(tried)) is not None:
        tried[penalty] = abs(np.log(penalty / bottom))
    best = min(tried, key=lambda penalty: tried[penalty])
    assert len(tried) <= TRIES and abs(np.log(best / bottom)) <= np.log(FACTOR) / 2 + 1e-9
    assert {round(best / FACTOR, 9), round(best * FACTOR, 9)} <= {round(penalty, 9) for penalty in tried}


def test_a_penalty_that_fails_everywhere_is_not_tried_for_ever() -> None:
    tried: dict[float, float] = {}
    while (penalty := further(tried)) is not None:
        tried[penalty] = np.inf
    assert len(tried) == 3
