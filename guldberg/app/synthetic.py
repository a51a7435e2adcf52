"""Made measurements: a network solved from many initial states, with noise of a stated kind."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run
from guldberg.network import ReactionNetwork

RTOL, ATOL = 1e-9, 1e-12


def synthetic(
    network: ReactionNetwork,
    c0s: Float[np.ndarray, "runs species"],
    ts: Float[np.ndarray, "times"],
    *,
    noise: float = 0.0,
    derivative_noise: float = 0.0,
    derivatives: bool = False,
    exact_start: bool = True,
    temperatures: Float[np.ndarray, "runs"] | None = None,
    seed: int = 0,
) -> Experiments:
    """The solutions c(t) of `network` from each row of `c0s` at `ts`, plus independent N(0, noise^2).

    With `derivatives`, also the exact dc/dt at the solution, times 1 + derivative_noise U(-1, 1): the noise model of
    the code of Huang et al. With `exact_start` the first row is c0 itself, marked exact; otherwise it is measured like
    the others. `temperatures` (kelvin), one per run, where the network's constants depend on it. Raises InputError
    where a solution does not exist.
    """
    rng = np.random.default_rng(seed)
    law = _MassAction(network, temperatures)
    exact = law.solve(np.asarray(c0s, float), np.asarray(ts, float))
    values = exact + noise * rng.standard_normal(exact.shape)
    sd = np.full(values.shape, np.nan)
    if exact_start:
        values[:, 0], sd[:, 0] = exact[:, 0], 0.0
    slopes = law(exact) * (1 + derivative_noise * rng.uniform(-1, 1, exact.shape))
    runs = (
        Run(
            str(i + 1),
            np.asarray(ts, float),
            values[i],
            sd[i],
            slopes[i] if derivatives else None,
            None if temperatures is None else float(temperatures[i]),
        )
        for i in range(len(exact))
    )
    return Experiments(network.species, tuple(runs))


class _MassAction:
    """dc/dt = S^T (k_f prod c^nu' - k_r prod c^nu''), for any number of states at once, in numpy."""

    def __init__(self, network: ReactionNetwork, temperatures: Float[np.ndarray, "runs"] | None = None) -> None:
        reactants, products = np.asarray(network.reactants), np.asarray(network.products)
        each = [None] if temperatures is None else [float(T) for T in temperatures]
        self.k = np.array([np.concatenate(network.constants(T)) for T in each])
        self.nu = np.vstack([reactants, products])
        self.change = np.vstack([products - reactants, reactants - products])

    def __call__(self, c: Float[np.ndarray, "*runs species"]) -> Float[np.ndarray, "*runs species"]:
        shape = (-1, *(1,) * (c.ndim - 2), len(self.nu))[-c.ndim :]
        k = self.k.reshape(shape)  # of each run, at all its times
        return (k * np.prod(c[..., None, :] ** self.nu, axis=-1)) @ self.change

    def solve(
        self, c0s: Float[np.ndarray, "runs species"], ts: Float[np.ndarray, "times"]
    ) -> Float[np.ndarray, "runs times species"]:
        """All runs as one system with a banded Jacobian: they share their steps, and one compiled solver loop."""
        runs, species = c0s.shape
        out = solve_ivp(
            lambda _, c: self(c.reshape(runs, species)).ravel(),
            (ts[0], ts[-1]),
            c0s.ravel(),
            method="LSODA",
            t_eval=ts,
            rtol=RTOL,
            atol=ATOL,
            lband=species - 1,
            uband=species - 1,
        )
        if not out.success or not np.isfinite(out.y).all():
            raise InputError(f"the network could not be solved to t = {ts[-1]:g}: {out.message}")
        return out.y.T.reshape(len(ts), runs, species).transpose(1, 0, 2)
