"""Particles in continuous space against exact laws of diffusion, decay and contact."""

import itertools
import math

import numpy as np
import pytest

from guldberg import parse
from guldberg.errors import InputError
from guldberg.stochastic import particles, ssa
from guldberg.stochastic.contact import ContactRules, ball

STILL = "A -> B @ 0"


def rules(text, lengths, **asked):
    return ContactRules(parse(text), lengths=lengths, **{"diffusivity": 1.0, "radius": 0.5, "dt": 0.01} | asked)


def followed(how, counts, times, *, runs, seed=0, **asked):
    kinds, places = particles.scattered(counts, how.lengths, runs=runs, seed=seed + 1000)
    return particles.sample(how, kinds, places, times, seed=seed, **asked)


def z(seen, exact, sd):
    return (np.mean(seen) - exact) / (sd / np.sqrt(np.size(seen)))


@pytest.mark.stochastic
@pytest.mark.parametrize(("axes", "periodic"), [(1, True), (2, False), (3, True)])
def test_mean_squared_displacement_is_2_d_D_t(axes, periodic):
    """Of each species by its own diffusivity, along each axis; 1 % of D would have z = 5. Far from walls."""
    how = rules(STILL, (200.0,) * axes, diffusivity=(0.5, 2.0), dt=0.3, periodic=periodic)
    kinds = np.repeat([0, 1], 50_000)
    start = np.full((1, len(kinds), axes), 100.0)
    history = particles.sample(how, kinds, start, [0.0, 1.0, 4.0], seed=1)
    for t, snapshot in zip((1.0, 4.0), history.runs[0][1:], strict=True):
        for kind, D in enumerate((0.5, 2.0)):
            squares = (snapshot.positions[kinds == kind] - 100.0) ** 2
            assert abs(z(squares, 2 * D * t, math.sqrt(2) * 2 * D * t)) < 3
            assert abs(z(snapshot.positions[kinds == kind], 100.0, math.sqrt(2 * D * t))) < 3
            assert abs(np.corrcoef(squares.T.reshape(axes, -1))[0, -1] if axes > 1 else 0.0) < 0.02


@pytest.mark.stochastic
@pytest.mark.parametrize(("periodic", "waves"), [(False, 1), (True, 2)])
def test_walls_reflect_and_sides_meet_by_the_exact_law(periodic, waves):
    """<cos(n pi x / L)> = cos(n pi x0 / L) exp(-D (n pi / L)^2 t), whatever the step: here longer than the box."""
    how = rules(STILL, (3.0,), radius=1.0, dt=7.0, periodic=periodic)
    history = particles.sample(how, np.zeros(40_000, int), np.full((1, 40_000, 1), 0.4), [0.0, 0.5, 20.0], seed=2)
    q = waves * np.pi / 3
    for t, snapshot in zip((0.5, 20.0), history.runs[0][1:], strict=True):
        assert abs(z(np.cos(q * snapshot.positions), math.cos(q * 0.4) * math.exp(-(q**2) * t), 0.7)) < 3
        assert ((snapshot.positions >= 0) & (snapshot.positions <= 3)).all()


@pytest.mark.stochastic
def test_decay_and_birth_have_their_exact_laws():
    """A -> 0 alone: each survives with exp(-k t), whatever the step; 0 -> A: Poisson of mean k V t, anywhere."""
    gone = followed(rules("A -> 0 @ 0.5", (4.0, 4.0), dt=0.2), [1000], [0.0, 3.0], runs=40, seed=3)
    left = gone.counts()[:, 1, 0]
    assert abs(z(left, 1000 * math.exp(-1.5), math.sqrt(1000 * math.exp(-1.5) * (1 - math.exp(-1.5))))) < 3
    born = followed(rules("0 -> A @ 2", (4.0, 4.0), diffusivity=0.0, dt=0.4), [0], [0.0, 3.0], runs=200, seed=4)
    made = born.counts()[:, 1, 0]
    assert abs(z(made, 96.0, math.sqrt(96))) < 3 and abs(z((made - 96.0) ** 2, 96, math.sqrt(96 + 2 * 96**2))) < 3
    places = np.concatenate([run[1].positions for run in born.runs])
    assert abs(z(places, 2.0, 4 / math.sqrt(12))) < 3


@pytest.mark.stochastic
@pytest.mark.parametrize(("text", "second", "pairs"), [("2 A -> B @ 1", 0, 2), ("A + B -> 0 @ 1", 1, 1)])
def test_a_pair_in_contact_reacts_at_the_rate_of_doi(text, second, pairs):
    """At rest within the radius, across the side of the box: gone with 1 - exp(-t k / v), 2 k / v for twins; just
    beyond it never."""
    how = rules(text, (2.0, 2.0), diffusivity=0.0, dt=0.01)
    near, far = [[0.05, 1.0], [1.8, 1.4]], [[0.05, 1.0], [1.8, 1.45]]
    seen = particles.sample(how, [0, second], np.tile(near, (5000, 1, 1)), [0.0, 0.5], seed=5).counts()[:, 1, 0]
    chance = math.exp(-0.5 * pairs / ball(0.5, 2))
    assert abs(z(seen > 0, chance, math.sqrt(chance * (1 - chance)))) < 3
    apart = particles.sample(how, [0, second], np.tile(far, (50, 1, 1)), [0.0, 50.0], seed=6).counts()
    assert (apart[:, 0] == apart[:, 1]).all()


