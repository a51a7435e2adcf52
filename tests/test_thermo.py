"""Entropy production against hand-written sums, the second law, and where it must vanish."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg import thermo
from guldberg.design.chemistry import Consistent, dense
from guldberg.drive import FlowReactor, OrnsteinUhlenbeckFlow
from guldberg.drive import NoisyFlow as Noisy
from guldberg.rollout import BOTH, rollout
from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint, Star
from guldberg.stepper import Patankar
from guldberg.system import ReactionDiffusion
from guldberg.text import parse

MU = jnp.array([1.5, -0.5, 0.3])
D = jnp.array([0.1, 0.2, 0.05])


def consistent():
    chemistry = dense(3, key=jax.random.key(0))
    return Consistent(
        chemistry.reactants, chemistry.products, 0.1 + chemistry.forward(), MU, chemistry.species
    ).network()


def system(stencil=None, boundary=None, drive=None, network=None):
    faces = Periodic() if boundary is None else boundary
    grid = Grid((4, 5), 0.5, [faces, faces], stencil=stencil)
    return ReactionDiffusion(network or consistent(), grid, D, drive)


def field():
    return jax.random.uniform(jax.random.key(1), (3, 4, 5), minval=0.01)


def test_reaction_is_flux_times_affinity_with_the_papers_floor():
    """Elliott (18), written out for A <-> B @ 2, 3 and 2 A <-> C @ 5, 1e-6; the last flux is below the floor."""
    here = system(network=parse("A <-> B @ 2, 3\n2 A <-> C @ 5, 1e-6"))
    c = field()
    a, b, d = np.asarray(c)
    first = (2 * a - 3 * b) * np.log(2 * a / (3 * b))
    forward, reverse = np.maximum(5 * a * a, 1e-5), np.maximum(1e-6 * d, 1e-5)
    floored = first + (forward - reverse) * np.log(forward / reverse)
    np.testing.assert_allclose(thermo.reaction(here, c, floor=1e-5), floored, rtol=1e-10)
    exact = first + (5 * a * a - 1e-6 * d) * np.log(5 * a * a / (1e-6 * d))
    np.testing.assert_allclose(thermo.reaction(here, c), exact, rtol=1e-10)


@pytest.mark.parametrize("boundary", [Periodic(), NoFlux()], ids=["periodic", "no flux"])
@pytest.mark.parametrize("stencil", [Star(), NinePoint(0.25)], ids=["star", "nine points"])
def test_diffusion_dissipates_what_free_energy_it_takes(stencil, boundary):
    """d/dt sum c (ln c - 1) = sum ln c dc/dt, whatever the links: an oracle that knows nothing of them."""
    here, c = system(stencil, boundary), field()
    lost = -(jnp.log(c) * here.grid.diffusion(c, D)).sum()
    assert float(thermo.diffusion(here, c).sum()) == pytest.approx(float(lost), rel=1e-12)


def test_the_papers_formula_tends_to_the_exact_one_on_smooth_fields_and_overstates_at_fronts():
    ratios = {}
    for n, height in ((64, 0.2), (16, 20.0)):
        grid = Grid.periodic((n,), 1 / n)
        x = (np.arange(n) + 0.5) / n
        here = ReactionDiffusion(consistent(), grid, D)
        c = jnp.asarray(1 + height * (np.sin(2 * np.pi * x) if height < 1 else (x < 0.5)))[None].repeat(3, 0)
        ratios[height] = thermo.diffusion_by_gradient(here, c, stabiliser=0.0).sum() / thermo.diffusion(here, c).sum()
    assert ratios[0.2] == pytest.approx(1, abs=0.002) and ratios[20.0] > 1.5


def test_the_papers_formula_is_a_sum_over_forward_differences():
    here, c = system(boundary=NoFlux()), np.asarray(field())
    squares = np.zeros_like(c)
    squares[:, :-1] += ((c[:, 1:] - c[:, :-1]) / 0.5) ** 2
    squares[:, :, :-1] += ((c[:, :, 1:] - c[:, :, :-1]) / 0.5) ** 2
    by_hand = (np.asarray(D)[:, None, None] * squares / (c + 0.1)).sum(0)
    np.testing.assert_allclose(thermo.diffusion_by_gradient(here, jnp.asarray(c)), by_hand, rtol=1e-12)


def test_nothing_is_produced_at_equilibrium_and_never_less_than_nothing():
    here = system(drive=FlowReactor(0.3, 2 * jnp.exp(-MU)))
    balanced = jnp.broadcast_to(2 * jnp.exp(-MU)[:, None, None], (3, 4, 5))
    parts = (thermo.reaction, thermo.diffusion, thermo.diffusion_by_gradient, thermo.mixing)
    for part in parts:
        np.testing.assert_allclose(part(here, balanced), 0, atol=1e-14)
        assert (part(here, field()) >= -1e-15).all() and part(here, field()).sum() > 0.01


def test_where_a_species_is_absent_the_papers_formulas_and_their_slopes_are_finite():
    here, absent = system(), field().at[0, 1:3].set(0.0)
    for part in (partial(thermo.reaction, floor=thermo.FLOOR), thermo.diffusion_by_gradient):
        value, slope = jax.value_and_grad(lambda c, part=part: part(here, c).sum())(absent)
        assert jnp.isfinite(value) and jnp.isfinite(slope).all()


def test_a_closed_system_loses_the_free_energy_that_it_dissipates():
    here, c = system(), field()

    def free_energy(c):
        return (c * (MU[:, None, None] + jnp.log(c) - 1)).sum()

    falls = -(jax.grad(free_energy)(c) * here(0.0, c)).sum()
    produced = (thermo.reaction(here, c) + thermo.diffusion(here, c)).sum()
    assert float(falls) == pytest.approx(float(produced), rel=1e-12)


def test_at_a_steady_state_supply_is_reaction_and_diffusion_and_mixing():
    """The second law, with a pattern: the feed of a half of the vessel differs by its rate."""
    rate = jnp.where(jnp.arange(20).reshape(4, 5) < 10, 0.3, 0.05)
    here = system(NinePoint(), drive=FlowReactor(rate, jnp.array([2.0, 0.1, 0.0])))
    c = rollout(here, field(), steps=4000, dt=0.25, stepper=Patankar()).values[0]
    assert np.abs(here(0.0, c)).max() < 1e-11 and c.std(axis=(1, 2)).max() > 0.05
    produced = [part(here, c).sum() for part in (thermo.reaction, thermo.diffusion, thermo.mixing)]
    mu = thermo.energies(here.network)
    assert float(sum(produced)) == pytest.approx(float(thermo.supply(here, c, mu).sum()), rel=1e-9)
    assert min(produced) > 1e-3


def test_energies_are_found_up_to_what_is_conserved_and_refused_where_a_cycle_is_driven():
    found = thermo.energies(consistent())
    np.testing.assert_allclose(found - found.mean(), MU - MU.mean(), rtol=1e-8)  # every reaction keeps the molecules
    with pytest.raises(ValueError, match="driven by"):
        thermo.energies(dense(3, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="no reverse"):
        thermo.energies(parse("A -> B @ 1\nB <-> C @ 1, 1"))


def test_what_a_rollout_notes_is_the_mean_over_cells_of_the_papers_formulas():
    here, c = system(drive=FlowReactor(0.1, jnp.ones(3))), field()
    seen = eqx.filter_jit(rollout)(here, c, steps=3, dt=0.5, saves=[0, 1, 2], entropy=BOTH)
    diffusion = [thermo.diffusion_by_gradient(here, c).mean() for c in seen.values]
    reaction = [thermo.reaction(here, c, floor=1e-5).mean() for c in seen.values]
    np.testing.assert_allclose(seen.diffusion, diffusion, rtol=1e-12)
    np.testing.assert_allclose(seen.reaction, reaction, rtol=1e-12)


def test_systems_without_reverse_reactions_or_a_plain_flow_are_refused():
    with pytest.raises(ValueError, match="constant of its reverse"):
        thermo.reaction(system(network=parse("A -> B @ 1\nB -> C @ 1")), field())
    noisy = OrnsteinUhlenbeckFlow(Noisy(0.1, jnp.ones(3), radius=1))
    for drive in (None, noisy):
        with pytest.raises(ValueError, match="flow reactor"):
            thermo.mixing(system(drive=drive), field())
