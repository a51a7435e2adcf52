"""Baselines against the differential equations in a textbook's form, solved by another integrator."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from guldberg.closure.chain import Chain
from guldberg.closure.events import processes
from guldberg.closure.graphical import PAIRS
from guldberg.reduce.baselines import Held, Projected, StaticFloor, fitted, mean_field, pair_closure
from guldberg.reduce.learn import in_a_row
from guldberg.text import parse

N, P, STEPS = 4000, 0.02, 40
RULES = processes(parse(f"2 A -> 0 @ {P}"))
STARTS = Chain(PAIRS, N)
THETAS = np.array([[0.3, 0.6], [-0.4, -0.5]])
HELD = Held(STARTS, THETAS, np.zeros((2, STEPS + 1, 4)))
DENSITY = np.asarray(in_a_row(STARTS, jnp.asarray(THETAS), 2)) / N


@pytest.mark.slow
def test_mean_field_is_second_order_decay() -> None:
    predicted = mean_field(N, RULES).predict(HELD)
    r = DENSITY[:, :1] / (1 + 2 * P * DENSITY[:, :1] * np.arange(STEPS + 1))
    np.testing.assert_allclose(predicted[..., 0], N * r, rtol=1e-3)
    np.testing.assert_allclose(predicted[..., 3], (N - 3) * r**4, rtol=4e-3)


def test_pair_closure_is_equation_36_closed_by_pairs() -> None:
    """dr/dt = -2 k q and dq/dt = -k q - 2 k q^2/r + 2 D (<101> - <110>), <101> = (r - q)^2 / (1 - r): per site, with
    the pair's own reaction as a loss (the paper's eq. (36) has + k_r there)."""

    def slope(_: float, y: np.ndarray, k: float = P, D: float = 0.5) -> list[float]:
        r, q = y
        return [-2 * k * q, -k * q - 2 * k * q * q / r + 2 * D * ((r - q) ** 2 / (1 - r) - (q - q * q / r))]

    predicted = pair_closure(N, RULES).predict(HELD) / N
    for s in range(2):
        times = np.arange(STEPS + 1)
        exact = solve_ivp(slope, (0, STEPS), DENSITY[s], t_eval=times, rtol=1e-9, atol=1e-12).y
        np.testing.assert_allclose(predicted[s, :, 0], exact[0], rtol=2e-3)
        np.testing.assert_allclose(predicted[s, :, 1], exact[1], rtol=4e-3)
        np.testing.assert_allclose(predicted[s, :, 2], exact[1] ** 2 / exact[0], rtol=6e-3)


@pytest.mark.slow
def test_a_fit_finds_the_rates_that_made_the_data() -> None:
    baseline = mean_field(N, RULES)
    faster = Projected("faster", baseline.projection.with_rates(baseline.projection.rates * jnp.array([1.0, 1.7])))
    found = fitted(baseline, STARTS, THETAS, faster.predict(HELD))
    np.testing.assert_allclose(found.projection.rates[1], 1.7 * P, rtol=1e-4)
    assert found.name == "mean field, fitted"


def test_the_floor_of_a_class_is_zero_inside_it() -> None:
    truth = np.asarray(in_a_row(STARTS, jnp.asarray(THETAS)[:, None], 4))
    np.testing.assert_allclose(StaticFloor("pairs", STARTS).predict(Held(STARTS, THETAS, truth)), truth, rtol=1e-4)
