import itertools

import numpy as np
import pytest
from measured import measure

from guldberg.discover import Options, discover, equivalent
from guldberg.discover.library import complexes, direction
from guldberg.text import parse

POOL = complexes(3, 2)


def unit(*which):
    return np.bincount(which, minlength=3)


A, B, C = unit(0), unit(1), unit(2)


def told(reactants, products, k, pool=POOL):
    """{products: constants}, as sets."""
    found = equivalent.rewritings(reactants, np.array(products), np.array(k, float), pool)
    return [{tuple(p): pytest.approx(x) for p, x in zip(other, ks, strict=True)} for other, ks in found]


def net(reactants, products, k):
    return np.asarray(k) @ (np.asarray(products) - reactants)


def test_one_reaction_has_its_parallels():
    """2 A -> 0 at k is 2 A -> A at 2 k; nothing else of up to two molecules points the same way."""
    assert told(2 * A, [0 * A], [3.0]) == [{(1, 0, 0): 6.0}]


@pytest.mark.parametrize("max_order", [2, 3])
def test_parallels_are_all_reactions_of_one_direction(max_order):
    """k net = k' net' for every other pair of complexes for which that holds, and for no other."""
    pool = complexes(2, max_order)
    pairs = [(a, b) for a, b in itertools.permutations(pool, 2)]
    for a, b in pairs:
        found = list(equivalent.rewritings(a, b[None], np.array([3.0]), pool))
        assert all(np.allclose(k[0] * (other[0] - a), 3.0 * (b - a)) for other, k in found)
        same = {tuple(d) for c, d in pairs if (c == a).all() and direction(c, d) == direction(a, b)} - {tuple(b)}
        assert {tuple(other[0]) for other, _ in found} == same


def test_a_decay_that_branches_has_the_forms_of_craciun_and_pantea():
    """A -> B at 2, A -> 0 at 1: w = -3 A + 2 B. By hand: A -> 2 B at 1 and A -> 0 at 2; A -> A + B at 2 and
    A -> 0 at 3. A -> 2 B (x) with A -> B (y) is none: x + y = 3, 2 x + y = 2 has x < 0."""
    found = told(A, [B, 0 * A], [2.0, 1.0])
    assert {(0, 2, 0): 1.0, (0, 0, 0): 2.0} in found
    assert {(1, 1, 0): 2.0, (0, 0, 0): 3.0} in found
    assert all({(0, 2, 0), (0, 1, 0)} != set(one) for one in found)


@pytest.mark.parametrize("seed", range(5))
def test_every_form_has_the_same_equations_and_none_is_forgotten(seed):
    """Against all pairs of complexes, solved one by one."""
    rng = np.random.default_rng(seed)
    left = POOL[rng.integers(1, len(POOL))]
    others = [p for p in POOL if (p != left).any()]
    pairs = [np.array(pair) for pair in itertools.combinations(others, 2)]
    right = rng.choice([pair for pair in pairs if np.linalg.matrix_rank(pair - left) == 2])
    k, found = rng.uniform(0.5, 2, 2), []
    for other, constants in equivalent.rewritings(left, right, k, POOL):
        np.testing.assert_allclose(net(left, other, constants), net(left, right, k), atol=1e-12)
        found.append(frozenset(map(tuple, other)))
    expected = set()
    for pair in itertools.combinations(others, 2):
        D = (np.array(pair) - left).T.astype(float)
        x, *_ = np.linalg.lstsq(D, net(left, right, k), rcond=None)
        if np.linalg.matrix_rank(D) == 2 and x.min() > 1e-9 and np.allclose(D @ x, net(left, right, k)):
            expected.add(frozenset(map(tuple, pair)))
    assert set(found) == expected - {frozenset(map(tuple, right))} and len(found) == len(set(found))


def test_a_law_leaves_a_single_form():
    """With A + B + C conserved only A, B and C can come of A: A -> B and A -> C have no other form."""
    assert told(A, [B, C], [1.0, 2.0], np.array([A, B, C])) == []


@pytest.fixture(scope="module")
def open_system():
    """A decays and turns into B, which leaves."""
    return measure("A -> B @ 2\nA -> 0 @ 1\nB -> 0 @ 1", 2.0)


def test_the_class_is_listed_and_what_it_can_do_without_is_not_certain(open_system):
    found = discover(open_system)
    assert set().union(*(step.equations(found.species) for step in found.steps)) >= {"A -> 0", "B -> 0"}
    assert {frozenset(other.present) for other in found.rewritings} == {frozenset(found_of(found, "A"))}
    for truth in ("A -> B", "A -> A + B", "A -> 2 B"):
        assert found.equals({truth, "A -> 0", "B -> 0"})
    assert not found.equals({"A -> B", "B -> 0"}) and not found.equals({"A -> B", "A -> 0", "B -> 0", "2 A -> 0"})
    certain = {name for s in found.steps if s.certainty == "certain" for name in s.equations(found.species)}
    assert certain == {"A -> 0", "B -> 0"}


def found_of(found, reactants):
    """The reactions of these reactants."""
    names = [name for step in found.steps for name in step.equations(found.species)]
    return {name for name in names if name.startswith(f"{reactants} ->")}


def written(found):
    return {name for other in found.rewritings for name in other.instead}


def test_what_is_forbidden_or_required_bounds_the_class(open_system):
    species = open_system.species

    def reaction(text):
        network = parse(f"species: {', '.join(species)}\n{text} @ 1")
        return tuple(map(int, network.reactants[0])), tuple(map(int, network.products[0]))

    assert "A -> A + B" not in written(discover(open_system, Options(catalysts=False)))
    assert "A -> 2 B" not in written(discover(open_system, Options(forbid=(reaction("A -> 2 B"),))))
    needed = discover(open_system, Options(require=(reaction("A -> B"),)))
    assert "A -> B" in found_of(needed, "A") and all("A -> B" in other.instead for other in needed.rewritings)
