"""Learning where pairs interact: moments are sampled along the path, and the entropy is a parabola around them.

At each time p is of the exponential family of eq. (1), so that its relative entropy to the truth has the derivative
mu - mu~ by nu and the second derivative C, the covariance of what is counted. Both are sampled at one nu; around it

    S(nu) = (mu - mu~) . (nu - nu_0) + (nu - nu_0) . C (nu - nu_0) / 2

is exact to second order. Learned on it, sampled again where that has led, and so on: Newton's method (Fisher scoring).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

RIDGE = 1e-6  # nats: of shells in which no pair was ever seen
Path = Float[np.ndarray, "times functions shells"]


class Sample(NamedTuple):
    """Means of what is counted at one time, pairs by shell and then the number of particles, and their covariance."""

    mean: Float[np.ndarray, "counted"]
    error: Float[np.ndarray, "counted"]  # standard, of the mean
    covariance: Float[np.ndarray, "counted counted"]


class Around(NamedTuple):
    """The entropy as a parabola around a path. The number of particles is shared out evenly over the shells, nu_1 being
    the same in all."""

    counts: Float[np.ndarray, "groups times functions shells"]
    span: float
    path: Path
    samples: tuple[Sample, ...]  # at each time of the path

    def entropy(self, nu: Path) -> float:
        if not np.isfinite(nu).all():
            return np.inf
        away = counted(nu - self.path)
        bent = sum(float(a @ sample.covariance @ a) for a, sample in zip(away, self.samples, strict=True))
        return float(np.sum(self._start * away)) + bent / 2

    def excess(self, nu: Path) -> Float[np.ndarray, "seen"]:
        away = counted(nu - self.path)
        moved = np.stack([sample.covariance @ a for a, sample in zip(away, self.samples, strict=True)])
        return _spread(self._start + moved, nu.shape[-1]).ravel()

    def bent(self, nu: Path, slopes: Float[np.ndarray, "q seen"]) -> Float[np.ndarray, "q q"]:
        each = np.moveaxis(counted(slopes.reshape(-1, *nu.shape)), 1, 0)
        return sum((s @ sample.covariance @ s.T for s, sample in zip(each, self.samples, strict=True)), np.zeros(()))

    @property
    def _start(self) -> Float[np.ndarray, "times counted"]:
        return gathered(self.counts.mean(axis=0)) - np.stack([sample.mean for sample in self.samples])


def counted(nu: Float[np.ndarray, "*any functions shells"]) -> Float[np.ndarray, "*any counted"]:
    """nu_2 in every shell, then nu_1."""
    return np.concatenate([nu[..., 0, :], nu[..., 1, :1]], axis=-1)


def gathered(counts: Float[np.ndarray, "*any functions shells"]) -> Float[np.ndarray, "*any counted"]:
    """Pairs in every shell, then the number of particles."""
    return np.concatenate([counts[..., 0, :], counts[..., 1, :].sum(axis=-1, keepdims=True)], axis=-1)


def _spread(counts: Float[np.ndarray, "*any counted"], shells: int) -> Float[np.ndarray, "*any functions shells"]:
    number = np.repeat(counts[..., -1:] / shells, shells, axis=-1)
    return np.stack([counts[..., :-1], number], axis=-2)


def closer(
    nu: Float[np.ndarray, "functions shells"], seen: Float[np.ndarray, "counted"], sample: Sample, stiffness: float
) -> Float[np.ndarray, "functions shells"]:
    """A step of Newton's method towards the maximum of entropy with these moments at one time, at most 1 in any of its
    values; `stiffness` of second differences of nu_2 keeps noise out of it."""
    shells = nu.shape[-1]
    second = np.diff(np.eye(shells), n=2, axis=0)
    rough = np.asarray(scipy.linalg.block_diag(stiffness * second.T @ second, 0.0)) + RIDGE * np.eye(shells + 1)
    at = counted(nu)
    step = scipy.linalg.solve(sample.covariance + rough, sample.mean - seen - rough @ at, assume_a="pos")
    after = at + step / max(1.0, float(np.abs(step).max()))
    return np.stack([after[:-1], np.full(shells, after[-1])])
