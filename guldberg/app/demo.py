"""`guldberg demo`: runs on data that come with the package, set up as a user would."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from guldberg.app import datasets, jobs, runs
from guldberg.app.design.spec import PORTRAIT
from guldberg.app.tables import write_experiments


def carotenoid(folder: Path, seed: int) -> None:
    """Six incubations of a carotenoid-cleaving enzyme (Bruno et al. 2016): 77 measurements of five species."""
    options = {"max_order": 1, "scale": ["3,6"]}  # experiments 3 and 6 were made with less active enzyme
    data = datasets.path("carotenoid")
    command = f"guldberg discover {data} --max-order 1 --scale 3,6"
    runs.begin(folder, jobs.KINDS, job="discover", options=options, inputs=[data], seed=seed, command=command)


def hydrogen(folder: Path, seed: int) -> None:
    """Hydrogen oxidation (Huang, Zhou and Yong): 100 initial states, 11 snapshots each, with derivatives."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "hydrogen.csv"
        write_experiments(datasets.hydrogen(derivative_noise=1e-3, seed=seed), data)
        command = "guldberg discover hydrogen.csv"
        runs.begin(folder, jobs.KINDS, job="discover", options={}, inputs=[data], seed=seed, command=command)


def portrait(folder: Path, seed: int) -> None:
    """A portrait, learned for 64 s; the preset goes on to 1024 s, in some minutes."""
    options = {"preset": "pattern", "options": {"horizons": [64], "updates": [1000]}}
    runs.begin(
        folder, jobs.KINDS, job="design", options=options, inputs=[PORTRAIT], seed=seed, command="guldberg demo design"
    )


SMALLER = """\
preset = "annihilation"
steps = 60
[lattice]
size = [300]
[starts]
number = 64
lattices = 200
held_out = 20
truth = 512
outside = 10
"""


def annihilation(folder: Path, seed: int) -> None:
    """A + A -> 0 on a chain of 300 sites: from simulated particles to a learned closure, in about a minute."""
    with tempfile.TemporaryDirectory() as scratch:
        spec = Path(scratch) / "annihilation.toml"
        spec.write_text(SMALLER)
        command = "guldberg reduce annihilation.toml"
        runs.begin(folder, jobs.KINDS, job="reduce", options={}, inputs=[spec], seed=seed, command=command)


DISCOVER: dict[str, Callable[[Path, int], None]] = {"carotenoid": carotenoid, "hydrogen": hydrogen}
DESIGN: dict[str, Callable[[Path, int], None]] = {"portrait": portrait}
REDUCE: dict[str, Callable[[Path, int], None]] = {"annihilation": annihilation}
JOBS = {"discover": DISCOVER, "design": DESIGN, "reduce": REDUCE}
