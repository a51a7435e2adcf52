"""State -> bytes -> the same bits, and a clear error for bytes that were damaged."""

import dataclasses
import math
import struct
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from guldberg.app import codec


@dataclasses.dataclass(frozen=True)
class Inner:
    value: Any
    label: str


@dataclasses.dataclass
class Outer:
    inner: Inner | None
    items: Any


TYPES = (Inner, Outer)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(),
    hnp.arrays(st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_, ">f8", "c16"]), ()).map(
        lambda a: a[()]
    ),
)
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int8, np.int64, np.bool_, ">f8"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
states = st.recursive(
    st.one_of(scalars, arrays, arrays.map(np.asfortranarray)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=3),
        st.builds(Inner, inner, st.text()),
        st.builds(Outer, st.none() | st.builds(Inner, inner, st.text()), inner),
    ),
    max_leaves=8,
)


def same(a: Any, b: Any) -> bool:
    """Equal in type, structure and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (
            a.dtype.str == b.dtype.str and a.shape == b.shape and a.tobytes() == b.tobytes() and layout(a) == layout(b)
        )
    if isinstance(a, np.generic):
        return a.dtype.str == b.dtype.str and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    return a == b


def layout(a: np.ndarray) -> tuple[bool, bool]:
    return a.flags.c_contiguous, a.flags.f_contiguous


@given(states)
@settings(max_examples=300, deadline=None)
def test_every_state_comes_back_to_the_same_bits(state):
    assert same(codec.decode(codec.encode(state, TYPES), TYPES), state)


@given(states, st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_give_a_state_or_a_value_error(state, data):
    written = bytearray(codec.encode(state, TYPES))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(written)))
    try:
        codec.decode(bytes(written[:cut]), TYPES)
    except ValueError as error:
        assert "cannot be read" in str(error)


@pytest.mark.parametrize("value", [0.1 + 0.2, -0.0, 5e-324, math.inf, -math.inf, math.nan, np.float64(0.1), 2**200])
def test_numbers_keep_type_and_bits(value):
    assert same(codec.decode(codec.encode(value, ()), ()), value)


def test_not_a_number_keeps_its_payload():
    odd = struct.unpack(">d", bytes.fromhex("7ff80000deadbeef"))[0]
    assert struct.pack(">d", codec.decode(codec.encode(odd, ()), ())).hex() == "7ff80000deadbeef"


def test_arrays_can_be_written_to():
    read = codec.decode(codec.encode(np.zeros(3), ()), ())
    read[0] = 1.0
    assert read[0] == 1.0


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, Point(1), lambda: 0, np.array([None]), np.datetime64("2000-01-01"), b"raw"]
)
def test_what_is_not_plain_data_is_refused_with_its_place(value):
    with pytest.raises(TypeError, match=r"state\['k'\]\[1\]: "):
        codec.encode({"k": [0, value]}, TYPES)


def test_a_dataclass_must_be_on_the_list():
    with pytest.raises(TypeError, match="Inner is not plain data"):
        codec.encode(Inner(1, ""), (Outer,))
    with pytest.raises(ValueError, match="names the type 'Inner', expected one of Outer"):
        codec.decode(codec.encode(Inner(1, ""), TYPES), (Outer,))


def test_an_object_array_cannot_be_smuggled_in():
    with pytest.raises(ValueError, match="unexpected dtype"):
        codec.decode(b'{"array":["|O",[1],"C","AAAAAAAAAAA="]}', ())
