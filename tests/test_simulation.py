"""Trajectories against exact solutions, tabulated values, finite differences and conservation."""

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.simulation import SolveFailed, simulate
from guldberg.system import WellMixed


def well_mixed(reactants, products, k, species):
    return WellMixed(ReactionNetwork(jnp.array(reactants), jnp.array(products), Constant.of(k), None, tuple(species)))


def robertson(k=(0.04, 3e7, 1e4)):
    """A -> B, 2 B -> B + C, B + C -> A + C: rate constants nine orders of magnitude apart."""
    return well_mixed([[1, 0, 0], [0, 2, 0], [0, 1, 1]], [[0, 1, 0], [0, 1, 1], [1, 0, 1]], k, "ABC")


def chain():
    """A -> B -> C -> A, linear: its solution is a matrix exponential."""
    return well_mixed(np.eye(3, dtype=int), np.roll(np.eye(3, dtype=int), 1, axis=1), [2, 0.3, 1e3], "ABC")


def exact_chain(c0, t):
    k = np.array([2, 0.3, 1e3])
    return scipy.linalg.expm(t * (np.roll(np.diag(k), 1, axis=0) - np.diag(k))) @ c0


# Reference solution at t = 10^0 ... 10^11 shipped with the Fortran codes of Hairer and Wanner, Solving ODEs II; the row
# at t = 100 is the one that diffrax's own test uses.
ROBERTSON = np.array(
    [
        [0.9664597373330035e00, 0.3074626578578675e-04, 0.3350951640121071e-01],
        [0.8413699238414729e00, 0.1623390937990473e-04, 0.1586138422491472e00],
        [0.6172348823960878e00, 0.6153591274639123e-05, 0.3827589640126376e00],
        [0.3368745306607069e00, 0.2013702318261393e-05, 0.6631234556369748e00],
        [0.1073004285378040e00, 0.4800166972571660e-06, 0.8926990914454987e00],
        [0.1786592114209946e-01, 0.7274751468436319e-07, 0.9821340061103859e00],
        [0.2031483924973415e-02, 0.8142277783356159e-08, 0.9979685079327488e00],
        [0.2076093439016395e-03, 0.8306077485067610e-09, 0.9997923898254906e00],
        [0.2082417512179460e-04, 0.8329841429908955e-10, 0.9999791757415798e00],
        [0.2083229471647004e-05, 0.8332935037760723e-11, 0.9999979167621954e00],
        [0.2083328471883087e-06, 0.8333315602809495e-12, 0.9999997916663195e00],
        [0.2083340149701284e-07, 0.8333360770334744e-13, 0.9999999791665152e00],
    ]
)
DECADES = np.concatenate([[0.0], 10.0 ** np.arange(12)])


def test_robertson_reaches_its_reference_values_over_eleven_decades_and_keeps_its_mass():
    trajectory = simulate(robertson(), [1.0, 0.0, 0.0], DECADES)
    np.testing.assert_allclose(trajectory.values[1:], ROBERTSON, rtol=1e-4, atol=0)
    np.testing.assert_allclose(trajectory.values[3], ROBERTSON[2], rtol=1e-7)
    np.testing.assert_allclose(trajectory.values.sum(axis=1), 1.0, rtol=0, atol=1e-13)
    assert trajectory.ok and trajectory.reached == len(DECADES)


def test_gradients_in_log_k_and_the_initial_state_equal_finite_differences():
    def loss(parameters):
        log_k, c0 = parameters
        system = eqx.tree_at(lambda s: s.network.forward.log_k, robertson(), log_k)
        return (simulate(system, c0, DECADES).values[5] * jnp.array([1.0, 1e4, 0.5])).sum()

    at = jnp.log(jnp.array([0.04, 3e7, 1e4])), jnp.array([1.0, 0.05, 0.1])
    flat, unravel = jax.flatten_util.ravel_pytree(at)
    gradient, _ = jax.flatten_util.ravel_pytree(jax.grad(loss)(at))
    for i, exact in enumerate(gradient):
        h = 1e-4 * abs(flat[i])
        difference = (loss(unravel(flat.at[i].add(h))) - loss(unravel(flat.at[i].add(-h)))) / (2 * h)
        np.testing.assert_allclose(exact, difference, rtol=1e-4)


