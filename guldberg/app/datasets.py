"""Data that come with the package: two measured tables, and the made data of Huang, Zhou and Yong."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from guldberg.app.synthetic import synthetic
from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant

MEASURED = ("carotenoid", "alpha-pinene", "stat5", "hiv")


def path(name: str) -> Path:
    """The CSV file of a measured table; KeyError unless it is one of MEASURED."""
    if name not in MEASURED:
        raise KeyError(f"no table named {name!r}: there are {', '.join(MEASURED)}")
    return Path(str(files("guldberg"))) / "data" / f"{name}.csv"


def hydrogen_network() -> ReactionNetwork:
    """Hydrogen oxidation, Huang et al. section 4.3: six reversible reactions of H2, O2, H2O, H, O and OH.

    The reverse constants are in detailed balance with one another: the last one follows from the third and fourth.
    """
    species = ("H2", "O2", "H2O", "H", "O", "OH")
    reactants = [{"H2": 1}, {"O2": 1}, {"H2O": 1}, {"H2": 1, "O": 1}, {"O2": 1, "H": 1}, {"H2": 1, "O": 1}]
    products = [{"H": 2}, {"O": 2}, {"H": 1, "OH": 1}, {"H": 1, "OH": 1}, {"O": 1, "OH": 1}, {"H2O": 1}]
    return ReactionNetwork(
        jnp.array([[side.get(name, 0) for name in species] for side in reactants]),
        jnp.array([[side.get(name, 0) for name in species] for side in products]),
        Constant.of([2.0, 1.0, 1.0, 1000.0, 1000.0, 100.0]),
        Constant.of([216.0, 337.5, 1400.0, 10800.0, 33750.0, 100.0 * 10800.0 / (1000.0 * 1400.0)]),
        species,
    )


def hydrogen(
    *, runs: int = 100, noise: float = 0.0, derivative_noise: float = 0.0, derivatives: bool = True, seed: int = 0
) -> Experiments:
    """The paper's data: `runs` initial states, uniform on [0, 1] for every species, at t = 0, 0.1, ... 1."""
    network = hydrogen_network()
    start = np.random.default_rng(seed).uniform(size=(runs, len(network.species)))
    return synthetic(
        network,
        start,
        np.linspace(0.0, 1.0, 11),
        noise=noise,
        derivative_noise=derivative_noise,
        derivatives=derivatives,
        seed=seed,
    )
