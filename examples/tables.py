"""The three problems of Huang, Zhou and Yong, as in their tables 4.1 and 4.3 to 4.5, solved by guldberg's method.

100 initial states at 11 times up to 1, noise on the derivatives. In the paper the constants of hydrogen oxidation are
off by up to 7.7e-3 at noise 1e-4 and 8.3e-2 at 1e-3 (table 4.5), and its concentrations up to t = 10 by 9.2e-4 and
8.7e-4 (with figure 4.9). Here: one more initial state, 101 times up to 10, largest error over largest concentration.

    python examples/tables.py [STARTS]

With a number of starts, hydrogen by the paper's Algorithm 1 as well: its whole numbers with the constants that minimise
its loss, the plain sum of squares. guldberg weighs each slope by its own size, as the noise has it.
"""

import sys

import jax
import numpy as np

from guldberg import ReactionNetwork, parse
from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover import discover, regression
from guldberg.discover.freezing import Freezing
from guldberg.learn.fit import run
from guldberg.rates import Constant

jax.config.update("jax_enable_x64", True)

PROBLEMS = {
    "table 4.1, fast and slow": parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000"),
    "table 4.3, Michaelis-Menten": parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10"),
    "tables 4.4 and 4.5, hydrogen": hydrogen_network(),
}


def directed(network):
    """{(reactants, products): k} of every direction that happens."""
    sides = np.asarray(network.reactants).tolist(), np.asarray(network.products).tolist()
    reverse = np.zeros(len(sides[0])) if network.reverse is None else np.asarray(network.reverse())
    ways = [*zip(*sides, network.forward(), strict=True), *zip(*sides[::-1], reverse, strict=True)]
    return {(tuple(a), tuple(b)): float(k) for a, b, k in ways if k > 0}


def made(truth, noise):
    """The paper's data, and an initial state that is not among them."""
    start = np.random.default_rng(0).uniform(size=(101, len(truth.species)))
    times = np.linspace(0, 1, 11)
    return synthetic(truth, start[:100], times, derivatives=True, derivative_noise=noise), start[100:]


def beside(truth, learned, start):
    """How the network learned compares with the truth: reactions, constants, concentrations later on."""
    found, true = directed(learned), directed(truth)
    if set(found) != set(true):
        return f"{len(set(true) - set(found))} reactions missing, {len(set(found) - set(true))} false"
    worst = max(abs(found[way] / true[way] - 1) for way in true)
    later, real = (synthetic(n, start, np.linspace(0, 10, 101)).runs[0].values for n in (learned, truth))
    ahead = np.abs(later - real).max() / real.max()
    return f"the reactions exactly, constants off by at most {worst:.1e}, c up to t = 10 by {ahead:.1e}"


def plain(data, learned):
    """The same reactions, both ways, with the constants of the least sum of squares: where Algorithm 1 ends."""
    rows, left, right = regression.slopes(data), np.asarray(learned.reactants), np.asarray(learned.products)
    columns = [regression.monomials(rows.c, a)[:, :, None] * (b - a) for a, b in ((left, right), (right, left))]
    A = np.concatenate(columns, axis=1).swapaxes(1, 2).reshape(rows.dc.size, -1)
    forward, reverse = np.split(np.linalg.lstsq(A, rows.dc.ravel())[0], 2)
    return ReactionNetwork(
        learned.reactants, learned.products, Constant.of(forward), Constant.of(reverse), data.species
    )


if __name__ == "__main__":
    for name, truth in PROBLEMS.items():
        for noise in (0.0, 1e-4, 1e-3, 1e-2):
            data, start = made(truth, noise)
            print(f"{name}, noise {noise:g}: {beside(truth, discover(data).network(), start)}")
    for noise in (1e-4, 1e-3) if len(sys.argv) > 1 else ():
        truth = hydrogen_network()
        data, start = made(truth, noise)
        found = run(Freezing(data, 6, int(sys.argv[1])), 0)
        print(f"Algorithm 1 on hydrogen, noise {noise:g}: {beside(truth, plain(data, found.network()), start)}")
        print(f"    {found.warnings[0]}", flush=True)
