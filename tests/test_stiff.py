import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from measured import directions
from scipy.linalg import expm, expm_frechet
from zoo import ZOO

from guldberg import stiff
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.simulation import simulate
from guldberg.system import WellMixed
from guldberg.text import parse


def solve(network, c0, times, *, k=None, rtol=1e-9, **options):
    """Several runs of one network; absolute tolerances a thousandth of the relative one."""
    library, own = directions(network)
    k, c0 = own if k is None else k, np.atleast_2d(c0)
    times = times if isinstance(times[0], np.ndarray) else [np.asarray(times)] * len(c0)
    k = np.broadcast_to(k, (len(c0), len(own)))
    reactions, atol = stiff.directed(library.reactants, library.products), np.full(c0.shape[1], 1e-3 * rtol)
    return stiff.solve(reactions, k, c0, times, rtol=rtol, atol=atol, **options)


@eqx.filter_jit
def followed(network, c0, times):
    tight = diffrax.PIDController(rtol=1e-10, atol=1e-14)
    return simulate(WellMixed(network), c0, times, controller=tight, max_steps=20000).values


def by_diffrax(network, c0, times):
    """With idle species and reactions up to the size of the largest network here: compiled once for all."""
    library, k = directions(network)
    idle = ((0, 12 - len(k)), (0, 6 - len(c0)))
    sides = (jnp.asarray(np.pad(side, idle)) for side in library)
    padded = ReactionNetwork(*sides, Constant.of(np.pad(k, idle[0])), None, tuple("ABCDEF"))
    return np.asarray(followed(padded, jnp.asarray(np.pad(c0, idle[1])), jnp.asarray(times)))[:, : len(c0)]


@pytest.mark.parametrize("name", ["robertson", "hydrogen_oxidation", "oregonator", "horn_jackson", "gray_scott"])
def test_values_equal_those_of_diffrax(name):
    known = ZOO[name]
    times = np.concatenate([[0], np.geomspace(1e-3, 1, 6) * known.time])
    solution = solve(known.network, known.initial, times)
    assert (solution.status > 0).all()
    expected = by_diffrax(known.network, known.initial, times)
    np.testing.assert_allclose(solution.values, expected, rtol=2e-7, atol=1e-11)


def test_robertson_at_its_tabulated_point():
    """The value of diffrax's own test of this problem, from another solver at a tolerance of 1e-12."""
    solution = solve(ZOO["robertson"].network, [1.0, 0, 0], [0.0, 100.0])
    np.testing.assert_allclose(solution.values[-1], [0.6172348823960878, 6.153591397e-6, 0.3827589640125], rtol=1e-7)


CHAIN = "A <-> B @ 1, 0.3\nB <-> C @ 20, 2\nC -> D @ 0.7\nD -> E @ 300"
T = np.array([0.0, 0.01, 0.2, 1.0, 5.0])


def generator(k):
    """dc/dt = G c for the chain."""
    G = np.zeros((5, 5))
    for (a, b), rate in zip([(0, 1), (1, 2), (2, 3), (3, 4), (1, 0), (2, 1)], k, strict=True):
        G[a, a], G[b, a] = G[a, a] - rate, G[b, a] + rate
    return G


def test_a_linear_chain_has_the_values_and_sensitivities_of_the_matrix_exponential():
    """By k_i: the Frechet derivative of the exponential in the direction dG/dk_i; by c(0): the exponential itself."""
    network, c0 = parse(CHAIN), np.array([1.0, 0.2, 0.1, 0.4, 0.0])
    _, k = directions(network)
    G, solution = generator(k), solve(network, c0, T)
    np.testing.assert_allclose(solution.values, [expm(G * t) @ c0 for t in T], rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(solution.by_initial, [expm(G * t) for t in T], rtol=1e-7, atol=1e-9)
    for i, direction in enumerate(np.eye(len(k))):
        expected = [expm_frechet(G * t, generator(direction) * t, compute_expm=False) @ c0 for t in T]
        np.testing.assert_allclose(solution.by_k[:, :, i], expected, rtol=1e-7, atol=1e-10)


def central(f, x, h):
    return np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))], axis=-1)


