"""Unit texts: what a rate constant's unit must be, and that writing and reading agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guldberg.app.units import common_unit, parse, rate_unit, same, show, times


@pytest.mark.parametrize(
    ("order", "concentration", "time", "expected"),
    [
        (0, "mmol/L", "min", "mmol/(L min)"),
        (1, "mmol/L", "min", "1/min"),
        (2, "mmol/L", "min", "L/(mmol min)"),
        (3, "mmol/L", "min", "L^2/(mmol^2 min)"),
        (2, "mM", "s", "1/(mM s)"),
        (2, "%", "min", "1/(% min)"),
        (2, "mol L-1", "s", "L/(mol s)"),
        (2, "mol dm-3", "s", "dm^3/(mol s)"),
        (0, "mol/(L)", "h", "mol/(L h)"),
        (2, "peak area [a.u.]", "min", "1/([peak area [a.u.]] min)"),
        (1, "", "min", "1/min"),
        (2, "", "min", ""),
        (1, "mM", "", ""),
    ],
)
def test_unit_of_a_rate_constant(order, concentration, time, expected):
    assert rate_unit(order, concentration, time) == expected


@pytest.mark.parametrize(
    ("a", "b"),
    [("mmol/(L min)", "mmol L-1 min-1"), ("mmol/L/min", "mmol·L^-1·min^-1"), ("1/s", "s-1"), ("m³", "m^3"), ("", "1")],
)
def test_texts_of_one_unit_are_the_same(a, b):
    assert same(a, b)


@pytest.mark.parametrize(("a", "b"), [("mmol/L", "mol/L"), ("mmol/L", "L/mmol"), ("mmol/L s", "mmol/(L s)")])
def test_texts_of_different_or_doubtful_units_are_not(a, b):
    assert not same(a, b)


@pytest.mark.parametrize("text", ["(", "mol/", "mol//L", "a)", "(mol", "*", "/ /", "2 mol", "mol^", "mol^x", "[mM]"])
def test_a_text_that_is_no_unit_stays_whole(text):
    assert parse(text) == {f"[{text}]": 1}


powers = st.dictionaries(st.sampled_from(["mmol", "L", "min", "%", "µM"]), st.integers(-3, 3).filter(bool), max_size=4)


@given(powers)
def test_shown_units_are_read_back(unit):
    assert parse(show(unit)) == unit


@given(powers, powers)
def test_a_quotient_times_its_divisor_is_the_dividend(a, b):
    assert times((times((a, 1), (b, -1)), 1), (b, 1)) == a


def test_mixed_concentration_units_are_told():
    assert common_unit(["A", "B"], ["mM", "mM"]) == ("mM", "")
    assert common_unit(["A", "B"], []) == ("", "")
    unit, reason = common_unit(["A", "B"], ["mM", "%"])
    assert unit is None and "A is in mM and B in %" in reason
