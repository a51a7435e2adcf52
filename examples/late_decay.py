"""A + A -> 0 on a line, learned to t = 10 and followed to t = 100: density by t^(-1/2).
`python examples/late_decay.py [runs] [figure.png]`

Particles (D each) that react at once leave a density of 1 / (8 pi D t)^(1/2) late. The parity of their number in an
interval of length x says so: Q = <(-1)^n> changes only when one passes an end, since a reaction takes two, so that

    dQ / dt = 2 D d^2 Q / dx^2,  Q(0) = 1,  Q = exp(-2 x density) at first:  Q -> erfc(x / (8 D t)^(1/2)),

and the density is -1/2 dQ / dx at x = 0. Those that react at a rate within a radius come to it later. The functions
that were learned from runs on a short ring go on from a ring of 2000, beside runs there that nothing was learned from.
"""

from __future__ import annotations

import dataclasses
import sys

import jax
import numpy as np
from matplotlib.figure import Figure

from guldberg import parse
from guldberg.app.reduce.pairs.simulate import Chains, Pairs
from guldberg.app.reduce.space.simulate import rules
from guldberg.app.style import COLOURS, DASHES, INK
from guldberg.learn.fit import run
from guldberg.reduce.pairs import terms
from guldberg.reduce.pairs.job import PairReduction
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.space.plan import Box
from guldberg.stochastic import particles

BOX = Box(parse("A + A -> 0 @ 4"), lengths=(200.0,), diffusivity=(1.0,), radius=0.4, dt=0.01)
LEARNED = PairPlan(BOX, 200.0, 10.0, 20.0, snapshots=21, runs=2000, held_out=50, shells=100, sweeps=200)
LATE = dataclasses.replace(
    LEARNED, box=dataclasses.replace(BOX, lengths=(2000.0,)), number=2000.0, time=100.0, snapshots=101, reach=60.0,
    shells=300,
)  # fmt: skip
SHOWN, SETTLED = (1, 4, 8, 16, 32, 64, 100), 30  # times of the table; from where the slope is taken


def watched(runs: int, seed: int) -> np.ndarray:
    """Density in each run by time, from a number of Poisson's law anywhere."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(runs):
        start = particles.scattered([rng.poisson(LATE.number)], LATE.box.lengths, runs=1, seed=int(rng.integers(2**62)))
        history = particles.sample(rules(LATE.box), *start, LATE.times, seed=int(rng.integers(2**62)))
        out.append(history.counts()[0, :, 0] / LATE.box.volume)
    return np.array(out)


def slope(density: np.ndarray) -> float:
    """Of its logarithm by that of time."""
    return np.polyfit(np.log(LATE.times[SETTLED:]), np.log(density[SETTLED:]), 1)[0]


def main(runs: str = "120", picture: str = "") -> None:
    jax.config.update("jax_enable_x64", True)
    found = run(PairReduction(LEARNED, Pairs(BOX, LEARNED.distances), Chains(BOX, LEARNED.distances)), 0)
    rates = {"learned to t = 10": terms.onto(LATE, found.functional)}
    rates |= {who.replace("_", " "): terms.theory(LATE, c) for who, c in reversed(terms.theories(LATE).items())}
    density = {who: np.exp(-terms.followed(LATE, rate)[:, 1, 0]) for who, rate in rates.items()}
    seen = watched(int(runs), seed=1)
    mean, error = seen.mean(axis=0), seen.std(axis=0, ddof=1) / np.sqrt(len(seen))
    law = np.sqrt(8 * np.pi * BOX.diffusivity[0] * LATE.times)
    spread = np.std([slope((seen.sum(axis=0) - each) / (len(seen) - 1)) for each in seen]) * (len(seen) - 1) ** 0.5
    print("density times (8 pi D t)^(1/2), and the slope from t = 30 to 100 (-1/2 late)")
    print(f"{'t':18}" + "".join(f"{t:8d}" for t in SHOWN))
    for who, each, text in (("runs", mean, f" +- {spread:.4f}"), *((who, each, "") for who, each in density.items())):
        row = "".join(f"{x:8.4f}" for x in (each * law)[list(SHOWN)])
        print(f"{who:18}{row}   slope {slope(each):.4f}{text}")
    print(f"{'standard error':18}" + "".join(f"{x:8.4f}" for x in (error * law)[list(SHOWN)]))
    if picture:
        draw(picture, mean, error, density, law)


def draw(file: str, mean: np.ndarray, error: np.ndarray, density: dict[str, np.ndarray], law: np.ndarray) -> None:
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    some = np.unique(np.geomspace(1, len(law) - 1, 24).astype(int))
    dots = {"fmt": ".", "color": INK, "ms": 4, "lw": 0.8, "label": "runs, two standard errors"}
    for axes, scale in ((left, np.ones_like(law)), (right, law)):
        axes.axvspan(1, LEARNED.time, color=COLOURS[5], alpha=0.2, lw=0)
        for (who, each), line, colour in zip(density.items(), DASHES, (0, 2, 1, 3), strict=True):
            axes.plot(LATE.times[1:], (each * scale)[1:], line, color=COLOURS[colour], label=who)
        axes.plot(LATE.times[1:], (scale / np.maximum(law, 1e-9))[1:], color=INK, lw=0.8, label="(8 pi D t)^(-1/2)")
        axes.errorbar(LATE.times[some], (mean * scale)[some], 2 * (error * scale)[some], **dots)
        axes.set(xscale="log", xlabel="time (shaded: learned from)")
    left.set(yscale="log", ylabel="density (particles per length)", ylim=(2e-5, 0.4))  # room for the legend
    right.set(ylabel="density times (8 pi D t)^(1/2)", ylim=(0.9, 1.7))
    left.legend()
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:])
