"""Six constants from three ratios: STAT5 dimerisation, with two constants that the data bound on one side only.

Boehm et al., J. Proteome Res. (2014). No species is measured; instruments show shares of phosphorylated STAT5A and B
and of STAT5A in all. The published optimum has two constants at the bounds of its search (export of the heterodimer
1e-5, import of the homodimers 97 749 per min). The fit is best where the one is zero and the other infinite; what the
data say of them is a limit, found by profiles that begin within `SEARCHED`.
"""

import dataclasses

import jax
import numpy as np

from guldberg.app.datasets import path
from guldberg.app.tables import read_experiments
from guldberg.app.words import interval, value, verdict
from guldberg.discover import intervals, refine
from guldberg.discover.library import Library
from guldberg.discover.problem import Problem, Readings, prepare
from guldberg.discover.refine import Fitted
from guldberg.experiments import Experiments, Run
from guldberg.text import parse

jax.config.update("jax_enable_x64", True)

# Nuclear dimers in molecules per volume of the cytosol; Epo(t) = 1.25e-7 exp(-k_deg t), counted in that unit.
TEXT = """species: A, B, AA, AB, BB, nAA, nAB, nBB, Epo
2 A + Epo -> AA + Epo @ 1
A + B + Epo -> AB + Epo @ 1
2 B + Epo -> BB + Epo @ 1
AA -> nAA @ 1
BB -> nBB @ 1
AB -> nAB @ 1
nAA -> 2 A @ 1
nBB -> 2 B @ 1
nAB -> A + B @ 1
Epo -> 0 @ 1"""
UNIT = 1.25e-7
NAMES = {"k_phos": 0, "k_imp_homo": 3, "k_imp_hetero": 5, "k_exp_homo": 6, "k_exp_hetero": 8, "k_deg": 9}
SHARED = ((0, 1), (0, 2), (3, 4), (6, 7))
TOTAL, SHARE, SPECIFICITY = 207.6, 0.693, 0.107
SEARCHED = (1e-5, 1e3)  # the optimum beyond is lower by less than 0.1 of chi2
START = [1.5e4 * UNIT] * 3 + [10.0, 10.0, 0.02] + [0.01] * 3 + [0.03]


def readings() -> Readings:
    """pSTAT5A, pSTAT5B and rSTAT5A in per cent; s is the share of A in what antibodies pull down."""
    s, t = SPECIFICITY, 1 - SPECIFICITY
    above = [[0, 0, 200 * s, 100, 0], [0, 0, 0, 100, 200 * t], [100 * s, 0, 200 * s, 100, 0]]
    below = [[s, 0, 2 * s, 1, 0], [0, t, 0, 1, 2 * t], [s, t, 2 * s, 2, 2 * t]]
    return Readings(*(np.pad(np.array(rows, float), ((0, 0), (0, 4))) for rows in (above, below)))


def setting() -> tuple[Problem, Library]:
    """The reactions, and the ratios as what was measured."""
    network, table = parse(TEXT), read_experiments([path("stat5")]).runs[0]
    values = np.full((len(table.times), 9), np.nan)
    values[0] = [TOTAL * SHARE, TOTAL * (1 - SHARE), 0, 0, 0, 0, 0, 0, 1]
    sd = np.where(np.arange(len(values))[:, None] == 0, 0.0, np.nan) * np.ones(9)
    data = Experiments(network.species, (Run("stat5", table.times, values, sd),))
    problem = dataclasses.replace(
        prepare(data, np.ones(9)),
        values=table.values,
        weights=np.ones(table.values.shape),
        scale=np.array([TOTAL] * 8 + [1.0]),
        rtol=1e-8,
        readings=readings(),
        equal=SHARED,
    )
    return problem, Library(np.asarray(network.reactants), np.asarray(network.products))


def fitted(problem: Problem, library: Library) -> tuple[Problem, Fitted, np.ndarray]:
    """The fit of greatest likelihood: each ratio's deviation is that of its residuals, found by repetition."""
    at, sd = None, np.full(3, 5.0)
    for _ in range(8):
        problem = dataclasses.replace(problem, weights=np.ones_like(problem.values) / sd)
        k = np.array(START) if at is None else at.k
        at = refine.fit(problem, library, np.arange(len(k)), k, iterations=100)
        assert at is not None
        r = refine.residuals_at(problem, library, at.k, at.phi, at.c0)
        assert r is not None
        sd = np.sqrt(np.mean((r.reshape(-1, 3) * sd) ** 2, axis=0))
    return problem, at, sd


if __name__ == "__main__":
    problem, library = setting()
    problem, at, sd = fitted(problem, library)
    likelihood = len(problem.values) * float(np.log(np.sqrt(2 * np.pi) * sd).sum()) + at.chi2 / 2
    print(f"-ln likelihood {likelihood:.3f}; deviations {', '.join(f'{x:.3f}' for x in sd)} per cent")
    k = np.where(np.arange(len(at.k)) < 3, at.k, np.clip(at.k, *SEARCHED))
    inside = refine.fit(problem, library, at.active, k, c0=at.c0, frozen=np.flatnonzero(k != at.k))
    assert inside is not None and inside.chi2 < at.chi2 + 0.1
    for name, i in NAMES.items():
        found, _ = intervals.interval(problem, library, inside, i, 3.84)
        unit = UNIT if name == "k_phos" else 1.0
        found = dataclasses.replace(found, **{e: x / unit for e, x in vars(found).items() if x is not None})
        print(f"{name:13s} {value(found):10s} 95 %: {interval(found):22s} {verdict(found)}")
