"""Pruning: what does nothing goes, what matters stays, and what is left does the same."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from designed import bistable, made, stripes

from guldberg.app import codec
from guldberg.design import prune, trials
from guldberg.design.controls import AsDesigned, constants
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


def test_nothing_is_removed_by_removing_nothing():
    np.testing.assert_array_equal(constants(prune.without(design(), ())), constants(design().system))
