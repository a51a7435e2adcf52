"""The samplers of particles on lattices: CPU time per core, so that what else the machine does counts little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from guldberg.stochastic import bitlattice, gibbs, lattice, start
from guldberg.stochastic.rules import LatticeRules, annihilation, rossler

RNG = np.random.default_rng(0)
Result = TypeVar("Result")


def lattices(seeds: int | None) -> None:
    """Hops per second and core on lattices, SSA and the counts of every step included; the least of 5 repeats."""
    rules = LatticeRules(annihilation(), periodic=False)
    theta = RNG.uniform(-1, 1, (50, 3))
    for name, sampler, each in [("general, 50 x 50 lattices", lattice, 50), ("64 in a word, 50 x 64", bitlattice, 64)]:
        draws = [start.chain(*t, sites=1000, replicas=each, seed=i) for i, t in enumerate(theta)]
        seconds, moments = _least(
            lambda s=sampler, d=draws: s.sample(rules, np.concatenate(d), 200, seed=1, threads=1), seeds
        )
        _told(f"2 A -> 0 in 1D, N = 1000, {name} x 200 steps", seconds, moments)
    box = start.scattered([200, 200, 200], (10, 10, 10), replicas=300, seed=0)
    for cubes in (False, True):
        rules = LatticeRules(rossler(), dt=0.01)
        seconds, moments = _least(
            lambda r=rules, c=cubes: lattice.sample(r, box, 500, seed=1, cubes=c, threads=1), seeds
        )
        _told(f"Rossler on 10^3, 300 x 500 steps{', with blocks' if cubes else ''}", seconds, moments)
    seconds, _ = _least(lambda: start.chain(0.5, 0.5, 0.5, sites=1000, replicas=3200, seed=1), seeds)
    print(f"exact draws of (b, J, K), N = 1000: {seconds / 3200 * 1e6:.1f} us each")


def gibbs_sampling(seeds: int | None) -> None:
    """Time per unit of the samplers of Boltzmann distributions on 10^3 sites, three species, 100 chains x 20 sweeps."""
    v = RNG.integers(0, 4, (100, 10, 10, 10))
    W, b, hidden_b = RNG.normal(0, 0.3, (3, 3)), np.full(3, -1.4), np.full(3, -1.95)
    cubes, _ = _least(lambda: gibbs.cube_sweeps(v, b, W, hidden_b, sweeps=20, seed=1, threads=1), seeds)
    pairs, _ = _least(lambda: gibbs.pair_sweeps(v, b, W + W.T, sweeps=20, seed=1, threads=1), seeds)
    print(f"hidden units over 2 x 2 x 2 blocks: {cubes / 4e6 * 1e9:.2f} ns per unit, 2000 units")
    print(f"nearest-neighbour pairs:            {pairs / 2e6 * 1e9:.2f} ns per unit, 1000 units")


def _least(call: Callable[[], Result], seeds: int | None) -> tuple[float, Result]:
    """(CPU seconds, result) of the fastest repeat; the first call, which may compile, does not count."""
    result, seconds = call(), []
    for _ in range(seeds or 5):
        before = time.process_time()
        call()
        seconds.append(time.process_time() - before)
    return min(seconds), result


def _told(name: str, seconds: float, moments: lattice.Moments) -> None:
    hops = int(moments.counts[:, :-1].sum())
    print(f"{name}: {hops:.3g} hops in {seconds:.3f} s = {hops / seconds / 1e6:.0f} M/s", flush=True)


ALL: dict[str, Callable[[int | None], None]] = {"lattices": lattices, "gibbs": gibbs_sampling}
