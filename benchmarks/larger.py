"""Verdicts on thousands of candidate reactions from derivatives: what is certain, possible, impossible."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from guldberg.discover import verdicts
from guldberg.discover.library import Library, build, reversible_pairs
from guldberg.discover.regression import Slopes, monomials

SPECIES, REACTIONS, ROWS = 24, 30, 1100
CANDIDATES = (2300, 2900)


def mechanism(rng: np.random.Generator) -> tuple[Library, np.ndarray]:
    """The library of molecules of two elements, and constants: thirty random reversible reactions of it happen."""
    while True:
        atoms = rng.integers(0, 4, (2, SPECIES))
        atoms[:, atoms.sum(axis=0) == 0] = 1
        library = build(atoms, SPECIES)
        pairs = [pair for pair in reversible_pairs(library) if pair[0] < pair[1]]
        if CANDIDATES[0] <= len(library.net) <= CANDIDATES[1]:
            break
    chosen = np.array([pairs[i] for i in rng.choice(len(pairs), REACTIONS, replace=False)]).ravel()
    k = np.zeros(len(library.net))
    k[chosen] = 10 ** rng.uniform(-1, 1, len(chosen))
    return library, k


def larger(seeds: int | None) -> None:
    """24 species, 30 reversible reactions, 2300 to 2900 candidates, 1100 rows of slopes: 20 random mechanisms."""
    rng = np.random.default_rng(0)
    for _ in range(seeds or 20):
        library, k = mechanism(rng)
        c = rng.uniform(0, 1, (ROWS, SPECIES))
        exact = (monomials(c, library.reactants) * k) @ library.net
        for noise in (0.0, 1e-3):
            slopes = Slopes(c, exact * (1 + noise * rng.uniform(-1, 1, exact.shape)))
            sigma = np.maximum(np.abs(slopes.dc) * max(noise, 1e-12) / np.sqrt(3), 1e-9 * np.abs(slopes.dc).max())
            print(f"{len(k)} candidates, noise {noise:g}: {_line(slopes, library, sigma, k)}", flush=True)


def _line(slopes: Slopes, library: Library, sigma: np.ndarray, k: np.ndarray) -> str:
    start = time.process_time()
    found = verdicts.certificate(slopes, library, sigma, [str(i) for i in range(len(k))])
    seconds, happening = time.process_time() - start, set(map(str, np.flatnonzero(k)))
    certain = {c.equation for c in found if c.certainty == "certain"}
    wrong, missed = len(certain - happening), len(happening - {c.equation for c in found})
    possible = len(found) - len(certain)
    return f"{len(certain)} certain ({wrong} wrong), {possible} possible, {missed} missed, {seconds:.2f} s of CPU time"


ALL: dict[str, Callable[[int | None], None]] = {"larger": larger}
