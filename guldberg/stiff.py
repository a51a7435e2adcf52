"""Mass-action ODEs with exact forward sensitivities: what discover lives on.

    dc_s/dt = sum_i N_is k_i prod_j c_j^nu_ij

by ESDIRK4(3)6L[2]SA (Kennedy and Carpenter 2003: six stages, order 4 with an embedded order 3, L-stable, stiffly
accurate), one trajectory after the other in compiled code. The sensitivities dc/dk_i and dc/dc_j(0) are those of the
discrete solution: each stage's linear system is solved with the Jacobian at the converged stage. A network this small
(tens of species) is fastest with a dense Jacobian and its factorisation afresh in every Newton step.

diffrax stays the oracle (tests) and serves everything else; this is about two orders of magnitude faster for a fit.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

MAX_ORDER = 3
TOO_MANY_STEPS, STEP_TOO_SMALL = -1, -2
FAILURES = {TOO_MANY_STEPS: "too many steps", STEP_TOO_SMALL: "step size underflow"}

_GAMMA = 0.25
_A = np.zeros((6, 6))
_A[1, :1] = [1 / 4]
_A[2, :2] = [8611 / 62500, -1743 / 31250]
_A[3, :3] = [5012029 / 34652500, -654441 / 2922500, 174375 / 388108]
_A[4, :4] = [15267082809 / 155376265600, -71443401 / 120774400, 730878875 / 902184768, 2285395 / 8070912]
_A[5, :5] = [82889 / 524892, 0, 15625 / 83664, 69875 / 102672, -2260 / 8211]
_EMBEDDED = np.array(
    [4586570599 / 29645900160, 0, 178811875 / 945068544, 814220225 / 1159782912, -3700637 / 11593932, 61727 / 225920]
)
_ERROR = np.append(_A[5, :5], _GAMMA) - _EMBEDDED

# contraction and reordering, but NaN and infinity keep their meaning: failure is detected by them
_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})


class Directed(NamedTuple):
    """Irreversible mass-action reactions in the padded form the kernels read."""

    factors: Int[np.ndarray, "reactions order"]  # the reactant molecules one by one; -1: none
    touched: Int[np.ndarray, "reactions width"]  # species with a net change; -1: none
    change: Float[np.ndarray, "reactions width"]  # that net change


class Solution(NamedTuple):
    """Trajectories of all runs at their own times, one below the other."""

    values: Float[np.ndarray, "times species"]
    by_k: Float[np.ndarray, "times species reactions"]  # dc/dk, not d ln k: defined at k = 0 too
    by_initial: Float[np.ndarray, "times species initials"]  # dc/dc_j(0) for each j of `initials`
    status: Int[np.ndarray, "runs"]  # number of steps, or one of FAILURES


def directed(
    reactants: Int[np.ndarray, "reactions species"], products: Int[np.ndarray, "reactions species"]
) -> Directed:
    """The kernels' form of `reactants -> products`; raises ValueError beyond order three."""
    if len(reactants) and reactants.sum(axis=1).max() > MAX_ORDER:
        raise ValueError(
            f"reactions of order {reactants.sum(axis=1).max()} are beyond the {MAX_ORDER} this solver takes"
        )
    net = products - reactants
    width = max(1, int((net != 0).sum(axis=1).max(initial=1)))
    factors = np.full((len(net), MAX_ORDER), -1)
    touched, change = np.full((len(net), width), -1), np.zeros((len(net), width))
    for i, (nu, n) in enumerate(zip(reactants, net, strict=True)):
        molecules = np.repeat(np.arange(len(nu)), nu)
        factors[i, : len(molecules)] = molecules
        species = np.flatnonzero(n)
        touched[i, : len(species)], change[i, : len(species)] = species, n[species]
    return Directed(factors, touched, change)


def compiled_before() -> bool:
    """Whether the machine code is on disk already; the first solve makes it, for some ten seconds."""
    return any(Path(str(_runs.stats.cache_path)).glob("stiff._runs-*.nbi"))


