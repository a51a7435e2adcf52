"""Cubic finite elements as a right-hand side: Q3, C1, on a regular grid in theta, Ernst et al. eq. (34)."""

from __future__ import annotations

import functools
import itertools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from guldberg.closure.rhs import AbstractLinearFamily, Rows
from guldberg.errors import InputError

MOST_DOFS = 20_000


class CubicElements(AbstractLinearFamily):
    """F(theta) = sum over the 2^d corners of a cell of Hermite cubics, one for the value and one for each mixed first
    derivative there: continuous with its first derivatives.

    Derivatives with respect to theta carry 1 / cell; the degrees of freedom are values and derivatives per cell width.
    Off the grid F is that of the nearest point on it, and `outside` is true.
    """

    coefficients: Float[Array, "dofs k"]  # dof = vertex * 2^d + derivative
    low: Float[np.ndarray, "d"]
    cell: Float[np.ndarray, "d"]
    counts: tuple[int, ...] = eqx.field(static=True)  # cells along each axis

    @classmethod
    def covering(
        cls, points: Float[np.ndarray, "points k"], *, cell: float | Float[np.ndarray, "k"], margin: float = 0.5
    ) -> CubicElements:
        """F = 0 on a grid that holds all `points`, with `margin` cells beyond them on every side."""
        if not np.all(np.isfinite(points)):
            raise InputError("the parameters that finite elements are to cover are not all finite")
        widths = np.broadcast_to(np.asarray(cell, float), points.shape[-1:])
        low, high = points.min(0) - margin * widths, points.max(0) + margin * widths
        counts = np.maximum(1, np.ceil((high - low) / widths - 1e-9)).astype(int)
        dofs = int(np.prod(2 * (counts + 1)))
        if dofs > MOST_DOFS:
            raise InputError(
                f"cells of {widths.tolist()} over {(high - low).round(2).tolist()} need {dofs} coefficients for each "
                f"function, more than {MOST_DOFS}; take larger cells"
            )
        low = (low + high - counts * widths) / 2
        return cls(jnp.zeros((dofs, len(widths))), low, widths, tuple(counts.tolist()))

    def rows(self, theta: Float[Array, "k"]) -> Rows:
        counts = np.array(self.counts)
        x = jnp.clip((theta - self.low) / self.cell, 0.0, counts.astype(float))
        corner = jnp.minimum(jnp.floor(x), counts - 1.0)
        basis = _hermite(x - corner)  # axis, vertex, derivative
        d = len(self.counts)
        letters = [("abcdef"[i], "uvwxyz"[i]) for i in range(d)]
        terms = ",".join(v + t for v, t in letters)
        out = "".join(v for v, _ in letters) + "".join(t for _, t in letters)
        values = jnp.einsum(f"{terms}->{out}", *basis)
        strides = np.cumprod([1, *(n + 1 for n in self.counts[:0:-1])])[::-1]
        offsets = np.array(list(itertools.product((0, 1), repeat=d)))
        vertices = (corner.astype(int)[None] + offsets) @ jnp.asarray(strides.copy())
        indices = vertices[:, None] * 2**d + np.arange(2**d)[None]
        return Rows(indices.reshape(-1), values.reshape(-1))

    def outside(self, theta: Float[Array, "k"]) -> Bool[Array, ""]:
        high = self.low + self.cell * np.array(self.counts, float)
        return jnp.any((theta < self.low) | (theta > high))

    def roughness(self) -> Float[np.ndarray, "dofs dofs"]:
        d = len(self.counts)
        bends = [[(axis == i) + (axis == j) for axis in range(d)] for i, j in itertools.product(range(d), repeat=2)]
        return self._integral(bends)

    def mass(self) -> Float[np.ndarray, "dofs dofs"]:
        return self._integral([[0] * len(self.counts)])

    def _integral(self, orders: list[list[int]]) -> Float[np.ndarray, "dofs dofs"]:
        """Exact: products of the one-dimensional integrals of Hermite cubics and their derivatives."""
        parts = [_integrals(n, h) for n, h in zip(self.counts, self.cell, strict=True)]
        total = sum(functools.reduce(np.kron, [p[o] for p, o in zip(parts, each, strict=True)]) for each in orders)
        place = self._interleaved()
        return np.asarray(total)[np.ix_(place, place)]

    def _interleaved(self) -> Int[np.ndarray, "dofs"]:
        """Where each dof stands in the Kronecker order, (vertex, derivative) of one axis after the other."""
        d = len(self.counts)
        flat = np.arange(np.prod([2 * (n + 1) for n in self.counts]))
        split = flat.reshape([x for n in self.counts for x in (n + 1, 2)])
        return split.transpose([*range(0, 2 * d, 2), *range(1, 2 * d, 2)]).reshape(-1)


def _hermite(f: Float[Array, "d"]) -> Float[Array, "d 2 2"]:
    """The cubics on [0, 1] with value 1, then slope 1, at the left end, then at the right end."""
    f2, f3 = f * f, f * f * f
    left = jnp.stack([1 - 3 * f2 + 2 * f3, f - 2 * f2 + f3], axis=-1)
    right = jnp.stack([3 * f2 - 2 * f3, f3 - f2], axis=-1)
    return jnp.stack([left, right], axis=-2)


def _integrals(cells: int, width: float) -> list[Float[np.ndarray, "n n"]]:
    """mean of phi_i phi_j, phi_i' phi_j' and phi_i'' phi_j'' over the interval, by quadrature that is exact here."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    f, weights = (nodes + 1) / 2, weights / 2 / cells
    f2 = f * f
    values = np.stack([1 - 3 * f2 + 2 * f2 * f, f - 2 * f2 + f2 * f, 3 * f2 - 2 * f2 * f, f2 * f - f2])
    slopes = np.stack([-6 * f + 6 * f2, 1 - 4 * f + 3 * f2, 6 * f - 6 * f2, 3 * f2 - 2 * f]) / width
    bends = np.stack([12 * f - 6, 6 * f - 4, 6 - 12 * f, 6 * f - 2]) / width**2
    out = []
    for part in (values, slopes, bends):
        total = np.zeros((2 * (cells + 1),) * 2)
        for c in range(cells):
            total[2 * c : 2 * c + 4, 2 * c : 2 * c + 4] += (part * weights) @ part.T
        out.append(total)
    return out
