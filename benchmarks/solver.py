"""The stiff integrator beside diffrax."""

from __future__ import annotations

import time
from collections.abc import Callable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.discover import PAPER_TIMES
from benchmarks.mechanisms import HYDROGEN
from guldberg import stiff
from guldberg.rates import Constant
from guldberg.system import WellMixed


def jacobian(seeds: int | None) -> None:
    """Residuals and exact Jacobian (12 constants) of hydrogen, 100 initial states: guldberg beside diffrax."""
    network, runs = HYDROGEN.network, 100
    c0 = np.random.default_rng(0).uniform(0, 1, (runs, 6))
    ours, theirs = _stiff(network, c0), _diffrax(network, c0)
    values, first = ours()
    reference, compile_ = theirs()
    print(f"largest difference of the Jacobians: {np.abs(values - reference).max():.1e}")
    a = np.median([ours()[1] for _ in range(seeds or 5)])
    b = np.median([theirs()[1] for _ in range(3)])
    print(
        f"guldberg {a:.3f} s (first call {first:.1f} s), diffrax {b:.2f} s (first call {compile_:.1f} s): {b / a:.0f}x"
    )


def _stiff(network, c0: np.ndarray) -> Callable[[], tuple[np.ndarray, float]]:
    nu, mu = np.asarray(network.reactants), np.asarray(network.products)
    reactions = stiff.directed(np.vstack([nu, mu]), np.vstack([mu, nu]))
    k = np.concatenate([network.forward(), network.reverse()])

    def once() -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        options = {"rtol": 1e-6, "atol": np.full(6, 1e-9), "initials": np.arange(0)}
        out = stiff.solve(reactions, np.tile(k, (len(c0), 1)), c0, [PAPER_TIMES] * len(c0), **options)
        return (out.by_k * k).reshape(len(c0), 11, 6, 12), time.perf_counter() - start

    return once


def _diffrax(network, c0: np.ndarray) -> Callable[[], tuple[np.ndarray, float]]:
    log_k = jnp.concatenate([network.forward.log_k, network.reverse.log_k])

    @eqx.filter_jit
    def jacobians(log_k, states):
        def one(log_k, c):
            laws = (Constant(log_k[:6]), Constant(log_k[6:]))
            changed = eqx.tree_at(lambda n: (n.forward, n.reverse), network, laws)
            terms, save = diffrax.ODETerm(WellMixed(changed)), diffrax.SaveAt(ts=jnp.asarray(PAPER_TIMES))
            how = {"stepsize_controller": diffrax.PIDController(rtol=1e-6, atol=1e-9), "max_steps": 20000}
            solver, mode = diffrax.Kvaerno5(), diffrax.ForwardMode()
            return diffrax.diffeqsolve(terms, solver, 0.0, 1.0, 1e-6, c, saveat=save, adjoint=mode, **how).ys

        return jax.vmap(jax.jacfwd(one), (None, 0))(log_k, states)

    def once() -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        out = np.asarray(jacobians(log_k, jnp.asarray(c0)))
        return out, time.perf_counter() - start

    return once


ALL: dict[str, Callable[[int | None], None]] = {"jacobian": jacobian}
