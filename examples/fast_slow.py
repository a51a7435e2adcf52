"""A slow and a fast reaction from concentrations and their derivatives: one linear problem, solved in milliseconds.

Huang, Zhou and Yong, example 4.1 (their tables 4.1 and 4.2): F <-> R at 1, R <-> P at 1000, 100 initial states at 11
times, derivatives with noise of 1e-3. Linear programming tells of every candidate reaction what its constant can be.
"""

import jax
import numpy as np

from guldberg import parse
from guldberg.app.results import summary
from guldberg.app.synthetic import synthetic
from guldberg.discover import discover

jax.config.update("jax_enable_x64", True)

if __name__ == "__main__":
    truth = parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000")
    start = np.random.default_rng(0).uniform(size=(100, 3))
    times = np.linspace(0.0, 1.0, 11)
    found = discover(synthetic(truth, start, times, derivatives=True, derivative_noise=1e-3))
    print(summary(found))
    for candidate in found.candidates:
        print(f"{candidate.certainty}: {candidate.equation}")
