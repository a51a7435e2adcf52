"""Networks with known facts, each with its source. Every figure here is worked out by hand or taken from the source.

States and laws are in the order of the network's species, that is of their appearance in the text.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from guldberg.network import ReactionNetwork
from guldberg.text import Model, read

State = tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Known:
    """A network as text, with initial concentrations, and what is known of it."""

    name: str
    source: str
    text: str
    laws: tuple[tuple[int, ...], ...]  # a basis of the conservation laws
    complexes: int
    linkage_classes: int
    deficiency: int
    time: float  # the scale on which something happens from the initial state
    reversible: bool = False
    weakly_reversible: bool = False
    driving: tuple[float, ...] = ()  # |ln prod k_f/k_r| of a basis of cycles over the reversible reactions
    steady: tuple[State, ...] = ()  # stationary states, at 1000 K where that matters
    curve: Callable[[float], State] | None = None  # the exact solution from the initial state

    @functools.cached_property
    def model(self) -> Model:
        return read(self.text)

    @property
    def network(self) -> ReactionNetwork:
        return self.model.network

    @property
    def initial(self) -> np.ndarray:
        """All concentrations at t = 0; zero where the text gives none."""
        return np.array([self.model.initial.get(name, 0.0) for name in self.network.species])

    @property
    def balanced(self) -> bool:
        """Whether detailed balance holds."""
        return self.reversible and not any(self.driving)


def _gray_scott(F: float, k: float) -> tuple[State, ...]:
    root = math.sqrt(F**2 - 4 * F * (F + k) ** 2)
    other = [(F + sign * root) / (2 * (F + k)) for sign in (1, -1)]
    return ((1.0, 0.0), *(((F + k) / v, v) for v in other))


def _oregonator(k1: float, k2: float, k3: float, k4: float) -> State:
    """X solves k2 k4 X^2 + k1 k4 X = k1 k3; Z = k3 X, Y = k3 X / (k1 + k2 X), with k5 = f = 1."""
    x = (math.sqrt((k1 * k4) ** 2 + 4 * k2 * k4 * k1 * k3) - k1 * k4) / (2 * k2 * k4)
    return (k3 * x / (k1 + k2 * x), x, k3 * x)  # Y, X, Z


_GOLDEN = (3 + math.sqrt(5)) / 2

_KNOWN = (
    Known(
        "robertson",
        "H. H. Robertson, in Numerical Analysis: An Introduction (1966) 178; Hairer and Wanner, Solving ODEs II, IV.1",
        "A -> B @ 0.04\n2 B -> B + C @ 3e7\nB + C -> A + C @ 1e4\ninitial: A = 1",
        laws=((1, 1, 1),),
        complexes=5,
        linkage_classes=2,
        deficiency=1,
        time=40.0,
        steady=((0, 0, 1),),
    ),
    Known(
        "michaelis_menten",
        "Michaelis and Menten, Biochem. Z. 49 (1913) 333; constants of Huang, Zhou and Yong, example 4.2",
        "E + S <-> ES @ 1e6, 1e3\nES -> E + P @ 10\ninitial: E = 1, S = 10",
        laws=((1, 0, 1, 0), (0, 1, 1, 1)),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        steady=((1, 0, 0, 10),),
    ),
    Known(
        "brusselator",
        "Prigogine and Lefever, J. Chem. Phys. 48 (1968) 1695; A = 1, B = 3: a limit cycle around (A, B/A)",
        "0 <-> X @ 1, 1\n2 X + Y -> 3 X @ 1\nX -> Y @ 3\ninitial: X = 1.2, Y = 3",
        laws=(),
        complexes=5,
        linkage_classes=2,
        deficiency=1,
        time=20.0,
        steady=((1, 3),),
    ),
    Known(
        "gray_scott",
        "Gray and Scott, Chem. Eng. Sci. 39 (1984) 1087; F = 0.04, k = 0.05 as in Pearson, Science 261 (1993) 189",
        "U + 2 V -> 3 V @ 1\n0 <-> U @ 0.04, 0.04\nV -> 0 @ 0.09\ninitial: U = 0.5, V = 0.3",
        laws=(),
        complexes=5,
        linkage_classes=2,
        deficiency=1,
        time=100.0,
        steady=_gray_scott(0.04, 0.05),
    ),
    Known(
        "lotka_volterra",
        "Lotka, J. Am. Chem. Soc. 42 (1920) 1595; Volterra, Nature 118 (1926) 558",
        "X -> 2 X @ 1\nX + Y -> 2 Y @ 0.5\nY -> 0 @ 2\ninitial: X = 3, Y = 2",
        laws=(),
        complexes=6,
        linkage_classes=3,
        deficiency=1,
        time=5.0,
        steady=((4, 2), (0, 0)),
    ),
    Known(
        "dimerisation",
        "Guldberg and Waage, Etudes sur les affinites chimiques (1867); a + 8 a^2 = 1 at equilibrium",
        "2 A <-> D @ 2, 0.5\ninitial: A = 1",
        laws=((1, 2),),
        complexes=2,
        linkage_classes=1,
        deficiency=0,
        time=2.0,
        reversible=True,
        weakly_reversible=True,
        steady=(((math.sqrt(33) - 1) / 16, (17 - math.sqrt(33)) / 32),),
    ),
    Known(
        "three_cycle",
        "Onsager, Phys. Rev. 37 (1931) 405: the triangle reaction; constants with equal products both ways round",
        "A <-> B @ 1, 2\nB <-> C @ 3, 1\nC <-> A @ 2, 3\ninitial: A = 1",
        laws=((1, 1, 1),),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
        driving=(0.0,),
        steady=((1 / 3, 1 / 6, 1 / 2),),
    ),
    Known(
        "driven_three_cycle",
        "Hill, Free Energy Transduction in Biology (1977): a cycle turned by a driving force, here RT ln 8",
        "A <-> B @ 2, 1\nB <-> C @ 2, 1\nC <-> A @ 2, 1\ninitial: A = 1",
        laws=((1, 1, 1),),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
        driving=(math.log(8),),
        steady=((1 / 3, 1 / 3, 1 / 3),),
    ),
    Known(
        "hydrogen_oxidation",
        "Huang, Zhou and Yong, example 4.3; equilibrium: H2 = 108 H^2, O2 = 337.5 O^2, OH = 10 H O, H2O = 14000 H^2 O",
        "species: H2, O2, H2O, H, O, OH\n"
        "H2 <-> 2 H @ 2, 216\nO2 <-> 2 O @ 1, 337.5\nH2O <-> H + OH @ 1, 1400\n"
        "H2 + O <-> H + OH @ 1000, 10800\nO2 + H <-> O + OH @ 1000, 33750\nH2 + O <-> H2O @ 100, 0.7714285714285716\n"
        "initial: H2 = 0.5, O2 = 0.4, H2O = 0.3, H = 0.2, O = 0.6, OH = 0.1",
        laws=((2, 0, 2, 1, 0, 1), (0, 2, 1, 0, 1, 1)),
        complexes=9,
        linkage_classes=4,
        deficiency=1,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
        driving=(0.0, 0.0),
        steady=((1.08, 3.375, 14, 0.1, 0.1, 0.1),),
    ),
    Known(
        "fast_slow_pair",
        "Huang, Zhou and Yong, example 4.1",
        "F <-> R @ 1, 1\nR <-> P @ 1000, 1000\ninitial: F = 1",
        laws=((1, 1, 1),),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
        steady=((1 / 3, 1 / 3, 1 / 3),),
    ),
    Known(
        "annihilation",
        "Smoluchowski, Z. Phys. Chem. 92 (1917) 129; a = a0 / (1 + 2 k a0 t)",
        "2 A -> 0 @ 0.5\ninitial: A = 2",
        laws=(),
        complexes=2,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        steady=((0,),),
        curve=lambda t: (2 / (1 + 2 * t),),
    ),
    Known(
        "autocatalysis",
        "Ostwald, Ber. Verh. Saechs. Ges. Wiss. 42 (1890) 189; the logistic curve of Verhulst (1838)",
        "A + B -> 2 B @ 3\ninitial: A = 0.75, B = 0.25",
        laws=((1, 1),),
        complexes=2,
        linkage_classes=1,
        deficiency=0,
        time=0.5,
        steady=((0, 1), (1, 0)),
        curve=lambda t: (3 / (3 + math.exp(3 * t)), 1 - 3 / (3 + math.exp(3 * t))),
    ),
    Known(
        "consecutive",
        "Harcourt and Esson, Phil. Trans. R. Soc. 156 (1866) 193; Bateman, Proc. Camb. Phil. Soc. 15 (1910) 423",
        "A -> B @ 2\nB -> C @ 1\ninitial: A = 1",
        laws=((1, 1, 1),),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=1.0,
        steady=((0, 0, 1),),
        curve=lambda t: (math.exp(-2 * t), 2 * (math.exp(-t) - math.exp(-2 * t)), (1 - math.exp(-t)) ** 2),
    ),
    Known(
        "schloegl",
        "Schloegl, Z. Phys. 253 (1972) 147, second model; dx/dt = -(x - 1)(x - 2)(x - 3)",
        "2 X <-> 3 X @ 6, 1\nX <-> 0 @ 11, 6\ninitial: X = 2.1",
        laws=(),
        complexes=4,
        linkage_classes=2,
        deficiency=1,
        time=2.0,
        reversible=True,
        weakly_reversible=True,
        driving=(math.log(11),),  # equilibrium of the one is at x = 6, of the other at x = 6/11
        steady=((1,), (2,), (3,)),
    ),
    Known(
        "flow_reactor",
        "Horn, Chem. Eng. Sci. 29 (1974): an open system, its feed and outflow written as reactions of nothing",
        "0 <-> A @ 0.5, 0.1\nA -> B @ 0.2\nB -> 0 @ 0.1\ninitial: A = 0, B = 0",
        laws=(),
        complexes=3,
        linkage_classes=1,
        deficiency=0,
        time=10.0,
        weakly_reversible=True,
        steady=((5 / 3, 10 / 3),),
    ),
    Known(
        "oregonator",
        "Field and Noyes, J. Chem. Phys. 60 (1974) 1877; A = B = 0.06 M held, f = 1",
        "Y -> X @ 0.0804\nX + Y -> 0 @ 1.6e9\nX -> 2 X + Z @ 480\n2 X -> 0 @ 4e7\nZ -> Y @ 1\n"
        "initial: Y = 1e-6, X = 1e-8, Z = 1e-5",
        laws=(),
        complexes=7,
        linkage_classes=2,
        deficiency=2,
        time=10.0,
        steady=(_oregonator(0.0804, 1.6e9, 480, 4e7), (0, 0, 0)),
    ),
    Known(
        "edelstein",
        "Edelstein, J. Theor. Biol. 29 (1970) 57; deficiency one in Feinberg, Foundations of CRN Theory (2019)",
        "A <-> 2 A @ 8.5, 1\nA + B <-> C @ 1, 0.2\nC <-> B @ 1, 1\ninitial: A = 1, B = 10",
        laws=((0, 1, 1),),
        complexes=5,
        linkage_classes=2,
        deficiency=1,
        time=2.0,
        reversible=True,
        weakly_reversible=True,
        driving=(math.log(42.5),),  # A at equilibrium: 8.5 by the first, 0.2 by the other two
    ),
    Known(
        "futile_cycle",
        "Goldbeter and Koshland, Proc. Natl. Acad. Sci. 78 (1981) 6840; all constants 1",
        "S + E <-> SE @ 1, 1\nSE -> P + E @ 1\nP + F <-> PF @ 1, 1\nPF -> S + F @ 1\ninitial: S = 6, E = 2, F = 2",
        laws=((0, 1, 1, 0, 0, 0), (0, 0, 0, 0, 1, 1), (1, 0, 1, 1, 0, 1)),
        complexes=6,
        linkage_classes=2,
        deficiency=1,
        time=3.0,
        steady=((2, 1, 1, 2, 1, 1),),
    ),
    Known(
        "horn_jackson",
        "Horn and Jackson, Arch. Ration. Mech. Anal. 47 (1972) 81; three states: 8 > 6",
        "3 A -> A + 2 B @ 1\nA + 2 B -> 3 B @ 8\n3 B -> B + 2 A @ 1\nB + 2 A -> 3 A @ 8\ninitial: A = 0.6, B = 0.4",
        laws=((1, 1),),
        complexes=4,
        linkage_classes=1,
        deficiency=2,
        time=1.0,
        weakly_reversible=True,
        steady=((0.5, 0.5), (_GOLDEN / (1 + _GOLDEN), 1 / (1 + _GOLDEN)), (1 / (1 + _GOLDEN), _GOLDEN / (1 + _GOLDEN))),
    ),
    Known(
        "oligomers",
        "Becker and Doering, Ann. Phys. 24 (1935) 719: growth by single units",
        "2 M <-> D @ 2, 1\nM + D <-> T @ 2, 1\nM + T <-> Q @ 2, 1\ninitial: M = 5",
        laws=((1, 2, 3, 4),),
        complexes=6,
        linkage_classes=3,
        deficiency=0,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
        steady=((0.5, 0.5, 0.5, 0.5),),
    ),
    Known(
        "zeldovich",
        "Zeldovich, Acta Physicochim. URSS 21 (1946) 577; constants of Hanson and Salimian (1984), cm3, mol, s",
        "N2 + O <-> NO + N @ arrhenius(A=1.8e14, Ea=319026), arrhenius(A=3.8e13, Ea=3533.6)\n"
        "N + O2 <-> NO + O @ arrhenius(A=1.8e10, b=1, Ea=38911.7), arrhenius(A=3.8e9, b=1, Ea=173107)\n"
        "initial: N2 = 1e-5, O2 = 2e-6, O = 1e-9",
        laws=((2, 0, 1, 1, 0), (0, 1, 1, 0, 2), (0, 1, 0, 1, 0)),
        complexes=4,
        linkage_classes=2,
        deficiency=0,
        time=1.0,
        reversible=True,
        weakly_reversible=True,
    ),
    Known(
        "quenching",
        "Stern and Volmer, Phys. Z. 20 (1919) 183: names that need quotes, and the same steps written as two reactions",
        '"A*" + "Fe3+" -> A + "Fe3+" @ 5\n"A*" -> A @ 1\nA -> "A*" @ 0.5\ninitial: A = 1, "Fe3+" = 0.2',
        laws=((1, 0, 1), (0, 1, 0)),
        complexes=4,
        linkage_classes=2,
        deficiency=1,
        time=1.0,
        steady=((0.2, 0.2, 0.8),),
    ),
)

ZOO: dict[str, Known] = {known.name: known for known in _KNOWN}
