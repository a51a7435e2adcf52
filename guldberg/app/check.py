"""Is this installation sound? Versions, the device, the cache of compiled code, and one solve with a known answer."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import re
import time
from collections.abc import Sequence
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from guldberg import stiff
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.simulation import simulate
from guldberg.system import WellMixed

LARGEST_ERROR = 1e-7  # of a solve with tolerances 1e-8 and 1e-10
EXTRAS = {  # what each is for
    "graph": "networks as graphs of networkx",
    "sbml": "SBML and Antimony, in and out",
    "cluster": "sweeps on a cluster of dask",
    "petab": "parameters of problems in PEtab's form",
    "units": "units compared as quantities (mM is mmol/L), and written into SBML",
}
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


@dataclasses.dataclass(frozen=True)
class Checked:
    """What `guldberg check` found."""

    python: str
    guldberg: str
    device: str
    float64: bool
    versions: dict[str, str]
    missing: dict[str, list[str]]  # by extra, what of it is not installed
    compiled: bool  # the integrator's machine code is on disk
    error: float  # of the self-test
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether the self-test met its exact solution, in double precision."""
        return self.float64 and self.error <= LARGEST_ERROR

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {**dataclasses.asdict(self), "sound": self.sound}

    def render(self) -> str:
        """For a terminal."""
        cache = "there" if self.compiled else "not yet: the first discovery compiles for some ten seconds"
        libraries = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        verdict = "all well" if self.sound else f"WRONG, expected at most {LARGEST_ERROR:g} in double precision"
        extras = [f"  {what}: pip install 'guldberg[{extra}]'" for extra, what in self._absent()]
        return "\n".join(
            [
                f"guldberg {self.guldberg}, Python {self.python}",
                f"JAX computes on {self.device}, in {'double' if self.float64 else 'SINGLE'} precision",
                f"libraries: {libraries}",
                *(["extras that are not installed:", *extras] if extras else ["extras: all installed"]),
                f"compiled code kept on disk: {cache}",
                f"self-test: A <-> B against its exact solution: largest error {self.error:.1e}, "
                f"{self.seconds:.1f} s: {verdict}",
            ]
        )

    def _absent(self) -> list[tuple[str, str]]:
        """The extras that are not whole, and what for."""
        wholly = [(extra, names) for extra, names in self.missing.items() if names]
        return [(extra, f"{EXTRAS.get(extra, extra)} ({', '.join(names)})") for extra, names in wholly]


def check() -> Checked:
    """Look, and solve A <-> B."""
    start = time.monotonic()
    error = self_test()
    return Checked(
        platform.python_version(),
        importlib.metadata.version("guldberg"),
        str(jax.devices()[0]),
        jnp.asarray(0.0).dtype == jnp.float64,
        {name: importlib.metadata.version(name) for name in _dependencies()},
        missing(importlib.metadata.requires("guldberg") or []),
        stiff.compiled_before(),
        error,
        time.monotonic() - start,
    )


def self_test() -> float:
    """The largest error of a solve of A <-> B from A = 1: A(t) = (1 + 2 exp(-3 t)) / 3 with k = 2 and 1."""
    one = (jnp.array([[1, 0]]), jnp.array([[0, 1]]), Constant.of(2.0), Constant.of(1.0), ("A", "B"))
    ts = np.linspace(0.0, 2.0, 11)
    # an explicit solver, since it compiles in a fraction of the time of the stiff default
    solved = simulate(WellMixed(ReactionNetwork(*one)), [1.0, 0.0], ts, solver=diffrax.Tsit5())
    return float(np.abs(solved.values[:, 0] - (1 + 2 * np.exp(-3 * ts)) / 3).max())


def missing(requirements: Sequence[str]) -> dict[str, list[str]]:
    """By extra, what is asked for in `requirements`, as a package declares them, and not installed."""
    found: dict[str, list[str]] = {}
    for requirement in requirements:
        if match := _EXTRA.search(requirement):
            name = _name(requirement)
            found.setdefault(match[1], []).extend([] if _installed(name) else [name])
    return found


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _dependencies() -> list[str]:
    requirements = importlib.metadata.requires("guldberg") or []
    return [_name(requirement) for requirement in requirements if not _EXTRA.search(requirement)]


def _name(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]
