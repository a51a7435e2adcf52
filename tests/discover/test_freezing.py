"""Algorithm 1 of Huang, Zhou and Yong, beside plain mass action, finite differences and the truth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover import freezing, regression
from guldberg.discover.freezing import Freezing, State, Weights
from guldberg.errors import InputError
from guldberg.learn.fit import run
from guldberg.text import parse

FAST_AND_SLOW = parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000")
ENZYME = parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10")


def data(truth, runs=100, **noise):
    start = np.random.default_rng(0).uniform(size=(runs, len(truth.species)))
    return synthetic(truth, start, np.linspace(0, 1, 11), derivatives=True, **noise)


def weights(network):
    v = jnp.asarray(network.stoichiometry, float)
    assert network.reverse is not None
    reverse = jnp.log(jnp.maximum(network.reverse(), 1e-30))
    return Weights(v, jnp.log(network.forward()), reverse)


@pytest.mark.parametrize("network", [FAST_AND_SLOW, ENZYME, parse("2 A + B <-> 3 C @ 2, 0.5\nC <-> 0 @ 1, 3")])
def test_whole_numbers_are_mass_action(network):
    u = np.random.default_rng(1).uniform(0.1, 2, (len(network.species), 7))
    ours = freezing.rates(weights(network), jnp.log(u))
    np.testing.assert_allclose(ours, network.production(jnp.asarray(u)), rtol=1e-10)


@pytest.mark.slow
def test_the_loss_and_the_slopes_of_its_descent():
    rng = np.random.default_rng(2)
    w = Weights(*(jnp.asarray(rng.uniform(-0.5, 0.5, shape)) for shape in ((3, 4), (3,), (3,))))
    u, slopes = rng.uniform(0.1, 1, (4, 9)), rng.normal(size=(4, 9))
    v, f, r = (np.asarray(x) for x in w)
    plain = 0.0
    for n in range(9):  # eqs. (3.2), (3.3), term by term
        for k in range(4):
            forward = [np.exp(f[i]) * np.prod(u[:, n] ** -np.minimum(0, v[i])) for i in range(3)]
            back = [np.exp(r[i]) * np.prod(u[:, n] ** np.maximum(0, v[i])) for i in range(3)]
            plain += (sum(v[i, k] * (forward[i] - back[i]) for i in range(3)) - slopes[k, n]) ** 2 / 9
    plain += freezing.PENALTY * (np.abs(v).sum() + (v**2).sum())
    args = jnp.log(u), jnp.asarray(slopes)
    assert float(freezing.loss(w, *args)) == pytest.approx(plain, rel=1e-12)
    gradient = jax.grad(freezing.loss)(w, *args)
    for name in ("v", "forward", "reverse"):
        along = jnp.asarray(rng.normal(size=getattr(w, name).shape))
        up, down = (freezing.loss(w._replace(**{name: getattr(w, name) + h * along}), *args) for h in (1e-6, -1e-6))
        slope = float((getattr(gradient, name) * along).sum())
        assert slope == pytest.approx(float(up - down) / 2e-6, rel=1e-6)


def looked(rows, frozen=None, losses=(3.0, 1.0, 2.0), published=False):
    """The State after one look at rows of a single start, whose loss went like this every 1000 epochs."""
    v = np.array([rows], float)
    flat = np.zeros(v.shape[:2])
    history = np.concatenate([np.full(10, 3.0), losses])[None]
    was = np.zeros(v.shape[:2], bool) if frozen is None else np.array([frozen])
    state = State(0, (v, flat, flat), (v, flat, flat), (v, flat, flat), was, np.array([-1]), history, 20_000)
    return freezing._look(state, published)


def test_rows_near_whole_numbers_are_frozen_and_the_others_drawn_anew():
    after = looked([[-1.04, 0.97, 0.01], [0.4, -1.0, 1.0], [-1.0, 1.06, 0.0]])
    assert after.frozen.tolist() == [[True, False, False]]
    np.testing.assert_array_equal(after.weights[0][0, 0], [-1, 1, 0])
    others = after.weights[0][0, 1:]
    assert (np.abs(others) <= 2).all() and not np.isin(others, [0.4, -1.0, 1.0, 1.06, 0.0]).any()
    assert after.settled.tolist() == [-1]


def test_nothing_is_frozen_while_the_loss_decreases():
    after = looked([[-1.0, 1.0, 0.0], [0.4, -1.0, 1.0]], losses=(3.0, 2.0, 1.0))
    assert not after.frozen.any()
    np.testing.assert_array_equal(after.weights[0][0], [[-1, 1, 0], [0.4, -1, 1]])


def test_no_reaction_counts_twice_and_none_at_all_is_no_reaction():
    rows = [[-1.0, 1.0, 0.0], [1.01, -0.99, 0.0], [0.01, 0.0, -0.02], [0.0, -1.0, 1.0]]
    assert looked(rows).frozen.tolist() == [[True, False, False, True]]
    assert looked(rows, frozen=[False, True, False, False]).frozen.tolist() == [[False, True, False, True]]
    assert looked([rows[0], rows[3]]).settled.tolist() == [20_000]


def test_the_published_code_ends_with_a_row_of_zeros():
    """Unless the loss has increased: then the row of zeros is drawn anew, as any other."""
    near, decreasing = [[-1.0, 1.0, 0.0], [5e-4, 0.0, -9e-4]], (3.0, 2.0, 1.0)
    assert looked(near, losses=decreasing, published=True).settled.tolist() == [20_000]
    assert looked(near, losses=decreasing).settled.tolist() == [-1]
    assert looked(near, published=True).settled.tolist() == [-1]
    further = [near[0], [2e-3, 0.0, 0.0]]
    assert looked(further, losses=decreasing, published=True).settled.tolist() == [-1]


def test_a_start_that_is_settled_rests_and_the_others_go_on_as_without_it():
    job = Freezing(data(FAST_AND_SLOW, 10), reactions=2, starts=4)
    state = dataclasses.replace(job.init(3), settled=np.array([-1, 1000, -1, -1]))
    after, _ = job.step(state)
    moving = [0, 2, 3, 0]
    parts = {name: tuple(x[moving] for x in getattr(state, name)) for name in ("weights", "first", "second")}
    alone, _ = job.step(dataclasses.replace(state, **parts, settled=np.full(4, -1)))
    for was, now, other in zip(state.weights, after.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(now[1], was[1])
        np.testing.assert_array_equal(now[moving], other)
        assert (other != was[moving]).any()
    np.testing.assert_array_equal(after.losses[moving], alone.losses)
    assert np.isnan(after.losses[1, 0]) and np.isfinite(alone.losses).all()


def test_without_freezing_no_row_is_rounded_or_drawn_anew():
    job = Freezing(data(FAST_AND_SLOW, 10), reactions=2, starts=2)
    state = dataclasses.replace(job.init(3), losses=np.zeros((2, 19), np.float32))  # the loss has increased since
    drawn, _ = job.step(state)
    plain, _ = dataclasses.replace(job, freeze=False).step(state)
    assert plain.losses.shape[1] % freezing.CHECK == 0 and not plain.frozen.any()
    assert (plain.weights[0] != drawn.weights[0]).all()
    for one, other in zip(plain.weights[1:], drawn.weights[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_frozen_rows_stay_while_constants_and_other_rows_move():
    job = Freezing(data(FAST_AND_SLOW, 10), reactions=2, starts=2)
    state = job.init(3)
    v = state.weights[0].copy()
    v[:, 0] = [0, -1, 1]
    frozen = np.array([[True, False], [True, False]])
    after, _ = job.step(dataclasses.replace(state, weights=(v, *state.weights[1:]), frozen=frozen))
    np.testing.assert_array_equal(after.weights[0][:, 0], v[:, 0])
    assert (after.weights[0][:, 1] != v[:, 1]).any() and (after.weights[1] != state.weights[1]).all()
    again, _ = job.step(dataclasses.replace(state, weights=(v, *state.weights[1:]), frozen=frozen))
    np.testing.assert_array_equal(after.losses, again.losses)


def test_a_descent_without_whole_numbers_is_told():
    job = Freezing(data(FAST_AND_SLOW, 3), reactions=2, starts=1, epochs=freezing.BACK)
    with pytest.raises(ValueError, match="after 0 epochs no start has whole numbers"):
        job.result(job.init(0))
    with pytest.raises(ArithmeticError, match="after 1000 epochs no start has whole numbers"):
        run(job, 0)


@pytest.mark.slow
@pytest.mark.parametrize("truth, noise, worst", [(FAST_AND_SLOW, 1e-3, 1e-3), (ENZYME, 0.0, 1e-9)])
def test_the_mechanism_of_the_paper(truth, noise, worst):
    found = run(Freezing(data(truth, derivative_noise=noise), reactions=2, starts=4), 0)
    truths = {e for text in truth.equations() for e in (text, text.replace("<->", "->"))}
    equations = found.network().equations()
    flipped = {" <-> ".join(reversed(e.split(" <-> "))) for e in equations}
    assert len(equations) == 2 and set(truth.equations()) <= truths & (set(equations) | flipped)
    for step in found.steps:
        assert min(abs(step.forward.value / k - 1) for k in (1, 10, 1e3, 1e6)) < worst


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth, uncertain", [(FAST_AND_SLOW, 0.015), (ENZYME, 1.4), (hydrogen_network(), 0.027)], ids=["pair", "MM", "H2"]
)
def test_noise_of_the_fast_reaction_hides_the_slow_row(truth, uncertain):
    """Standard deviation of the worst entry of v at the truth, noise 1e-3: u' = v.T (r+ - r-) is linear in v there."""
    rows = regression.slopes(data(truth))
    ways = (truth.reactants, truth.forward), (truth.products, truth.reverse)
    ahead, back = (regression.monomials(rows.c, np.asarray(left)) * np.asarray(k()) for left, k in ways)
    spread = 1e-3 * rows.dc / np.sqrt(3)  # of a uniform factor
    worst = np.sqrt(np.linalg.pinv(ahead - back) ** 2 @ spread**2).max()
    assert worst == pytest.approx(uncertain, rel=0.05)


def test_derivatives_are_asked_for():
    plain = dataclasses.replace(data(FAST_AND_SLOW, 2))
    runs = tuple(dataclasses.replace(one, derivatives=None) for one in plain.runs)
    with pytest.raises(InputError, match="--method freeze learns from derivatives"):
        Freezing(dataclasses.replace(plain, runs=runs), reactions=2)
