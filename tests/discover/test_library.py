import itertools
import math

import numpy as np
import pytest
from measured import directions
from zoo import ZOO

from guldberg.discover.library import Library, build, complexes, direction


def plain(laws, species, max_order, catalysts):
    """{(reactants, primitive net change): rank of the reaction that stands for all of these}, by trying everything."""
    every = [c for c in itertools.product(range(max_order + 1), repeat=species) if sum(c) <= max_order]
    found = {}
    for a, b in itertools.permutations(every, 2):
        net = [y - x for x, y in zip(a, b, strict=True)]
        if any(sum(w * n for w, n in zip(law, net, strict=True)) for law in laws):
            continue
        if not catalysts and any(x and y for x, y in zip(a, b, strict=True)):
            continue
        name = a, tuple(n // math.gcd(*net) for n in net)
        found[name] = min(found.get(name, (True, math.inf)), rank(a, b))
    return found


def rank(reactants, products):
    """Decay to nothing first, then the smallest change."""
    return any(products), sum(abs(b - a) for a, b in zip(reactants, products, strict=True))


def names(library):
    return [direction(a, b) for a, b in zip(library.reactants, library.products, strict=True)]


CASES = {
    "nothing is conserved": ((), 2),
    "one element": (((1, 1, 1),), 3),
    "dimer": (((1, 2),), 2),
    "enzyme": (((1, 0, 1, 0), (0, 1, 1, 1)), 4),
    "difference": (((1, -1, 0),), 3),
}


@pytest.mark.parametrize("catalysts", [True, False])
@pytest.mark.parametrize("max_order", [1, 2, 3])
@pytest.mark.parametrize("laws, species", CASES.values(), ids=CASES)
def test_equals_all_pairs_of_complexes_filtered(laws, species, max_order, catalysts):
    matrix = np.array(laws, int).reshape(-1, species)
    library = build(matrix, species, max_order=max_order, catalysts=catalysts)
    expected = plain(laws, species, max_order, catalysts)
    assert len(names(library)) == len(set(names(library)))
    assert dict(zip(names(library), map(rank, *library), strict=True)) == expected
    assert (library.net @ matrix.T == 0).all()
    assert library.reactants.sum(axis=1).max(initial=0) <= max_order
    assert library.products.sum(axis=1).max(initial=0) <= max_order


@pytest.mark.parametrize("catalysts", [True, False])
def test_hydrogen_and_oxygen_leave_22_candidates(catalysts):
    """As many as an independent enumeration found; none of them has a molecule on both sides."""
    library = build(np.array(ZOO["hydrogen_oxidation"].laws), 6, catalysts=catalysts)
    assert len(library.net) == 22


@pytest.mark.parametrize("species, order", [(1, 1), (3, 2), (6, 2), (4, 3)])
def test_complexes_are_the_multisets(species, order):
    """C(species + order, order) of them, the empty one first."""
    found = complexes(species, order)
    assert len(found) == len(np.unique(found, axis=0)) == math.comb(species + order, order)
    assert (found[0] == 0).all() and found.sum(axis=1).max() == order


SECOND_ORDER = [n for n in ZOO if n not in ("horn_jackson", "brusselator", "gray_scott", "schloegl", "zeldovich")]


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_every_reaction_of_the_zoo_is_in_its_library(name):
    """Networks of second order; a reaction may stand there with a smaller change in the same direction."""
    known = ZOO[name]
    species = len(known.network.species)
    library = build(np.array(known.laws, int).reshape(-1, species), species)
    small = [row for row in zip(*directions(known.network)[0], strict=True) if max(r.sum() for r in row) <= 2]
    assert len(small) >= 1
    assert {direction(a, b) for a, b in small} <= set(names(library))


def test_of_parallel_reactions_the_smallest_change_stands_for_all():
    """2 A -> A + B and 2 A -> 2 B have the same equations but for a factor 2 on the constant, 2 A -> A and 2 A -> 0
    too: there the pair that vanishes stands for both."""
    library = build(np.array([[1, 1]]), 2)
    assert library.products[(library.reactants == [2, 0]).all(axis=1)].tolist() == [[1, 1]]
    library = build(np.zeros((0, 1), int), 1)
    assert library.products[(library.reactants == [2]).all(axis=1)].tolist() == [[0]]


def test_an_empty_library_is_one():
    library = build(np.eye(3, dtype=int), 3)
    assert library.reactants.shape == library.products.shape == (0, 3)


def test_taken_reactions_are_found_by_their_complexes():
    library = build(np.array([[1, 1, 1]]), 3)
    some = library.take([5, 2])
    assert isinstance(some, Library)
    for position, i in enumerate((5, 2)):
        assert (some.net[position] == library.net[i]).all()
        a, b = library.reactants[i].astype(np.int64).tobytes(), library.products[i].astype(np.int64).tobytes()
        assert library.where()[a, b] == i and some.where()[a, b] == position
