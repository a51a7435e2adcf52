"""Interaction functions in continuous space: operators, elements, the adjoint equation, learning from exact data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from guldberg.closure.continuous import likelihood, warm
from guldberg.closure.continuous.adjoint import slopes
from guldberg.closure.continuous.functional import (
    Functional,
    Laplacian,
    One,
    SquaredGradient,
    Term,
    path,
)
from guldberg.closure.continuous.likelihood import Model, Seen
from guldberg.closure.continuous.profile import elements
from guldberg.closure.fem import CubicElements
from guldberg.space.boundary import NoFlux
from guldberg.space.grid import Grid

L = 6.0


def function(points, cell, values):
    """The cubic elements that equal `values` at their vertices, or random ones."""
    family = CubicElements.covering(np.asarray(points, float), cell=cell, margin=0.1)
    flat = np.arange(len(family.coefficients)) % 2 ** len(family.counts) == 0
    return family.having(jnp.asarray(np.where(flat, values, 0.0))[:, None])


def diffusing(n, D=0.4, k=0.3, low=-3.0, high=2.0):
    grid, ends = Grid.periodic((n,), L / n), [[low], [high]]
    parts = ((Laplacian(), D), (SquaredGradient(), -D), (One(), k))
    return Functional(tuple(Term("", 0, op, (0,), function(ends, 1.5, v)) for op, v in parts), grid)


def bump(n, t=0.0, D=0.4, k=0.3):
    """Waves on a ring that diffuse and decay: density exp(-k t) (1 + sum a_m exp(-D q_m^2 t) cos(q_m x))."""
    x, density = (np.arange(n) + 0.5) * L / n, np.ones(n)
    for m, a in ((1, 0.6), (2, 0.2)):
        q = 2 * np.pi * m / L
        density = density + a * np.exp(-D * q**2 * t) * np.cos(q * x)
    return -np.log(np.exp(-k * t) * density)[None]


@pytest.mark.slow
def test_an_exact_solution_is_followed_to_second_order_in_the_spacing():
    errors = []
    for n in (20, 40, 80):
        F = diffusing(n)
        nu = path(F, jnp.asarray(bump(n)), 0.25, 5, F.substeps(0.25, 0.4))
        errors.append(np.abs(np.asarray(nu[-1]) - bump(n, 1.0)).max())
    assert errors[-1] < 1e-3
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2, atol=0.1)


def random_problem(n=16, seed=0):
    """Two species, a function of both, no constants anywhere."""
    rng, grid = np.random.default_rng(seed), Grid((n,), L / n, [NoFlux()])
    one, two = [[-1.0], [1.5]], [[-1.0, -1.0], [1.5, 1.5]]
    terms = [Term("", s, Laplacian(), (s,), function(one, 1.0, 0.3)) for s in (0, 1)]
    terms += [Term("", s, SquaredGradient(), (s,), function(one, 1.0, -0.2)) for s in (0, 1)]
    terms += [Term("", 1, One(), (1, 0), function(two, 1.5, 0.1))]
    F = Functional(tuple(terms), grid)
    F = F.having(F.coefficients + jnp.asarray(0.05 * rng.normal(size=len(F.coefficients))))
    x = (np.arange(n) + 0.5) / n
    start = jnp.asarray(np.stack([0.5 * np.cos(np.pi * x), 0.3 * np.cos(2 * np.pi * x)]))
    return F, start, jnp.asarray(rng.uniform(0.2, 1.0, (4, 2, n)))


def action(F, start, counts, substeps, cell=0.4, span=0.2):
    nu = path(F, start, span, len(counts), substeps)
    return jnp.sum(counts * nu + cell * jnp.exp(-nu))


def by_autodiff(F, start, counts, substeps):
    of = jax.jit(jax.grad(lambda a, u: action(F.having(u), a, counts, substeps), (0, 1)))
    return of(start, F.coefficients)


def same_as_autodiff(F, start, counts):
    found = slopes(F, start, counts, cell=0.4, span=0.2, substeps=64)
    by_start, by_coefficients = by_autodiff(F, start, counts, 64)
    assert np.abs(found.start - by_start).max() < 1e-8 * np.abs(by_start).max()
    assert np.abs(found.coefficients - by_coefficients).max() < 1e-8 * np.abs(by_coefficients).max()


@pytest.mark.slow
def test_the_adjoint_equation_gives_the_derivative_of_the_discretised_action():
    """Of one term, nonlinear since its function is bent."""
    whole, counts = diffusing(12), np.random.default_rng(0).uniform(0.2, 1.0, (4, 1, 12))
    F = Functional(whole.terms[:1], whole.grid)
    F = F.having(F.coefficients + 0.1 * np.cos(np.arange(len(F.coefficients))))
    same_as_autodiff(F, jnp.asarray(bump(12)), jnp.asarray(counts))


@pytest.mark.slow
def test_the_adjoint_of_two_species_with_a_function_of_both():
    """And the two differ by the fourth power of the step, as does what each is off in the start."""
    F, start, counts = random_problem()
    same_as_autodiff(F, start, counts)
    exact, apart, off = slopes(F, start, counts, cell=0.4, span=0.2, substeps=128), [], []
    for substeps in (4, 8):
        found = slopes(F, start, counts, cell=0.4, span=0.2, substeps=substeps)
        apart.append(np.abs(found.coefficients - by_autodiff(F, start, counts, substeps)[1]).max())
        off.append(np.abs(found.start - exact.start).max())
    assert np.log2(apart[0] / apart[1]) > 3.7 and np.log2(off[0] / off[1]) > 3.7


def test_the_formal_solution_of_appendix_a_on_a_linear_problem():
    """F = G nu + f with constant G (diffusion alone): the fundamental matrix is A(t) = exp(G t), and (A3), (A6) with
    zeta(t_f) = 0 give zeta(t) = -sum over later snapshots of exp(G^T (t_i - t)) Delta mu(t_i)."""
    n, span, snapshots = 12, 0.3, 4
    grid = Grid.periodic((n,), L / n)
    F = Functional((Term("", 0, Laplacian(), (0,), function([[-1.0], [1.0]], 1.0, 0.5)),), grid)
    rng = np.random.default_rng(1)
    start, counts = jnp.asarray(0.3 * rng.normal(size=(1, n))), jnp.asarray(rng.uniform(0.2, 1, (snapshots, 1, n)))
    found = slopes(F, start, counts, cell=0.5, span=span, substeps=64)
    values, vectors = np.linalg.eigh(
        0.5 * (np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) - 2 * np.eye(n)) * (n / L) ** 2
    )

    def A(t):
        return vectors * np.exp(values * t) @ vectors.T

    nu = [A(span * i) @ np.asarray(start[0]) for i in range(snapshots)]
    wrong = [np.asarray(counts[i, 0]) - 0.5 * np.exp(-nu[i]) for i in range(snapshots)]
    for j in range(snapshots):
        formal = -sum(A(span * (i - j)).T @ wrong[i] for i in range(j, snapshots))
        np.testing.assert_allclose(found.multipliers[j, 0], formal, atol=1e-9)

    def change(i):
        """(A3): what a change of f to f + 1 does to nu at a snapshot."""
        at = np.linspace(0, span * i, 301)
        dF = [vectors * values @ vectors.T @ A(t) @ np.asarray(start[0]) / 0.5 for t in at]
        return np.trapezoid([A(span * i - t) @ f for t, f in zip(at, dF, strict=True)], at, axis=0)

    flat = np.arange(len(F.coefficients)) % 2 == 0
    first_variation = sum(wrong[i] @ change(i) for i in range(1, snapshots))  # (A4), or (6)
    np.testing.assert_allclose(np.asarray(found.coefficients)[flat].sum(), first_variation, rtol=1e-4)


@pytest.mark.parametrize("periodic", [True, False])
def test_elements_in_a_plane_are_products_and_keep_their_sides(periodic):
    """A polynomial or wave that fits the sides is met; every function of theirs has slope zero at a wall."""
    sides = Grid.periodic((12, 15), 0.1) if periodic else Grid((12, 15), 0.1, [NoFlux()] * 2)
    Phi = elements(sides, 4)
    x, y = ((np.arange(n) + 0.5) / n for n in sides.shape)
    wave = (lambda x: np.sin(2 * np.pi * x)) if periodic else (lambda x: np.cos(np.pi * x))
    field = np.outer(wave(x), 1 + 0.5 * wave(y)).ravel()
    miss = field - Phi @ np.linalg.lstsq(Phi, field)[0]
    assert np.abs(miss).max() < 5e-3 and Phi.shape == (180, 64)
    assert np.linalg.matrix_rank(Phi) == 64


@pytest.mark.parametrize(("arguments", "cell"), [(2, 0.7), (3, 1.9)])
def test_functions_of_several_arguments_are_their_rows(arguments, cell):
    """The dense elements of the innermost loop are those of `CubicElements`, values and derivatives."""
    family = CubicElements.covering(np.array([[-1.0, 0.0, 0.5], [1.0, 2.0, 2.0]])[:, :arguments], cell=cell)
    u = jnp.asarray(np.random.default_rng(0).normal(size=(len(family.coefficients), 1)))
    term = Term("", 0, One(), tuple(range(arguments)), family.having(u))
    nu = jnp.asarray(np.random.default_rng(1).uniform(-1.5, 2.5, (arguments, 40)))
    mine, plain = (
        jax.jit(jax.value_and_grad(lambda nu, f=f: jnp.sum(f(nu) ** 2)))(nu)
        for f in (term.values, lambda nu: jax.vmap(term.function)(nu.T)[:, 0])
    )
    np.testing.assert_allclose(mine[0], plain[0], rtol=1e-12)
    np.testing.assert_allclose(mine[1], plain[1], atol=1e-10)


def exact(n=40, times=6, span=0.3):
    """Counts that are their own means: 20 groups of runs whose scatter has mean zero."""
    means = 100 * L / n * np.exp(-np.stack([bump(n, span * i) for i in range(times)]))
    wobble = np.random.default_rng(0).normal(size=(10, *means.shape)) * np.sqrt(means / 50)
    return Seen(np.concatenate([means + wobble, means - wobble]), span, L / n)


@pytest.mark.slow
def test_static_fits_meet_the_moments_of_every_element():
    seen, Phi = exact(), elements(Grid.periodic((40,), L / 40), 5)
    fits = warm.static_fits(Phi, seen)
    modelled = seen.cell * np.exp(-fits.nu)
    np.testing.assert_allclose(modelled[:, 0] @ Phi, seen.mean[:, 0] @ Phi, rtol=2e-4, atol=1e-3)


@pytest.mark.slow
def test_exact_densities_give_back_their_law():
    """From constants that are a third off, on exact means: D, -D and k within what the grid errs by."""
    n, seen = 40, exact()
    Phi = elements(Grid.periodic((n,), L / n), 8)
    shift = np.log(100.0)
    F = diffusing(n, low=-1.0 - shift, high=2.0 - shift)
    model = Model(F, Phi, np.array(F.substeps(seen.span, 0.6)))
    a = warm.static_fits(Phi, seen).dofs[0].ravel()
    width = len(F.terms[0].function.coefficients)
    ones = np.kron(np.eye(3), (np.arange(width) % 2 == 0).astype(float))
    directions = scipy.linalg.block_diag(np.eye(len(a)), ones)
    begin = np.concatenate([a, np.array([0.25, -0.25, 0.4]) @ ones])
    free = np.zeros((len(begin),) * 2)
    found = likelihood.learn(model, begin, seen, free, directions, iterations=15)
    law = ones @ found.parameters[len(a) :] / ones.sum(axis=1)
    np.testing.assert_allclose(law, [0.4, -0.4, 0.3], rtol=0.02)
    assert found.converged and list(found.values) == sorted(found.values, reverse=True)
