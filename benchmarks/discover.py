"""Discovery on made data with a known truth: how often exact, how wrong, how long."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.mechanisms import FAST_SLOW, HYDROGEN, MICHAELIS_MENTEN, TEN, Mechanism
from guldberg.app.synthetic import synthetic
from guldberg.app.tables import write_experiments
from guldberg.discover import Discovered, Discovery, Options, laws, library, noise, regression
from guldberg.experiments import Experiments
from guldberg.learn.fit import run
from guldberg.network import ReactionNetwork, equation
from guldberg.text import parse

LOG_TIMES = np.concatenate([[0.0], np.geomspace(10**-4.5, 1.0, 10)])
PAPER_TIMES = np.linspace(0.0, 1.0, 11)


class Outcome(NamedTuple):
    """One discovery beside the truth."""

    verdict: str  # exact, listed (the truth is among the rivals or has the same equations), wrong
    seconds: float
    error: float  # worst relative error of a constant; NaN unless exact
    false_certain: int
    missing: int  # true reactions neither found nor in a rival


def data_of(
    network: ReactionNetwork,
    seed: int,
    *,
    runs: int,
    times: np.ndarray,
    noise: float = 0.0,
    relative: bool = False,
    derivatives: float | None = None,
) -> Experiments:
    """Random initial states in [0, 1]; exact starts with absolute noise, or noise relative to each range everywhere."""
    c0s = np.random.default_rng(1000 + seed).uniform(0, 1, (runs, len(network.species)))
    if derivatives is not None:
        return synthetic(network, c0s, times, derivatives=True, derivative_noise=derivatives, seed=seed)
    if not relative:
        return synthetic(network, c0s, times, noise=noise, seed=seed)
    clean = synthetic(network, c0s, times, exact_start=False, seed=seed)
    spans = np.ptp(np.vstack([run.values for run in clean.runs]), axis=0)
    rng = np.random.default_rng(seed)
    noisy = [r.values + noise * spans * rng.standard_normal(r.values.shape) for r in clean.runs]
    return dataclasses.replace(
        clean, runs=tuple(dataclasses.replace(r, values=v) for r, v in zip(clean.runs, noisy, strict=True))
    )


def judge(network: ReactionNetwork, data: Experiments, options: Options | None = None) -> Outcome:
    """Discover from the data alone and compare."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = run(Discovery(data, options or Options()))
    seconds = time.perf_counter() - start
    truth, got = constants(network), directed(found)
    listed = [set(rival.equations) for rival in found.alternatives]
    known = set(truth) in listed or found.equals(truth)
    verdict = "exact" if set(got) == set(truth) else "listed" if known else "wrong"
    error = max(abs(got[e] / truth[e] - 1) for e in truth) if verdict == "exact" else np.nan
    sure = {e for step in found.steps if step.certainty == "certain" for e in _ways(found, step)}
    possible = set(got).union(*listed, *(rewriting.instead for rewriting in found.rewritings))
    return Outcome(verdict, seconds, error, len(sure - set(truth)), len(set(truth) - possible))


def constants(network: ReactionNetwork) -> dict[str, float]:
    """Directed reactions and their constants."""
    reactants, products = np.asarray(network.reactants), np.asarray(network.products)
    out = {}
    for nu, mu, k in zip(reactants, products, np.asarray(network.forward()), strict=True):
        out[equation(nu, mu, network.species)] = float(k)
    if network.reverse is not None:
        for nu, mu, k in zip(reactants, products, np.asarray(network.reverse()), strict=True):
            if k > 0:
                out[equation(mu, nu, network.species)] = float(k)
    return out


def directed(found: Discovered) -> dict[str, float]:
    """The same of a discovery."""
    out = {}
    for step in found.steps:
        out[equation(step.reactants, step.products, found.species)] = step.forward.value
        if step.reverse is not None:
            out[equation(step.products, step.reactants, found.species)] = step.reverse.value
    return out


def _ways(found: Discovered, step) -> list[str]:
    ways = [equation(step.reactants, step.products, found.species)]
    return ways + ([] if step.reverse is None else [equation(step.products, step.reactants, found.species)])


def table(name: str, outcomes: list[Outcome]) -> None:
    """One row: exact, listed, worst error, false certain, seconds (median and worst)."""
    n = len(outcomes)
    exact = sum(o.verdict == "exact" for o in outcomes)
    listed = sum(o.verdict == "listed" for o in outcomes)
    errors = [o.error for o in outcomes if np.isfinite(o.error)]
    times = [o.seconds for o in outcomes]
    worst = f"{np.median(errors):.1e} (worst {max(errors):.1e})" if errors else "-"
    print(
        f"{name:34s} exact {exact:2d}/{n:<2d} listed {listed:2d}  rate error {worst:28s} "
        f"false certain {sum(o.false_certain for o in outcomes)}  not even listed {sum(o.missing for o in outcomes)}  "
        f"{np.median(times):.2f} s (worst {max(times):.2f})",
        flush=True,
    )


def derivatives(seeds: int | None) -> None:
    """The paper's data, concentrations and derivatives: 100 initial states x 11 snapshots, 20 seeds each."""
    for mechanism in (HYDROGEN, FAST_SLOW, MICHAELIS_MENTEN):
        for level in (0.0, 1e-4, 1e-3, 1e-2):
            network = mechanism.network
            made = [data_of(network, s, runs=100, times=PAPER_TIMES, derivatives=level) for s in range(seeds or 20)]
            table(f"{mechanism.name}, noise {level:g}", [judge(network, data) for data in made])
    _fit_alone(data_of(HYDROGEN.network, 0, runs=100, times=PAPER_TIMES, derivatives=1e-3))
    exact = data_of(HYDROGEN.network, 0, runs=100, times=PAPER_TIMES, derivatives=0.0)
    for level in (0.0, 1e-4, 1e-3):
        _sindy(level, data_of(HYDROGEN.network, 0, runs=100, times=PAPER_TIMES, derivatives=level), exact)


