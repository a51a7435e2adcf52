"""Refinement through the whole rollout: the relative entropy at every time, minimised over the coefficients of F."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.optimize
from jaxtyping import Array, Float, Int

from guldberg.closure.moments import AbstractEnsemble
from guldberg.closure.rhs import AbstractLinearFamily, AbstractRightHandSide, rollout

LOST = 1e12  # the objective where a trajectory has left all bounds
MEMORY = 20


class Trajectories(eqx.Module):
    """What a rollout is held against: from each start, the moments of the truth at some times."""

    thetas: Float[Array, "starts k"]  # at time 0
    moments: Float[Array, "starts times k"]
    times: tuple[int, ...] = eqx.field(static=True)  # in steps

    def of(self, starts: Int[np.ndarray, "chosen"]) -> Trajectories:
        return Trajectories(self.thetas[starts], self.moments[starts], self.times)


def cross_entropy(
    ensemble: AbstractEnsemble, rhs: AbstractRightHandSide, truth: Trajectories
) -> Float[Array, "starts times"]:
    """log Z(theta_t) - theta_t . mu_t: the relative entropy of Ernst et al. eq. (28), up to the entropy of the truth.
    Its derivative in theta_t is mu~ - mu, the source of the adjoint equation (31)."""

    def of_start(theta: Float[Array, "k"], moments: Float[Array, "times k"]) -> Float[Array, "times"]:
        path = rollout(rhs, theta, truth.times[-1])[np.array(truth.times)]
        return jax.vmap(ensemble.log_partition)(path) - jnp.sum(path * moments, axis=-1)

    return jax.vmap(of_start)(truth.thetas, truth.moments)


class Refined(NamedTuple):
    """`value` is the mean cross-entropy per start and time, penalty included, of each accepted iteration."""

    coefficients: Float[np.ndarray, "dofs k"]
    values: tuple[float, ...]
    evaluations: int


def refine(
    ensemble: AbstractEnsemble,
    family: AbstractLinearFamily,
    truth: Trajectories,
    *,
    factors: Float[np.ndarray, "k dofs dofs"],
    roughness: Float[np.ndarray, "dofs dofs"],
    penalty: float,
    prior: Float[np.ndarray, "dofs k"],
    iterations: int,
) -> Refined:
    """L-BFGS on z, with u = u0 + L^-T z and L from the least-squares problem that gave u0 = `family.coefficients`."""
    start = np.asarray(family.coefficients)
    count = truth.moments.shape[0] * truth.moments.shape[1]
    transposed = [np.asfortranarray(factor) for factor in factors]

    def solve(z: Float[np.ndarray, "dofs k"], transpose: bool) -> Float[np.ndarray, "dofs k"]:
        columns = [
            scipy.linalg.solve_triangular(factor, column, lower=True, trans=int(transpose), check_finite=False)
            for factor, column in zip(transposed, z.T, strict=True)
        ]
        return np.stack(columns, axis=-1)

    def objective(z: Float[np.ndarray, "n"]) -> tuple[float, Float[np.ndarray, "n"]]:
        u = start + solve(z.reshape(start.shape), transpose=True)
        value, slope = _total(jnp.asarray(u), ensemble, family, truth)
        if not np.isfinite(value):
            return LOST, np.zeros_like(z)
        pull = penalty * roughness @ (u - prior)
        total = float(value) + 0.5 * float(np.sum((u - prior) * pull))
        return total / count, solve(np.asarray(slope) + pull, transpose=False).ravel() / count

    values: list[float] = []
    found = scipy.optimize.minimize(
        objective,
        np.zeros(start.size),
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: values.append(float(intermediate_result.fun)),
        options={"maxiter": iterations, "maxcor": MEMORY, "maxfun": 2 * iterations},
    )
    u = start + solve(found.x.reshape(start.shape), transpose=True)
    return Refined(u, tuple(values), int(found.nfev))


@eqx.filter_jit
def _total(
    u: Float[Array, "dofs k"], ensemble: AbstractEnsemble, family: AbstractLinearFamily, truth: Trajectories
) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda u: jnp.sum(cross_entropy(ensemble, family.having(u), truth)))(u)
