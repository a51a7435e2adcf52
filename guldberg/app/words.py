"""How a result reads: equations, numbers with as many digits as the data support, verdicts and fit quality in words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaincc

from guldberg.app import units
from guldberg.discover.result import Discovered, Estimate, Fit, Range, Rewriting, Rival, Step
from guldberg.network import complex_text, equation

_ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu D"
).split()
_COUNT = r"(?:[2-9]|[1-9]\d+)?"
_FORMULA = re.compile(rf"(?:(?:{'|'.join(sorted(_ELEMENTS, key=len, reverse=True))}){_COUNT}|\(|\){_COUNT})+")
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def pretty(name: str) -> str:
    """`H2O` as H₂O where a name is a chemical formula; any other name (`b10`, `A2`) as it is. For display only."""
    return name.translate(_LOWERED) if _FORMULA.fullmatch(name) else name


def line(species: Sequence[str], step: Step) -> str:
    """`A + B <-> C`, as the `.crn` text has it."""
    return equation(step.reactants, step.products, species, step.reverse is not None)


def directed(species: Sequence[str], step: Step) -> list[tuple[str, Estimate, int]]:
    """The one or two directed reactions of a step: equation, constant and number of reactant molecules."""
    ways = [(equation(step.reactants, step.products, species), step.forward, sum(step.reactants))]
    if step.reverse is not None:
        ways.append((equation(step.products, step.reactants, species), step.reverse, sum(step.products)))
    return ways


def law(species: Sequence[str], weights: Sequence[int] | np.ndarray) -> str:
    """`S + ES + P`, the sum that stays constant; `4 A - B` where a weight is negative."""
    return complex_text(weights, species).replace("+ -1 ", "- ").replace("+ -", "- ")


def value(estimate: Estimate) -> str:
    """The value with two digits of its uncertainty, three digits where that is not known."""
    return _rounded(estimate.value, _digits(estimate))


def interval(estimate: Estimate) -> str:
    """`0.0151 to 0.0182`, `above 3.1`, `below 20`, or `unbounded`."""
    low, high = (None if end is None else _rounded(end, _digits(estimate)) for end in (estimate.low, estimate.high))
    if low is None:
        return "unbounded" if high is None else f"below {high}"
    return f"above {low}" if high is None else f"{low} to {high}"


def signed(number: Range) -> str:
    """`41.5 (40.9 to 42.2)`: a number of either sign, with two digits of its uncertainty."""
    if number.low is None or number.high is None:
        return f"{number.value:.3g} ({_open(number)})"
    half = (number.high - number.low) / 2
    places = max(1 - _power(half), 0) if half > 0 else 6
    return f"{number.value:.{places}f} ({number.low:.{places}f} to {number.high:.{places}f})"


def _open(number: Range) -> str:
    if number.low is None:
        return "unbounded" if number.high is None else f"below {number.high:.3g}"
    return f"above {number.low:.3g}"


def verdict(estimate: Estimate) -> str:
    """What the data say about a constant, in words."""
    return {
        "bounded": "determined",
        "one-sided": "only bounded from below" if estimate.high is None else "only bounded from above",
        "flat": "not determined",
    }[estimate.verdict]


def quality(fit: Fit) -> str:
    """The fit in one sentence: how chi2 compares with what noise alone would give."""
    freedom = fit.points - fit.parameters
    head = f"chi2 {fit.chi2:.4g} for {fit.points} {fit.kind} and {fit.parameters} parameters"
    if freedom <= 0:
        return f"{head}: no more points than parameters, so the fit tests nothing"
    if not fit.sd_given:
        return f"{head}; chi2 per degree of freedom {fit.chi2 / freedom:.3g}, with the noise estimated from the data"
    chance = float(gammaincc(freedom / 2, fit.chi2 / 2))  # of a larger chi2 by noise alone
    if chance < 0.01:
        return f"{head}: the misfit is larger than the stated errors allow (chance {chance:.1g})"
    if chance > 0.99:
        return f"{head}: closer than the stated errors would allow by chance; they may be overstated"
    return f"{head}: within the stated errors (chance of a larger misfit {chance:.2g})"


def checks(fit: Fit) -> list[tuple[str, str, bool]]:
    """The checks of the residuals, those of one species together: what was asked, what came out, whether it failed."""
    asked = {
        "misfit": "Is chi2 as the stated standard deviations have it?",
        "slow": "Does no series wander slowly?",
        "trend": "Does no species deviate alike in all experiments?",
        "runs": "Do neighbours differ in sign as often as they should?",
        "normal": "Are they normally distributed, without far points?",
    }
    rows = []
    for name, question in asked.items():
        found = [check for check in fit.checks if check.name == name]
        if found:
            worst = min(found, key=lambda check: check.chance)
            failed = [check.species for check in found if check.failed and check.species]
            answer = ": ".join(["no" if worst.failed else "yes", *[", ".join(map(pretty, failed))] * bool(failed)])
            rows.append((question, f"{answer} (chance {worst.chance:.2g})", worst.failed))
    return rows


def misfit(fit: Fit) -> str | None:
    """`No mechanism in the library fits: ...` with the reasons; None where the residuals could be noise."""
    failed = {check.name: check for check in fit.checks if check.failed}
    trends = [pretty(check.species) for check in fit.checks if check.name == "trend" and check.failed and check.species]
    reasons = ["chi2 is larger than the stated standard deviations allow"] * ("misfit" in failed)
    reasons += ["residuals wander slowly within experiments"] * ("slow" in failed)
    reasons += ["neighbouring residuals have the same sign too often"] * ("runs" in failed)
    reasons += [f"{' and '.join(trends)} deviate{'s' * (len(trends) == 1)} alike in all experiments"] * bool(trends)
    if fit.fits:
        return None
    if set(failed) <= {"misfit", "normal"}:
        return f"No mechanism in the library fits within the stated errors, or they are too small: {reasons[0]}"
    return (
        f"No mechanism in the library fits these data: {'; '.join(reasons)}. The one shown is the nearest. A rate that "
        "is no mass action, a delay, a drift, or a species that nobody measured can do this"
    )


def rival(other: Rival) -> str:
    """How another mechanism differs: `with A -> C, without B -> C (score +1.3)`."""
    parts = [f"with {', '.join(other.gained)}"] * bool(other.gained)
    parts += [f"without {', '.join(other.lost)}"] * bool(other.lost)
    return f"{', '.join(parts)} (score {other.delta:+.3g})"


def stability(found: Discovered) -> list[tuple[str, str, bool]]:
    """Each reaction that a search on data made anew found, how often, and whether it is in the mechanism."""
    present = {name for step in found.steps for name in step.equations(found.species)}
    again = {one.equation: one for one in found.stability}
    among = found.stability[0].among if found.stability else 0
    missed = [(name, f"0 of {among}", True) for name in sorted(present - again.keys())] if among else []
    rows = [(one.equation, f"{one.found} of {one.among}", one.equation in present) for one in found.stability]
    return sorted([*rows, *missed], key=lambda row: not row[2])


def rewriting(other: Rewriting) -> str:
    """`A -> 2 A (0.5), A -> 0 (1.5) in place of A -> B, A -> 0`: all reactions of A, the new constants in brackets."""
    named = zip(other.instead, other.constants, strict=True)
    return f"{', '.join(f'{name} ({k:.3g})' for name, k in named)} in place of {', '.join(other.present)}"


def crn(found: Discovered) -> str:
    """The network as text that parses back, with its units in a comment."""
    concentration, _ = units.common_unit(found.species, found.data.units)
    unit = (
        f"# concentrations in {concentration or 'no stated unit'}, time in {found.data.time_unit or 'no stated unit'}"
    )
    return f"{unit}\n{found.network()}\n"


def warnings(found: Discovered) -> list[str]:
    """What a reader must know before the numbers: the job's own warnings, and what each null stands for."""
    concentration, mixed = units.common_unit(found.species, found.data.units)
    missing = [name for name, unit in (("time", found.data.time_unit), ("concentrations", concentration)) if unit == ""]
    said = [misfit(found.fit) or "", *found.warnings, *unbounded(found)]
    if mixed:
        said.append(mixed)
    elif missing:
        said.append(f"the table gives no unit of {' and '.join(missing)}: constants are in the table's own units")
    open_ended = sum(candidate.high is None for candidate in found.candidates)
    if open_ended:
        said.append(f"{open_ended} of {len(found.candidates)} candidate reactions have no upper bound")
    if found.fit.failed_solves > 0.02 * found.fit.solves:
        said.append(f"{found.fit.failed_solves} of {found.fit.solves} trial solves failed and were left out")
    return [sentence for sentence in said if sentence]