@pytest.mark.filterwarnings("ignore::numba.NumbaPendingDeprecationWarning")
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("lengths", [(1.0,), (20.0,), (1.1, 7.0), (4.0, 4.0), (1.6, 1.0, 5.0), (4.0, 4.0, 4.0)])
def test_cells_find_every_pair_in_contact_once(lengths, periodic):
    how = rules("2 A -> 0 @ 1", lengths, periodic=periodic, dt=1e-6)
    x, queue = particles.scattered([90], lengths, runs=1, seed=7)[1][0], [(0.0, 0, 0)]
    endless = how.tables()._replace(contact=np.full((1, 1), np.inf))
    particles._contacts(np.uint64(1), np.zeros(90, np.uint8), x, 1.0, endless, queue)
    between = np.abs(x[:, None] - x[None])
    between = np.minimum(between, np.array(lengths) - between) if periodic else between
    near = np.argwhere(np.triu((between**2).sum(axis=-1) < 0.25, 1))
    assert sorted(tuple(sorted(pair[1:])) for pair in queue[1:]) == sorted(map(tuple, near.tolist()))
    assert len(near)


@pytest.mark.stochastic
def test_annihilation_on_a_line_slows_down_as_the_root_of_time():
    """A + A -> 0 in one dimension: density -> (8 pi D t)^(-1/2), Lushnikov, Sov. Phys. JETP 64 (1986) 811; the law of
    mass action would fall as 1/t, 13 times lower at the end. Contacts at a finite rate put reactions off by a length
    of 2 (coth(r q) / q - r) = 1.3, q^2 = lambda / 2 D, beside distances of 48: 3 %."""
    how = rules("2 A -> 0 @ 2", (1000.0,), dt=0.02)
    found = followed(how, [1000], [0.0, 10.0, 90.0], runs=24, seed=8).counts()[..., 0]
    early, late = found[:, 1:].mean(axis=0) / 1000
    error = found[:, 1:].std(axis=0) / math.sqrt(24) / 1000
    expected = 1 / math.sqrt(8 * math.pi * 90)
    assert abs(late - expected) < 3 * error[1] + 0.03 * expected
    assert abs(math.log(late / early) / math.log(9) + 0.5) < 3 * math.hypot(*(error / (early, late))) / math.log(9)


@pytest.mark.stochastic
@pytest.mark.parametrize("text", ["2 A -> B @ 0.5\nB -> 0 @ 1\n0 -> A @ 1", "A + B -> 2 B @ 1\nB -> A @ 0.5"])
def test_diffusing_fast_it_is_the_well_mixed_box(text):
    """The same means as Gillespie's algorithm in the same volume, z < 3.5 over 150 and 2000 runs: 4 % of a rate shows.
    A step of .004 makes contacts up to 1 % too slow."""
    how = rules(text, (5.0, 5.0), diffusivity=60.0, dt=0.004)
    seen = followed(how, [40, 10], times := [0.0, 0.5, 1.5], runs=150, seed=9).counts()
    mixed = ssa.sample(how.network, np.tile([40, 10], (2000, 1)), times, volume=25.0, seed=10).counts
    error = np.sqrt(seen.var(axis=0) / 150 + mixed.var(axis=0) / 2000)
    assert (np.abs(seen.mean(axis=0) - mixed.mean(axis=0)) <= 3.5 * error).all()


@pytest.mark.stochastic
def test_binding_is_in_detailed_balance_however_slow_diffusion_is():
    """A + B <-> C puts apart what it joined so that the equilibrium in a periodic box is that of the well-mixed box:
    the mean of C within z = 3.5, where putting both at one place would double it."""
    how = rules("A + B <-> C @ 2, 1", (4.0, 4.0), diffusivity=0.05, dt=0.02)
    seen = followed(how, [20, 20, 0], np.linspace(0, 40, 11), runs=60, seed=11).counts()[:, 4:, 2].mean(axis=1)
    mixed = ssa.sample(how.network, np.tile([20, 20, 0], (4000, 1)), [0.0, 20.0], volume=16.0, seed=12).counts[:, 1, 2]
    assert abs(seen.mean() - mixed.mean()) < 3.5 * math.sqrt(seen.var() / 60 + mixed.var() / 4000) + 0.01 * mixed.mean()


