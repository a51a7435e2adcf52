"""The pictures of the README, drawn from what guldberg computes.

python examples/pictures.py [folder, default docs/images]
"""

import sys
from pathlib import Path

import jax
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from guldberg import WellMixed, parse, simulate
from guldberg.app import plot, style
from guldberg.app.datasets import path
from guldberg.app.synthetic import synthetic
from guldberg.app.tables import read_experiments
from guldberg.discover import Options, discover

jax.config.update("jax_enable_x64", True)

ENZYME = "E + S <-> ES @ 5, 1\nES -> E + P @ {}"
NOISE = 0.03


@matplotlib.rc_context(style.STYLE)
def words() -> Figure:
    """Network, system, trajectory, loss, job: an enzyme's mechanism learned from three runs."""
    network = parse(ENZYME.format(2))
    start = np.array([[1.0, 2.0, 0.0, 0.0], [0.5, 1.0, 0.0, 0.5], [0.3, 3.0, 0.2, 0.0]])
    data = synthetic(network, start, np.linspace(0.0, 4.0, 21), noise=NOISE, seed=0)
    found = discover(data)
    figure = Figure(figsize=(11, 2.4))
    reactions, system, trajectory, loss, job = figure.subplots(1, 5)
    for axes, word in zip(figure.axes, ("network", "system", "trajectory", "loss", "job"), strict=True):
        axes.set_title(word, fontsize=11, fontweight="bold")
    for axes, text in (
        (reactions, "E + S ⇌ ES\n\nES → E + P"),
        (system, "dc/dt = Sᵀ (r₊ − r₋)\n\nr = k ∏ cᵛ"),
    ):
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=11, transform=axes.transAxes)
    _trajectory(trajectory, found)
    _loss(loss, data)
    _constants(job, found)
    return figure


def _trajectory(axes, found):
    run, fit = found.data.runs[0], found.fit.runs[0]
    for name, colour, points, curve in zip(found.species, style.COLOURS, run.values.T, fit.curve.T, strict=False):
        axes.plot(fit.curve_times, curve, color=colour, lw=1.3, label=name)
        axes.plot(run.times, points, "o", color=colour, ms=2.5)
    axes.set(xlabel="time", ylabel="concentration")
    axes.legend(fontsize=7, loc="center right")


def _loss(axes, data):
    """chi2 of the first run against the last rate constant."""
    run, ks = data.runs[0], np.linspace(1.2, 3.2, 15)
    solved = (simulate(WellMixed(parse(ENZYME.format(k))), run.values[0], run.times).values for k in ks)
    chi2 = [float(np.sum(((c - run.values) / NOISE)[1:] ** 2)) for c in solved]
    axes.plot(ks, chi2, "-o", color=style.COLOURS[0], ms=3, lw=1)
    axes.set(xlabel="k(ES → E + P)", ylabel="chi2", yscale="log")


def _constants(axes, found):
    """What the job found: each constant with its 95 % interval; the truth as a cross."""
    (release, binding), truth = found.steps, (2.0, 5.0, 1.0)
    names = ("ES → E + P", "E + S → ES", "ES → E + S")
    for y, k in enumerate((release.forward, binding.forward, binding.reverse)):
        axes.plot([k.low, k.high], [y, y], color=style.COLOURS[0], lw=1.5)
        axes.plot([k.value], [y], "o", color=style.COLOURS[0], ms=4)
    axes.plot(truth, range(3), "x", color=style.COLOURS[1], ms=7)
    axes.set(xlabel="rate constant", ylim=(2.6, -0.6), xlim=(0, 7))
    axes.set_yticks(range(3), names, fontsize=7)


def carotenoid() -> Figure:
    """The measurements of Bruno et al. (2016) and the mechanism found, as the report shows them."""
    data = read_experiments([path("carotenoid")]).with_scale(("3", "6"))
    return plot.curves(discover(data, Options(max_order=1)))


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    for draw in (words, carotenoid):
        draw().savefig(folder / f"{draw.__name__}.png", dpi=110, metadata={"Software": None})
