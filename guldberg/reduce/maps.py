"""Learned maps x(t + 1) = x(t) + F(x(t)): a polynomial F, by least squares and then through the whole roll-out.

What the reactions conserve is kept in every step, whatever F says. For starts by the dozen a polynomial reaches from
one to the next, where local elements would meet cells that no trajectory crossed. What x is, is left to the caller:
parameters of an energy, logarithms of moments, or means.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize

BEYOND = 1.5  # x is held within this many times the half-range of the data, lest one bad trial step overflows
ROBUST = 50.0  # squared misfits far above this count by their logarithm: one lost trajectory must not rule the fit
WORTHLESS = 1e-3  # trace of the metric at a point that is not to be learned from
FAINT = 1e-9  # density of a species that is gone
NOTHING_KEPT = np.zeros((0, 1))
STEP = 0.05  # of the whitened coefficients, so that a unit step of the optimiser is a small change of F


@dataclasses.dataclass(frozen=True)
class PolynomialMap:
    """x(t + 1) = x(t) + C phi((x - middle) / scale), phi all monomials up to `degree` of the first `arguments` x."""

    coefficients: Float[np.ndarray, "monomials variables"]
    middle: Float[np.ndarray, "variables"]
    scale: Float[np.ndarray, "variables"]
    reach: Float[np.ndarray, "variables"]  # |x - middle| in the data, at most
    degree: int
    arguments: int
    laws: Float[np.ndarray, "laws species"]  # each times the densities is conserved; the first variables tell these
    odds: bool  # as log(p_a / p_empty); else as densities p_a themselves

    def __call__(self, x0: Float[np.ndarray, "starts variables"], steps: int) -> Float[np.ndarray, "starts times v"]:
        """The trajectories from `x0`, with their starts."""
        later = _roll(self, jnp.asarray(self.coefficients), jnp.asarray(x0), steps)
        return np.concatenate([x0[:, None], np.asarray(later)], axis=1)

    def outside(self, x: Float[np.ndarray, "*batch variables"]) -> np.ndarray:
        """Whether `x` lies beyond the range of the data that the map was learned from."""
        return np.any(np.abs(x - self.middle) > self.reach, axis=-1)


def learn(
    x0: Float[np.ndarray, "starts variables"],
    x: Float[np.ndarray, "starts steps variables"],
    metric: Float[np.ndarray, "starts steps variables variables"],
    *,
    degree: int,
    arguments: int | None = None,
    laws: Float[np.ndarray, "laws species"] = NOTHING_KEPT,
    odds: bool = False,
    ridge: float = 1e-2,
    iterations: int = 35,
) -> PolynomialMap:
    """The map whose roll-outs from `x0` are nearest to `x` (at steps 1, 2, ...), squares weighed by `metric`.

    First one linear least-squares problem for the single steps; then L-BFGS through roll-outs of growing length, in
    coefficients whitened by its normal matrix. `laws` and `odds` are those of the map.
    """
    seen = x0.shape[1] if arguments is None else arguments
    path = np.concatenate([x0[:, None], x], axis=1)
    flat = path.reshape(-1, path.shape[-1])
    middle, scale = flat.mean(axis=0), flat.std(axis=0) + 1e-9
    count = len(_monomials(seen, degree))
    blank = PolynomialMap(
        np.zeros((count, len(scale))), middle, scale, abs(flat - middle).max(axis=0), degree, seen, laws, odds
    )
    features = np.asarray(_features(blank, jnp.asarray(path[:, :-1]))).reshape(-1, count)
    known = np.trace(metric, axis1=2, axis2=3).reshape(-1, 1) > WORTHLESS
    weight = np.where(known, 1.0, 1e-5) / len(features)
    normal = features.T @ (weight * features) + 1e-6 * np.eye(count)
    changes = np.diff(path, axis=1).reshape(-1, len(scale))
    first = np.linalg.solve(normal, features.T @ (weight * changes))
    white = np.linalg.inv(np.linalg.cholesky(normal)).T
    return _refined(dataclasses.replace(blank, coefficients=first), white, x0, x, metric, ridge, iterations)


def _refined(
    start: PolynomialMap,
    white: Float[np.ndarray, "monomials monomials"],
    x0: Float[np.ndarray, "starts variables"],
    x: Float[np.ndarray, "starts steps variables"],
    metric: Float[np.ndarray, "starts steps variables variables"],
    ridge: float,
    iterations: int,
) -> PolynomialMap:
    z, shape = np.zeros(start.coefficients.size), start.coefficients.shape
    unit = jnp.asarray(white * STEP), jnp.asarray(start.scale)

    def coefficients(z: Float[Array, "_"]) -> Float[Array, "monomials variables"]:
        return jnp.asarray(start.coefficients) + (unit[0] @ z.reshape(shape)) * unit[1][None]

    total = x.shape[1]
    for steps in sorted({min(10, total), min(25, total), total}) if iterations else ():

        @jax.jit
        @jax.value_and_grad
        def loss(z: Float[Array, "_"], steps: int = steps) -> Float[Array, ""]:
            miss = _roll(start, coefficients(z), jnp.asarray(x0), steps) - x[:, :steps]
            squares = jnp.einsum("stk,stkl,stl->st", miss, jnp.asarray(metric[:, :steps]), miss)
            return jnp.mean(ROBUST * jnp.log1p(squares / ROBUST)) + ridge * jnp.sum(z**2)

        def value(z: np.ndarray, loss=loss) -> tuple[float, np.ndarray]:
            value, slope = loss(jnp.asarray(z))
            return float(value), np.asarray(slope)

        z = minimize(value, z, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 30}).x
    return dataclasses.replace(start, coefficients=np.asarray(coefficients(jnp.asarray(z))))


def _roll(
    shape: PolynomialMap, coefficients: Float[Array, "monomials variables"], x0: Float[Array, "starts v"], steps: int
) -> Float[Array, "starts steps variables"]:
    middle, far = jnp.asarray(shape.middle), jnp.asarray(BEYOND * shape.reach)

    def step(x: Array, _: None) -> tuple[Array, Array]:
        after = x + _features(shape, x) @ coefficients
        after = jnp.clip(after, (middle - far)[None], (middle + far)[None])
        after = _kept(shape, x, after) if len(shape.laws) else after
        return after, after

    return jnp.moveaxis(jax.lax.scan(step, x0, None, length=steps)[1], 0, 1)


def _kept(shape: PolynomialMap, before: Float[Array, "starts v"], after: Float[Array, "starts v"]) -> Array:
    """`after` with the totals of `before`: the nearest such densities."""
    species = shape.laws.shape[1]
    old, new = (_densities(x[:, :species], shape.odds) for x in (before, after))
    back = jnp.asarray(np.linalg.pinv(shape.laws) @ shape.laws)
    p = jnp.clip(new - (new - old) @ back, FAINT, 1 - FAINT)
    told = jnp.log(p / jnp.maximum(1 - p.sum(axis=1, keepdims=True), FAINT)) if shape.odds else p
    return jnp.concatenate([told, after[:, species:]], axis=1)


def _densities(x: Float[Array, "starts species"], odds: bool) -> Float[Array, "starts species"]:
    """p_a of log(p_a / p_empty)."""
    return jnp.exp(x) / (1 + jnp.exp(x).sum(axis=1, keepdims=True)) if odds else x


def _features(shape: PolynomialMap, x: Float[Array, "*batch variables"]) -> Float[Array, "*batch monomials"]:
    lead = (None,) * (x.ndim - 1)
    scaled = ((x - shape.middle[lead]) / shape.scale[lead])[..., : shape.arguments]
    ones = jnp.ones_like(scaled[..., 0])
    terms = _monomials(shape.arguments, shape.degree)
    return jnp.stack([jnp.prod(scaled[..., list(term)], axis=-1) if term else ones for term in terms], axis=-1)


def _monomials(variables: int, degree: int) -> list[tuple[int, ...]]:
    """Each monomial as the variables in it: (), (0,), (1,), (0, 0), (0, 1), ..."""
    sizes = range(degree + 1)
    return [term for size in sizes for term in itertools.combinations_with_replacement(range(variables), size)]
