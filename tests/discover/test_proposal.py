"""The next experiment, against closed forms, brute force and refits."""

import dataclasses

import numpy as np
import pytest
from measured import directions, measure

from guldberg.app.synthetic import synthetic
from guldberg.discover import discover, following, known, proposal
from guldberg.discover.proposal import Limits, Model, Question
from guldberg.discover.result import Rival
from guldberg.text import parse

DECAY = "A -> 0 @ 2"


def model(text, information=0.0):
    library, k = directions(parse(text))
    return Model(library, k, information * np.eye(len(k)))


def limits(species, **changes):
    given = Limits(np.zeros(species), np.ones(species), 0.01, 5.0, 4, np.full(species, 0.02), exact=True)
    return dataclasses.replace(given, **changes)


def test_the_best_time_for_a_decay_is_its_life_time():
    """d a / d ln k = -k t a0 exp(-k t) is largest at t = 1 / k and for much A (Box and Lucas, Biometrika 46, 1959)."""
    given = limits(1, points=2, high=np.array([3.0]))
    best = proposal.propose(Question([model(DECAY)], 10.0, "worst"), given)
    assert best.initial == pytest.approx([3.0])
    gap = np.diff(given.pool).max()
    assert best.times[1] == pytest.approx(0.5, abs=gap)
    t = best.times[1]
    assert best.sd[0] == pytest.approx(0.02 / (3 * 2 * t * np.exp(-2 * t)), rel=1e-4)


def test_unknown_initial_amounts_cost_what_linear_regression_says():
    """With a0 fitted, the covariance of (ln k, a0) is (J^T J)^-1 sd^2, J from the closed form."""
    given = limits(1, exact=False, points=6)
    best = proposal.propose(Question([model(DECAY)], 10.0, "worst"), given)
    t, a0 = best.times, best.initial[0]
    J = np.column_stack([-2 * t * a0 * np.exp(-2 * t), np.exp(-2 * t)]) / 0.02
    assert best.sd[0] == pytest.approx(np.sqrt(np.linalg.inv(J.T @ J)[0, 0]), rel=1e-4)


def test_what_is_expected_of_a_rival_is_what_a_refit_gives():
    """First order against second, A decays at 2 a or at 3 a^2: the constant of the latter is refitted to the former."""
    truth, rival = model(DECAY), model("2 A -> 0 @ 1.5")
    given = limits(1, points=8, high=np.array([1.0]), low=np.array([1.0]))
    asked = Question([dataclasses.replace(truth, information=1e12 * np.eye(1)), rival], 10.0, "mechanism")
    best = proposal.propose(asked, given)
    data = synthetic(parse(DECAY), np.array([[1.0]]), best.times, seed=0)
    data = dataclasses.replace(
        data, runs=tuple(dataclasses.replace(r, sd=np.where(r.sd == 0, 0, 0.02)) for r in data.runs)
    )
    refit = known.fit(data, rival.library, rival.k)
    start = dataclasses.replace(rival, k=refit.at.k)  # the closer the start, the better the linear model
    again = proposal.curves(start, given, best.initial[None])
    looks = [proposal.curves(truth, given, best.initial[None]), again]
    chosen = np.isin(given.pool, best.times)[None]
    D = proposal._rows(asked.models, looks, 1).separations(chosen)[0, 0]
    assert D == pytest.approx(refit.at.chi2, rel=0.02)


def test_what_is_chosen_separates_better_than_what_is_drawn():
    """B -> C alone or helped by C: better than the best of 50 random starts with even times."""
    plain, helped = "A -> B @ 2\nB -> C @ 1", "A -> B @ 2\nB + C -> 2 C @ 1\nB -> C @ 0.4"
    asked = Question([model(plain, 100.0), model(helped, 100.0)], 1e3, "mechanism")
    given = limits(3, points=6, exact=False)
    best = proposal.propose(asked, given)
    rng = np.random.default_rng(0)
    states = rng.uniform(size=(50, 3))
    even = np.isin(given.pool, given.pool[:: len(given.pool) // 5])[None]
    looks = [proposal.curves(m, given, states) for m in asked.models]
    random = proposal._rows(asked.models, looks, 1).separations(even)[:, 0]
    assert best.separations[0] > random.max()


def test_limits_are_kept_and_samples_are_where_they_may_be():
    given = limits(3, low=np.array([0.2, 0.0, 0.5]), high=np.array([0.4, 0.0, 0.5]), first=0.3, points=7)
    for aim in ("worst", "all"):
        best = proposal.propose(Question([model("A -> B @ 2\nB + C -> C @ 1")], 10.0, aim), given)
        assert (best.initial >= given.low).all() and (best.initial <= given.high).all()
        assert best.times[0] == 0 and (best.times[1:] >= 0.3).all() and best.times[-1] <= 5.0
        assert len(np.unique(best.times)) == 7


def test_after_an_experiment_information_has_grown_by_what_was_promised():
    before, given = model("A -> B @ 2\nB -> A @ 1", 4.0), limits(2)
    asked = Question([before], 10.0, "all")
    done = proposal.propose(asked, given)
    left = proposal.following(asked, given, done)
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(left.models[0].information))), done.sd, rtol=1e-6)
    assert (np.linalg.eigvalsh(left.models[0].information - before.information) > 0).all()


