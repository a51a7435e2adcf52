"""Pruning: what does nothing goes, what matters stays, and what is left does the same."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from designed import bistable, made, stripes

from guldberg.app import codec
from guldberg.design import prune, trials, tune
from guldberg.design.controls import AsDesigned, constants
from guldberg.design.job import Design
from guldberg.design.pattern import pattern
from guldberg.design.result import Picture
from guldberg.learn import fit
from guldberg.text import parse

IDLE = "\n2 A -> A @ 1e-5\n0 -> A @ 1e-6"  # far too slow to be seen


@functools.cache
def design():
    return made(bistable(0.5) + IDLE, stripes(24, D=0.3), D=0.3)


@functools.cache
def pruned():
    return fit.run(prune.Pruning(design()), 0)


def test_what_does_nothing_goes_and_what_matters_stays():
    assert set(pruned().designed.network.equations()) == {"2 A -> 3 A", "3 A -> 2 A", "A -> 0"}
    assert {tried.reaction for tried in pruned().tried if tried.spared} == {"2 A -> A", "0 -> A"}
    np.testing.assert_allclose(pruned().designed.network.forward(), [1.5, 1.0, 0.5])


def test_the_smallest_flux_is_tried_first_and_every_other_in_its_turn():
    tried = [tried.reaction for tried in pruned().tried]
    assert tried[:2] == ["0 -> A", "2 A -> A"]
    assert tried[-3:] and set(tried[-3:]) == {"2 A -> 3 A", "3 A -> 2 A", "A -> 0"}  # a last round that spares nothing


def test_what_is_left_does_the_same():
    full, less = (trials.run(d, AsDesigned(), 0, 0) for d in (design(), pruned().designed))
    np.testing.assert_allclose(less.figures["correlation"], full.figures["correlation"], atol=0.01)
    np.testing.assert_allclose(less.figures["contrast"], full.figures["contrast"], rtol=0.02)


def test_pruning_that_was_stopped_goes_on_to_the_same_end():
    job = prune.Pruning(design())
    state, left = job.init(0), []
    while not job.done(state):
        state, metrics = job.step(codec.decode(codec.encode(state, job.state_types), job.state_types))
        left.append(metrics["reactions"])
    assert repr(job.result(state).tried) == repr(pruned().tried)  # a figure of a run that blew up is NaN
    assert left == sorted(left, reverse=True) and left[-1] == 3


@pytest.mark.parametrize("text", ["A -> B @ 0\nB -> A @ 2\nA + B <-> 2 B @ 0, 3\n2 A <-> A @ 0, 0"])
def test_reactions_that_go_neither_way_are_dropped_and_no_others(text):
    network = parse(text)
    short = prune.shortened(network)
    c = jnp.array([0.3, 0.7])
    np.testing.assert_allclose(short.production(c), network.production(c))
    assert len(short.reactants) == 2 and not (np.asarray(short.reverse()) < 0).any()


def test_under_free_energies_a_reaction_goes_in_both_directions():
    """One that went back alone would do so for ever, and its entropy production is infinite."""
    both = np.stack([stripes(24, D=0.3), 1 - stripes(24, D=0.3)])
    balanced = made("A <-> B @ 1e-3, 1e-3\n2 A <-> 2 B @ 1e-7, 1e-7", both[0], D=0.01, c0=both)
    found = fit.run(prune.Pruning(balanced, 10), 0)
    assert found.designed.network.equations() == ("A <-> B",)
    assert [tried.reaction for tried in found.tried if tried.spared] == ["2 A <-> 2 B"]


def test_nothing_is_removed_by_removing_nothing():
    np.testing.assert_array_equal(constants(prune.without(design(), ())), constants(design().system))


# -- tuned -------------------------------------------------------------------------------------------------------------


@functools.cache
def learned():
    """A small picture, learned for 32 s only."""
    y, x = np.mgrid[0:12, 0:12]
    picture = Picture(1, 0.5 + 0.4 * np.sin(2 * np.pi * x / 12) * np.cos(2 * np.pi * y / 12), "waves")
    with jax.numpy_dtype_promotion("standard"):  # Adam of optax raises a float to the power of an integer
        return fit.run(Design(pattern(picture, species=3, horizons=(32,), updates=(600,), rates=(2e-2,), noise=0)), 0)


def likeness(design):
    trial = trials.run(design, prune.Without((), 32.0), 0, 0, 10)
    return float(trial.at("correlation", 32.0)[0]), float(trial.at("rmsd", 32.0)[0])


@pytest.mark.slow
def test_what_is_left_is_tuned_to_make_up_for_what_is_gone():
    gone = (0,)  # X0 + 2 X1 -> 3 X1, which makes the picture
    broken = dataclasses.replace(learned(), system=prune.without(learned(), gone))
    with jax.numpy_dtype_promotion("standard"):
        mended = tune.tuned(learned(), gone)
    assert likeness(mended)[1] < 0.97 * likeness(broken)[1]
    before, after = (np.asarray(constants(d.system)) for d in (broken, mended))
    assert after[0] == 0 and (after >= 0).all() and not np.allclose(after[1:], before[1:])
    np.testing.assert_array_equal(mended.c0, mended.start(jnp.zeros(0)))


@pytest.mark.slow
def test_only_pictures_are_tuned():
    assert tune.tunable(learned()) and not tune.tunable(design())  # made by hand: nothing to go on with


@pytest.mark.slow
def test_more_goes_when_the_rest_is_tuned_and_a_stop_changes_nothing(monkeypatch):
    job = prune.Pruning(learned(), 10)
    with jax.numpy_dtype_promotion("standard"):
        found = fit.run(job, 0)
        state = job.init(0)
        while not job.done(state):
            state, _ = prune.Pruning(learned(), 10).step(
                codec.decode(codec.encode(state, job.state_types), job.state_types)
            )
    again = job.result(state)
    np.testing.assert_array_equal(again.designed.c0, found.designed.c0)
    np.testing.assert_array_equal(constants(again.designed.system), constants(found.designed.system))
    assert any(tried.tuned and tried.spared for tried in found.tried)
    monkeypatch.setattr(prune, "tunable", lambda designed: False)
    untuned = fit.run(job, 0).designed
    left, without = (np.count_nonzero(constants(one.system)) for one in (found.designed, untuned))
    assert left < without
    assert likeness(found.designed)[0] > likeness(learned())[0] - 0.05
