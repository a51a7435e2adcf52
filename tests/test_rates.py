"""Rate laws: their values, and that a constant written down is read back to the same bits."""

import decimal
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guldberg.rates import GAS_CONSTANT, Arrhenius, Constant, Plain, exp_text, log_of

MIXED = Arrhenius.of([1e13, 0.0, 2.0], [0.0, 1.0, -0.5], [5e4, 0.0, -1e3])


def test_constant_is_its_value_at_every_temperature():
    law = Constant.of([2.0, 0.0, 1e6])
    for temperature in (None, 300.0):
        np.testing.assert_allclose(law(temperature), [2.0, 0.0, 1e6], rtol=1e-15)
    assert law.active.tolist() == [True, False, True]


def test_a_plain_constant_may_be_zero_has_a_slope_there_and_is_written_as_it_is():
    law = Plain(jnp.array([2.5, 0.0, 1e-7, 3e8]))
    np.testing.assert_array_equal(law(300.0), law.k)
    np.testing.assert_array_equal(jax.jacfwd(lambda k: Plain(k)())(law.k), np.eye(4))
    assert law.active.tolist() == [True, False, True, True]
    assert law.texts() == ("2.5", "0", "1e-7", "3e8")
    assert float(law.log()[2]) == pytest.approx(math.log(1e-7), rel=1e-14)


def test_arrhenius_is_the_modified_law():
    T = 750.0
    expected = [1e13 * math.exp(-5e4 / (GAS_CONSTANT * T)), 0.0, 2 / math.sqrt(T) * math.exp(1e3 / (GAS_CONSTANT * T))]
    np.testing.assert_allclose(MIXED(T), expected, rtol=1e-14)
    np.testing.assert_allclose(np.exp(MIXED.log(T)), expected, rtol=1e-14)
    assert MIXED.active.tolist() == [True, False, True]


def test_one_exponent_or_energy_serves_all():
    law = Arrhenius.of([1.0, 2.0], 0.5, 1e4)
    assert law.b.tolist() == [0.5, 0.5] and law.Ea.tolist() == [1e4, 1e4]


def test_slope_in_temperature_is_the_apparent_activation_energy():
    """d ln k / dT = b / T + Ea / (R T^2)."""
    slope = jax.jacfwd(Arrhenius.of([3.0], 1.5, 2e4).log)(400.0)
    np.testing.assert_allclose(slope, 1.5 / 400 + 2e4 / (GAS_CONSTANT * 400**2), rtol=1e-13)


def test_a_reaction_that_does_not_happen_has_a_finite_gradient():
    gradient = jax.grad(lambda log_k: Constant(log_k)().sum())(jnp.array([-jnp.inf, 0.0]))
    assert gradient.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("temperature", [None, 0.0, -10, math.nan, math.inf])
def test_arrhenius_needs_a_temperature(temperature):
    with pytest.raises(ValueError, match="temperature in kelvin"):
        MIXED(temperature)


@pytest.mark.parametrize("k", [-1.0, math.inf, math.nan, [1.0, -1e-300], [[1.0]]])
def test_what_is_no_rate_constant_is_refused(k):
    with pytest.raises(ValueError, match="finite and not negative"):
        Constant.of(k)
    with pytest.raises(ValueError, match="finite and not negative"):
        Arrhenius.of(k, 0.0, 0.0)


def test_arrhenius_exponents_must_be_finite():
    for b, Ea in ((math.nan, 0.0), (0.0, math.inf)):
        with pytest.raises(ValueError, match="must be finite"):
            Arrhenius.of(1.0, b, Ea)


def test_a_tiny_constant_is_not_lost_in_single_precision():
    with jax.enable_x64(False):
        law = Constant.of([1e-60])
    assert law.log_k.dtype == np.float32 and law.log_k[0] == pytest.approx(-60 * math.log(10))


@given(st.floats(1e-300, 1e300))
def test_log_of_a_numeral_is_its_logarithm(k):
    """To rounding of the result, and to that of k: log_of takes 1.1 for 1.1, math.log for the float next to it."""
    assert log_of(repr(k)) == pytest.approx(math.log(k), rel=2.3e-16, abs=1.2e-16)


def test_log_of_uses_digits_beyond_a_float():
    assert log_of("1." + 29 * "0" + "1") == 1e-30
    assert log_of("0") == log_of("0.000") == -math.inf


@given(st.floats(-1e4, 709), st.sampled_from([np.float32, np.float64]))
def test_what_is_written_is_read_back_to_the_same_bits(log, dtype):
    x = dtype(log)
    assert dtype(log_of(exp_text(x))) == x


@given(st.decimals(decimal.Decimal("1e-9"), decimal.Decimal("1e9"), places=6).filter(bool))
def test_what_was_typed_is_written_as_typed(k):
    assert decimal.Decimal(exp_text(np.float64(log_of(str(k))))) == k or len(k.normalize().as_tuple().digits) > 13


@pytest.mark.parametrize(
    ("k", "text"), [(1e6, "1e6"), (1000.0, "1000"), (0.3, "0.3"), (1e-9, "1e-9"), (337.5, "337.5")]
)
def test_constants_are_written_short(k, text):
    assert Constant.of(k).texts() == (text,)


def test_what_has_no_numeral_is_refused():
    for log in (math.inf, math.nan, 710.0, -1e300):
        with pytest.raises(ValueError, match="finite"):
            exp_text(np.float64(log))
