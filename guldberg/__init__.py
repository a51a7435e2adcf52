"""guldberg learns chemical reaction networks: network, system, trajectory, loss, job."""

import importlib
from typing import TYPE_CHECKING

# The vocabulary, in reading order, and where each name is at home. A name is loaded when it is first used, so that
# `import guldberg` is instant and a terminal command loads only what it needs.
_HOME = {
    # matter: a network is two matrices and their rate laws, and reads as text
    "ReactionNetwork": "guldberg.network",
    "Constant": "guldberg.rates",
    "Arrhenius": "guldberg.rates",
    "parse": "guldberg.text",
    "format": "guldberg.text",
    # what follows from the integers alone
    "conservation_laws": "guldberg.structure",
    "deficiency": "guldberg.structure",
    "is_weakly_reversible": "guldberg.structure",
    "detailed_balance": "guldberg.structure",
    # space, and what keeps a system from equilibrium
    "Grid": "guldberg.space.grid",
    "Periodic": "guldberg.space.boundary",
    "NoFlux": "guldberg.space.boundary",
    "Dirichlet": "guldberg.space.boundary",
    "Flux": "guldberg.space.boundary",
    "Robin": "guldberg.space.boundary",
    "FlowReactor": "guldberg.drive",
    # motion: a network in a place is a system, a system in time is a trajectory
    "WellMixed": "guldberg.system",
    "ReactionDiffusion": "guldberg.system",
    "simulate": "guldberg.simulation",
    "Trajectory": "guldberg.simulation",
    "SolveFailed": "guldberg.simulation",
    # measurement
    "Run": "guldberg.experiments",
    "Experiments": "guldberg.experiments",
    # learning: a job moves parameters until a loss is small; the first one is `guldberg.discover.discover`
    "discover": "guldberg.discover",
    "run": "guldberg.learn.fit",
    # what a user can mend
    "InputError": "guldberg.errors",
}

if TYPE_CHECKING:  # the same for type checkers and editors, who do not run __getattr__; a test keeps the two in step
    from guldberg import discover as discover
    from guldberg.drive import FlowReactor as FlowReactor
    from guldberg.errors import InputError as InputError
    from guldberg.experiments import Experiments as Experiments
    from guldberg.experiments import Run as Run
    from guldberg.learn.fit import run as run
    from guldberg.network import ReactionNetwork as ReactionNetwork
    from guldberg.rates import Arrhenius as Arrhenius
    from guldberg.rates import Constant as Constant
    from guldberg.simulation import SolveFailed as SolveFailed
    from guldberg.simulation import Trajectory as Trajectory
    from guldberg.simulation import simulate as simulate
    from guldberg.space.boundary import Dirichlet as Dirichlet
    from guldberg.space.boundary import Flux as Flux
    from guldberg.space.boundary import NoFlux as NoFlux
    from guldberg.space.boundary import Periodic as Periodic
    from guldberg.space.boundary import Robin as Robin
    from guldberg.space.grid import Grid as Grid
    from guldberg.structure import conservation_laws as conservation_laws
    from guldberg.structure import deficiency as deficiency
    from guldberg.structure import detailed_balance as detailed_balance
    from guldberg.structure import is_weakly_reversible as is_weakly_reversible
    from guldberg.system import ReactionDiffusion as ReactionDiffusion
    from guldberg.system import WellMixed as WellMixed
    from guldberg.text import format as format
    from guldberg.text import parse as parse

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(_HOME[name])
    return home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
