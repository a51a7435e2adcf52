"""Results made by hand from real simulations, for the tests of what is written and drawn."""

import dataclasses
import functools

import numpy as np
from scipy.integrate import solve_ivp

from guldberg.discover.result import Combination, Discovered, Estimate, Fit, PathPoint, Rival, RunFit, Step
from guldberg.experiments import Experiments, Run
from guldberg.text import parse

SD = 0.02


@functools.cache
def simulated(network, c0, ts):
    """Concentrations at `ts` by scipy's Radau, independent of the package's integrators. Tuples in, for the cache."""
    S, nu = np.array([np.subtract(p, r) for r, p, _ in network]), [np.array(r) for r, _, _ in network]
    k = np.array([rate for *_, rate in network])

    def rhs(t, c):
        return S.T @ (k * np.array([np.prod(c**n) for n in nu]))

    return solve_ivp(rhs, (0, ts[-1]), c0, method="Radau", t_eval=ts, rtol=1e-8, atol=1e-10).y.T


def michaelis_menten(names=("E", "S", "ES", "P"), runs=3, seed=0, sd_given=True):
    """E + S <-> ES -> E + P at 5, 1, 2; ES is not measured in the last run."""
    E, S, ES, P = np.eye(4, dtype=int)
    network = tuple((tuple(a), tuple(b), k) for a, b, k in ((E + S, ES, 5.0), (ES, E + S, 1.0), (ES, E + P, 2.0)))
    generator = np.random.default_rng(seed)
    ts, dense = np.linspace(0, 4, 9), np.linspace(0, 4, 81)
    data, fits = [], []
    for i in range(runs):
        c0 = np.array([0.5 + 0.1 * (i % 5), 1.0 + 0.5 * (i % 3), 0.0, 0.0])
        truth = simulated(network, tuple(c0), tuple(ts))
        values = truth + SD * generator.normal(size=truth.shape)
        values[0], sd = c0, np.full(truth.shape, SD if sd_given else np.nan)
        sd[0] = 0.0
        if i == runs - 1:
            values[1:, 2] = np.nan
        residuals = np.where(sd[:, :1] == 0, np.nan, (values - truth) / SD)
        data.append(Run(f"run {i + 1}", ts, values, sd))
        fits.append(
            RunFit(f"run {i + 1}", c0, (False,) * 4, residuals, dense, simulated(network, tuple(c0), tuple(dense)))
        )
    experiments = Experiments(tuple(names), tuple(data), "min", ("mmol/L",) * 4)
    chi2 = float(sum(np.nansum(fit.residuals**2) for fit in fits))
    points = experiments.points
    e, s, es, p = names
    steps = (
        Step(tuple(E + S), tuple(ES), Estimate(5.02, 4.61, 5.49), Estimate(1.03, 0.2, None), 0.31, "certain"),
        Step(tuple(ES), tuple(E + P), Estimate(1.9962, 1.9893, 2.0041), None, 0.30, "possible"),
    )
    return Discovered(
        data=experiments,
        steps=steps,
        laws=np.array([E + ES, S + ES + P]),
        library=16,
        fit=Fit(
            kind="concentrations",
            chi2=chi2,
            points=points,
            parameters=3,
            score=chi2 + 6 * np.log(points),
            sd=np.full(4, SD),
            sd_given=sd_given,
            scales={},
            runs=tuple(fits),
            solves=1234,
            failed_solves=5,
            rtol=1e-6,
        ),
        alternatives=(
            Rival((f"{es} -> {s} + {p}",), (f"{es} -> {e} + {p}",), (f"{e} + {s} -> {es}",), (5.0,), 1.27, chi2 + 1.27),
        ),
        combinations=(
            Combination(f"k({e} + {s} -> {es}) / k({es} -> {e} + {s})", Estimate(4.87, 4.51, 5.3)),
            Combination(f"k({es} -> {e} + {s}) * 2", Estimate(1.0, None, None)),
        ),
        path=tuple(
            PathPoint(n, c, c + 2 * n * np.log(points)) for n, c in ((8, 70.0), (5, 72.0), (3, chi2), (2, 930.0))
        ),
        candidates=(),
        warnings=("one experiment has no measurement of the complex",),
    )


def mechanism(equations):
    """Any reactions, with constants 1 and without a fit: for what depends on their shape alone."""
    network = parse("\n".join(f"{e} @ {'1, 1' if '<->' in e else '1'}" for e in equations))
    k, size = Estimate(1.0, 0.9, 1.1), len(network.species)
    rows = zip(np.asarray(network.reactants), np.asarray(network.products), network.reversible, strict=True)
    steps = tuple(
        Step(tuple(map(int, a)), tuple(map(int, b)), k, k if both else None, 1.0, "certain") for a, b, both in rows
    )
    base, ts = michaelis_menten(), np.array([0.0, 1.0])
    table = np.ones((2, size))
    data = Experiments(network.species, (Run("1", ts, table, 0.1 * table),))
    run = RunFit("1", table[0], (True,) * size, 0 * table, ts, table)
    fit = dataclasses.replace(base.fit, runs=(run,), sd=0.1 * table[0])
    rest = {"alternatives": (), "combinations": (), "path": (), "warnings": ()}
    return dataclasses.replace(base, data=data, steps=steps, laws=np.zeros((0, size), int), fit=fit, **rest)
