"""Stencils: the second-order Laplacian as weights between a cell and its neighbours."""

from __future__ import annotations

import abc
import itertools

import equinox as eqx
import jax
from jaxtyping import Array, Float


class AbstractStencil(eqx.Module):
    """sum over neighbours of weight (c_neighbour - c), weights per area; neighbours as steps along the axes."""

    @abc.abstractmethod
    def laplacian(
        self, padded: Float[Array, "species *padded"], spacing: tuple[float, ...]
    ) -> Float[Array, "species *grid"]:
        """The Laplacian of a field with one layer of ghosts around it."""

    @abc.abstractmethod
    def check(self, spacing: tuple[float, ...]) -> None:
        """ValueError where the stencil does not fit the grid."""

    @abc.abstractmethod
    def weights(self, spacing: tuple[float, ...]) -> dict[tuple[int, ...], float]:
        """The weight of each neighbour. Raises NotImplementedError where they are not the same for every cell."""

    def centre(self, spacing: tuple[float, ...]) -> float:
        """The sum of the weights: what the cell itself loses."""
        return sum(self.weights(spacing).values())

    @abc.abstractmethod
    def stiffest(self, spacing: tuple[float, ...]) -> float:
        """The largest of the eigenvalues of -Laplacian, per area."""


class Star(AbstractStencil):
    """sum over axes of (c(x+h) - 2 c(x) + c(x-h)) / h^2: the 3, 5 or 7 points in 1D, 2D or 3D."""

    def laplacian(
        self, padded: Float[Array, "species *padded"], spacing: tuple[float, ...]
    ) -> Float[Array, "species *grid"]:
        centre = interior(padded)
        terms = []
        for axis, h in enumerate(spacing):
            below, above = (shifted(padded, tuple(s * (a == axis) for a in range(len(spacing)))) for s in (-1, 1))
            terms.append((below + above - 2 * centre) / h**2)
        return sum(terms[1:], terms[0])

    def check(self, spacing: tuple[float, ...]) -> None:
        """It fits all."""

    def weights(self, spacing: tuple[float, ...]) -> dict[tuple[int, ...], float]:
        steps = [(axis, s) for axis in range(len(spacing)) for s in (-1, 1)]
        return {tuple(s * (a == axis) for a in range(len(spacing))): spacing[axis] ** -2 for axis, s in steps}

    def stiffest(self, spacing: tuple[float, ...]) -> float:
        return sum(4 / h**2 for h in spacing)


class NinePoint(AbstractStencil):
    """(dx^2 + dy^2 + corner dx^2 dy^2) c / h^2 with dx^2 c = c(x+h) - 2 c(x) + c(x-h), in 2D with one spacing.

    corner = 1/4 is the stencil of Elliott's code, [[1, 2, 1], [2, -12, 2], [1, 2, 1]] / 4; corner = 1/6 is that of
    Collatz, which Elliott (2022) A.3 cites: its error, h^2/12 of the Laplacian's square, has no direction.
    """

    corner: float = eqx.field(static=True, default=0.25)

    def laplacian(
        self, padded: Float[Array, "species *padded"], spacing: tuple[float, ...]
    ) -> Float[Array, "species *grid"]:
        # (1/sqrt(corner) + sqrt(corner) dx^2)(the same in y) is the sum above plus 1/corner, and separable
        w = self.corner**0.5
        rows = w * (padded[:, :-2] + padded[:, 2:]) + (1 / w - 2 * w) * padded[:, 1:-1]
        both = w * (rows[:, :, :-2] + rows[:, :, 2:]) + (1 / w - 2 * w) * rows[:, :, 1:-1]
        return (both - interior(padded) / self.corner) / spacing[0] ** 2

    def check(self, spacing: tuple[float, ...]) -> None:
        if len(spacing) != 2 or spacing[0] != spacing[1]:
            raise ValueError(f"the nine-point stencil is for 2D with one spacing, got {spacing}: use Star()")

    def weights(self, spacing: tuple[float, ...]) -> dict[tuple[int, ...], float]:
        steps = [step for step in itertools.product((-1, 0, 1), repeat=2) if any(step)]
        straight, diagonal = 1 - 2 * self.corner, self.corner
        return {step: (diagonal if all(step) else straight) / spacing[0] ** 2 for step in steps}

    def stiffest(self, spacing: tuple[float, ...]) -> float:
        return max(4.0, 8 - 16 * self.corner) / spacing[0] ** 2


def interior(padded: Float[Array, "species *padded"]) -> Float[Array, "species *grid"]:
    """A field without its layer of ghosts."""
    return shifted(padded, (0,) * (padded.ndim - 1))


def shifted(padded: Float[Array, "species *padded"], step: tuple[int, ...]) -> Float[Array, "species *grid"]:
    """Each cell's neighbour one `step` away."""
    starts = (0, *(1 + s for s in step))
    stops = (padded.shape[0], *(n - 1 + s for n, s in zip(padded.shape[1:], step, strict=True)))
    return jax.lax.slice(padded, starts, stops)
