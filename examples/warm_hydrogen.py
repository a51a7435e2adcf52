"""Hydrogen oxidation at three temperatures: mechanism, twelve energies of activation, detailed balance.

The six reactions of Huang, Zhou and Yong (2021), their constants taken as those at 1000 K; energies of the species make
detailed balance hold at every temperature, O2 + H <-> O + OH and H2O <-> H + OH have exponents b. 30 experiments at
900, 1000 and 1100 K, 11 times each, noise 1e-3. Told to guldberg: the table, and that detailed balance holds. What a
textbook calls Ea is here Ea + b R T at the mean temperature wherever the data cannot tell b.
"""

import jax
import numpy as np

from guldberg.app.datasets import hydrogen_network
from guldberg.app.results import summary
from guldberg.app.synthetic import synthetic
from guldberg.discover import Options, discover
from guldberg.network import ReactionNetwork
from guldberg.rates import GAS_CONSTANT, Arrhenius

jax.config.update("jax_enable_x64", True)

KELVIN, RUNS, NOISE = (900.0, 1000.0, 1100.0), 30, 1e-3
SPECIES = np.array([0, 0, -60, 50, 55, 10]) * 1e3  # J/mol: H2, O2, H2O, H, O, OH
BARRIERS = np.array([110, 120, 95, 35, 40, 30]) * 1e3  # of the forward reactions
EXPONENTS = np.array([0, 0, 1.5, 0, -1, 0])  # both ways


def warm_network() -> ReactionNetwork:
    """The constants of the paper at 1000 K, k = A T^b exp(-Ea / R T) elsewhere."""
    network = hydrogen_network()
    forward, reverse = network.constants()
    back = BARRIERS - np.asarray(network.stoichiometry) @ SPECIES
    laws = (_law(k, Ea) for k, Ea in ((forward, BARRIERS), (reverse, back)))
    return ReactionNetwork(network.reactants, network.products, *laws, network.species)


def _law(k: np.ndarray, Ea: np.ndarray) -> Arrhenius:
    return Arrhenius.of(k * np.exp(Ea / (GAS_CONSTANT * 1000.0)) * 1000.0**-EXPONENTS, EXPONENTS, Ea)


if __name__ == "__main__":
    network = warm_network()
    start = np.random.default_rng(0).uniform(0, 1, (RUNS, 6))
    times = np.concatenate([[0.0], np.geomspace(10**-4.5, 1.0, 10)])
    data = synthetic(network, start, times, noise=NOISE, temperatures=np.resize(KELVIN, RUNS))
    found = discover(data, Options(detailed_balance=True))
    print(summary(found))
    T = found.temperature or 1000.0
    print(f"\nTrue slopes Ea + b R T at {T:.0f} K, kJ/mol, forward and reverse:")
    laws = zip(network.equations(), network.forward.Ea, network.reverse.Ea, EXPONENTS, strict=True)
    for name, forward, reverse, b in laws:
        shift = b * GAS_CONSTANT * T
        print(f"  {name:22s} {(forward + shift) / 1e3:8.2f} {(reverse + shift) / 1e3:8.2f}")
