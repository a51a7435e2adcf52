"""A short text that tells one recipe from another: a run goes on only with what it was begun with."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from guldberg.design.recipe import Recipe

LENGTH = 16  # hexadecimal digits
PLAIN = (int, float, str, tuple, type(None))


def digest(recipe: Recipe) -> str:
    """The same for the same stages, losses, rates, targets and numbers of any kind. Of functions only the names are
    seen."""
    told = hashlib.sha256()
    for part in _parts(recipe):
        told.update(part.encode() + b"\n")
    return told.hexdigest()[:LENGTH]


def _parts(x: Any) -> Iterator[str]:
    if isinstance(x, np.ndarray | jax.Array):
        array = np.asarray(x)
        yield f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    elif dataclasses.is_dataclass(x) and not isinstance(x, type):
        yield type(x).__name__
        for field in dataclasses.fields(x):
            value = getattr(x, field.name)
            if not (isinstance(value, PLAIN) and value == field.default):  # so that a new field changes no old recipe
                yield field.name
                yield from _parts(value)
    elif isinstance(x, functools.partial):
        yield from _parts((x.func, x.args, x.keywords))
    elif isinstance(x, Mapping):
        yield from _parts(tuple(x.items()))
    elif isinstance(x, tuple | list):
        yield f"{len(x)} of"
        for item in x:
            yield from _parts(item)
    else:
        yield x.__name__ if callable(x) else repr(x)