def test_products_stand_where_they_should():
    """Catalysts stay, one product of two takes either place, what is beyond the places lies within the radius."""
    x = np.array([[1.0], [1.3]])

    def once(text, kinds, seed):
        how = rules(text, (10.0,), diffusivity=0.0, dt=0.005, periodic=False)
        return particles.sample(how, kinds, x[None, : len(kinds)], [0.0, 30.0], seed=seed).runs[0][1]

    for seed in range(8):
        catalysed = once("A + B -> A + C @ 2", [1, 0], seed)
        assert dict(zip(catalysed.kinds.tolist(), catalysed.positions[:, 0], strict=True)) == {2: 1.0, 0: 1.3}
    joined = {once("A + B -> C @ 2", [0, 1], seed).positions[0, 0] for seed in range(12)}
    assert joined == {1.0, 1.3}
    split = [once("A -> B + C @ 2", [0], seed) for seed in range(12)]
    assert all(sorted(s.kinds.tolist()) == [1, 2] and 0 < np.ptp(s.positions) <= 0.5 for s in split)
    assert {int(s.kinds[s.positions[:, 0] == 1.0][0]) for s in split} == {1, 2}
    assert all((s.positions >= 0).all() for s in split)


def test_what_is_born_together_is_born_together_or_not_at_all():
    """Near the walls of a narrow box half of the second products would lie outside."""
    how = rules("0 -> A + B @ 5\nA -> A + C @ 1", (1.2, 1.2), diffusivity=0.0, periodic=False)
    counts = followed(how, [0, 0, 0], [0.0, 4.0], runs=10, seed=16).counts()[:, 1]
    assert (counts[:, 0] == counts[:, 1]).all() and (counts > 0).all()


def test_densities_and_pair_distances_count_what_is_there():
    how = rules(STILL, (4.0, 6.0))
    history = followed(how, [30, 20], [0.0, 0.1], runs=3, seed=13)
    density = history.density((2, 3))
    assert density.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(density.sum(axis=(2, 3)) * 4, np.tile([30, 20], (2, 1)))
    edges = np.array([0.0, 0.4, 1.0, 2.0])
    x = [run[1].positions[run[1].kinds == 0] for run in history.runs]
    between = [np.abs(a - b) for one in x for a, b in itertools.combinations(one, 2)]
    distance = np.linalg.norm(np.minimum(between, np.array([4.0, 6.0]) - between), axis=1)
    np.testing.assert_allclose(history.pairs("A", "A", edges)[1], np.histogram(distance, edges)[0] / 3)
    assert history.pairs("A", "B", np.array([0.0, 10.0]))[0] == 600


def test_a_run_depends_on_the_seed_and_its_number_alone():
    how = rules("2 A -> B @ 1\nB -> 2 A @ 1", (4.0, 4.0))
    kinds, x = particles.scattered([20, 0], how.lengths, runs=6, seed=14)
    alone, among = (
        particles.sample(how, kinds, x[:n], [0.0, 0.5], seed=15, threads=threads) for n, threads in ((2, 1), (6, 3))
    )
    for one, other in zip(alone.runs, among.runs, strict=False):
        np.testing.assert_array_equal(one[1].positions, other[1].positions)
        np.testing.assert_array_equal(one[1].kinds, other[1].kinds)


def test_a_run_with_too_many_particles_stops_and_its_history_ends():
    how = rules("A -> 2 A @ 5", (4.0, 4.0))
    history = followed(how, [10], [0.0, 0.5, 9.0], runs=2, most=2000)
    assert history.reached.tolist() == [2, 2] and (history.counts()[:, 2] == -1).all()
    assert history.density((1, 1)).shape == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "asked", "told"),
    [
        ("2 A + B -> C @ 1", {}, "2 A \\+ B -> C: 3 particles do not meet; expected at most 2"),
        ("A -> 4 B @ 1", {}, "A -> 4 B: 4 products are too many; expected at most 3"),
        (STILL, {"lengths": (1.0,) * 4}, "expected one to three lengths"),
        (STILL, {"lengths": (0.8, 3.0)}, r"a radius of 0.5 in a box of 0.8 x 3; expected it positive and at most half"),
        (STILL, {"diffusivity": (1.0, -1.0)}, "none of them negative"),
        (STILL, {"diffusivity": (1.0, 1.0, 1.0)}, "expected one, or one for each species"),
        (STILL, {"dt": 0.0}, "a step of 0.0; expected a positive time"),
        (
            "A -> B @ 20",
            {},
            "a step of 0.01 is too long: particles react at a rate of up to 20; expected at most 0.005",
        ),
    ],
)
def test_rules_without_meaning_are_refused(text, asked, told):
    with pytest.raises(InputError, match=told):
        rules(text, **{"lengths": (3.0, 3.0)} | asked)


def test_states_outside_the_rules_are_refused():
    how = rules(STILL, (3.0, 3.0))
    for kinds, x, told in [([0], [[[4.0, 1.0]]], "outside"), ([5], [[[1.0, 1.0]]], "kinds"), ([0], [[1.0]], "shape")]:
        with pytest.raises(InputError, match=told):
            particles.sample(how, np.array(kinds), np.array(x), [0.0, 1.0], seed=0)
