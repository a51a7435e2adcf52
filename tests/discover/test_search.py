import dataclasses
import itertools

import numpy as np
import pytest
from measured import directions, equations, measure
from zoo import ZOO

from guldberg.discover import linear, search, select
from guldberg.discover.library import build
from guldberg.discover.problem import chi2_at, prepare
from guldberg.discover.refine import fit
from guldberg.discover.search import Search, Setting
from guldberg.discover.select import Criterion
from guldberg.network import equation
from guldberg.text import parse


def setting(network, data, laws, *, sd=0.01, keep=(), known=False):
    """What a search works on, with the laws and the noise told; `keep` are equations."""
    species = len(data.species)
    library, problem = build(np.array(laws, int).reshape(-1, species), species), prepare(data, np.full(species, sd))
    names = [equation(a, b, network.species) for a, b in zip(*library, strict=True)]
    required = frozenset(names.index(name) for name in keep)
    return Setting(data, problem, library, Criterion(problem.points, known), required)


def searched(work, stop="done"):
    at = Search(np.zeros((0, 0), int), "start")
    for _ in range(60):
        if at.stage == stop:
            return at
        at = search.step(at, work)
    raise AssertionError(f"still at {at.stage}")


def found(work, at):
    chosen = work.library.take(at.at.active)
    return {equation(a, b, work.data.species) for a, b in zip(*chosen, strict=True)}


def truth(work, network):
    """Where the reactions of `network` stand in the library, with their constants."""
    library, k = directions(network)
    names = [equation(a, b, network.species) for a, b in zip(*work.library, strict=True)]
    order = sorted(
        (names.index(equation(a, b, network.species)), x)
        for (a, b), x in zip(zip(*library, strict=True), k, strict=True)
    )
    return np.array([i for i, _ in order]), np.array([x for _, x in order])


CHAIN = parse("A -> B @ 2\nB <-> C @ 1, 0.5")
LAWS = ((1, 1, 1),)


@pytest.mark.parametrize("seed", range(3))
def test_a_search_ends_at_the_mechanism(seed):
    work = setting(CHAIN, measure(CHAIN, 2.0, seed=seed), LAWS)
    end = searched(work)
    assert found(work, end) == equations(CHAIN)
    assert end.score == work.criterion(work.library, end.at) == min(v.score for v in end.visited)
    assert end.at.chi2 == pytest.approx(
        chi2_at(work.problem, work.library.take(end.at.active), end.at.k, end.at.phi, end.at.c0)
    )
    assert all(v.chi2 > 0 and len(v.k) == len(v.active) for v in end.visited)


def test_many_runs_are_screened_on_a_few_and_decided_on_all():
    work = setting(CHAIN, measure(CHAIN, 2.0, runs=30, points=6), LAWS)
    small, smaller = work.screen()
    assert smaller and len(small.data.runs) == len(small.problem.times) == search.SCREEN
    assert small.criterion.points == small.problem.points < work.problem.points
    end = searched(work)
    assert found(work, end) == equations(CHAIN)
    assert end.at.c0.shape == (30, 3)
    assert all(np.isfinite(v.score) for v in end.visited)


def test_a_step_is_pure():
    work = setting(CHAIN, measure(CHAIN, 2.0), LAWS)
    at = Search(np.zeros((0, 0), int), "start")
    while at.stage != "done":
        before = dataclasses.asdict(at)
        one, two = search.step(at, work), search.step(at, work)
        np.testing.assert_equal(dataclasses.asdict(one), dataclasses.asdict(two))
        np.testing.assert_equal(dataclasses.asdict(at), before)
        at = one


def test_required_reactions_are_in_every_mechanism_that_was_tried():
    work = setting(CHAIN, measure(CHAIN, 2.0), LAWS, keep=("C -> A",))
    end = searched(work)
    assert found(work, end) == equations(CHAIN) | {"C -> A"}
    assert all(work.keep <= set(map(int, v.active)) for v in end.visited)


def test_an_empty_library_is_soon_done():
    work = setting(CHAIN, measure(CHAIN, 2.0, runs=2), np.eye(3, dtype=int))
    end = search.step(Search(np.eye(3, dtype=int), "start"), work)
    assert end.stage == "done" and end.at is None


# selection


def test_the_tangent_predicts_chi2_of_nearby_constants():
    """|Q k - y|^2 is chi2 with initial amounts at their best, to first order in k, absent reactions included."""
    data = measure(CHAIN, 2.0, runs=4)
    work = setting(CHAIN, data, LAWS)
    active, k = truth(work, CHAIN)
    at = fit(work.problem, work.library, active, k, decrement=1e-8)
    lin = select.tangent(work.problem, work.library, at)
    dense, rng = at.dense(len(work.library.net)), np.random.default_rng(0)

    def predicted(k):
        return np.sum((lin.Q @ (k * lin.scale) - lin.y) ** 2)

    assert predicted(dense) == pytest.approx(at.chi2, rel=1e-6)
    change = 3e-3 * rng.uniform(0, 1, len(dense))  # also of reactions that do not happen
    everything = np.arange(len(dense))
    moved = np.maximum(dense + change, 1e-9)
    actual = fit(work.problem, work.library, everything, moved, c0=at.c0, frozen=everything, decrement=1e-9)
    rise = predicted(dense + change) - predicted(dense)
    assert rise > 1
    assert actual.chi2 - at.chi2 == pytest.approx(rise, rel=0.05)


