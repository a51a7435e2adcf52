"""Network analysis against the zoo's known facts, SciPy's graphs and floating linear algebra."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from guldberg.network import ReactionNetwork
from guldberg.rates import Arrhenius, Constant
from guldberg.structure import (
    complexes,
    conservation_laws,
    deficiency,
    detailed_balance,
    is_reversible,
    is_weakly_reversible,
    linkage_classes,
)
from guldberg.text import parse
from tests.zoo import ZOO

KELVIN = 1000.0
every = pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)


@st.composite
def networks(draw):
    """Random networks of up to 4 species and 5 reactions, some reversible."""
    species, reactions = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    side = st.lists(st.integers(0, 2), min_size=species, max_size=species)
    pairs = st.tuples(side, side).filter(lambda pair: pair[0] != pair[1])
    rows = draw(st.lists(pairs, min_size=reactions, max_size=reactions))
    k = st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=reactions, max_size=reactions)
    return ReactionNetwork(
        jnp.asarray([left for left, _ in rows]),
        jnp.asarray([right for _, right in rows]),
        Constant.of(np.array(draw(k)) + 0.1),
        Constant.of(draw(k)),
        tuple("ABCD"[:species]),
    )


def graph(network):
    """The graph of complexes by plain loops: (complexes, adjacency)."""
    rows = zip(network.reactants.tolist(), network.products.tolist(), network.reversible, strict=True)
    edges = [e for a, b, both in rows for e in [(tuple(a), tuple(b)), (tuple(b), tuple(a))][: 2 if both else 1]]
    nodes = sorted({node for edge in edges for node in edge})
    adjacency = np.zeros((len(nodes), len(nodes)))
    for a, b in edges:
        adjacency[nodes.index(a), nodes.index(b)] = 1
    return nodes, adjacency


@every
def test_laws_span_those_known_and_are_no_larger(known):
    laws = conservation_laws(known.network)
    expected = np.array(known.laws, int).reshape(-1, len(known.network.species))
    assert len(laws) == len(expected) == np.linalg.matrix_rank(np.vstack([laws, expected]))
    assert laws.sum() <= expected.sum() and (laws >= 0).all()
    assert laws.dtype.kind == "i"


@every
def test_counts(known):
    network = known.network
    assert len(complexes(network)) == known.complexes
    assert len(linkage_classes(network)) == known.linkage_classes
    assert deficiency(network) == known.deficiency
    assert is_reversible(network) == known.reversible
    assert is_weakly_reversible(network) == known.weakly_reversible


@every
def test_detailed_balance(known):
    found = detailed_balance(known.network, KELVIN)
    assert found.holds == known.balanced
    assert sorted(abs(c.deviation) for c in found.cycles) == pytest.approx(sorted(known.driving), abs=1e-12)
    assert bool(found.irreversible) == (not known.reversible)


@every
def test_every_reaction_rests_where_detailed_balance_holds(known):
    if known.balanced:
        for state in known.steady:
            forward, reverse = known.network.fluxes(jnp.asarray(state, float), KELVIN)
            np.testing.assert_allclose(forward, reverse, rtol=1e-12)


@given(networks())
@settings(deadline=None, max_examples=80)
def test_graph_facts_are_those_of_scipy(network):
    nodes, adjacency = graph(network)
    weak, labels = connected_components(adjacency, connection="weak")
    strong, _ = connected_components(adjacency, connection="strong")
    assert sorted(complexes(network)) == nodes
    assert is_weakly_reversible(network) == (weak == strong)
    assert is_reversible(network) == (adjacency == adjacency.T).all()
    classes = {frozenset(nodes[i] for i in np.flatnonzero(labels == c)) for c in range(weak)}
    assert {frozenset(c) for c in linkage_classes(network)} == classes
    assert deficiency(network) == len(nodes) - weak - np.linalg.matrix_rank(network.stoichiometry)


@given(networks())
@settings(deadline=None, max_examples=40)
def test_laws_are_conserved_and_complete(network):
    laws = conservation_laws(network)
    assert len(laws) == len(network.species) - np.linalg.matrix_rank(network.stoichiometry)
    rates = np.asarray(network.production(jnp.linspace(0.3, 1.7, len(network.species))))
    np.testing.assert_allclose(laws @ rates, 0, atol=1e-12)


@given(networks(), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_constants_from_energies_are_balanced_and_one_changed_constant_is_seen(network, seed):
    """k_f / k_r = exp(-change of energy): balanced. A cycle feels a change of one k_f as often as it runs it."""
    rng = np.random.default_rng(seed)
    S = np.asarray(network.stoichiometry)
    log_k = rng.normal(size=len(S))
    log_kr = log_k + S @ rng.normal(size=S.shape[1])

    def with_forward(log_k):
        laws = Constant(jnp.asarray(log_k)), Constant(jnp.asarray(log_kr))
        return ReactionNetwork(network.reactants, network.products, *laws, network.species)

    balanced = detailed_balance(with_forward(log_k))
    assert balanced.holds and len(balanced.cycles) == len(S) - np.linalg.matrix_rank(S)
    changed = detailed_balance(with_forward(log_k + 0.5 * (np.arange(len(S)) == 0)))
    first = with_forward(log_k).equations()[0]
    if with_forward(log_k).equations().count(first) == 1:
        for cycle in changed.cycles:
            runs = dict(zip(cycle.reactions, cycle.times, strict=True)).get(first, 0)
            assert cycle.deviation == pytest.approx(0.5 * runs, abs=1e-9)


def test_cycles_are_named_by_their_reactions():
    (cycle,) = detailed_balance(ZOO["driven_three_cycle"].network).cycles
    assert cycle.reactions == ("A <-> B", "B <-> C", "C <-> A") and cycle.times == (1, 1, 1)
    assert not cycle.balanced


def test_two_one_way_reactions_are_one_reversible_reaction():
    together = parse("A <-> B @ 1, 2\nB <-> C @ 3, 1\nC <-> A @ 5, 3")
    apart = parse("B -> A @ 0.5\nA -> B @ 1\nB -> A @ 1.5\nB -> C @ 3\nC -> B @ 1\nC -> A @ 5\nA -> C @ 3")
    deviations = [abs(detailed_balance(n).cycles[0].deviation) for n in (together, apart)]
    assert deviations == pytest.approx([np.log(2.5)] * 2)
    assert is_reversible(apart) and not detailed_balance(apart).irreversible


def test_a_reaction_that_never_happens_is_none():
    network = parse("A -> B @ 1\nB -> A @ 0\nC -> D @ 0")
    assert not is_reversible(network) and len(complexes(network)) == 2
    assert conservation_laws(network).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]]


def test_a_reaction_that_only_runs_backward_is_named_as_it_runs():
    backward = detailed_balance(parse("A <-> B @ 0, 2"))
    assert backward.irreversible == ("B -> A",) and not backward.holds
    both = detailed_balance(parse("A <-> B @ 0, 2\nA -> B @ 1\nB <-> C @ 1, 1\nA <-> C @ 1, 2"))
    assert both.holds and len(both.cycles) == 1


def test_balance_can_depend_on_temperature():
    forward = Arrhenius.of([1.0, 1.0], 0.0, [1e4, 1e4 + 500.0 * 8.314462618 * np.log(2)])
    reverse = Constant.of([1.0, 0.5])
    once = jnp.asarray([[1, 0], [1, 0]])
    network = ReactionNetwork(once, once[:, ::-1], forward, reverse, ("A", "B"))
    assert detailed_balance(network, 500.0).holds and not detailed_balance(network, 600.0).holds
    with pytest.raises(ValueError, match="temperature"):
        detailed_balance(network)


def test_learned_stoichiometry_is_refused_with_a_remedy():
    once = jnp.asarray([[1.0, 0.0]])
    network = ReactionNetwork(once, once[:, ::-1], Constant.of([1.0]), None, ("A", "B"))
    for analyse in (conservation_laws, complexes, deficiency, is_reversible, detailed_balance):
        with pytest.raises(ValueError, match="round it"):
            analyse(network)
