"""Drives against their equations, and fluctuating flows against the statistics that they state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.drive import FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow, rectified
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.system import ReactionDiffusion

FEED = jnp.array([1.0, 0.25])
BARE = {"sigma": 1.0, "radius": 0}  # no filter


def inert(grid, drive):
    """Two species that the drive alone changes."""
    network = ReactionNetwork(jnp.array([[1, 0]]), jnp.array([[0, 1]]), Constant.of([0.0]), None, ("A", "B"))
    return ReactionDiffusion(network, grid, jnp.zeros(2), drive)


@pytest.mark.parametrize("shape", [(), (3, 4), (2, 3, 4)])
def test_a_flow_reactor_exchanges_what_is_there_for_the_feed(shape):
    rate = jax.random.uniform(jax.random.key(0), shape)
    c = jax.random.uniform(jax.random.key(1), (2, 3, 4))
    by_hand = np.broadcast_to(rate, (2, 3, 4)) * (np.asarray(FEED)[:, None, None] - np.asarray(c))
    np.testing.assert_allclose(FlowReactor(rate, FEED)(0.0, c), by_hand, rtol=1e-14)


@pytest.mark.parametrize("low, high", [(0.0, 0.8), (-0.8, 0.8)])
def test_mean_and_deviation_of_the_unfiltered_flow_are_those_of_an_integral(low, high):
    u = low + (high - low) * (np.arange(200000) + 0.5) / 200000
    flow = np.maximum(0.03 + u, 0)
    np.testing.assert_allclose(rectified(jnp.asarray(0.03), low, high), (flow.mean(), flow.std()), rtol=1e-8)


def test_both_rules_have_the_flow_of_the_literature():
    """.43 +- .028 by the paper's rule at f = .03, .213 +- .033 by that of the code, once filtered."""
    grid = Grid.periodic((64, 64))
    for low, mean, deviation in ((0.0, 0.43, 0.028), (-0.8, 0.213, 0.033)):
        noise = NoisyFlow(0.03, jnp.ones(5), low=low)
        raw = noise.start((5, 64, 64), np.dtype(float), key=jax.random.key(0))
        flow = noise.frozen(raw, grid).rate
        assert flow.mean() == pytest.approx(mean, abs=0.005) and flow.std() == pytest.approx(deviation, rel=0.1)


@pytest.mark.stochastic
@pytest.mark.parametrize("dt", [0.5, 0.05])
def test_the_ornstein_uhlenbeck_flow_has_its_mean_deviation_and_correlation_time_whatever_the_step(dt):
    """4096 independent paths over 2 time units: |z| < 5 has a chance of false alarm below 1e-5; a correlation time
    wrong by a tenth gives z > 8, a mean or deviation wrong by 3 % more."""
    noise = OrnsteinUhlenbeckFlow(NoisyFlow(0.2, FEED, **BARE), tau=1.5)
    mean, deviation = rectified(jnp.asarray(0.2), 0.0, 0.8)
    raw = first = noise.start((2, 32, 64), np.dtype(float), key=jax.random.key(0))
    for n in range(round(2 / dt)):
        raw = noise.advance(raw, dt, key=jax.random.fold_in(jax.random.key(1), n))
    n, correlation = raw.size, np.exp(-2 / 1.5)
    flow = mean + deviation * raw
    assert abs(flow.mean() - mean) < 5 * deviation / np.sqrt(n)
    assert abs(flow.std() - deviation) < 5 * deviation / np.sqrt(2 * n)
    assert abs((first * raw).mean() - correlation) < 5 * np.sqrt((1 + correlation**2) / n)
    kept = noise.frozen(jnp.abs(raw), Grid.periodic((32, 64))).rate
    np.testing.assert_allclose(kept, mean + deviation * np.abs(raw), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.stochastic
def test_a_field_under_the_ornstein_uhlenbeck_flow_has_a_limit_as_the_step_shrinks_and_under_fresh_draws_it_has_none():
    """ln of what is left of a tracer after time 4 is minus the integral of the flow; its variance is
    2 s^2 tau (t - tau (1 - exp(-t / tau))) for the first, and s^2 t dt for the second."""

    def left(noise, dt):
        system = inert(Grid.periodic((64, 64)), noise)
        seen = rollout(system, jnp.ones((2, 64, 64)), steps=round(4 / dt), dt=dt, key=jax.random.key(3))
        return np.log(np.asarray(seen.values[0])).var()

    flow = NoisyFlow(0.03, jnp.zeros(2), **BARE)
    _, s = rectified(jnp.asarray(0.03), 0.0, 0.8)
    for dt in (0.1, 0.02):
        exact = 2 * s**2 * 0.5 * (4 - 0.5 * (1 - np.exp(-8)))
        assert left(OrnsteinUhlenbeckFlow(flow), dt) == pytest.approx(float(exact), rel=0.15)  # dt / tau, and 5 sigma
        assert left(flow, dt) == pytest.approx(float(s**2 * 4 * dt), rel=0.15)


def test_a_noisy_drive_needs_a_key_and_is_no_function_of_time():
    system = inert(Grid.periodic((8, 8)), NoisyFlow(0.03, FEED, radius=2))
    c = jnp.ones((2, 8, 8))
    with pytest.raises(ValueError, match="needs a key"):
        rollout(system, c, steps=1)
    with pytest.raises(ValueError, match="use rollout"):
        system(0.0, c)
    same, other = (rollout(system, c, steps=3, key=jax.random.key(n)).values for n in (0, 1))
    assert (same == rollout(system, c, steps=3, key=jax.random.key(0)).values).all() and (same != other).any()
