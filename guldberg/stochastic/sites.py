"""Which sites of a lattice are neighbours, as tables that compiled samplers read. Sites are numbered in C order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt32

from guldberg.errors import InputError

Shape = tuple[int, ...]
Sides = bool | tuple[bool, ...]


def sides(periodic: Sides, shape: Shape) -> tuple[bool, ...]:
    """Whether each axis is periodic; raises InputError where that cannot be."""
    periodic = (periodic,) * len(shape) if isinstance(periodic, bool) else tuple(periodic)
    if len(periodic) != len(shape):
        raise InputError(f"{len(periodic)} axes are said to be periodic or not, the lattice has {len(shape)}")
    if math.prod(shape) < 2 or any(n < 2 for n, around in zip(shape, periodic, strict=True) if around):
        raise InputError(f"a lattice of {' x '.join(map(str, shape))} sites; expected at least 2 on a periodic axis")
    return periodic


def shell(dimensions: int, squared: int) -> list[Shape]:
    """One of each pair of opposite offsets at this squared distance: 1 the nearest neighbours, 2 face diagonals."""
    reach = range(-math.isqrt(squared), math.isqrt(squared) + 1)
    offsets = itertools.product(reach, repeat=dimensions)
    return [o for o in offsets if sum(x * x for x in o) == squared and o > (0,) * dimensions]


def table(shape: Shape, periodic: tuple[bool, ...], offsets: Sequence[Shape]) -> UInt32[np.ndarray, "sites offsets"]:
    """The site at each offset of each site; the number of sites where that lies outside an open side."""
    places = np.indices(shape).reshape(len(shape), -1)
    out = np.empty((places.shape[1], len(offsets)), np.uint32)
    for column, offset in enumerate(offsets):
        there = places + np.array(offset)[:, None]
        inside = np.ones(places.shape[1], bool)
        for axis, (n, around) in enumerate(zip(shape, periodic, strict=True)):
            inside &= around | ((0 <= there[axis]) & (there[axis] < n))
            there[axis] %= n
        out[:, column] = np.where(inside, np.ravel_multi_index(tuple(there), shape), places.shape[1])
    return out


def steps(dimensions: int) -> list[Shape]:
    """The offset of the next site on each axis."""
    return [tuple(int(a == b) for b in range(dimensions)) for a in range(dimensions)]
