"""The fused kernels against the plain scan, against finite differences, and under XLA's transformations."""

import concurrent.futures

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.design.chemistry import dense, full, initial_system, kitchen_sink
from guldberg.drive import AbstractDrive, FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow
from guldberg.fused import call
from guldberg.rates import Arrhenius
from guldberg.rollout import BOTH, NONE, rollout
from guldberg.space.boundary import Dirichlet, Flux, NoFlux, Periodic, Robin
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint
from guldberg.stepper import Euler, Patankar
from guldberg.system import ReactionDiffusion
from guldberg.text import parse

STEPS = 3


@pytest.fixture
def kernels_only(monkeypatch):
    """No falling back on the plain scan unseen."""
    serve = call.rollout

    def strictly(*arguments):
        try:
            return serve(*arguments)
        except NotImplementedError as missing:
            raise AssertionError("the kernels do not serve this") from missing

    monkeypatch.setattr(call, "rollout", strictly)


def in_a_flow(grid, species=2, **options):
    network = dense(species, key=jax.random.key(0), **options)
    return initial_system(network, grid, key=jax.random.key(1))


def field(system, seed=2):
    return jax.random.uniform(jax.random.key(seed), (len(system.species), *system.grid.shape), minval=0.05)


def seen(parts, plain=False, **options):
    system, c0 = parts
    return rollout(system, c0, steps=STEPS, saves=[2, 0, STEPS], limit=0.02, plain=plain, **options)


def loss(parts, plain=False, **options):
    """Reads all that a rollout returns, each entry with a weight of its own."""
    out = seen(parts, plain, **options)
    read = [x for x in (out.values, out.excess, out.diffusion, out.reaction) if x is not None]
    keys = jax.random.split(jax.random.key(9), len(read))
    total = sum((x * jax.random.normal(key, x.shape, x.dtype)).sum() for x, key in zip(read, keys, strict=True))
    return total, out


def assert_alike(system, tolerance=1e-11, **options):
    """Values, counts and every gradient, relative to the largest entry of each."""
    parts = (system, field(system).astype(system.diffusivity.dtype))
    differentiate = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    for ours, plain in zip(*(jax.tree.leaves(differentiate(parts, p, **options)) for p in (False, True)), strict=True):
        assert ours.dtype == plain.dtype and ours.shape == plain.shape
        np.testing.assert_allclose(ours, plain, rtol=0, atol=tolerance * max(np.abs(plain).max(), 1e-3))


VALUES = jnp.array([0.3, 0.7])
TORUS = Grid.periodic((4, 5), stencil=NinePoint())
LOWER, UPPER = (Dirichlet(VALUES), Flux(0.05 * VALUES)), (Robin(VALUES, 2 * VALUES), NoFlux())
BOX = Grid((2, 3, 4), (1.0, 1.2, 1.1), [LOWER, UPPER, (Robin(0.5, VALUES), Dirichlet(0.2))])
SQUARE = Grid((3, 4), 1.0, [LOWER, UPPER], stencil=NinePoint())


@pytest.mark.slow
def test_entropy_and_a_flow_that_fluctuates(kernels_only):
    system = eqx.tree_at(lambda s: s.drive, in_a_flow(TORUS), NoisyFlow(0.1, VALUES, radius=1))
    assert_alike(system, dt=0.5, entropy=BOTH, key=jax.random.key(7))


def test_every_kind_of_face(kernels_only):
    assert_alike(in_a_flow(BOX), dt=0.3)


@pytest.mark.slow
def test_two_stages_and_corners_beside_faces(kernels_only):
    assert_alike(in_a_flow(SQUARE), dt=0.3, stepper=Patankar())


@pytest.mark.parametrize("shape", [(31, 33), (1, 6), (600, 1), (1100,), (3, 300, 2)])
def test_blocks_of_rows_and_lines_of_cells_however_they_fit(shape, kernels_only):
    stencil = NinePoint() if len(shape) == 2 else None
    system = in_a_flow(Grid.periodic(shape, stencil=stencil))
    c0 = field(system)
    ours, plain = (rollout(system, c0, steps=2, dt=0.5, plain=p).values for p in (False, True))
    np.testing.assert_allclose(ours, plain, rtol=1e-13)


@pytest.mark.parametrize("stepper", [Euler(), Patankar()], ids=lambda s: type(s).__name__)
def test_gradients_of_every_kind_of_parameter_against_finite_differences(stepper, kernels_only):
    parts = (in_a_flow(SQUARE, 2, reactions=full), field(in_a_flow(SQUARE)))
    value = eqx.filter_jit(lambda parts: loss(parts, dt=0.3, stepper=stepper)[0])
    gradient = eqx.filter_jit(eqx.filter_grad(lambda parts: loss(parts, dt=0.3, stepper=stepper)[0]))(parts)
    paths = jax.tree_util.tree_leaves_with_path(eqx.filter(parts, eqx.is_inexact_array))
    by = jax.tree.leaves(gradient)
    assert len(paths) == len(by) == 10  # constants both ways, D, flow, feed, four values of faces, c0
    for i, ((path, leaf), slope) in enumerate(zip(paths, by, strict=True)):
        direction = jax.random.normal(jax.random.key(i), leaf.shape)

        def at(step, i=i, direction=direction):
            leaves = jax.tree.leaves(eqx.filter(parts, eqx.is_inexact_array))
            leaves[i] = leaves[i] + step * direction
            structure = jax.tree.structure(eqx.filter(parts, eqx.is_inexact_array))
            return value(eqx.combine(jax.tree.unflatten(structure, leaves), parts))

        numerical = (at(1e-5) - at(-1e-5)) / 2e-5
        np.testing.assert_allclose((slope * direction).sum(), numerical, rtol=1e-6, err_msg=jax.tree_util.keystr(path))


