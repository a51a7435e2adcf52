"""Networks as directed reactions, and measurements made from them, for the tests of what learns from data."""

import dataclasses

import numpy as np

from guldberg.app.synthetic import synthetic
from guldberg.discover.library import Library
from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork, equation
from guldberg.text import parse


def directions(network: ReactionNetwork) -> tuple[Library, np.ndarray]:
    """Every reaction that happens, one direction at a time, with its constant."""
    left, right = np.asarray(network.reactants), np.asarray(network.products)
    forward, back = np.asarray(network.forward()), network.reversible
    reverse = np.asarray(network.reverse())[back] if network.reverse is not None else np.zeros(0)
    return Library(np.vstack([left, right[back]]), np.vstack([right, left[back]])), np.append(forward, reverse)


def equations(network: ReactionNetwork) -> set[str]:
    """The directions that happen, as text."""
    library, _ = directions(network)
    return {equation(a, b, network.species) for a, b in zip(library.reactants, library.products, strict=True)}


def measure(
    network: ReactionNetwork | str,
    time: float,
    *,
    relative: float = 0.01,
    runs: int = 10,
    points: int = 20,
    seed: int = 0,
    largest: float = 1.0,
) -> Experiments:
    """Random initial states, even times, noise of `relative` of each species' range on every value, t = 0 included."""
    network = parse(network) if isinstance(network, str) else network
    rng = np.random.default_rng(seed)
    c0s = rng.uniform(0.05, 1, (runs, len(network.species))) * largest
    exact = synthetic(network, c0s, np.linspace(0, time, points), exact_start=False)
    return noisy(exact, relative, seed)


def noisy(exact: Experiments, relative: float, seed: int) -> Experiments:
    """The same with normal noise, of sd `relative` of each species' range over all runs."""
    rng = np.random.default_rng([seed, 1])
    noise = relative * np.ptp(np.vstack([run.values for run in exact.runs]), axis=0)
    values = [run.values + noise * rng.standard_normal(run.values.shape) for run in exact.runs]
    changed = zip(exact.runs, values, strict=True)
    return dataclasses.replace(exact, runs=tuple(dataclasses.replace(run, values=v) for run, v in changed))
