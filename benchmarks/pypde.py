"""The peer: py-pde's compiled back end, on the same system."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from guldberg.system import ReactionDiffusion

pde: Any = importlib.import_module("pde")  # no dependency of guldberg: measured where it happens to be


def field(system: ReactionDiffusion, c0: np.ndarray, steps: int) -> Callable[[], Any]:
    """`steps` steps of .5 from c0, their right-hand sides given as text."""
    species, network, drive = len(system.species), system.network, system.drive
    left, right = np.asarray(network.reactants), np.asarray(network.products)
    k = np.concatenate([network.forward(), network.reverse()])  # pyright: ignore[reportOptionalCall]
    fluxes = [
        "*".join([f"{rate:.8g}", *(f"c{s}" for s in range(species) for _ in range(nu[s]))])
        for rate, nu in zip(k, np.concatenate([left, right]), strict=True)
    ]
    change = np.concatenate([right - left, left - right])
    rhs = {}
    for s in range(species):
        terms = "".join(f"{n:+d}*{flux}" for n, flux in zip(change[:, s], fluxes, strict=True) if n)
        flow = f"{float(drive.rate):.8g} * ({float(drive.feed[s]):.8g} - c{s})"
        rhs[f"c{s}"] = f"{float(system.diffusivity[s]):.8g} * laplace(c{s}) + {flow} {terms}"
    size = c0.shape[1:]
    grid = pde.UnitGrid(size, periodic=True)
    start = pde.FieldCollection([pde.ScalarField(grid, x, label=f"c{s}", dtype=c0.dtype) for s, x in enumerate(c0)])
    equation = pde.PDE(rhs)
    solver = pde.ExplicitSolver(equation, scheme="euler", backend="numba", adaptive=False)
    advance = solver.make_stepper(start, dt=0.5)

    def run() -> Any:
        return advance(start.copy(), 0.0, 0.5 * steps)

    return run
