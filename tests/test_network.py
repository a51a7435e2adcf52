"""The law of mass action against plain loops, exact derivatives and known stationary states."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.network import ReactionNetwork, equation
from guldberg.rates import Arrhenius, Constant
from tests.zoo import ZOO

KELVIN = 1000.0
every = pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)
SOME = ("robertson", "brusselator", "zeldovich")  # where each compiled function would cost a second
some = pytest.mark.parametrize("known", [ZOO[name] for name in SOME], ids=SOME)


def plain(network, c):
    """dc/dt by loops over reactions and species."""
    left, right = np.asarray(network.reactants), np.asarray(network.products)
    reverse = np.zeros(len(left)) if network.reverse is None else np.asarray(network.reverse(KELVIN))
    change = np.zeros(len(c))
    for i, (k_f, k_r) in enumerate(zip(np.asarray(network.forward(KELVIN)), reverse, strict=True)):
        flux_f, flux_r = k_f, k_r
        for j in range(len(c)):
            flux_f *= c[j] ** left[i, j]
            flux_r *= c[j] ** right[i, j]
        for j in range(len(c)):
            change[j] += (right[i, j] - left[i, j]) * (flux_f - flux_r)
    return change


def plain_jacobian(network, c):
    """d(dc_s/dt)/dc_j by the power rule, exact at c = 0 as well."""
    jacobian = np.zeros((len(c), len(c)))
    sides = [(network.forward, np.asarray(network.reactants), 1), (network.reverse, np.asarray(network.products), -1)]
    for law, nu, sign in sides:
        for i, k in enumerate([] if law is None else np.asarray(law(KELVIN))):
            for j in np.flatnonzero(nu[i]):
                lowered = nu[i] - (np.arange(len(c)) == j)
                slope = sign * k * nu[i, j] * np.prod(np.where(lowered == 0, 1.0, c**lowered))
                jacobian[:, j] += slope * np.asarray(network.stoichiometry)[i]
    return jacobian


def learned(network):
    """The same network with floating stoichiometry."""
    floats = (network.reactants.astype(float), network.products.astype(float))
    return eqx.tree_at(lambda n: (n.reactants, n.products), network, floats)


def production(network):
    return jax.jit(lambda c: network.production(c, KELVIN))


@every
def test_production_is_that_of_plain_loops(known):
    c = np.random.default_rng(0).uniform(0.1, 2.0, len(known.network.species))
    expected = plain(known.network, c)
    rates = known.network.production(jnp.asarray(c), KELVIN)
    np.testing.assert_allclose(rates, expected, atol=1e-13 * np.abs(expected).max())


@some
def test_learned_stoichiometry_gives_the_same_where_it_is_whole(known):
    c = jnp.linspace(0.1, 2.0, len(known.network.species))
    expected = np.asarray(production(known.network)(c))
    np.testing.assert_allclose(production(learned(known.network))(c), expected, rtol=1e-13)


@every
def test_nothing_happens_at_the_stationary_states(known):
    for state in known.steady:
        c = np.array(state, float)
        gross = np.abs(plain_jacobian(known.network, c)) @ c
        assert (np.abs(plain(known.network, c)) <= 1e-12 * gross.max()).all()


@pytest.mark.parametrize("known", [k for k in ZOO.values() if k.curve], ids=lambda k: k.name)
def test_exact_curves_obey_the_equations(known):
    h = 1e-5 * known.time
    np.testing.assert_allclose(known.curve(0.0), known.initial, atol=1e-15)
    for t in np.linspace(0.1, 3, 5) * known.time:
        slope = (np.array(known.curve(t + h)) - np.array(known.curve(t - h))) / (2 * h)
        np.testing.assert_allclose(known.network.production(jnp.asarray(known.curve(t))), slope, rtol=1e-8, atol=1e-10)


@some
def test_jacobian_at_zero_is_exact_in_both_modes(known):
    zero = np.zeros(len(known.network.species))
    expected = plain_jacobian(known.network, zero)
    for mode in (jax.jacfwd, jax.jacrev):
        jacobian = jax.jit(mode(production(known.network)))
        np.testing.assert_allclose(jacobian(jnp.asarray(zero)), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["robertson", "brusselator"])
@pytest.mark.parametrize("make", [lambda n: n, learned], ids=["known", "learned"])
def test_second_derivatives_at_zero_are_finite_and_right(name, make):
    network = ZOO[name].network
    zero = jnp.zeros(len(network.species))
    h = 1e-4  # cubic at most: the plain jacobian's central difference is exact but for rounding
    steps = h * np.eye(len(network.species))
    expected = np.stack([(plain_jacobian(network, e) - plain_jacobian(network, -e)) / (2 * h) for e in steps], axis=-1)
    rate = production(make(network))
    for mode in (jax.jacfwd(jax.jacrev(rate)), jax.jacrev(jax.jacfwd(rate))):
        np.testing.assert_allclose(jax.jit(mode)(zero), expected, rtol=1e-9, atol=1e-20 + 1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("c", [0.0, -1e-9, 1.0])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_learned_powers_have_finite_values_and_derivatives_everywhere(c, dtype):
    powers = jnp.array([[0.0], [0.5], [0.97], [1.0], [1.5], [2.0]], dtype)
    network = ReactionNetwork(powers, powers + jnp.ones((), dtype), Constant.of(np.full(6, 2.0)), None, ("A",))

    def rates(c, nu):
        return eqx.tree_at(lambda n: n.reactants, network, nu).fluxes(c)[0]

    at = jnp.array([c], dtype)
    slope = jax.jit(jax.jacrev(rates))(at, powers)
    assert slope[3, 0] == pytest.approx(2.0, rel=1e-6) and jnp.isfinite(slope).all()
    for derivative in (rates, jax.jacfwd(jax.jacrev(rates)), jax.jacrev(jax.jacfwd(rates)), jax.jacrev(rates, 1)):
        assert jnp.isfinite(jax.jit(derivative)(at, powers)).all()


def test_a_negative_concentration_counts_in_full_where_stoichiometry_is_known():
    """An overshoot of a solver below zero must be pulled back: A -> B at c_A = -1 gives dA/dt = +k."""
    network = ZOO["consecutive"].network
    assert network.production(jnp.array([-1.0, 0.0, 0.0])).tolist() == pytest.approx([2.0, -2.0, 0.0])
    assert ZOO["annihilation"].network.production(jnp.array([-1.0]))[0] == pytest.approx(-1.0)


@some
def test_a_grid_is_every_state_at_once(known):
    states = np.random.default_rng(1).uniform(0, 2, (len(known.network.species), 2, 3))
    states[0, 0, 0] = 0.0
    rates = np.asarray(production(known.network)(jnp.asarray(states)))
    single = [[plain(known.network, states[:, y, x]) for x in range(3)] for y in range(2)]
    np.testing.assert_allclose(rates, np.moveaxis(np.array(single), -1, 0), atol=1e-12 * np.abs(rates).max())


def test_the_gradient_over_a_grid_is_finite_and_local():
    network, states = ZOO["robertson"].network, jnp.zeros((3, 2, 3)).at[:, 1, 1].set(0.5)
    gradient = jax.jit(jax.grad(lambda c: network.production(c)[0, 1, 1]))(states)
    assert jnp.isfinite(gradient).all() and gradient[:, 1, 1].any() and not gradient.at[:, 1, 1].set(0).any()


def test_integer_stoichiometry_has_no_gradient_and_floating_has_the_right_one():
    known = ZOO["dimerisation"].network
    c = jnp.array([0.7, 0.4])

    def loss(network):
        return (network.production(c) ** 2).sum()

    assert eqx.filter_grad(loss)(known).reactants is None
    gradient, h = eqx.filter_grad(loss)(learned(known)), 1e-6
    for leaf in (lambda n: n.reactants, lambda n: n.products):
        for j in range(2):
            shifted = [eqx.tree_at(leaf, learned(known), leaf(learned(known)).at[0, j].add(s * h)) for s in (1, -1)]
            slope = (loss(shifted[0]) - loss(shifted[1])) / (2 * h)
            assert leaf(gradient)[0, j] == pytest.approx(float(slope), rel=1e-7)
    log_k = jax.grad(lambda x: loss(eqx.tree_at(lambda n: n.forward.log_k, known, x)))(known.forward.log_k)
    assert jnp.isfinite(log_k).all() and log_k[0] != 0


def test_single_precision_stays_single():
    rates = ZOO["hydrogen_oxidation"].network.production(jnp.ones(6, jnp.float32))
    assert rates.dtype == jnp.float32


def test_whole_concentrations_are_not_computed_in_integers():
    network = ReactionNetwork(jnp.array([[1]]), jnp.array([[0]]), Constant.of([0.25]), None, ("A",))
    assert network.production(jnp.array([3])).tolist() == [-0.75]


@pytest.mark.parametrize("c", [jnp.ones(1), jnp.ones(4), jnp.ones((2, 3)), jnp.ones(())], ids=str)
def test_a_state_of_another_size_is_refused(c):
    with pytest.raises(ValueError, match="species first"):
        ZOO["robertson"].network.production(c)


def test_one_constant_does_not_serve_every_reaction():
    network = ZOO["robertson"].network
    with pytest.raises(ValueError, match="one for each of 3 reactions"):
        eqx.tree_at(lambda n: n.forward, network, Constant.of(1.0)).production(jnp.ones(3))


@pytest.mark.parametrize(
    ("reactants", "products", "species"),
    [
        ([[1, 0]], [[0, 1]], ("A",)),
        ([[1, 0]], [[0, 1]], ("A", "A")),
        ([[1, 0]], [[0, 1]], ("A", "")),
        ([[1, 0]], [[0, 1], [1, 0]], ("A", "B")),
        ([1, 0], [0, 1], ("A", "B")),
    ],
)
def test_shapes_and_names_must_fit(reactants, products, species):
    with pytest.raises(ValueError):
        ReactionNetwork(jnp.array(reactants), jnp.array(products), Constant.of(1.0), None, species)


@pytest.mark.parametrize(
    ("reactants", "products", "reversible", "text"),
    [
        ([1, 1, 0], [0, 0, 2], True, 'A + B <-> 2 "C 1"'),
        ([0, 0, 0], [1, 0, 0], False, "0 -> A"),
        ([0.97, 0, 0], [0, 1.0, 0], False, "0.97 A -> B"),
        ([10, 0, 0], [0, 0, 0], False, "10 A -> 0"),
    ],
)
def test_equations_are_written_as_chemists_write_them(reactants, products, reversible, text):
    assert equation(reactants, products, ("A", "B", "C 1"), reversible) == text


def test_a_reverse_constant_of_zero_is_an_irreversible_reaction():
    once = jnp.eye(2, dtype=int)
    laws = Constant.of([1.0, 2.0]), Arrhenius.of([0.0, 3.0], 1.0, 0.0)
    network = ReactionNetwork(once, once[::-1], *laws, ("A", "B"))
    assert network.equations() == ("A -> B", "B <-> A")
    assert str(network) == "A -> B @ 1\nB <-> A @ 2, arrhenius(A=3, b=1, Ea=0)"


def test_species_are_listed_where_their_order_does_not_follow_from_the_reactions():
    rows, laws = (jnp.array([[0, 1]]), jnp.array([[1, 0]])), (Constant.of(1.0), None)
    assert str(ReactionNetwork(*rows, *laws, ("A", "B"))) == "species: A, B\nB -> A @ 1"
    assert str(ReactionNetwork(*rows[::-1], *laws, ("A", "B"))) == "A -> B @ 1"
