"""The projection closure against the generator applied to every state of a small ring, and against closed cases."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.closure.chain import Chain
from guldberg.closure.events import Process, processes
from guldberg.closure.graphical import HIDDEN_PAIRS, TRIPLETS, Energy, Unit
from guldberg.closure.projection import Projection
from guldberg.closure.rhs import rollout
from guldberg.errors import InputError
from guldberg.text import parse

A, B = Unit("A"), Unit("B")
TWO_SPECIES = Energy({"a": A[0], "b": B[0], "AB": A[0] * B[1] + B[0] * A[1]})
RINGS = [
    (TRIPLETS, "2 A -> 0 @ 0.3", 8),
    (TRIPLETS, "2 A -> A @ 0.2\nA -> 2 A @ 0.7\nA -> 0 @ 0.1", 8),
    (TWO_SPECIES, "A + B -> 2 B @ 0.4\nA -> 2 A @ 0.3\nB -> 0 @ 0.2", 6),
    (HIDDEN_PAIRS, "2 A -> 0 @ 0.3", 8),
]


def scores_of_states(energy: Energy, states: np.ndarray, theta: jnp.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p and d log p / d theta of every state of a ring, hidden units enumerated one by one."""

    def log_weight(theta: jnp.ndarray) -> jnp.ndarray:
        if energy.layers == ("visible",):
            return jnp.asarray(energy.sums({"visible": states}, periodic=True)) @ theta
        hidden = np.array(list(itertools.product((0, 1), repeat=states.shape[1])))
        together = {"visible": states[:, None], "hidden": hidden[None]}
        shape = (len(states), len(hidden), states.shape[1])
        sums = energy.sums({k: np.broadcast_to(v, shape) for k, v in together.items()}, periodic=True)
        return jax.nn.logsumexp(jnp.asarray(sums) @ theta, axis=1)

    p = np.asarray(jax.nn.softmax(log_weight(theta)))
    slopes = np.asarray(jax.jacfwd(log_weight)(theta))
    return p, slopes - p @ slopes


def generated(rules: tuple[Process, ...], states: np.ndarray, p: np.ndarray) -> np.ndarray:
    """dp/dt, one event at one place at a time."""
    index = {tuple(s): i for i, s in enumerate(states.tolist())}
    out = np.zeros_like(p)
    n = states.shape[1]
    for i, state in enumerate(states.tolist()):
        for rule, origin in itertools.product(rules, range(n)):
            for before, after, share in rule.changes:
                sites = [(origin + j) % n for j in range(len(before))]
                if tuple(state[s] for s in sites) == before:
                    changed = list(state)
                    for s, value in zip(sites, after, strict=True):
                        changed[s] = value
                    out[i] -= rule.rate * share * p[i]
                    out[index[tuple(changed)]] += rule.rate * share * p[i]
    return out


@pytest.mark.parametrize(("energy", "network", "n"), RINGS)
def test_drift_and_fisher_equal_those_of_every_state_of_a_ring(energy: Energy, network: str, n: int) -> None:
    theta = jnp.asarray(np.random.default_rng(2).uniform(-0.1, 0.1, len(energy.names)))
    rules = processes(parse(network))
    projection = Projection(Chain(energy, 50, periodic=True), rules)
    states = np.array(list(itertools.product(range(1 + len(energy.species())), repeat=n)))
    p, scores = scores_of_states(energy, states, theta)
    drift, fisher = generated(rules, states, p) @ scores / n, (scores.T * p) @ scores / n
    found = jax.jit(lambda theta: (projection.drift(theta), projection.fisher(theta)))(theta)
    for value, counted in zip(found, (drift, fisher), strict=True):
        np.testing.assert_allclose(value, counted, atol=5e-6)  # the ring is short, its memory shorter


def test_fisher_of_a_long_chain_is_the_covariance_of_its_moments() -> None:
    chain = Chain(TRIPLETS, 2000, periodic=True)
    theta = jnp.array([-0.4, 0.9, -0.8])
    closure = Projection(chain, processes(parse("2 A -> 0 @ 0.1")))
    fisher = jax.jit(lambda t: closure.fisher(t))(theta)
    np.testing.assert_allclose(2000 * fisher, jax.jit(lambda t: chain.covariance(t))(theta), rtol=1e-8)


def test_decay_of_independent_particles_is_exact() -> None:
    rules = processes(parse("A -> 0 @ 0.02"))
    closure = Projection(Chain(TRIPLETS, 100), rules)
    path = jax.jit(lambda theta: rollout(closure, theta, 50))(jnp.array([0.5, 0.0, 0.0]))
    density = jax.nn.sigmoid(path[:, 0])
    np.testing.assert_allclose(density, density[0] * np.exp(-0.02 * np.arange(51)), rtol=1e-7)
    np.testing.assert_allclose(path[:, 1:], 0, atol=1e-9)


def test_hops_alone_keep_the_particles_and_forget_the_correlations() -> None:
    closure = Projection(Chain(TRIPLETS, 1000, periodic=True), processes(parse("2 A -> 0 @ 0")))
    theta = jnp.array([-0.5, 0.8, 0.4])
    moments = jax.jit(jax.vmap(closure.chain.moments))(jax.jit(lambda t: rollout(closure, t, 100))(theta))
    np.testing.assert_allclose(moments[:, 0], moments[0, 0], rtol=1e-5)
    np.testing.assert_allclose(moments[-1, 1], moments[0, 0] ** 2 / 1000, rtol=5e-2)


def test_products_of_a_collision_stand_where_the_rules_put_them() -> None:
    (rule,) = [p for p in processes(parse("A + B -> A @ 0.5")) if "->" in p.name]
    # the first product stands on the struck site: a hopping A is gone from its own, a struck A stays
    changes = {((1, 2), (0, 1), 0.5), ((2, 1), (0, 1), 0.5), ((1, 2), (1, 0), 0.5), ((2, 1), (1, 0), 0.5)}
    assert rule.rate == 0.5 and set(rule.changes) == changes


def test_reactions_of_one_pair_are_tried_one_after_another() -> None:
    rates = {p.name: p.rate for p in processes(parse("2 A -> A @ 0.4\n2 A -> 0 @ 0.5"))}
    assert rates["2 A -> A"] == 0.4 and rates["2 A -> 0"] == pytest.approx(0.3)


@pytest.mark.parametrize("text", ["3 A -> 0 @ 0.1", "A -> 3 A @ 1", "2 A -> 0 @ 1.5", "0 -> A @ 1"])
def test_what_a_chain_cannot_do_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        processes(parse(text))
