"""Each loss against its formula written out with numpy on made-up states, and the algebra of sums."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from guldberg.learn import losses as L
from guldberg.rollout import Rollout

SPECIES, SHAPE, STEPS = 3, (8, 12), 20
RNG = np.random.default_rng(0)


def states(n):
    return jnp.asarray(RNG.uniform(0, 2, (n, SPECIES, *SHAPE)))


def seen(X, *, z=(), decoder=None, **steps):
    zero = jnp.zeros(STEPS)
    record = {"excess": zero, "diffusion": zero, "reaction": zero, "out_of_bounds": zero.astype(int), **steps}
    made = Rollout(ts=jnp.arange(len(X), dtype=float), values=X, species=("A", "B", "C"), **record)
    return L.Seen(None, made, X, jnp.asarray(z, float), decoder)


def test_distances_are_their_formulas():
    a, b = (np.asarray(x) for x in states(2))
    assert np.isclose(L.l2(a, b), np.linalg.norm(a - b))
    assert np.isclose(L.rmsd(a, b), np.sqrt(np.mean((a - b) ** 2)))
    assert np.isclose(L.mean_square(a, b), np.mean((a - b) ** 2))
    assert np.isclose(L.decorrelation(a, b), 1 - stats.pearsonr(a.ravel(), b.ravel())[0])
    assert np.isclose(L.contrast(a, b), (a.std() / b.std() - 1) ** 2)
    by_species = [np.mean((x - y) ** 2) / ((x.var() + y.var()) / 2 + 1e-4) for x, y in zip(a, b, strict=True)]
    assert np.isclose(L.per_species(a, b), np.mean(by_species))


def test_flat_fields_please_the_plain_distance_and_not_the_normalised_one():
    parent = states(1)[0]
    flat = jnp.broadcast_to(parent.mean((1, 2), keepdims=True), parent.shape)
    near = parent + 0.5 * (parent - flat)  # the right shape, too much contrast
    assert L.mean_square(parent, near) < L.mean_square(parent, flat)
    assert L.per_species(parent, near) < 0.2 < 1.9 < L.per_species(parent, flat)


@pytest.mark.parametrize("distance", [L.l2, L.rmsd, L.decorrelation, L.contrast, L.per_species])
def test_slopes_are_finite_where_fields_agree_and_where_they_are_flat(distance):
    X = states(1)[0]
    for a, b in ((X, X), (jnp.ones_like(X), X)):
        assert jnp.isfinite(jax.grad(distance)(a, b)).all()


@pytest.mark.parametrize("distance", [L.l2, L.rmsd, L.decorrelation, L.contrast])
def test_target_is_the_mean_distance_of_one_species(distance):
    X, picture = states(3), states(1)[0, 0]
    expected = np.mean([distance(state[1], picture) for state in X])
    assert np.isclose(L.Target(picture, 1, distance, when=L.When(0.0, 0.5, 1.0))(seen(X)), expected)


def test_steps_is_the_mean_excess_and_asks_for_its_limit():
    excess = jnp.linspace(0, 1, STEPS)
    assert np.isclose(L.Steps(0.05)(seen(states(0), excess=excess)), 0.5) and L.Steps(0.05).limit == 0.05


@pytest.mark.parametrize("g, plain", [(L.saturating, lambda s: np.exp(-s)), (L.logarithmic, lambda s: -np.log(s))])
def test_dissipation_and_its_variance_are_of_g_at_every_step(g, plain):
    diffusion, reaction = (RNG.uniform(0.1, 2, STEPS) for _ in range(2))
    shown = seen(states(0), diffusion=jnp.asarray(diffusion), reaction=jnp.asarray(reaction))
    for of, sigma in (((True, False), diffusion), ((False, True), reaction), ((True, True), diffusion + reaction)):
        loss = L.Dissipation(*of, g)
        assert np.isclose(loss(shown), plain(sigma).mean())
        assert np.isclose(L.Unsteadiness(loss)(shown), plain(sigma).var())
        assert any(loss.entropy) and L.as_sum(loss).entropy == L.as_sum(L.Unsteadiness(loss)).entropy == loss.entropy
    with pytest.raises(ValueError, match="neither"):
        L.Dissipation(False, False)


def test_cross_entropy_is_in_nats_per_bit_and_stays_finite_for_a_sure_decoder():
    z, X = np.array([0.0, 1, 1]), states(2)
    p = np.array([0.2, 0.7, 0.4])
    shown = seen(X, z=z, decoder=lambda state: jnp.log(p / (1 - p)) + 0 * state.sum())
    assert np.isclose(L.CrossEntropy()(shown), -np.mean(z * np.log(p) + (1 - z) * np.log(1 - p)))
    sure = seen(X, z=z, decoder=lambda state: jnp.array([1e4, -1e4, 1e4]))
    assert np.isclose(L.CrossEntropy()(sure), 2e4 / 3)


WINDOW, SHIFTS = ((2, 6), (4, 8)), ((0, -3), (1, 5))


def test_replication_is_zero_for_shifted_copies_around_an_edge_and_only_for_those():
    X0 = states(1)[0]
    parent = np.asarray(X0)[:, 2:6, 4:8]
    XT = np.array(states(1)[0])
    XT[:, 2:6, 1:5] = parent  # shifted by (0, -3)
    for i, row in enumerate(range(3, 7)):
        for j, column in enumerate((9, 10, 11, 0)):  # by (1, 5)
            XT[:, row, column] = parent[:, i, j]
    copies = seen(jnp.stack([X0, jnp.asarray(XT)]))
    for distance in (L.l2, L.mean_square, L.per_species):
        assert np.isclose(L.Replication(WINDOW, SHIFTS, distance)(copies), 0, atol=1e-12)
    XT[:, 2:6, 1:5] += 1.0  # one daughter of two
    assert np.isclose(L.Replication(WINDOW, SHIFTS, L.mean_square)(seen(jnp.stack([X0, jnp.asarray(XT)]))), 0.5)


def test_spread_counts_only_what_falls_short():
    X = states(1)
    sd = np.asarray(X[0]).std(axis=(1, 2))
    assert np.isclose(L.Spread(1.0)(seen(X)), np.mean(np.maximum(1.0 - sd, 0) ** 2))
    assert L.Spread(0.9 * float(sd.min()))(seen(X)) == 0
    inside = [np.asarray(L.windowed(X[0], WINDOW, shift)).std(axis=(1, 2)) for shift in SHIFTS]
    expected = np.mean([np.mean(np.maximum(1.0 - sd, 0) ** 2) for sd in inside])
    assert np.isclose(L.Spread(1.0, WINDOW, SHIFTS)(seen(X)), expected)


def test_outside_sees_what_is_there_and_not_a_uniform_background():
    mask = np.zeros(SHAPE, bool)
    mask[:, 6:] = True
    X = np.array(states(2))
    X[1][:, :, 6:] = 0.7
    assert L.Outside(jnp.asarray(mask))(seen(jnp.asarray(X))) < 1e-20
    X[1, 0, 3, 7] += 1.0
    variance = X[1, 0][mask].var() / (X[0, 0].var() + 1e-4) / SPECIES
    assert np.isclose(L.Outside(jnp.asarray(mask))(seen(jnp.asarray(X))), variance)


def test_persistence_rest_and_ceiling():
    X = states(2)
    assert np.isclose(L.Persistence(distance=L.rmsd)(seen(X)), L.rmsd(X[0], X[1]))
    assert np.isclose(L.Rest()(seen(X)), L.l2(X[0], X[1]))
    assert np.isclose(L.Ceiling(1.5)(seen(X)), np.mean(np.maximum(np.asarray(X) - 1.5, 0) ** 2))


def test_apart_compares_the_samples_of_one_update():
    X = states(4)
    loss = jax.vmap(lambda state: L.Apart(1.0)(seen(state[None])), axis_name=L.SAMPLES)(X)
    spread = np.sqrt(np.mean((np.asarray(X) - np.asarray(X).mean(0)) ** 2, axis=(0, 2, 3)))
    assert np.allclose(loss, np.mean(np.maximum(1.0 - spread, 0)))
    alike = jax.vmap(lambda state: L.Apart(1.0)(seen(state[None])), axis_name=L.SAMPLES)(jnp.stack([X[0]] * 4))
    assert np.allclose(alike, 1.0)


def test_times_are_shares_then_random_steps_from_the_first_to_the_last():
    when = L.When(0.0, 0.25, 1.0, random=2000)
    steps = np.asarray(when.steps(8, jax.random.key(0)))
    assert when.count == 2003 and steps[:3].tolist() == [0, 2, 8]
    counts = np.bincount(steps[3:], minlength=9)
    assert len(counts) == 9 and stats.chisquare(counts).pvalue > 1e-3  # a bias of 30 % of one step would be 1e-6
    assert L.LastTwo().steps(8, jax.random.key(0)).tolist() == [7, 8]


def test_each_part_of_a_sum_is_shown_its_own_states():
    picture = jnp.zeros(SHAPE)
    whole = L.Target(picture, 0, L.rmsd, when=L.When(0.0)) + 3 * (L.Target(picture, 2, L.rmsd) + 2.0 * L.Steps(0.1))
    X = states(2)
    assert whole.steps(STEPS, jax.random.key(0)).tolist() == [0, STEPS]
    terms = whole.terms(seen(X, excess=jnp.full(STEPS, 0.5)))
    assert np.allclose(terms, [L.rmsd(X[0, 0], picture), 3 * L.rmsd(X[1, 2], picture), 3.0])
    assert whole.names == ("Target", "Target 2", "Steps") and whole.limit == 0.1 and not any(whole.entropy)
    with pytest.raises(ValueError, match=r"0\.1, 0\.3"):
        whole + L.Steps(0.3)


class Warm(L.AbstractLoss):
    """How far the mean of a species is below 1, at T."""

    species: int = eqx.field(static=True)

    def __call__(self, seen):
        return jnp.maximum(1.0 - seen.states[-1, self.species].mean(), 0)


def test_a_loss_of_ones_own_composes():
    X = states(1)
    expected = max(1 - np.asarray(X)[0, 1].mean(), 0) * 2
    assert np.isclose((2 * Warm(1) + L.Steps()).terms(seen(X)).sum(), expected)
