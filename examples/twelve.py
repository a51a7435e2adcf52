"""Twelve mechanisms found again from concentrations alone: 10 experiments x 20 times, noise 1 %, 5 seeds each.

    python examples/twelve.py LINES [NAME ...]

One line per mechanism and seed is appended to the file LINES; what stands there already is not done again, so that a
stopped run goes on where it was. The noise is 1 % of each species' range; initial states are random, measured like all
else. "listed": the truth is among the rivals that the data do not exclude.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

import jax
import numpy as np

from guldberg.app.synthetic import synthetic
from guldberg.discover import Options, discover
from guldberg.discover.result import Discovered
from guldberg.experiments import Experiments
from guldberg.network import ReactionNetwork, equation
from guldberg.text import parse

jax.config.update("jax_enable_x64", True)

SEEDS, RUNS, TIMES, NOISE = 5, 10, 20, 0.01


@dataclasses.dataclass(frozen=True)
class Case:
    """A mechanism, how long its experiments last, and what of it is not seen."""

    text: str
    span: float
    size: float = 1.0  # of the largest initial amounts
    unseen: tuple[str, ...] = ()  # species that are absent at first and never measured
    order: int = 2
    kelvin: tuple[float, ...] = ()  # temperatures of the experiments, in turn
    laws: tuple[tuple[int, ...], ...] = ()  # sums known to be constant: weights of the species, unseen ones last


TWELVE = {
    "catalyst on both sides": Case("A + C -> B + C @ 3\nB -> D @ 1", 2.0),
    "autocatalysis": Case("A + B -> 2 B @ 4\nB -> C @ 1", 2.0),
    "competitive inhibition": Case("E + S <-> ES @ 20, 2\nES -> E + P @ 5\nE + I <-> EI @ 10, 1", 2.0),
    "predator and prey": Case("X -> 2 X @ 1\nX + Y -> 2 Y @ 0.5\nY -> 0 @ 2", 3.0, 4.0),
    "Brusselator": Case("0 <-> X @ 1, 1\n2 X + Y -> 3 X @ 1\nX -> Y @ 3", 8.0, 3.0, order=3),
    "futile cycle": Case("S + E <-> SE @ 4, 1\nSE -> P + E @ 2\nP + F <-> PF @ 4, 1\nPF -> S + F @ 2", 4.0),
    "oligomers": Case("2 M <-> D @ 2, 1\nM + D <-> T @ 2, 1\nM + T <-> Q @ 2, 1", 2.0),
    "three-cycle": Case("A <-> B @ 2, 1\nB <-> C @ 2, 1\nC <-> A @ 2, 1", 2.0),
    "two energies": Case(
        "A + B -> C @ arrhenius(A=3e6, Ea=4.1e4)\nC -> D @ arrhenius(A=2e10, Ea=6.2e4)\n"
        "C -> A @ arrhenius(A=500, Ea=1.7e4)",
        4.0,
        kelvin=(300.0, 320.0, 340.0, 360.0),
    ),
    "warm autocatalysis": Case(
        "A + B -> 2 B @ arrhenius(A=5e8, Ea=5.2e4)\nB <-> C @ arrhenius(A=2e5, Ea=3.3e4), arrhenius(A=1e11, Ea=7e4)",
        3.0,
        kelvin=(300.0, 320.0, 340.0, 360.0),
    ),
    "complex unseen": Case("E + S <-> ES @ 5, 1\nES -> E + P @ 2", 4.0, unseen=("ES",)),
    "intermediate unseen": Case(
        "A -> B @ 2\nB + C -> D @ 3\nD -> F @ 1", 4.0, unseen=("B",), laws=((1, 0, 1, 1, 1), (0, 1, 1, 1, 0))
    ),  # A, C, D, F and B
}


def made(case: Case, network: ReactionNetwork, seed: int) -> Experiments:
    """What a laboratory would measure."""
    rng = np.random.default_rng(seed)
    c0s = case.size * rng.uniform(0, 1, (RUNS, len(network.species)))
    c0s[:, [network.species.index(name) for name in case.unseen]] = 0.0
    kelvin = np.resize(case.kelvin, RUNS) if case.kelvin else None
    clean = synthetic(network, c0s, np.linspace(0, case.span, TIMES), exact_start=False, temperatures=kelvin)
    spread = NOISE * np.ptp(np.vstack([run.values for run in clean.runs]), axis=0)
    noisy = (dataclasses.replace(r, values=r.values + spread * rng.standard_normal(r.values.shape)) for r in clean.runs)
    seen = dataclasses.replace(clean, runs=tuple(noisy)).without(case.unseen).with_species(case.unseen)
    return seen.with_initial(dict.fromkeys(case.unseen, 0.0))


def directed(network: ReactionNetwork) -> set[str]:
    """The reactions one way each, told apart by name: the order of species in `A + B` does not matter."""
    both = zip(np.asarray(network.reactants), np.asarray(network.products), network.reversible, strict=True)
    ways = [way for a, b, back in both for way in ((a, b), (b, a))[: 1 + bool(back)]]
    return {_name(a, b, network.species) for a, b in ways}


def _name(a: np.ndarray, b: np.ndarray, species: tuple[str, ...]) -> str:
    order = np.argsort(species)
    return equation(a[order], b[order], tuple(sorted(species)))


def verdict(truth: set[str], found: Discovered) -> str:
    """exact, listed or wrong."""
    if directed(found.network()) == truth:
        return "exact"
    listed = [directed(parse("\n".join(f"{e} @ 1" for e in rival.equations))) for rival in found.alternatives]
    return "listed" if truth in listed else "wrong"


def attempt(name: str, seed: int) -> dict:
    """One discovery beside the truth."""
    case, start = TWELVE[name], (time.time(), time.process_time())
    network = parse(case.text)
    data = made(case, network, seed)
    found = discover(data, Options(max_order=case.order, laws=case.laws))
    seconds = time.time() - start[0], time.process_time() - start[1]
    truth, got = directed(network), directed(found.network())
    outcome = {"verdict": verdict(truth, found), "missing": sorted(truth - got), "extra": sorted(got - truth)}
    return {"name": name, "seed": seed, **outcome, "wall": round(seconds[0], 2), "cpu": round(seconds[1], 2)}


if __name__ == "__main__":
    lines = Path(sys.argv[1])
    done = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    have = {(one["name"], one["seed"]) for one in done}
    for name, seed in ((name, seed) for name in sys.argv[2:] or TWELVE for seed in range(SEEDS)):
        if (name, seed) not in have:
            done.append(attempt(name, seed))
            with lines.open("a") as file:
                print(json.dumps(done[-1]), file=file)
            print(done[-1], flush=True)
    for name in sys.argv[2:] or TWELVE:
        of = [one for one in done if one["name"] == name]
        count = [sum(one["verdict"] == word for one in of) for word in ("exact", "listed", "wrong")]
        slowest = max(one["cpu"] for one in of)
        print(f"{name:24s} exact {count[0]} listed {count[1]} wrong {count[2]}  at most {slowest:.1f} s of CPU time")