def test_where_rivals_are_expected_to_be_gone_the_constants_are_next():
    asked = Question([model(DECAY, 100.0), model("2 A -> 0 @ 1.5", 100.0)], 10.0, "mechanism")
    done = proposal.propose(asked, limits(1, points=8))
    left = proposal.following(asked, limits(1, points=8), done)
    assert done.separations[0] > 10 and left.aim == "worst" and left.expected == done.separations


def test_a_discovery_becomes_a_question():
    """Few coarse data leave rivals; each is refitted, and fits about as well as discover said."""
    data = measure("A -> B @ 2\nB -> C @ 1\nB + C -> 2 C @ 0.3", 3.0, runs=2, points=8, relative=0.04)
    found = discover(data)
    asked = following.question(found)
    assert found.alternatives and asked.aim == "mechanism"
    assert len(asked.models) == 1 + len(found.alternatives)
    names = [name for step in found.steps for name in step.equations(found.species)]
    assert len(asked.models[0].k) == len(names)
    given = following.limits(found)
    assert given.last == 3.0 and given.points == 8 and (given.high > 0).all() and not given.exact
    done = proposal.propose(asked, given)
    curve = following.predicted(asked.models[0], given, done.initial)
    np.testing.assert_allclose(curve[0], done.initial, atol=1e-9)


def test_a_rival_without_reactions_is_no_rival_to_an_experiment():
    data = measure("A -> B @ 2", 1.0, runs=2, points=6)
    found = discover(data)
    empty = Rival((), ("A -> B",), (), (), 3.0, 1e3)
    asked = following.question(dataclasses.replace(found, alternatives=(empty,)))
    assert len(asked.models) == 1 and asked.aim == "worst"
    with pytest.raises(ValueError, match="no reaction was found"):
        following.question(dataclasses.replace(found, steps=()))


def test_constants_known_only_as_a_ratio_break_nothing():
    """Of a pair that is in equilibrium at once only the ratio shows, with errors of 1e-6: singular information."""
    models = [model("A <-> B @ 1e7, 1e7\nB -> C @ 1", 0.0), model("A <-> B @ 1e7, 1e7\nA -> C @ 1", 0.0)]
    best = proposal.propose(Question(models, 10.0, "mechanism"), limits(3, sd=np.full(3, 1e-6)))
    assert np.isfinite(best.separations).all() and np.isfinite(best.sd).all()


def test_after_derivatives_as_much_is_known_as_their_fit_says_and_an_experiment_adds_to_it():
    """n slopes with relative errors uniform within 0.01 know ln k to 0.01 / sqrt(3 n)."""
    starts = np.random.default_rng(0).uniform(0.3, 1, (40, 1))
    data = synthetic(parse(DECAY), starts, np.linspace(0, 1, 9), noise=1e-4, derivative_noise=0.01, derivatives=True)
    found = discover(data)
    asked = following.question(found)
    (known,) = asked.models
    k, sd = found.steps[0].forward, known.information[0, 0] ** -0.5
    expected = 0.01 / np.sqrt(3 * sum(run.derivatives.size for run in data.runs))
    assert found.fit.kind == "derivatives" and asked.aim == "worst" and known.k == pytest.approx([k.value])
    assert sd == pytest.approx((k.high - k.low) / k.value / 3.92, rel=0.3) == pytest.approx(expected, rel=0.3)
    given = following.limits(found)
    assert given.sd == pytest.approx([1e-4], rel=0.5)
    assert 0 < proposal.propose(asked, given).sd[0] < sd
