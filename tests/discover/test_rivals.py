import dataclasses

import numpy as np
import pytest
from measured import measure
from test_search import CHAIN, LAWS, searched, setting, truth
from zoo import ZOO

from guldberg.discover import rivals, search
from guldberg.discover.refine import fit
from guldberg.discover.search import Visited


def explored(network, data, laws, **options):
    """A finished search with every task of the rivals refitted."""
    work = setting(network, data, laws, **options)
    at = searched(work)
    for chosen, given in rivals.tasks(at, work):
        at = search.attempt_from(at, work, chosen, given, work.criterion.price)
    return at, work


def sets(visited):
    return [frozenset(map(int, v.active)) for v in visited]


def test_a_clear_case_has_no_rivals_and_everything_is_certain():
    at, work = explored(CHAIN, measure(CHAIN, 2.0, relative=1e-3), LAWS)
    assert frozenset(truth(work, CHAIN)[0].tolist()) == frozenset(map(int, at.at.active))
    assert rivals.within_margin(at, work) == []
    assert rivals.certain(at, work, []).all()


def test_rivals_are_within_the_margin_and_none_is_another_padded():
    """A coarse look at a fast equilibrium leaves much open."""
    network = ZOO["fast_slow_pair"].network
    at, work = explored(network, measure(network, 1.0, relative=0.02, runs=5, points=8), LAWS)
    others = rivals.within_margin(at, work)
    assert others
    best, names = frozenset(map(int, at.at.active)), sets(others)
    scores = [v.score for v in others]
    assert scores == sorted(scores) and max(scores) < at.score + work.criterion.price
    assert best not in names and len(set(names)) == len(names)
    assert not any(a < b for a in names for b in names)
    for v in others:  # each is what a real fit from its constants gives
        again = fit(work.problem, work.library, v.active, v.k, c0=at.at.c0)
        assert again.chi2 <= v.chi2 * 1.02
    truth_set = frozenset(truth(work, network)[0].tolist())
    assert truth_set == best or truth_set in names


def test_a_reaction_that_a_rival_does_without_is_not_certain():
    at, work = explored(CHAIN, measure(CHAIN, 2.0, relative=1e-3), LAWS)
    active = at.at.active
    other = Visited(active[1:], at.at.k[1:], at.at.chi2, at.score + 1.0)
    found = rivals.certain(at, work, [other])
    assert not found[0] and found[1:].all()


def test_what_few_noisy_data_cannot_tell_is_not_called_certain():
    """With 30 % noise the reverse of B <-> C can be anything: whatever is chosen, no false reaction is certain."""
    for seed in range(4):
        at, work = explored(CHAIN, measure(CHAIN, 2.0, relative=0.3, runs=2, points=6, seed=seed), LAWS, sd=0.3)
        sure = rivals.certain(at, work, rivals.within_margin(at, work))
        true = set(truth(work, CHAIN)[0].tolist())
        assert not [i for i, s in zip(at.at.active, sure, strict=True) if s and int(i) not in true]


@pytest.mark.parametrize("gain, listed", [(1.0, False), (20.0, True)])
def test_a_superset_is_a_rival_only_if_it_fits_better(gain, listed):
    at, work = explored(CHAIN, measure(CHAIN, 2.0, relative=1e-3), LAWS, known=True)
    wider = np.union1d(at.at.active, [j for j in range(len(work.library.net)) if j not in at.at.active][:1])
    other = Visited(wider, np.ones(len(wider)), at.at.chi2 - gain, at.score + 1.0)
    seen = dataclasses.replace(at, visited=(*at.visited, other))
    assert (frozenset(wider.tolist()) in sets(rivals.within_margin(seen, work))) == listed


def test_tasks_differ_from_the_best_and_keep_what_is_required():
    network = ZOO["fast_slow_pair"].network
    data = measure(network, 1.0, relative=0.02, runs=5, points=8)
    work = setting(network, data, LAWS, keep=("F -> P",))
    at = searched(work)
    todo = rivals.tasks(at, work)
    names = [frozenset(map(int, chosen)) for chosen, _ in todo]
    assert names and frozenset(map(int, at.at.active)) not in names
    assert all(work.keep <= name for name in names)