def _fit_alone(data: Experiments) -> None:
    """From the laws on: library, regression and elimination; no certificate, no curves."""
    sd = noise.estimate(data)
    times = []
    for _ in range(9):
        start = time.perf_counter()
        candidates = library.build(laws.hypotheses(data, sd)[0], len(data.species))
        regression.fit(regression.slopes(data), candidates)
        times.append(time.perf_counter() - start)
    print(f"hydrogen, the fit alone: {np.median(times):.3f} s (worst of 9: {max(times):.3f})")


def _sindy(level: float, data: Experiments, exact: Experiments) -> None:
    """PySINDy on the same slopes: a polynomial right-hand side, no reactions. Least squares without its ridge, and the
    settings that come closest to the true terms: better than without knowing these."""
    import pysindy

    (x, dx), (_, truth) = (regression.slopes(one) for one in (data, exact))
    powers = pysindy.PolynomialLibrary(degree=2, include_bias=False)
    true = np.abs(np.linalg.lstsq(np.asarray(powers.fit_transform(x)), truth)[0].T) > 1e-3
    start, tried = time.perf_counter(), []
    for threshold in (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0):
        for scaled in (False, True):
            optimizer = pysindy.STLSQ(threshold=threshold, alpha=0.0, normalize_columns=scaled)
            model = pysindy.SINDy(feature_library=powers, optimizer=optimizer)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(x, t=1.0, x_dot=dx)
            found = model.coefficients() != 0
            tried.append((int((found != true).sum()), int((found & true).sum()), int((found & ~true).sum()), threshold))
    _, right, false, threshold = min(tried)
    seconds = (time.perf_counter() - start) / len(tried)
    print(
        f"PySINDy on hydrogen, noise {level:g}: {right} of {true.sum()} terms and {false} false at the best threshold,"
        f" {threshold:g}; no mechanism, {seconds:.2f} s a fit"
    )


def _concentrations(mechanism: Mechanism, seeds: int | None, name: str, **how) -> None:
    outcomes = []
    for seed in range(seeds or 20):
        outcomes.append(judge(mechanism.network, data_of(mechanism.network, seed, **how)))
    table(name, outcomes)


def hydrogen_grid(seeds: int | None) -> None:
    """Hydrogen from concentrations alone, the paper's grid (100 x 11, dt 0.1), additive noise 1e-3, 20 seeds."""
    _concentrations(HYDROGEN, seeds, "hydrogen 100 x 11 uniform, 1e-3", runs=100, times=PAPER_TIMES, noise=1e-3)


def hydrogen_log(seeds: int | None) -> None:
    """Hydrogen, 10 experiments x 11 log-spaced times, additive noise 1e-3, 20 seeds."""
    _concentrations(HYDROGEN, seeds, "hydrogen 10 x 11 log, 1e-3", runs=10, times=LOG_TIMES, noise=1e-3)


def hydrogen_noisy(seeds: int | None) -> None:
    """Hydrogen from concentrations, the paper's grid, noise 1e-2: what is certain must be true, 20 seeds."""
    _concentrations(HYDROGEN, seeds, "hydrogen 100 x 11 uniform, 1e-2", runs=100, times=PAPER_TIMES, noise=1e-2)


def stiff_pairs(seeds: int | None) -> None:
    """Michaelis-Menten and the fast/slow pair from concentrations, the paper's grid, noise 1e-3, 20 seeds each."""
    for mechanism in (MICHAELIS_MENTEN, FAST_SLOW):
        name = f"{mechanism.name} 100 x 11, 1e-3"
        _concentrations(mechanism, seeds, name, runs=100, times=PAPER_TIMES, noise=1e-3)


def ten(seeds: int | None) -> None:
    """Ten mechanisms of 3 to 8 species, 10 experiments x 20 times, noise 1 % of each range on every value, 5 seeds."""
    everything = []
    for mechanism in TEN:
        times = np.linspace(0.0, mechanism.span, 20)
        how = {"runs": 10, "times": times, "noise": 0.01, "relative": True}
        outcomes = [judge(mechanism.network, data_of(mechanism.network, s, **how)) for s in range(seeds or 5)]
        table(mechanism.name, outcomes)
        everything += outcomes
    table("all ten", everything)


def flow(seeds: int | None) -> None:
    """An enzyme, 10 experiments x 20 times, noise 1 % of each range, 5 seeds; Catalax, where it is, on the first."""
    network, times = parse("E + S <-> ES @ 5, 1\nES -> E + P @ 2"), np.linspace(0.0, 4.0, 20)
    made = [data_of(network, seed, runs=10, times=times, noise=0.01, relative=True) for seed in range(seeds or 5)]
    table("enzyme", [judge(network, data) for data in made])
    python = os.environ.get("CATALAX_PYTHON")
    if python is None:
        print("Catalax: not measured (CATALAX_PYTHON=a Python that has it: it asks for another JAX)")
        return
    with tempfile.TemporaryDirectory() as folder:
        write_experiments(made[0], f"{folder}/made.csv")
        script = Path(__file__).parent / "catalax_flow.py"
        subprocess.run([python, str(script), f"{folder}/made.csv", "3"], check=True)


ALL: dict[str, Callable[[int | None], None]] = {
    f.__name__: f for f in (derivatives, hydrogen_grid, hydrogen_log, hydrogen_noisy, stiff_pairs, ten, flow)
}
