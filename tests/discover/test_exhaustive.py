import itertools

import numpy as np
from measured import directions, measure

from guldberg.discover import exhaustive, refine
from guldberg.discover.library import build
from guldberg.discover.problem import prepare
from guldberg.text import parse

CHAIN = parse("A -> B @ 2\nB -> C @ 1")


def test_the_sets_are_those_from_whose_graph_every_species_can_be_reached():
    """On n labelled points there are n^(n-2) trees with a given root; with one more edge as counted here by walking."""
    for species, trees in ((3, 3), (4, 16), (5, 125)):
        library = build(np.ones((1, species), int), species, max_order=1)
        fed = np.arange(species) == 0
        assert sum(1 for _ in exhaustive.reaching(library, fed, [species - 1])) == trees
    library = build(np.ones((1, 4), int), 4, max_order=1)
    edges = [(int(a.argmax()), int(b.argmax())) for a, b in zip(*library, strict=True)]
    walked = set()
    for chosen in itertools.combinations(range(12), 4):
        reached = {0}
        for _ in range(4):
            reached |= {b for a, b in (edges[i] for i in chosen) if a in reached}
        walked |= {chosen} if len(reached) == 4 else set()
    assert set(exhaustive.reaching(library, np.arange(4) == 0, [4])) == walked


def test_two_reactants_make_a_product_only_together():
    library, _ = directions(parse("A + B -> C @ 1\nC -> D @ 1"))
    A, B, C, D = np.eye(4, dtype=bool)
    assert not list(exhaustive.reaching(library, A, [2])) and list(exhaustive.reaching(library, A | B, [2])) == [(0, 1)]


def test_the_truth_is_first_and_every_set_has_its_own_optimum():
    data = measure(CHAIN, 2.0, relative=0.01, runs=3, points=8)
    library = build(np.ones((1, 3), int), 3, max_order=1)
    problem = prepare(data, np.full(3, 0.01))
    sets = list(exhaustive.reaching(library, np.array([True, False, False]), [2]))
    fits = exhaustive.ranked(data, problem, library, sets)
    truth = {library.where()[key] for key in directions(CHAIN)[0].where()}
    assert len(fits) == len(sets) == 3 and set(map(int, fits[0].active)) == truth
    assert [at.chi2 for at in fits] == sorted(at.chi2 for at in fits)
    for at in fits:
        again = refine.fit(problem, library, at.active, np.ones(2))
        assert abs(again.chi2 - at.chi2) < 0.05