def test_single_precision(kernels_only):
    system = in_a_flow(TORUS)
    single = jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, system)
    assert_alike(single, tolerance=1e-5, dt=0.5)


def test_the_same_bits_again_in_threads_and_under_vmap():
    system = in_a_flow(TORUS)
    fields = jnp.stack([field(system, seed) for seed in range(3)])
    gradient = eqx.filter_jit(eqx.filter_grad(lambda parts: loss(parts, dt=0.5)[0]))
    alone = [gradient((system, c0)) for c0 in fields]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda c0: gradient((system, c0)), list(fields) * 4))
    mapped = eqx.filter_jit(eqx.filter_vmap(lambda c0: gradient((system, c0))))(fields)
    for i, one in enumerate(alone):
        for other in (*together[i::3], jax.tree.map(lambda x, i=i: x[i], mapped)):
            jax.tree.map(np.testing.assert_array_equal, one, other)


def test_what_is_not_a_number_is_counted_and_stays_seen():
    system = in_a_flow(TORUS)
    c0 = field(system).at[1, 2, 3].set(jnp.nan).at[0, 0, 0].set(-5.0)
    ours, plain = (rollout(system, c0, steps=2, dt=0.5, plain=p) for p in (False, True))
    np.testing.assert_array_equal(ours.out_of_bounds, plain.out_of_bounds)
    np.testing.assert_array_equal(np.isnan(ours.values), np.isnan(plain.values))
    assert np.isnan(ours.excess).all() and ours.out_of_bounds[0] >= 9


class Tide(AbstractDrive):
    """sin(t) exp(-c): what no loop of ours has an operation for."""

    def exchange(self, t, c):
        return (1 + jnp.sin(jnp.asarray(t, c.dtype))) * jnp.exp(-c), 0 * c


def test_what_the_kernels_do_not_serve_is_served_by_the_scan():
    system = eqx.tree_at(lambda s: s.drive, in_a_flow(TORUS), Tide())
    parts = (system, field(system))
    with pytest.raises(NotImplementedError, match="no machine code for"):
        call.rollout(*parts, None, jnp.zeros(3, int), 1, 0.5, Euler(), 0.0, NONE)
    np.testing.assert_array_equal(seen(parts, dt=0.5).values, seen(parts, True, dt=0.5).values)


def test_steps_that_differ_are_compiled_apart():
    """A loop made for one time step, limit or stencil must not serve another."""
    system = in_a_flow(TORUS)
    c0 = field(system)
    for dt in (0.5, 0.25):
        ours, plain = (rollout(system, c0, steps=1, dt=dt, plain=p) for p in (False, True))
        np.testing.assert_allclose(ours.values, plain.values, rtol=1e-13)
    loose = rollout(system, c0, steps=1, dt=0.5, limit=1e3)
    assert loose.excess[0] == 0 < rollout(system, c0, steps=1, dt=0.5).excess[0]


@pytest.mark.slow
@pytest.mark.parametrize("reactions", [kitchen_sink, full])
@pytest.mark.parametrize("stepper", [Euler(), Patankar()], ids=lambda s: type(s).__name__)
def test_larger_networks(reactions, stepper, kernels_only):
    assert_alike(in_a_flow(TORUS, 3, reactions=reactions), dt=0.5, stepper=stepper, entropy=BOTH)


@pytest.mark.slow
@pytest.mark.parametrize("grid", [BOX, SQUARE, Grid((5,), 0.9, [LOWER]), Grid((4, 5), 1.0, [Periodic(), UPPER])])
@pytest.mark.parametrize("stepper", [Euler(), Patankar()], ids=lambda s: type(s).__name__)
def test_places(grid, stepper, kernels_only):
    assert_alike(in_a_flow(grid), dt=0.3, stepper=stepper)


@pytest.mark.slow
@pytest.mark.parametrize(
    "drive",
    [
        FlowReactor(jax.random.uniform(jax.random.key(5), (4, 5)), VALUES),
        FlowReactor(jax.random.uniform(jax.random.key(5), (2, 4, 5)), VALUES),
        OrnsteinUhlenbeckFlow(NoisyFlow(0.1, VALUES, -0.8, radius=1)),
    ],
    ids=["field", "field of each species", "Ornstein-Uhlenbeck"],
)
def test_flows_that_are_fields(drive, kernels_only):
    system = eqx.tree_at(lambda s: s.drive, in_a_flow(TORUS), drive)
    assert_alike(system, dt=0.5, stepper=Patankar(), key=jax.random.key(7))


@pytest.mark.slow
def test_a_network_of_sources_decays_and_laws_of_temperature(kernels_only):
    network = parse("0 -> A @ 0.1\n2 A + B -> 3 B @ 0.8\nB -> 0 @ 0.2\nA -> C @ 0.3")
    law = Arrhenius(network.forward.log(), jnp.full(4, 0.2), jnp.full(4, 300.0))
    network = eqx.tree_at(lambda n: (n.forward, n.reverse), network, (law, None), is_leaf=lambda x: x is None)
    assert_alike(ReactionDiffusion(network, Grid.periodic((4, 5)), jnp.array([0.1, 0.05, 0.2]), temperature=310.0))
