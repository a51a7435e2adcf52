"""Fields in fixed steps against plain loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import dense, initial_system
from guldberg.drive import FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow
from guldberg.rollout import BOTH, PIECE, astray, rollout
from guldberg.space.boundary import Dirichlet, Flux, NoFlux, Robin
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.stepper import Euler, Patankar
from guldberg.system import ReactionDiffusion
from guldberg.text import parse


@pytest.fixture(scope="module")
def system():
    grid = Grid.periodic((6, 8), stencil=NinePoint())
    return initial_system(dense(3, key=jax.random.key(0)), grid, key=jax.random.key(1))


@pytest.fixture(scope="module")
def c0():
    return jax.random.uniform(jax.random.key(2), (3, 6, 8))


def test_states_and_excess_are_those_of_a_plain_loop(system, c0):
    states, excess = [c0], []
    for _ in range(7):
        change = system(0.0, states[-1])
        states.append(states[-1] + 0.5 * change)
        excess.append(np.maximum(np.abs(change) - 0.02, 0).mean())
    saves = [5, 0, 7, 5]  # in any order, more than once
    seen = rollout(system, c0, steps=7, dt=0.5, saves=saves, limit=0.02)
    np.testing.assert_allclose(seen.values, np.stack([states[n] for n in saves]), rtol=1e-13)
    np.testing.assert_allclose(seen.excess, excess, rtol=1e-11)
    np.testing.assert_array_equal(seen.ts, [2.5, 0, 3.5, 2.5])
    np.testing.assert_array_equal(rollout(system, c0, steps=7, dt=0.5).values, seen.values[2:3])


def test_gradients_are_those_of_a_plain_loop_also_at_traced_saves(system, c0):
    target = jax.random.uniform(jax.random.key(3), c0.shape)

    def by_rollout(parts, saves):
        seen = rollout(*parts, steps=3, saves=saves, limit=0.05)
        return ((seen.values - target[None]) ** 2).sum() + seen.excess.sum()

    def by_loop(parts, saves):
        system, c = parts
        total, states = 0.0, [c]
        for _ in range(3):
            change = system(0.0, c)
            c = c + change
            states.append(c)
            total += jnp.maximum(jnp.abs(change) - 0.05, 0).mean()
        return total + sum(((states[n] - target) ** 2).sum() for n in saves)

    ours = eqx.filter_jit(eqx.filter_grad(by_rollout))((system, c0), jnp.array([3, 1, 1]))
    plain = eqx.filter_jit(eqx.filter_grad(by_loop))((system, c0), [3, 1, 1])
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_a_save_that_is_no_step_is_refused_or_if_traced_not_a_number(system, c0):
    with pytest.raises(ValueError, match="from 0 to 3"):
        rollout(system, c0, steps=3, saves=[4])
    seen = eqx.filter_jit(rollout)(system, c0, steps=3, saves=jnp.array([4, 3]))
    assert np.isnan(seen.values[0]).all() and np.isfinite(seen.values[1]).all()


def walled():
    """Every other kind of parameter: Arrhenius rates and a temperature, reservoirs, fluxes, membranes, a flow that
    differs from place to place."""
    network = parse(
        "A + 2 B <-> 3 B @ arrhenius(A=9, b=0.1, Ea=2e3), arrhenius(A=0.2, b=0, Ea=1e3)\nB <-> C @ 0.3, 0.1"
    )
    faces = [(Dirichlet([0.5, 0.2, 0.1]), Flux([0.3, 0.0, 0.1])), (Robin(0.7, [1.0, 0.3, 0.2]), NoFlux())]
    drive = FlowReactor(jax.random.uniform(jax.random.key(7), (6, 8)), [1.0, 0.2, 0.0])
    return ReactionDiffusion(network, Grid((6, 8), 1.0, faces), [0.2, 0.1, 0.15], drive, 400.0)


def noisy(system):
    flow = NoisyFlow(system.drive.rate, system.drive.feed, radius=2, low=-0.01)
    return eqx.tree_at(lambda s: s.drive, system, OrnsteinUhlenbeckFlow(flow))


@pytest.mark.parametrize(
    "kind, stepper",
    [
        ("periodic", Euler()),
        pytest.param("walled", Patankar(), marks=pytest.mark.slow),
        pytest.param("noisy", Euler(), marks=pytest.mark.slow),
        pytest.param("walled", Euler(), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_kind_of_parameter_has_the_gradient_of_finite_differences(system, c0, kind, stepper):
    here = {"periodic": system, "walled": walled(), "noisy": noisy(system)}[kind]
    c0 = 0.3 + 0.7 * c0  # no flux is at the floor of the entropy, where there is a kink
    weights = jax.random.normal(jax.random.key(4), (2, *c0.shape))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(parts):
        moving = {"steps": 3, "dt": 0.5, "saves": [3, 2], "limit": 0.02, "entropy": BOTH, "key": jax.random.key(5)}
        seen = rollout(*parts, stepper=stepper, **moving, plain=True)
        return (weights * seen.values).sum() + seen.excess.sum() + (seen.diffusion * seen.reaction).sum()

    parts = (here, c0)
    slopes = jax.tree.leaves(loss(parts)[1])
    numbers, rest = eqx.partition(parts, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(numbers)
    assert len(leaves) == len(slopes) >= 6
    random = np.random.default_rng(6)
    for i, (leaf, slope) in enumerate(zip(leaves, slopes, strict=True)):
        direction, step = random.standard_normal(leaf.shape), 1e-6 * max(1.0, np.abs(leaf).max())
        ends = ([*leaves[:i], jnp.asarray(leaf + s * step * direction), *leaves[i + 1 :]] for s in (1, -1))
        above, below = (loss(eqx.combine(jax.tree.unflatten(structure, end), rest))[0] for end in ends)
        np.testing.assert_allclose((slope * direction).sum(), (above - below) / (2 * step), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("stepper", [Euler(), Patankar()], ids=["Euler", "Patankar"])
def test_all_is_in_the_type_of_the_first_state(system, c0, stepper):
    double = rollout(system, c0, steps=9, stepper=stepper, entropy=BOTH, plain=True)
    single = rollout(system, c0.astype(jnp.float32), steps=9, stepper=stepper, entropy=BOTH, plain=True)
    for a, b in ((single.values, double.values), (single.reaction, double.reaction), (single.excess, double.excess)):
        assert a.dtype == jnp.float32 and b.dtype == jnp.float64
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_several_states_go_side_by_side(system, c0):
    both = jnp.stack([c0, c0[:, ::-1] ** 2])
    seen = jax.vmap(lambda c: rollout(system, c, steps=5))(both)
    for values, c in zip(seen.values, both, strict=True):
        np.testing.assert_allclose(values, rollout(system, c, steps=5).values, rtol=1e-12)


@pytest.mark.slow
def test_a_long_noisy_run_is_that_of_the_scan_and_does_not_hold_the_noise_of_all_its_steps(system, c0):
    """Saves within pieces, where two meet, and after the last whole one."""
    saves, last = [0, 57, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 30], 2 * PIECE + 37
    ran = {"steps": last, "dt": 0.1, "saves": saves, "key": jax.random.key(5)}
    pieces, plain = (rollout(noisy(system), c0, plain=plain, **ran) for plain in (False, True))
    np.testing.assert_allclose(pieces.values, plain.values, rtol=1e-11)
    np.testing.assert_allclose(pieces.excess, plain.excess, rtol=1e-9)

    def held(steps):
        run = jax.jit(lambda c: rollout(noisy(system), c, steps=steps, dt=0.1, key=jax.random.key(5)).values)
        return run.lower(c0).compile().memory_analysis().temp_size_in_bytes

    assert held(80 * PIECE) < held(PIECE) + 0.3 * 80 * PIECE * c0.nbytes


def test_where_when_and_how_often_values_leave_their_bounds_is_told():
    """A decays by 1 - 1.5 a step: negative after every odd one where it is not zero, in two cells of six."""
    decay = ReactionDiffusion(parse("B -> A @ 1\nA -> 0 @ 1.5"), Grid.periodic((2, 3)), jnp.zeros(2))
    c0 = jnp.zeros((2, 2, 3)).at[1, 1, 1:].set(1.0)
    told = (
        "5 of 9 steps left values negative or not finite, at most 2 of 12; the first at t = 1: A = -0.5 in cell (1, 1)"
    )
    assert astray(decay, c0, steps=9) == told
    assert astray(decay, c0, steps=9, dt=0.5) is None
    assert astray(decay, c0, steps=9, stepper=Patankar()) is None