@pytest.mark.parametrize("absent", [None, 3])
def test_sensitivities_equal_finite_differences(absent):
    """Second and third order, a feed, and with `absent` a reaction that does not happen: its derivative is not zero."""
    network = parse("0 -> A @ 0.3\n2 A -> B @ 2\n2 A + B -> C @ 5\nB + C -> A @ 1\nC -> 0 @ 0.5")
    _, k = directions(network)
    c0, times = np.array([0.7, 0.2, 0.4]), np.array([0.0, 0.5, 3.0])
    if absent is not None:
        k[absent] = 0.0
    exact = solve(network, c0, times, k=k, rtol=1e-11)
    by_k = central(lambda k: solve(network, c0, times, k=k, rtol=1e-11).values, k, 1e-4)
    by_initial = central(lambda c: solve(network, c, times, k=k, rtol=1e-11).values, c0, 1e-4)
    np.testing.assert_allclose(exact.by_k, by_k, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(exact.by_initial, by_initial, rtol=1e-5, atol=1e-7)
    assert np.abs(exact.by_k[-1]).max(axis=0).min() > 1e-3


def test_the_coefficients_are_of_order_four_with_an_embedded_order_three():
    """Butcher's conditions, one for each rooted tree; the last stage is the step itself (stiffly accurate)."""
    A = stiff._A + stiff._GAMMA * np.diag([0, 1, 1, 1, 1, 1])
    b, c = A[5], A.sum(axis=1)
    trees = {1: [(b.sum(), 1)], 2: [(b @ c, 1 / 2)], 3: [(b @ c**2, 1 / 3), (b @ A @ c, 1 / 6)]}
    trees[4] = [(b @ c**3, 1 / 4), (b * c @ A @ c, 1 / 8), (b @ A @ c**2, 1 / 12), (b @ A @ A @ c, 1 / 24)]
    for value, expected in sum(trees.values(), []):
        np.testing.assert_allclose(value, expected, atol=1e-14)
    e = stiff._ERROR  # b - b^: vanishes on the trees of order three, not on those of order four
    np.testing.assert_allclose([e.sum(), e @ c, e @ c**2, e @ A @ c], 0, atol=1e-14)
    assert abs(e @ c**3) > 1e-4


def test_the_error_falls_in_proportion_to_the_tolerance():
    known = ZOO["hydrogen_oxidation"]
    times, tolerances = np.array([0.0, 0.05, 1.0]), 10.0 ** -np.arange(4, 10)
    truth = solve(known.network, known.initial, times, rtol=1e-12, max_steps=10**6).values
    errors = [np.abs(solve(known.network, known.initial, times, rtol=r).values - truth).max() for r in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert 0.8 < slope < 1.2
    assert (np.array(errors) < 3 * tolerances).all()


def test_third_order_and_nothing_on_the_left_have_their_exact_curves():
    times = np.array([0.0, 0.3, 1.0, 4.0])
    third = solve(parse("3 A -> B @ 0.5"), [1.5, 0.0], times)
    expected = 1.5 / np.sqrt(1 + 6 * 0.5 * 1.5**2 * times)  # da/dt = -3 k a^3
    np.testing.assert_allclose(third.values, np.column_stack([expected, (1.5 - expected) / 3]), rtol=1e-7, atol=1e-10)
    feed = solve(parse("0 -> A @ 0.4\nA -> 0 @ 2"), [0.0], times)
    np.testing.assert_allclose(feed.values[:, 0], 0.2 * (1 - np.exp(-2 * times)), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(feed.by_k[:, 0, 0], 0.5 * (1 - np.exp(-2 * times)), rtol=1e-8, atol=1e-11)


def test_orders_beyond_three_are_refused():
    with pytest.raises(ValueError, match="order 4"):
        stiff.directed(np.array([[4, 0]]), np.array([[0, 1]]))


def test_a_run_that_fails_tells_so_and_the_others_do_not_notice():
    times = [np.array([0.0, 1e-6, 1e4]), np.array([0.0, 1.0, 1e4])]
    start = np.array([[1.0, 0, 0], [0.0, 0, 1.0]])  # the second is at rest and needs no more than a few steps
    solution = solve(ZOO["robertson"].network, start, times, max_steps=12)
    assert solution.status[0] == stiff.TOO_MANY_STEPS and solution.status[1] > 0
    assert np.isfinite(solution.values[:2]).all() and np.isnan(solution.values[2]).all()
    assert np.isnan(solution.by_k[2]).all() and np.isnan(solution.by_initial[2]).all()
    np.testing.assert_array_equal(solution.values[3:], [[0, 0, 1]] * 3)
    assert np.isfinite(solution.by_k[3:]).all()


def test_three_steps_are_too_few():
    solution = solve(ZOO["hydrogen_oxidation"].network, ZOO["hydrogen_oxidation"].initial, [0.0, 1.0], max_steps=3)
    assert solution.status[0] == stiff.TOO_MANY_STEPS in stiff.FAILURES
    assert np.isfinite(solution.values[0]).all() and np.isnan(solution.values[1]).all()


def test_an_explosion_is_told():
    """2 A -> 3 A from 1 is at infinity when t = 1."""
    solution = solve(parse("2 A -> 3 A @ 1"), [1.0], [0.0, 0.5, 2.0])
    assert solution.status[0] in stiff.FAILURES
    np.testing.assert_allclose(solution.values[:2, 0], [1, 2], rtol=1e-6)
    assert np.isnan(solution.values[2]).all()


def test_runs_of_unequal_length_equal_each_run_alone_to_the_last_bit():
    """They are spread over threads: no run may see another's memory."""
    known, rng = ZOO["hydrogen_oxidation"], np.random.default_rng(0)
    c0 = rng.uniform(0, 1, (7, 6))
    times = [np.array([0.5]), *(np.sort(rng.uniform(0, 1, n)) for n in (2, 9, 3, 5, 1, 4))]
    together = solve(known.network, c0, times, rtol=1e-5)
    alone = [solve(known.network, c, [t], rtol=1e-5) for c, t in zip(c0, times, strict=True)]
    for field in ("values", "by_k", "by_initial", "status"):
        np.testing.assert_array_equal(getattr(together, field), np.concatenate([getattr(s, field) for s in alone]))
    assert together.status[0] == 0  # a single time is its initial state
    np.testing.assert_array_equal(together.values[0], c0[0])
    np.testing.assert_array_equal(together.by_initial[0], np.eye(6))
    np.testing.assert_array_equal(together.by_k[0], 0)


def test_a_run_counts_time_from_its_first_time():
    known = ZOO["oligomers"]
    early, late = solve(known.network, known.initial, [0.0, 1.0]), solve(known.network, known.initial, [7.0, 8.0])
    np.testing.assert_allclose(late.values, early.values, rtol=1e-12)


def test_sensitivities_are_an_addition_that_changes_no_value():
    known = ZOO["futile_cycle"]
    everything = solve(known.network, known.initial, [0.0, 0.5, 3.0], rtol=1e-6)
    plain = solve(known.network, known.initial, [0.0, 0.5, 3.0], rtol=1e-6, sensitivities=False)
    some = solve(known.network, known.initial, [0.0, 0.5, 3.0], rtol=1e-6, initials=np.array([4, 1]))
    np.testing.assert_array_equal(plain.values, everything.values)
    assert plain.by_k.shape == (3, 6, 0) and plain.by_initial.shape == (3, 6, 0)
    np.testing.assert_array_equal(some.by_initial, everything.by_initial[:, :, [4, 1]])
    np.testing.assert_array_equal(some.by_k, everything.by_k)


@pytest.mark.parametrize("name", [name for name, known in ZOO.items() if known.laws and name != "zeldovich"])
def test_conserved_sums_are_kept_to_rounding_even_at_a_loose_tolerance(name):
    known = ZOO[name]
    laws, c0 = np.array(known.laws), known.initial
    solution = solve(known.network, c0, np.linspace(0, known.time, 5), rtol=1e-3)
    np.testing.assert_allclose(solution.values @ laws.T, np.tile(laws @ c0, (5, 1)), rtol=1e-12)
    np.testing.assert_allclose(np.einsum("ls,tsi->tli", laws, solution.by_k), 0, atol=1e-10 * np.abs(c0).max())
    expected = np.broadcast_to(laws, (5, *laws.shape))
    np.testing.assert_allclose(np.einsum("ls,tsj->tlj", laws, solution.by_initial), expected, atol=1e-10)
