"""One network through every way of following it: equation, molecules, particles, lattice and field agree."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import ZOO

from guldberg import parse
from guldberg.network import written
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.stepper import Guarded
from guldberg.stochastic import lattice, particles, ssa, start
from guldberg.stochastic.contact import ContactRules, ball
from guldberg.stochastic.events import events
from guldberg.stochastic.rules import LatticeRules
from guldberg.system import ReactionDiffusion

KNOWN = [known for known in ZOO.values() if known.name not in ("zeldovich", "robertson", "oregonator")]
PAIRS = [known for known in KNOWN if max(len(event.reactants) for event in events(known.network)) <= 2]
QUICK = ("dimerisation", "brusselator", "edelstein")
BRIEF = 0.1  # of the scale on which something happens


def walk(networks):
    """All of these, the quick ones always."""
    marks = [() if known.name in QUICK else pytest.mark.slow for known in networks]
    return [pytest.param(known, id=known.name, marks=m) for known, m in zip(networks, marks, strict=True)]


def equation(network, c0, times):
    """By scipy, with the fluxes of the events: none of the integrators of the package."""
    happening, species = events(network), range(len(c0))
    nu = np.array([[event.reactants.count(s) for s in species] for event in happening])
    change = np.array([[event.products.count(s) for s in species] for event in happening]) - nu
    k = np.array([event.k for event in happening])
    return solve_ivp(
        lambda t, c: (k * np.prod(np.abs(c) ** nu, axis=1)) @ change,
        (0, times[-1]),
        c0,
        "LSODA",
        times,
        rtol=1e-9,
        atol=1e-11,
    ).y.T


def halfway(known, share=BRIEF):
    return share * known.time * np.array([0.0, 0.5, 1.0])


@pytest.mark.stochastic
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_molecules_in_a_large_volume(known):
    """20 runs of about 10^4 molecules: within 4.5 standard errors and a bias of 10 / V: .3 % of a concentration."""
    V = 2e4 / known.initial.sum() if known.initial.any() else 1e4
    counts, times = np.round(V * known.initial).astype(int), halfway(known)
    seen = ssa.sample(known.network, np.tile(counts, (20, 1)), times, volume=V, seed=1)
    error = np.sqrt(seen.variance() / 20) / V
    exact = equation(known.network, counts / V, times)
    assert (np.abs(seen.mean() / V - exact) <= 4.5 * error + 10 / V).all()


@pytest.mark.parametrize("known", walk(KNOWN))
def test_a_uniform_field(known):
    """By 4000 guarded steps, second order in their length: within 2e-5 of the largest concentration, at every cell."""
    times, system = (
        halfway(known),
        ReactionDiffusion(known.network, Grid.periodic((3, 2)), jnp.ones(len(known.initial))),
    )
    c0 = np.broadcast_to(known.initial[:, None, None], (len(known.initial), 3, 2))
    if known.name == "michaelis_menten":  # its first step takes a millionth of the time
        times = times / 1e4
    found = rollout(system, c0, steps=4000, dt=times[-1] / 4000, stepper=Guarded(), saves=[0, 2000, 4000])
    exact = equation(known.network, known.initial, times)
    np.testing.assert_allclose(
        found.values, np.broadcast_to(exact[..., None, None], found.values.shape), atol=2e-5 * exact.max()
    )


@pytest.mark.stochastic
@pytest.mark.parametrize("known", walk(PAIRS))
def test_particles_that_diffuse_fast(known):
    """In a periodic square of about 600 particles, each of whose steps crosses several contacts: within 4.5 standard
    errors of 24 runs and a bias of 3 %: half from steps (a pair in contact reacts at most once in 20), half from
    numbers that are finite."""
    side = np.sqrt(600 / known.initial.sum()) if known.initial.any() else 20.0
    radius, times = side / 10, halfway(known, 0.3)
    happening = events(known.network)
    fastest = max(2 * e.k / ball(radius, 2) if len(e.reactants) == 2 else e.k if e.reactants else 0 for e in happening)
    dt = min(0.05 / fastest, times[-1] / 10)
    if times[-1] / dt > 300:
        times = times * (300 * dt / times[-1])
    rules = ContactRules(known.network, lengths=(side, side), diffusivity=2 * radius**2 / dt, radius=radius, dt=dt)
    counts = np.round(rules.volume * known.initial).astype(int)
    kinds, places = particles.scattered(counts.tolist(), rules.lengths, runs=24, seed=2)
    seen = particles.sample(rules, kinds, places, times, seed=3).counts() / rules.volume
    exact = equation(known.network, counts / rules.volume, times)
    error = np.sqrt(seen.var(axis=0, ddof=1) / 24)
    assert (
        np.abs(seen.mean(axis=0) - exact) <= 4.5 * error + 0.03 * np.abs(exact - exact[0]).max() + 2 / rules.volume
    ).all()


def on_lattice(known):
    """Whether one or two particles become at most two in each of its reactions."""
    return all(
        len(event.reactants) in (1, 2) and len(event.products) <= 2 and any(known.initial)
        for event in events(known.network)
    )


def with_probabilities(known, density, dt):
    """The network of a lattice of so many particles per concentration and site. Each particle tries one neighbour in a
    step, so per site and step the constant of A + A is its probability and that of A + B twice that."""
    names, lines = [written(name) for name in known.network.species], []
    for e in events(known.network):
        pair = len(e.reactants) == 2
        k = e.k * dt / density / (2 if len(set(e.reactants)) == 2 else 1) if pair else e.k
        sides = (" + ".join(names[s] for s in side) or "0" for side in (e.reactants, e.products))
        lines.append(f"{' -> '.join(sides)} @ {float(k)!r}")
    return parse(f"species: {', '.join(names)}\n" + "\n".join(lines))


@pytest.mark.stochastic
@pytest.mark.parametrize("known", walk([known for known in PAIRS if on_lattice(known)]))
def test_particles_on_a_lattice(known):
    """4 x 10^4 sites, a twentieth of them taken, and collisions of which one in a hundred reacts, or fewer: hops mix.
    Within 4.5 standard errors of 8 runs and 5 % of the change: particles that might have reacted have met before."""
    density, times = 0.05 / known.initial.sum(), halfway(known, 0.3)
    pairs = [e.k for e in events(known.network) if len(e.reactants) == 2]
    dt = min([0.01 * density / k for k in pairs] + [times[-1] / 20])
    steps = min(round(times[-1] / dt / 2), 400)
    times = np.array([0, 1, 2]) * steps * dt
    counts = np.round(4e4 * density * known.initial).astype(int)
    occupancy = start.scattered(counts.tolist(), (200, 200), replicas=8, seed=6)
    rules = LatticeRules(with_probabilities(known, density, dt), dt=dt)
    seen = lattice.sample(rules, occupancy, 2 * steps, seed=7, every=steps).counts / (4e4 * density)
    exact = equation(known.network, counts / (4e4 * density), times)
    error = seen.std(axis=0, ddof=1) / np.sqrt(8)
    bias = 0.05 * np.abs(exact - exact[0]).max() + 2 / (4e4 * density)
    assert (np.abs(seen.mean(axis=0) - exact) <= 4.5 * error + bias).all()


@pytest.mark.stochastic
def test_a_lattice_of_small_probability():
    """Hops mix 10^4 sites when a collision seldom reacts. Each particle tries one neighbour in a step, so per site and
    step the constant of A + A is p and that of A + B is 2 p. Within 4 standard errors of 16 runs and 2 %."""
    for text, mixed in (("2 A -> 0 @ 0.002", "2 A -> 0 @ 0.002"), ("A + B -> 2 B @ 0.002", "A + B -> 2 B @ 0.004")):
        network = parse(text)
        counts = [2000] if "B" not in network.species else [1500, 500]
        occupancy = start.scattered(counts, (100, 100), replicas=16, seed=4)
        seen = lattice.sample(LatticeRules(network), occupancy, 800, seed=5, every=400).counts / 1e4
        exact = equation(parse(mixed), np.array(counts) / 1e4, np.array([0.0, 400.0, 800.0]))
        error = seen.std(axis=0, ddof=1) / 4
        assert (np.abs(seen.mean(axis=0) - exact) <= 4 * error + 0.02 * np.abs(exact - exact[0]).max()).all()