def solve(
    reactions: Directed,
    k: Float[np.ndarray, "runs reactions"],
    c0: Float[np.ndarray, "runs species"],
    times: list[Float[np.ndarray, "_"]],
    *,
    rtol: float,
    atol: Float[np.ndarray, "species"],
    sensitivities: bool = True,
    initials: Int[np.ndarray, "_"] | None = None,
    max_steps: int = 3000,
) -> Solution:
    """Integrate every run from c0 at its first time; runs are spread over the processor's threads.

    A run that fails has NaN from the failure on and its reason in `status`: the caller must look there.
    """
    initials = np.arange(c0.shape[1]) if initials is None else initials
    if not sensitivities:
        initials = np.arange(0)
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in times])])
    rows, (runs, species), width = offsets[-1], c0.shape, (k.shape[1] if sensitivities else 0) + len(initials)
    values, tangents = np.full((rows, species), np.nan), np.full((rows, species, width), np.nan)
    status, clock = np.zeros(runs, np.int64), np.concatenate(times)
    k, c0 = np.ascontiguousarray(k, float), np.ascontiguousarray(c0, float)

    def chunk(first: int, last: int) -> None:
        _runs(
            first, last, offsets, clock, reactions.factors, reactions.touched, reactions.change, k, c0, initials,
            rtol, atol, max_steps, sensitivities, _A, _ERROR, values, tangents, status,
        )  # fmt: skip

    workers = min(os.cpu_count() or 1, runs // 2) if runs > 3 else 1
    if workers == 1:
        chunk(0, runs)
    else:
        bounds = np.linspace(0, runs, workers + 1).astype(int)
        list(_pool().map(chunk, bounds[:-1], bounds[1:]))
    split = tangents.shape[2] - len(initials)
    return Solution(values, tangents[:, :, :split], tangents[:, :, split:], status)


_POOL: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    if not _POOL:
        _POOL.append(ThreadPoolExecutor(os.cpu_count()))
    return _POOL[0]


@_jit
def _monomials(u, factors, q):
    """q_i = prod_j u_j^nu_ij."""
    for i in range(factors.shape[0]):
        r = 1.0
        for a in range(factors.shape[1]):
            if factors[i, a] < 0:
                break
            r *= u[factors[i, a]]
        q[i] = r


@_jit
def _production(u, k, factors, touched, change, f, J):
    """f = dc/dt and its Jacobian J at u."""
    f[:] = 0.0
    J[:, :] = 0.0
    for i in range(k.size):
        if k[i] == 0.0:
            continue
        rate = k[i]
        for a in range(factors.shape[1]):
            if factors[i, a] < 0:
                break
            rate *= u[factors[i, a]]
        for w in range(touched.shape[1]):
            if touched[i, w] < 0:
                break
            f[touched[i, w]] += change[i, w] * rate
        for a in range(factors.shape[1]):
            if factors[i, a] < 0:
                break
            slope = k[i]
            for b in range(factors.shape[1]):
                if factors[i, b] < 0:
                    break
                if b != a:
                    slope *= u[factors[i, b]]
            for w in range(touched.shape[1]):
                if touched[i, w] < 0:
                    break
                J[touched[i, w], factors[i, a]] += change[i, w] * slope


@_jit
def _factorise(J, h, M, pivot):
    """LU with row pivoting of M = 1 - h gamma J."""
    n = M.shape[0]
    for a in range(n):
        for b in range(n):
            M[a, b] = -h * _GAMMA * J[a, b]
        M[a, a] += 1.0
    for i in range(n):
        p = i
        for r in range(i + 1, n):
            if abs(M[r, i]) > abs(M[p, i]):
                p = r
        pivot[i] = p
        if p != i:
            for c in range(n):
                M[i, c], M[p, c] = M[p, c], M[i, c]
        for r in range(i + 1, n):
            M[r, i] /= M[i, i]
            if M[r, i] != 0.0:
                for c in range(i + 1, n):
                    M[r, c] -= M[r, i] * M[i, c]


@_jit
def _back_substitute(M, pivot, B):
    """B <- M^-1 B, for B of shape (species, columns)."""
    n, m = B.shape
    for i in range(n):
        p = pivot[i]
        if p != i:
            for c in range(m):
                B[i, c], B[p, c] = B[p, c], B[i, c]
    for i in range(n):
        for r in range(i + 1, n):
            if M[r, i] != 0.0:
                for c in range(m):
                    B[r, c] -= M[r, i] * B[i, c]
    for i in range(n - 1, -1, -1):
        for c in range(m):
            B[i, c] /= M[i, i]
        for r in range(i):
            if M[r, i] != 0.0:
                for c in range(m):
                    B[r, c] -= M[r, i] * B[i, c]


@_jit
def _stages(u, h, k, factors, touched, change, rtol, atol, A, U, F, J, M, pivot, residual):
    """Newton for the five implicit stages; U and F hold stage values and slopes. False: no convergence."""
    n = u.size
    f = np.empty(n)
    base = np.empty(n)
    for s in range(1, 6):
        for a in range(n):
            v = u[a]
            for j in range(s):
                v += h * A[s, j] * F[j, a]
            base[a] = v
            U[s, a] = U[s - 1, a] if s > 1 else u[a]
        converged = False
        for iteration in range(8):
            _production(U[s], k, factors, touched, change, f, J)
            _factorise(J, h, M, pivot)
            for a in range(n):
                residual[a, 0] = base[a] + h * _GAMMA * f[a] - U[s, a]
            _back_substitute(M, pivot, residual)
            size = 0.0
            for a in range(n):
                U[s, a] += residual[a, 0]
                size = max(size, abs(residual[a, 0]) / (atol[a] + rtol * abs(U[s, a])))
            if not np.isfinite(size):
                break
            if size < 1e-3 or (iteration > 0 and size < 3e-2):
                converged = True
                break
        if not converged:
            return False
        for a in range(n):
            F[s, a] = (U[s, a] - base[a]) / (h * _GAMMA)
    return True


@_jit
def _error_norm(u, h, rtol, atol, error, U, F, M, pivot, residual):
    """Embedded error, filtered by the last Newton matrix, in units of the tolerance."""
    n = u.size
    for a in range(n):
        v = 0.0
        for j in range(6):
            v += error[j] * F[j, a]
        residual[a, 0] = h * v
    _back_substitute(M, pivot, residual)
    norm = 0.0
    for a in range(n):
        norm = max(norm, abs(residual[a, 0]) / (atol[a] + rtol * max(abs(u[a]), abs(U[5, a]))))
    return norm


@_jit
def _forcing(q, touched, change, h, X):
    """X[:, i] += h N_i prod c^nu: what a change of k_i adds to the production."""
    for i in range(q.size):
        for w in range(touched.shape[1]):
            if touched[i, w] < 0:
                break
            X[touched[i, w], i] += h * change[i, w] * q[i]


@_jit
def _tangent_step(h, k, factors, touched, change, A, U, T, G, X, base, q, f, J, M, pivot):
    """The same step for the tangents T (species, parameters); G holds the slopes of the six stages."""
    for s in range(1, 6):
        _production(U[s], k, factors, touched, change, f, J)
        _factorise(J, h, M, pivot)
        _monomials(U[s], factors, q)
        for a in range(T.shape[0]):
            for c in range(T.shape[1]):
                base[a, c] = T[a, c]
            for j in range(s):
                weight = h * A[s, j]
                if weight != 0.0:
                    for c in range(T.shape[1]):
                        base[a, c] += weight * G[j, a, c]
            for c in range(T.shape[1]):
                X[a, c] = base[a, c]
        _forcing(q, touched, change, h * _GAMMA, X)
        _back_substitute(M, pivot, X)
        for a in range(T.shape[0]):
            for c in range(T.shape[1]):
                G[s, a, c] = (X[a, c] - base[a, c]) / (h * _GAMMA)
    T[:, :] = X
    G[0] = G[5]


@_jit
def _run(
    times, factors, touched, change, k, c0, initials, rtol, atol, max_steps, sensitive, A, error, values, tangents
):
    """One trajectory, written to values and tangents at each time; returns the number of steps or a failure."""
    n, m = c0.size, k.size
    width = tangents.shape[2]
    u, f, J, M = c0.copy(), np.zeros(n), np.zeros((n, n)), np.zeros((n, n))
    U, F, pivot, residual = np.zeros((6, n)), np.zeros((6, n)), np.zeros(n, np.int64), np.zeros((n, 1))
    T, G, X, base, q = (
        np.zeros((n, width)), np.zeros((6, n, width)), np.zeros((n, width)), np.zeros((n, width)), np.zeros(m),
    )  # fmt: skip
    _production(u, k, factors, touched, change, f, J)
    F[0] = f
    values[0] = u
    if sensitive:
        for j in range(initials.size):
            T[initials[j], m + j] = 1.0
        tangents[0] = T
        G[0] = J @ T
        _monomials(u, factors, q)
        _forcing(q, touched, change, 1.0, G[0])
    if times.size == 1:
        return 0
    speed = 0.0
    for a in range(n):
        speed = max(speed, abs(f[a]) / (atol[a] + 1e-3 * abs(u[a])))
    t, out, steps = times[0], 1, 0
    h = min(times[1] - times[0], 0.1 / speed) if speed > 0.0 else times[1] - times[0]
    while out < times.size:
        if steps == max_steps:
            return TOO_MANY_STEPS
        steps += 1
        last = t + h >= times[out] * (1 - 1e-14) - 1e-300
        step = times[out] - t if last else h
        if not _stages(u, step, k, factors, touched, change, rtol, atol, A, U, F, J, M, pivot, residual):
            h = 0.25 * step
            if h < 1e-14 * (times[out] - times[0]):
                return STEP_TOO_SMALL
            continue
        norm = _error_norm(u, step, rtol, atol, error, U, F, M, pivot, residual)
        if norm > 1.0:
            h = step * max(0.2, 0.9 * norm**-0.25)
            continue
        if sensitive:
            _tangent_step(step, k, factors, touched, change, A, U, T, G, X, base, q, f, J, M, pivot)
        u[:] = U[5]
        F[0] = F[5]
        t += step
        wider = step * min(5.0, max(0.2, 0.9 * max(norm, 1e-8) ** -0.25))
        if last:
            t = times[out]
            values[out] = u
            if sensitive:
                tangents[out] = T
            out += 1
            h = max(h, wider)
        else:
            h = wider
    return steps


@_jit
def _runs(
    first, last, offsets, clock, factors, touched, change, k, c0, initials,
    rtol, atol, max_steps, sensitive, A, error, values, tangents, status,
):  # fmt: skip
    """The runs first..last, each into its own rows of values and tangents."""
    for e in range(first, last):
        rows = slice(offsets[e], offsets[e + 1])
        status[e] = _run(
            clock[rows], factors, touched, change, k[e], c0[e], initials, rtol, atol, max_steps, sensitive, A, error,
            values[rows], tangents[rows],
        )  # fmt: skip
