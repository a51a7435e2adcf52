"""Grids against exact calculus: manufactured solutions, linear profiles, amounts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from guldberg.space.boundary import Dirichlet, Flux, NoFlux, Periodic, Robin
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint, Star

D = jnp.array([0.7, 0.2])  # of two species
CORNERS = (0.25, 1 / 6)


def centres(grid):
    axes = [h * (np.arange(n) + 0.5) for n, h in zip(grid.shape, grid.spacing, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def field(shape=(2, 5, 6)):
    return jax.random.uniform(jax.random.key(0), shape)


# Each kind of boundary with a function that obeys it on (0, 1) and its second derivative
PI = np.pi
KINDS = {
    "periodic": (Periodic(), lambda x: np.sin(2 * PI * x + 0.3), lambda x: -4 * PI**2 * np.sin(2 * PI * x + 0.3)),
    "no flux": (NoFlux(), lambda x: np.cos(PI * x), lambda x: -(PI**2) * np.cos(PI * x)),
    "fixed value": (
        (Dirichlet(0.5), Dirichlet(1.5)),
        lambda x: 0.5 + x + np.sin(PI * x),
        lambda x: -(PI**2) * np.sin(PI * x),
    ),
    "fixed flux": (  # D c' = 0.3 in at the right, slope -1/2 there is D times it, whatever D
        (Flux(-0.3 * D), Flux(-0.5 * D)),
        lambda x: 2 + 0.3 * x - 0.4 * x**2 + np.cos(PI * x),
        lambda x: -0.8 - PI**2 * np.cos(PI * x),
    ),
    "membrane": (  # exp(x): D e = p (o - e) with p = 2 D, o = 1.5 e; at the left -D = p (o - 1) with o = 1/2
        (Robin(2 * D, 0.5), Robin(2 * D, 1.5 * np.e)),
        np.exp,
        np.exp,
    ),
}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_solutions_of_poissons_equation_are_of_second_order(kind, axes):
    """The error of c, where the discrete Laplacian of c is the exact one, falls fourfold as the spacing halves. (At
    the boundaries the error of the Laplacian itself does not: c is what has an order.) The first axis has the boundary
    in question, the others are periodic or without flux."""
    faces, f, second = KINDS[kind]
    errors = []
    for n in (8, 16):
        shape = (n, 6, 4)[:axes]
        grid = Grid(shape, (1 / n, 0.3, 0.5)[:axes], [faces, NoFlux(), Periodic()][:axes])
        x = centres(grid)[0]
        # the solution varies along the first axis alone, so it is enough to solve there
        line = Grid((n,), 1 / n, [faces])
        (along,) = centres(line)
        zero = line.laplacian(jnp.zeros((2, n)), D)
        matrix = jax.jacfwd(lambda c, line=line: line.laplacian(c, D))(jnp.zeros((2, n)))[0, :, 0]
        solution = np.linalg.lstsq(matrix, second(along) - zero[0], rcond=None)[0]
        free = kind in ("periodic", "no flux", "fixed flux")  # up to a constant
        wanted = f(along)
        errors.append(np.abs(solution - wanted - free * (solution - wanted).mean()).max())
        filled = jnp.broadcast_to(solution.reshape(-1, *(1,) * (axes - 1)), (2, *shape))
        if not free:  # there a residual is left, as the sources do not add up
            source = np.broadcast_to(second(x), (2, *shape))
            np.testing.assert_allclose(grid.laplacian(filled, D), source, rtol=1e-9, atol=1e-9)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.12)


@pytest.mark.parametrize("stencil", [Star(), *map(NinePoint, CORNERS)], ids=str)
@pytest.mark.parametrize("boundary", [Periodic(), NoFlux()], ids=lambda b: type(b).__name__)
def test_closed_boundaries_keep_the_amount_of_each_species(stencil, boundary):
    grid = Grid((5, 6), 0.4, [boundary, boundary], stencil=stencil)
    np.testing.assert_allclose(grid.integral(grid.laplacian(field())), 0, atol=1e-13)


def test_a_flux_adds_what_it_says():
    """Through faces of 6 x 0.4 and 5 x 0.4."""
    faces = [(Flux([0.3, 0.0]), Flux(0.1)), (NoFlux(), Flux([0.0, -0.2]))]
    grid = Grid((5, 6), 0.4, faces)
    added = grid.integral(grid.diffusion(field(), D))
    np.testing.assert_allclose(added, [(0.3 + 0.1) * 2.4, 0.1 * 2.4 - 0.2 * 2.0], rtol=1e-12)


def test_between_reservoirs_diffusion_comes_to_rest_on_a_straight_line():
    grid = Grid((10,), 0.2, [(Dirichlet([1.0, 0.0]), Dirichlet([3.0, 0.5]))])
    (x,) = centres(grid)
    line = jnp.stack([1 + x, 0.25 * x])
    np.testing.assert_allclose(grid.laplacian(line), 0, atol=1e-12)
    np.testing.assert_allclose(grid.gradient(line)[0], [np.full(10, 1.0), np.full(10, 0.25)], rtol=1e-12)


def test_a_membrane_is_between_a_wall_and_a_reservoir_for_each_species():
    wall, open_ = Grid((5,), 0.2, [NoFlux()]), Grid((5,), 0.2, [Dirichlet(2.0)])
    membrane = Grid((5,), 0.2, [Robin([0.0, 1e9], 2.0)])
    c = field(shape=(2, 5))
    expected = jnp.stack([wall.laplacian(c)[0], open_.laplacian(c)[1]])
    np.testing.assert_allclose(membrane.laplacian(c, D), expected, rtol=1e-6)


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("faces", [Periodic(), NoFlux(), (Dirichlet(0.2), Flux(0.4))], ids=str)
def test_the_nine_point_stencil_is_the_sum_of_its_weights_times_differences(corner, faces):
    grid = Grid((5, 6), 0.5, [faces, faces], stencil=NinePoint(corner))
    c = field()
    padded = np.asarray(grid.padded(c, D))
    by_hand = np.zeros(c.shape)
    for i, j in itertools.product((-1, 0, 1), repeat=2):
        weight = {0: 0.0, 1: 1 - 2 * corner, 2: corner}[abs(i) + abs(j)] / 0.5**2
        by_hand += weight * (padded[:, 1 + i : 6 + i, 1 + j : 7 + j] - c)
    np.testing.assert_allclose(grid.laplacian(c, D), by_hand, rtol=1e-10, atol=1e-12)


def test_the_stencil_of_collatz_has_an_error_without_direction():
    """exp(k.x) is an eigenfunction; its eigenvalue is k^2 + h^2 k^4 / 12 whatever the direction of k, to order h^4."""

    def eigenvalue(stencil, angle, h=0.1):
        grid = Grid((3, 3), h, [NoFlux(), NoFlux()], stencil=stencil)
        x, y = centres(grid)
        wave = np.exp(np.cos(angle) * x + np.sin(angle) * y)[None]
        return float(grid.laplacian(jnp.asarray(wave))[0, 1, 1] / wave[0, 1, 1])

    def spread(stencil):
        return np.ptp([eigenvalue(stencil, angle) for angle in np.linspace(0, np.pi / 4, 5)])

    assert eigenvalue(NinePoint(1 / 6), 0.3) == pytest.approx(1 + 0.1**2 / 12, abs=1e-6)
    assert spread(NinePoint(1 / 6)) < 1e-6 < 1e-4 < spread(Star())


@pytest.mark.parametrize("stencil", [Star(), *map(NinePoint, (*CORNERS, 0.1))], ids=str)
def test_the_longest_step_is_where_the_fastest_mode_stops_decaying(stencil):
    grid = Grid.periodic((6, 6), 0.5, stencil=stencil)
    matrix = jax.jacfwd(grid.laplacian)(jnp.zeros((1, 6, 6))).reshape(36, 36)
    fastest = np.linalg.eigvalsh(matrix).min()
    assert float(grid.longest_step(jnp.array([0.3, 0.7]))) == pytest.approx(-2 / (0.7 * fastest), rel=1e-12)


def test_one_cell_across_makes_a_plane_a_line():
    plane, line = (Grid.periodic(shape) for shape in ((1, 7), (7,)))
    c = field(shape=(2, 7))
    np.testing.assert_allclose(plane.laplacian(c[:, None])[:, 0], line.laplacian(c), rtol=1e-13, atol=1e-14)


def test_a_refined_grid_is_the_same_place_and_keeps_amounts():
    grid = Grid((4, 6), 0.5, [NoFlux(), Periodic()])
    fine = grid.refined(2)
    c = field(shape=(2, 4, 6))
    assert (fine.shape, fine.spacing) == ((8, 12), (0.25, 0.25))
    np.testing.assert_allclose(fine.integral(grid.interpolated(c)), grid.integral(c), rtol=1e-13)
    x, y = centres(grid)
    slope = np.stack([2 + x, 1 - 3 * x])
    inner = grid.interpolated(jnp.asarray(slope))[:, 1:-1]
    np.testing.assert_allclose(inner, np.stack([2 + centres(fine)[0], 1 - 3 * centres(fine)[0]])[:, 1:-1], rtol=1e-12)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (((4, 0), 1.0, [NoFlux(), NoFlux()]), "a cell or more"),
        (((4,) * 4, 1.0, [NoFlux()] * 4), "1 to 3 axes"),
        (((4, 4), (1.0,), [NoFlux(), NoFlux()]), "spacing for each of 2"),
        (((4,), -1.0, [NoFlux()]), "positive spacing"),
        (((4, 4), 1.0, [NoFlux()]), "boundaries for each of 2"),
        (((4,), 1.0, [(NoFlux(), Periodic())]), "both faces"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        Grid(*arguments)


def test_fields_and_stencils_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(species, 4, 5\), got \(2, 5, 4\)"):
        Grid.periodic((4, 5)).laplacian(jnp.zeros((2, 5, 4)))
    with pytest.raises(ValueError, match="nine-point"):
        Grid.periodic((4, 5, 6), stencil=NinePoint())
    with pytest.raises(ValueError, match="nine-point"):
        Grid.periodic((4, 5), (1.0, 2.0), stencil=NinePoint())