def unit_of(found: Discovered, order: int) -> str | None:
    """Unit of a rate constant of `order` reactant molecules; None where the table does not give it."""
    concentration, _ = units.common_unit(found.species, found.data.units)
    return units.rate_unit(order, concentration or "", found.data.time_unit) or None


def unbounded(found: Discovered) -> list[str]:
    """One sentence for each constant that the data bound on one side only or not at all."""
    constants = [(f"k({name})", k) for step in found.steps for name, k, _ in directed(found.species, step)]
    constants += [(c.name, c.estimate) for c in found.combinations]
    constants += [(f"the rate factor of {name}", scale) for name, scale in found.fit.scales.items()]
    said = {"one-sided": "bound {} on one side only ({})", "flat": "do not determine {} ({})"}
    return [f"the data {said[k.verdict].format(name, interval(k))}" for name, k in constants if k.verdict != "bounded"]


def _digits(estimate: Estimate) -> int:
    """Significant digits of the value that show two digits of its interval's half-width; from 2 to 9."""
    if estimate.low is None or estimate.high is None:
        return 3
    half = (estimate.high - estimate.low) / 2
    if half <= 0 or estimate.value <= 0:
        return 9
    return min(max(_power(estimate.value) - _power(half) + 2, 2), 9)


def _power(number: float) -> int:
    return math.floor(math.log10(abs(number)))


def _rounded(number: float, digits: int) -> str:
    """`digits` significant ones, trailing zeros kept; powers of ten outside 1e-4 .. 1e6."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    power = _power(number)
    if -4 <= power < 6:
        return f"{number:.{max(digits - 1 - power, 0)}f}"
    mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