def test_only_a_fast_pair_is_saturated():
    network = ZOO["fast_slow_pair"].network
    work = setting(network, measure(network, 1.0), LAWS)
    active, k = truth(work, network)
    at = fit(work.problem, work.library, active, k)
    fast = select.saturated(work.problem, work.library, at)
    names = {equation(work.library.reactants[i], work.library.products[i], network.species) for i in fast}
    assert names == {"R -> P", "P -> R"}
    assert len(select.tangent(work.problem, work.library, at, fast).scale) == len(work.library.net)


def test_neighbours_are_all_sets_one_move_away():
    """One less, one more, one for one, and one for two of the same reactants."""
    library = build(np.array(LAWS), 3, catalysts=False)
    active, keep = np.array([0, 1, 4, 9]), frozenset({4})
    sets = [frozenset(map(int, s)) for s in select.neighbours(library, active, keep)]
    inside, every = frozenset(map(int, active)), range(len(library.net))
    expected = {inside - {i} for i in inside - keep} | {inside | {j} for j in every if j not in inside}
    expected |= {inside - {i} | {j} for i in inside - keep for j in every if j not in inside}
    for (a, b), j in itertools.product(itertools.combinations(sorted(inside - keep), 2), set(every) - inside):
        if (library.reactants[[a, b]] == library.reactants[j]).all():
            expected.add(inside - {a, b} | {j})
    assert set(sets) == expected and len(sets) == len(expected)
    assert (library.reactants[0] == library.reactants[1]).all()  # or the last kind would not have been tried


def test_reversible_pairs_are_those_whose_reverse_is_there():
    library = build(np.array(LAWS), 3).take([0, 1, 2, 3, 7])
    pairs = select.reversible_pairs(library)
    for i, j in itertools.product(range(5), repeat=2):
        back = (library.reactants[i] == library.products[j]).all() and (
            library.products[i] == library.reactants[j]
        ).all()
        assert ((i, j) in pairs) == back
    assert pairs


def test_an_equilibrium_is_swapped_for_pairs_of_the_same_change():
    network = ZOO["fast_slow_pair"].network
    work = setting(network, measure(network, 1.0), LAWS)
    active, k = truth(work, network)
    at = fit(work.problem, work.library, active, k)
    fast = select.saturated(work.problem, work.library, at)
    swaps = select.equilibrium_swaps(work.library, at, fast, frozenset())
    assert swaps and select.equilibrium_swaps(work.library, at, fast, frozenset(map(int, active))) == []
    for chosen, given in swaps:
        assert len(chosen) == 4 and set(given) <= set(map(int, chosen)) and not set(given) & set(map(int, active))
        forward, back = (work.library.net[j] for j in given)
        assert (forward == -back).all()


@pytest.mark.parametrize("known", [True, False])
def test_the_criterion_counts_what_it_says_and_reach_is_its_inverse(known):
    network = ZOO["autocatalysis"].network
    work = setting(network, measure(network, 1.0, runs=4), ((1, 1),), known=known)
    criterion, n = work.criterion, work.problem.points
    at = fit(work.problem, work.library, *truth(work, network))
    misfit = at.chi2 if known else n * np.log(at.chi2 / n)
    assert criterion.misfit(at.chi2) == pytest.approx(misfit)
    cost = criterion.cost(work.library, at.active)
    assert 2 * np.log(n) < cost < 2 * np.log(n) + 8  # one reaction, and small prices that settle ties
    assert criterion(work.library, at) == pytest.approx(misfit + cost)
    wider = np.union1d(at.active, [0, 1])
    for slack in (0.0, 5.0):
        chi2 = criterion.reach(work.library, at, wider, slack)
        other = dataclasses.replace(at, active=wider, k=np.ones(len(wider)), chi2=chi2)
        assert criterion(work.library, other) == pytest.approx(criterion(work.library, at) + slack)


def test_an_exact_fit_is_no_licence_to_fit_rounding_errors():
    """Below a part in 10^12 of the noise, a better fit scores no better."""
    criterion = Criterion(100, noise_known=False)
    assert criterion.misfit(1e-30) == criterion.misfit(1e-20) > -np.inf
    assert criterion.misfit(1e-4) > criterion.misfit(1e-6)


def test_elimination_of_the_whole_library_leaves_the_mechanism():
    """One round of the linear problem from the true constants: nothing false is worth its price."""
    work = setting(CHAIN, measure(CHAIN, 2.0), LAWS)
    active, k = truth(work, CHAIN)
    at = fit(work.problem, work.library, active, k)
    lin = select.tangent(work.problem, work.library, at)
    left = linear.eliminate(lin, work.criterion.price * work.criterion.variance(at.chi2))
    np.testing.assert_array_equal(left, active)
