"""A job's State as bytes, and back to the same bits: JSON, never pickle.

JSON objects are used for what JSON has no word for, with one key each: `tuple`, `dict`, `float` (not finite), `scalar`
and `array` (numpy: dtype, shape, order, base64) and `object` (a dataclass by name, from a list the job gives).
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Types = tuple[type, ...]  # the dataclasses that may occur
KINDS = "biufc"  # numpy dtypes whose bytes are their value


def encode(state: object, types: Types) -> bytes:
    """`state` as bytes. TypeError, with the place, on what is not plain data."""
    return json.dumps(_pack(state, _by_name(types), "state"), allow_nan=False, separators=(",", ":")).encode()


def decode(data: bytes, types: Types) -> Any:
    """The inverse of `encode`. ValueError where the bytes are damaged or name a type that is not among `types`."""
    try:
        return _unpack(json.loads(data), _by_name(types))
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"the saved state cannot be read: {error}") from error


def _by_name(types: Types) -> dict[str, type]:
    names = {cls.__name__: cls for cls in types}
    if len(names) != len(types):
        raise TypeError("two state types share a name; a saved state could not tell them apart")
    return names


def _pack(value: Any, types: Mapping[str, type], where: str) -> Any:
    # Exact types: np.float64 is a float and a NamedTuple a tuple, and neither would come back as itself.
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": struct.pack(">d", value).hex()}
    if kind is list:
        return [_pack(item, types, f"{where}[{i}]") for i, item in enumerate(value)]
    if kind is tuple:
        return {"tuple": [_pack(item, types, f"{where}[{i}]") for i, item in enumerate(value)]}
    if kind is dict:
        return {"dict": [[_pack(k, types, where), _pack(v, types, f"{where}[{k!r}]")] for k, v in value.items()]}
    if kind is np.ndarray and value.dtype.kind in KINDS:
        return {"array": _pack_array(value)}
    if isinstance(value, np.generic) and value.dtype.kind in KINDS:
        return {"scalar": [value.dtype.str, _text(value.tobytes())]}
    if types.get(kind.__name__) is kind:
        return {"object": [kind.__name__, _pack_fields(value, types, where)]}
    raise TypeError(f"{where}: a {kind.__module__}.{kind.__qualname__} is not plain data that a checkpoint can hold")


def _pack_array(value: np.ndarray) -> list[Any]:
    # The memory order is part of the value: sums and BLAS calls round differently along the other axis.
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return [value.dtype.str, list(value.shape), order, _text(value.tobytes(order))]


def _pack_fields(value: Any, types: Mapping[str, type], where: str) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(value)]
    return {name: _pack(getattr(value, name), types, f"{where}.{name}") for name in names}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpack(value: Any, types: Mapping[str, type]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, types) for item in value]
    if not isinstance(value, dict):
        return value
    ((tag, body),) = value.items()
    return _READERS[tag](body, types)


def _read_float(body: str, types: Mapping[str, type]) -> float:
    return struct.unpack(">d", bytes.fromhex(body))[0]


def _read_tuple(body: list[Any], types: Mapping[str, type]) -> tuple[Any, ...]:
    return tuple(_unpack(item, types) for item in body)


def _read_dict(body: list[Any], types: Mapping[str, type]) -> dict[Any, Any]:
    return {_unpack(key, types): _unpack(item, types) for key, item in body}


def _read_scalar(body: list[str], types: Mapping[str, type]) -> np.generic:
    dtype, data = body
    return np.frombuffer(base64.b64decode(data, validate=True), _dtype(dtype))[0]


def _read_array(body: list[Any], types: Mapping[str, type]) -> np.ndarray:
    dtype, shape, order, data = body
    flat = np.frombuffer(base64.b64decode(data, validate=True), _dtype(dtype))
    return flat.reshape(shape, order=order).copy(order)


def _dtype(name: str) -> np.dtype:
    dtype = np.dtype(name)
    if dtype.kind not in KINDS:
        raise ValueError(f"unexpected dtype {name}")
    return dtype


def _read_object(body: list[Any], types: Mapping[str, type]) -> object:
    name, fields = body
    if name not in types:
        raise ValueError(f"it names the type {name!r}, expected one of {', '.join(types)}")
    return types[name](**{key: _unpack(item, types) for key, item in fields.items()})


_READERS: dict[str, Callable[[Any, Mapping[str, type]], Any]] = {
    "float": _read_float,
    "tuple": _read_tuple,
    "dict": _read_dict,
    "scalar": _read_scalar,
    "array": _read_array,
    "object": _read_object,
}
