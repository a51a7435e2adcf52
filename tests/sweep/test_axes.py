"""What runs over what: every combination once, and one line for what is none."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from guldberg.app.sweep import axes
from guldberg.errors import InputError


@pytest.mark.parametrize(
    ("typed", "name", "values"),
    [
        ("seed=0..31", "seed", list(range(32))),
        ("k1=0.1,1,10", "k1", [0.1, 1, 10]),
        ("seed = 3, 5..7 ,9", "seed", [3, 5, 6, 7, 9]),
        ("catalysts=true,false", "catalysts", [True, False]),
        ("method=ssa,ode", "method", ["ssa", "ode"]),
        ("options.shape=[8, 8],[16,16]", "options.shape", [[8, 8], [16, 16]]),
        ('initial="A=1,B=2"', "initial", ["A=1,B=2"]),
        ("noise=A=0.1", "noise", ["A=0.1"]),
        ("x=-2..-1", "x", [-2, -1]),
        ("x=1\ny = 2", "x", ["1\ny = 2"]),
    ],
)
def test_values_are_read_as_typed(typed, name, values):
    found = axes.axis(typed)
    assert found.name == name and list(found.values) == values
    assert [type(a) for a in found.values] == [type(b) for b in values]


@pytest.mark.parametrize("typed", ["", "seed", "=1", "seed=", "seed=5..2", "seed=0..99999999"])
def test_what_is_no_axis_is_refused(typed):
    with pytest.raises(InputError, match="--over"):
        axes.axis(typed)


def test_too_many_members_and_names_that_stand_twice_are_refused():
    with pytest.raises(InputError, match="more than 1000000 members"):
        axes.members([axes.axis("a=1..1001"), axes.axis("b=1..1000")])
    with pytest.raises(InputError, match="a is given twice"):
        axes.members([axes.axis("a=1"), axes.axis("a=2")])


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=4))
def test_each_combination_has_its_number(values):
    swept = [axes.Axis(f"x{i}", v) for i, v in enumerate(values)]
    found = [axes.member(swept, i) for i in range(axes.members(swept))]
    assert found == list(itertools.product(*values))
