"""Walls inside a box: thin, across one axis, reflecting; and a stencil that nothing passes them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from guldberg.errors import InputError
from guldberg.space.stencil import AbstractStencil, Star, interior

NEAR = 1e-6  # of a cell, between a wall and the face that it is taken to be


class Wall(NamedTuple):
    """Across `axis` of a plane at a place, from `low` to `high` along the other axis. Two with a gap between them make
    a neck."""

    axis: int
    place: float
    low: float
    high: float


class Walled(AbstractStencil):
    """The star of a plane without the differences across closed faces: amounts stay on their side."""

    open: tuple[tuple[tuple[bool, ...], ...], ...] = eqx.field(static=True)  # the faces across each axis

    @classmethod
    def of(cls, walls: Sequence[Wall], shape: tuple[int, ...], spacing: tuple[float, ...]) -> Walled:
        """InputError for walls that are not along faces of cells, at both ends too."""
        faces = [np.ones((shape[0] + 1, shape[1]), bool), np.ones((shape[0], shape[1] + 1), bool)]
        for wall in walls:
            across, along = spacing[wall.axis], spacing[1 - wall.axis]
            at, low, high = (_face(x, h, wall) for x, h in zip(wall[1:], (across, along, along), strict=True))
            faces[wall.axis][(at, slice(low, high)) if wall.axis == 0 else (slice(low, high), at)] = False
        return cls(tuple(tuple(map(tuple, each.tolist())) for each in faces))

    @property
    def faces(self) -> tuple[Bool[np.ndarray, "..."], ...]:
        return tuple(np.array(each) for each in self.open)

    def laplacian(
        self, padded: Float[Array, "species *padded"], spacing: tuple[float, ...]
    ) -> Float[Array, "species *grid"]:
        out = jnp.zeros_like(interior(padded))
        for axis, (h, faces) in enumerate(zip(spacing, self.faces, strict=True)):
            inside = jax.lax.slice_in_dim(padded, 1, padded.shape[2 - axis] - 1, axis=2 - axis)
            passed = jnp.where(faces, jnp.diff(inside, axis=axis + 1), 0.0)
            out += jnp.diff(passed, axis=axis + 1) / h**2
        return out

    def check(self, spacing: tuple[float, ...]) -> None:
        if len(spacing) != 2:
            raise ValueError(f"walls inside a box are for planes, got {len(spacing)} axes")

    def weights(self, spacing: tuple[float, ...]) -> dict[tuple[int, ...], float]:
        raise NotImplementedError("cells beside a wall have other weights than the rest")

    def stiffest(self, spacing: tuple[float, ...]) -> float:
        return Star().stiffest(spacing)


def _face(x: float, h: float, wall: Wall) -> int:
    if abs(x / h - round(x / h)) > NEAR:
        raise InputError(f"{wall} ends between faces of cells, which are {h:g} wide; expected multiples of that")
    return round(x / h)


def checked(walls: Sequence[Wall], lengths: Sequence[float], periodic: bool) -> None:
    """InputError for walls outside their box, and boxes that cannot have any."""
    if walls and (len(lengths) != 2 or periodic):
        raise InputError("walls inside a box are for reflecting planes: expected two lengths and reflecting sides")
    for wall in walls:
        if wall.axis not in (0, 1) or not all(map(math.isfinite, wall)):
            raise InputError(f"{wall}: expected across axis 0 or 1, and three places")
        across, along = lengths[wall.axis], lengths[1 - wall.axis]
        if not (0 < wall.place < across and 0 <= wall.low < wall.high <= along):
            raise InputError(
                f"{wall} is not inside the box: expected its place between 0 and {across:g}, and low below high "
                f"between 0 and {along:g}"
            )