@pytest.mark.parametrize("dtype, rtol", [("float64", 2e-8), ("float32", 5e-5)])
def test_a_linear_network_equals_the_matrix_exponential_in_its_own_precision(dtype, rtol):
    c0, ts = np.array([1.0, 0.5, 0.0]), np.concatenate([[0.0], np.geomspace(1e-5, 20, 12)])
    trajectory = simulate(chain(), jnp.array(c0, dtype), ts)
    assert trajectory.values.dtype == trajectory.ts.dtype == dtype
    np.testing.assert_allclose(trajectory.values, [exact_chain(c0, t) for t in ts], rtol=rtol, atol=rtol / 100)
    np.testing.assert_allclose(trajectory.values.sum(axis=1), 1.5, rtol=30 * jnp.finfo(dtype).eps)


BLOW_UP = well_mixed([[2]], [[3]], [1.0], "A")  # dA/dt = A^2 from 1: A = 1 / (1 - t), nothing beyond t = 1
BEYOND = [0.0, 0.5, 0.8, 2.0]


def test_a_failed_solve_says_where_it_stopped_in_which_state_and_what_to_try():
    with pytest.raises(SolveFailed, match=r"between t = 0\.8, where A = 5, and t = 2: .*max_steps") as caught:
        simulate(BLOW_UP, [1.0], BEYOND, max_steps=1000)
    assert "\n" not in str(caught.value)


def test_a_failed_solve_that_is_not_raised_is_told_by_the_trajectory_and_its_dataset():
    trajectory = simulate(BLOW_UP, [1.0], BEYOND, max_steps=1000, throw=False)
    assert not trajectory.ok and trajectory.reached == 3
    np.testing.assert_allclose(trajectory.values[:, 0], [1, 2, 5, np.inf], rtol=1e-6)
    dataset = trajectory.to_dataset()
    np.testing.assert_allclose(dataset.concentration.sel(species="A"), [1, 2, 5, np.nan], rtol=1e-6)
    assert dataset.attrs["outcome"] == trajectory.outcome() != "solved"


def test_vmap_gives_each_initial_state_its_own_trajectory_and_its_own_failure():
    c0s = np.array([1.0, 0.25, 0.1, 0.0])
    trajectories = eqx.filter_vmap(lambda c0: simulate(BLOW_UP, c0, BEYOND, max_steps=1000, throw=False))(c0s[:, None])
    assert trajectories.ok.tolist() == [False, True, True, True]
    exact = c0s[:, None] / (1 - c0s[:, None] * np.array(BEYOND))
    np.testing.assert_allclose(trajectories.values[1:, :, 0], exact[1:], rtol=2e-8)
    np.testing.assert_allclose(trajectories.values[0, :3, 0], exact[0, :3], rtol=1e-6)


def test_a_failed_solve_inside_jit_is_a_runtime_error():
    with pytest.raises(RuntimeError, match="max_steps"):
        eqx.filter_jit(simulate)(BLOW_UP, [1.0], BEYOND, max_steps=1000)


@pytest.mark.parametrize(
    "c0, ts, expected",
    [
        ([1.0, 2.0], [0, 1], r"shape \(2,\), expected \(3"),
        ([1.0, np.nan, 0.0], [0, 1], "finite"),
        ([1.0, 0.0, 0.0], [0], "two times"),
        ([1.0, 0.0, 0.0], [[0, 1]], "two times"),
        ([1.0, 0.0, 0.0], [0, 1, 1], "strictly"),
        ([1.0, 0.0, 0.0], [0, np.inf], "finite"),
        (jnp.ones(3, "float32"), [1.0, 1.0 + 1e-9], "float32"),
    ],
)
def test_input_without_a_meaning_is_refused(c0, ts, expected):
    with pytest.raises(ValueError, match=expected):
        simulate(chain(), c0, ts)


def test_dataset_holds_values_names_and_units():
    trajectory = simulate(chain(), [1.0, 0.0, 0.0], DECADES)
    dataset = trajectory.to_dataset(time_unit="min", unit="mmol/L")
    np.testing.assert_array_equal(dataset.concentration.sel(species="B"), trajectory.values[:, 1])
    assert dataset.concentration.dims == ("time", "species")
    assert (dataset.time.attrs["units"], dataset.concentration.attrs["units"]) == ("min", "mmol/L")
