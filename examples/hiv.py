"""How long virions and infected cells live: HIV-1 under ritonavir, from the sum of two kinds of virion.

Perelson et al., Science (1996): c = 2.06 and delta = 0.53 per day. Infectious virions die out and infect until then,
infected cells make 480 virions each that are not infectious; only their sum with the infectious ones is measured.
"""

import dataclasses

import jax
import numpy as np

from guldberg.app.datasets import path
from guldberg.app.tables import read_experiments
from guldberg.app.words import interval, value
from guldberg.discover import intervals, refine
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, Readings, prepare
from guldberg.experiments import Experiments, Run
from guldberg.text import parse

jax.config.update("jax_enable_x64", True)

BURST = 480.0  # virions of one cell: W counts cells that made theirs, and V = Vin + 480 W
TEXT = "Vin -> 0 @ 2\nW -> 0 @ 2\nT -> W @ 0.5\nVin -> Vin + T @ 1"
INFECTION = 3.9e-7 * 11_000  # per day, known
START = {"Vin": 1.86e6, "W": 0.0, "T": 15_061.0}


def setting() -> tuple[Problem, Library]:
    """The four reactions, and the sum as what was measured."""
    network, table = parse(TEXT), read_experiments([path("hiv")]).runs[0]
    values, sd = np.full((2, len(table.times), 3), np.nan)
    values[0], sd[0] = [START[name] for name in network.species], 0.0
    run = Run("hiv", table.times, values, sd)
    above = np.array([[{"Vin": 1.0, "W": BURST}.get(name, 0.0) for name in network.species]])
    problem = dataclasses.replace(
        prepare(Experiments(network.species, (run,)), np.ones(3)),
        values=table.values,
        weights=1 / table.values,
        rtol=1e-8,
        readings=Readings(above, 0 * above),
        equal=((0, 1),),
        known=(3,),
    )
    return problem, Library(np.asarray(network.reactants), np.asarray(network.products))


if __name__ == "__main__":
    problem, library = setting()
    measured, k, everything = problem.values, np.array([2.0, 2.0, 0.5, INFECTION]), np.arange(4)
    for _ in range(12):  # log-normal: at the fit, (value - fitted) / sd is ln(measured / fitted) / part
        at = refine.fit(problem, library, everything, k)
        assert at is not None
        r = refine.residuals_at(problem, library, at.k, at.phi, at.c0)
        assert r is not None
        fitted, k = problem.values + r[:, None] / problem.weights, at.k
        logarithm = np.log(measured / fitted)
        part = float(np.sqrt(np.mean(logarithm**2)))
        problem = dataclasses.replace(problem, values=fitted * (1 + logarithm), weights=1 / (part * fitted))
    rise = intervals.threshold(problem.points, 2, at.chi2, noise_known=False)
    print(f"relative error of one measurement: {part:.2f}")
    for name, i in (("c", 0), ("delta", 2)):
        found, _ = intervals.interval(problem, library, at, i, rise)
        print(f"{name:6s} {value(found)} per day, 95 % {interval(found)}; half-life {np.log(2) / found.value:.2f} days")
