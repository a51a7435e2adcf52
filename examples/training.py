"""How well gradient descent fits while it learns, and with how many reactions: figures 4.4 to 4.8, table 4.2.

    python examples/training.py [PICTURE.png [STARTS [EPOCHS]]]

Algorithm 1 of Huang, Zhou and Yong beside plain gradient descent, each from 4 random starts and on four fifths of the
rows; the others are for validation. The error is max |N(u) - u'| / max |u'|, where it is lowest on the training rows.
"""

import dataclasses
import sys

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from guldberg import parse
from guldberg.app import style
from guldberg.app.datasets import hydrogen_network
from guldberg.app.synthetic import synthetic
from guldberg.discover import freezing
from guldberg.discover.freezing import Freezing, Weights
from guldberg.discover.regression import measured_slopes

jax.config.update("jax_enable_x64", True)

PROBLEMS = {
    "fast and slow": (parse("F <-> R @ 1, 1\nR <-> P @ 1000, 1000"), (1, 2, 3, 4)),
    "Michaelis-Menten": (parse("E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10"), (1, 2, 3, 4)),
    "hydrogen": (hydrogen_network(), (4, 5, 6, 7, 8)),
}


def split(network):
    """The paper's data, four rows of five for training, and the others."""
    states = np.random.default_rng(0).uniform(size=(100, len(network.species)))
    data = synthetic(network, states, np.linspace(0, 1, 11), derivatives=True)
    later = np.random.default_rng(1).uniform(size=(100, 11, 1)) < 0.2
    return [
        dataclasses.replace(
            data,
            runs=tuple(
                dataclasses.replace(run, derivatives=np.where(away, np.nan, measured_slopes(run)))
                for run, away in zip(data.runs, hidden, strict=True)
            ),
        )
        for hidden in (later, ~later)
    ]


def errors(weights, rows):
    """Of every start."""
    log_u, slopes = rows
    told = np.asarray(jax.vmap(freezing.rates, (0, None))(Weights(*weights), log_u))
    return np.abs(told - np.asarray(slopes)).max(axis=(1, 2)) / np.abs(slopes).max()


def descend(job, rows):
    """The errors on both sets of rows, every 1000 epochs; the lowest for training with the other there; the weights."""
    state, history, best = job.init(0), [], np.full((2, job.starts), np.inf)
    kept = state.weights
    while not job.done(state):
        state, _ = job.step(state)
        history.append([errors(state.weights, one) for one in rows])
        lower = history[-1][0] < best[0]
        best = np.where(lower, history[-1], best)
        pairs = zip(state.weights, kept, strict=True)
        kept = [np.where(lower.reshape(-1, *[1] * (new.ndim - 1)), new, old) for new, old in pairs]
    return np.array(history), best, kept


def tell(weights, start):
    """Its reactions: the changes of the species, both constants."""
    for v, forward, reverse in zip(*(part[start] for part in weights), strict=True):
        print(
            "    " + " ".join(f"{x:6.3f}" for x in v) + f"   k {np.exp(forward):.3e} {np.exp(reverse):.3e}", flush=True
        )


def compare(name, starts, epochs):
    """With and without freezing: the histories."""
    network, _ = PROBLEMS[name]
    training, later = split(network)
    rows, runs = [freezing.logs_and_slopes(one) for one in (training, later)], {}
    for words, freeze in (("freezing", True), ("plain descent", False)):
        job = Freezing(training, len(network.reactants), starts, epochs, freeze=freeze)
        runs[words], best, kept = descend(job, rows)
        told = "; ".join(" ".join(f"{error:.1e}" for error in part) for part in best)
        print(f"{name}, {words}: errors of each start, training; validation: {told}", flush=True)
        tell(kept, best[0].argmin())
    return runs


def sweep(name, starts, epochs):
    """The errors of the best start for each number of reactions, with its reactions."""
    network, numbers = PROBLEMS[name]
    training, later = split(network)
    rows, out = [freezing.logs_and_slopes(one) for one in (training, later)], []
    for number in numbers:
        _, best, kept = descend(Freezing(training, number, starts, epochs), rows)
        one = best[0].argmin()
        out.append(best[:, one])
        print(f"{name}, {number} reactions: errors {best[0, one]:.1e} {best[1, one]:.1e}", flush=True)
        tell(kept, one)
    return numbers, np.array(out)


@matplotlib.rc_context(style.STYLE)
def picture(path, histories, sweeps):
    """Above, the lowest errors of every 10 000 epochs, of the first start bold; below, those of the best start."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.4))
    for ax, (name, runs) in zip(axes[0], histories.items(), strict=True):
        for (words, history), colour in zip(runs.items(), style.COLOURS, strict=False):
            lowest = np.minimum.reduceat(history, range(0, len(history), 10))
            at = 10 * np.arange(1, len(lowest) + 1)
            ax.semilogy(at, lowest[:, 0, 1:], color=colour, lw=0.7, alpha=0.4)
            ax.semilogy(at, lowest[:, 0, 0], color=colour, lw=1.4, label=words)
            ax.semilogy(at, lowest[:, 1, 0], ":", color=colour, lw=1.4)
        ax.set(title=name, xlabel="epoch / 1000", ylabel="relative error of the slopes")
        ax.legend(fontsize=7, loc="upper right")
    for ax, (name, (numbers, best)) in zip(axes[1], sweeps.items(), strict=True):
        for part, words, mark, colour in zip(best.T, ("training", "validation"), "os", style.COLOURS, strict=False):
            ax.semilogy(numbers, part, f"-{mark}", color=colour, ms=4, label=words)
        ax.set(title=name, xlabel="reactions", xticks=numbers, ylabel="relative error of the slopes")
        ax.legend(fontsize=7)
    figure.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    starts, epochs = int(given.get(2, 4)), int(given.get(3, 500_000))
    histories = {name: compare(name, starts, epochs) for name in PROBLEMS}
    sweeps = {name: sweep(name, starts, epochs) for name in PROBLEMS}
    if 1 in given:
        picture(given[1], histories, sweeps)
