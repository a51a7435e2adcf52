"""The mechanism of an enzyme from concentrations alone, without a guess at it.

The network of Huang, Zhou and Yong, example 4.2 (k = 1e6, 1e3, 10; their table 4.3), seen in ten experiments at 21
times spaced by a factor, with noise of 1e-3 on every concentration and no derivatives. The mechanism is found among
all reactions of at most two molecules on each side, together with the intervals of its constants.
"""

import jax
import numpy as np

from guldberg import parse
from guldberg.app.results import summary
from guldberg.app.synthetic import synthetic
from guldberg.discover import discover

jax.config.update("jax_enable_x64", True)

if __name__ == "__main__":
    truth = parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10")
    start = np.random.default_rng(0).uniform(size=(10, 4))
    times = np.append(0.0, np.geomspace(1e-7, 1.0, 20))
    found = discover(synthetic(truth, start, times, noise=1e-3, seed=1))
    print(summary(found))
