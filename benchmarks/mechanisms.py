"""The mechanisms of the benchmarks, as text."""

from __future__ import annotations

import dataclasses

from guldberg.network import ReactionNetwork
from guldberg.text import parse


@dataclasses.dataclass(frozen=True)
class Mechanism:
    """A network by its text; `span` is the length of its experiments."""

    name: str
    text: str
    span: float = 2.0

    @property
    def network(self) -> ReactionNetwork:
        return parse(self.text)


HYDROGEN = Mechanism(
    "hydrogen oxidation",
    """H2 <-> 2 H @ 2, 216
    O2 <-> 2 O @ 1, 337.5
    H2O <-> H + OH @ 1, 1400
    H2 + O <-> H + OH @ 1000, 10800
    O2 + H <-> O + OH @ 1000, 33750
    H2 + O <-> H2O @ 100, 0.7714285714285716""",
    1.0,
)
FAST_SLOW = Mechanism("fast/slow pair", "F <-> R @ 1, 1\nR <-> P @ 1000, 1000", 1.0)
MICHAELIS_MENTEN = Mechanism("Michaelis-Menten", "E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10", 1.0)

TEN = (
    Mechanism("catalysis", "A + C -> B + C @ 3\nB -> D @ 1"),
    Mechanism("autocatalysis", "A + B -> 2 B @ 4\nB -> C @ 1"),
    Mechanism("enzyme, inhibited", "E + S <-> ES @ 20, 2\nES -> E + P @ 5\nE + I <-> EI @ 10, 1"),
    Mechanism("oligomers", "2 A <-> B @ 3, 1\nA + B <-> C @ 2, 0.5\nA + C <-> D @ 2, 1"),
    Mechanism("chain of decays", "A -> B @ 4\nB -> C @ 2\nC -> D @ 1\nD -> F @ 0.5"),
    Mechanism("exchange", "A + B <-> C + D @ 3, 1\nC + A -> F @ 2"),
    Mechanism("open, inflow and decay", "0 -> A @ 1\n2 A <-> B @ 3, 1\nB -> 0 @ 0.7", 3.0),
    Mechanism("predator and prey", "A -> 2 A @ 2\nA + B -> 2 B @ 3\nB -> 0 @ 1.5"),
    Mechanism(
        "template, eight species", "A + B -> C @ 4\nC <-> D @ 3, 1\nD -> F + G @ 2\nF + H -> J @ 5\nJ -> H + B @ 1"
    ),
    Mechanism("parallel paths", "A -> B @ 2\nA -> C @ 1\nB + C -> D @ 3"),
)
