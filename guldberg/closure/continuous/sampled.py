"""Learning where particles interact, by the moments that nu_1 and nu_2 stand for.

p of eq. (1) is told by its moments as well as by nu: to one density and one pair correlation g(r) belong one nu_1 and
one nu_2(r). What is learned moves the potentials of mean force w_1 = -log density and w_2 = -log g, whose equations are
those of contacts and diffusion but for one term, where those of nu have a part of each term in all. Around the moments
mu that were counted, the relative entropy of p is

    S(w) = (mu~(w) - mu) . C^-1 (mu~(w) - mu) / 2

to second order, C the covariance of what is counted, sampled at the nu that has those moments: what nu is, and how much
each moment says, is Monte Carlo; mu~(w) is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

NOISE = 0.02  # of each variance, that what is sampled of the others may not explain
LEAST = 1e-4  # variance of a count
Path = Float[np.ndarray, "times functions shells"]


class Sample(NamedTuple):
    """Means of what is counted at one time, pairs by shell and then the number of particles, and their covariance."""

    mean: Float[np.ndarray, "counted"]
    error: Float[np.ndarray, "counted"]  # standard, of the mean
    covariance: Float[np.ndarray, "counted counted"]


class Around(NamedTuple):
    """The entropy as a parabola around what was counted, by w_2 and w_1. The number of particles is shared out evenly
    over the shells, w_1 being the same in all."""

    counts: Float[np.ndarray, "groups times functions shells"]
    span: float
    volume: float
    shells: Float[np.ndarray, "shells"]  # volumes
    precision: Float[np.ndarray, "times counted counted"]

    def entropy(self, w: Path) -> float:
        if not np.isfinite(w).all():
            return np.inf
        away = self._away(w)
        return 0.5 * float(np.sum(away * self._weighed(away)))

    def excess(self, w: Path) -> Float[np.ndarray, "seen"]:
        return self._turned(w, self._weighed(self._away(w))).ravel()

    def bent(self, w: Path, slopes: Float[np.ndarray, "q seen"]) -> Float[np.ndarray, "q q"]:
        moved = self._moved(w, slopes)
        flat = moved.reshape(len(moved), -1)
        return flat @ self._weighed(moved).reshape(len(moved), -1).T

    def scattered(self, w: Path, slopes: Float[np.ndarray, "q seen"]) -> Float[np.ndarray, "groups q"]:
        apart, moved = gathered(self.counts - self.counts.mean(axis=0)), self._moved(w, slopes)
        return -self._weighed(apart).reshape(len(apart), -1) @ moved.reshape(len(moved), -1).T

    def moments(self, w: Path) -> Float[np.ndarray, "times counted"]:
        """Pairs by shell, N^2 g / 2 volumes of it, and N = volume exp(-w_1)."""
        number = self.volume * np.exp(-w[:, 1, :1])
        return np.concatenate([number**2 / 2 * self.shells / self.volume * np.exp(-w[:, 0]), number], axis=1)

    def _away(self, w: Path) -> Float[np.ndarray, "times counted"]:
        return self.moments(w) - gathered(self.counts.mean(axis=0))

    def _weighed(self, away: Float[np.ndarray, "*any times counted"]) -> Float[np.ndarray, "*any times counted"]:
        return np.einsum("tij,...tj->...ti", self.precision, away)

    def _moved(self, w: Path, slopes: Float[np.ndarray, "q seen"]) -> Float[np.ndarray, "q times counted"]:
        """How moments change along slopes of w."""
        along = counted(slopes.reshape(-1, *w.shape))
        return -self.moments(w) * np.concatenate([along[..., :-1] + 2 * along[..., -1:], along[..., -1:]], axis=-1)

    def _turned(self, w: Path, weighed: Float[np.ndarray, "times counted"]) -> Path:
        """Back from derivatives by moments to those by w."""
        each = -self.moments(w) * weighed
        one = (each[:, -1] + 2 * each[:, :-1].sum(axis=1)) / w.shape[-1]
        return np.stack([each[:, :-1], np.repeat(one[:, None], w.shape[-1], axis=1)], axis=1)


def precision(covariance: Float[np.ndarray, "counted counted"]) -> Float[np.ndarray, "counted counted"]:
    """C^-1 of a C that was sampled."""
    return np.linalg.inv(settled(covariance))


def settled(covariance: Float[np.ndarray, "counted counted"]) -> Float[np.ndarray, "counted counted"]:
    """A covariance that was sampled, without the directions that look sharper than they are known to be."""
    own = np.maximum(np.diag(covariance), LEAST)
    return (1 - NOISE) * covariance + np.diag(own - (1 - NOISE) * np.diag(covariance))


def counted(nu: Float[np.ndarray, "*any functions shells"]) -> Float[np.ndarray, "*any counted"]:
    """nu_2 in every shell, then nu_1."""
    return np.concatenate([nu[..., 0, :], nu[..., 1, :1]], axis=-1)


def gathered(counts: Float[np.ndarray, "*any functions shells"]) -> Float[np.ndarray, "*any counted"]:
    """Pairs in every shell, then the number of particles."""
    return np.concatenate([counts[..., 0, :], counts[..., 1, :].sum(axis=-1, keepdims=True)], axis=-1)


def closer(
    nu: Float[np.ndarray, "functions shells"], seen: Float[np.ndarray, "counted"], sample: Sample, stiffness: float
) -> tuple[Float[np.ndarray, "functions shells"], bool]:
    """A step of Newton's method towards the maximum of entropy with these moments at one time, and whether it is whole:
    no mean is moved by more than about a standard deviation of what is counted, within which the parabola holds, or
    pairs might attract one another without end. `stiffness` of second differences of nu_2 keeps noise out of it."""
    shells = nu.shape[-1]
    second = np.diff(np.eye(shells), n=2, axis=0)
    bent = settled(sample.covariance) + np.asarray(scipy.linalg.block_diag(stiffness * second.T @ second, 0.0))
    at = counted(nu)
    slope = sample.mean - seen - (bent - settled(sample.covariance)) @ at
    step = scipy.linalg.solve(bent, slope, assume_a="pos")
    length = float(np.sqrt(step @ slope))
    after = at + step / max(1.0, length)
    return np.stack([after[:-1], np.full(shells, after[-1])]), length <= 1
