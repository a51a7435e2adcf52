"""How a design reads: its behaviour, its figures and what each check asks, in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from guldberg.design.checks import Finding
from guldberg.design.result import Designed
from guldberg.design.trials import LONG, LONGER, wanted
from guldberg.design.verify import Verdict
from guldberg.network import ReactionNetwork, complex_text

TITLES = {
    "pattern": "A network that holds a picture",
    "dissipation": "A network that dissipates",
    "bits": "A network that remembers bits",
    "replication": "A network whose structures replicate",
}
FIGURES = {
    "correlation": "Pearson's r with the picture: 1 is alike but for brightness and contrast, which it does not see.",
    "contrast": "Standard deviation over that of what it is compared with: 1 is as strong, 0 is flat.",
    "rmsd": "Root mean square distance from the picture, in concentration.",
    "within": "Pearson's r of daughter and parent within each species, means taken away: the worse daughter.",
    "pooled": "Pearson's r over species and cells together, as the paper has it; a uniform background has about .95.",
    "contrast_least": "The least of the species' contrasts.",
    "contrast_most": "The most of them.",
    "sigma": "Entropy production of diffusion by the paper's formula, k_B per cell and second.",
    "sigma_links": "The same, exactly as the grid dissipates it.",
    "sigma_per_molecule": "That over the total concentration: sigma alone grows with the unit of concentration.",
    "words": "Share of states of which every bit is read rightly.",
    "bits": "Share of bits that are read rightly.",
}
QUESTIONS = (
    ("at T", "Does it do what was asked when the time that the optimisation looked ahead is over?"),
    ("10 T", "Is it still there ten times later?"),
    (
        "better than diffusion only",
        "Is it better than doing nothing: the target (else the start) fading by slow diffusion without any chemistry?",
    ),
    (
        "better than reactions off",
        "Is it the chemistry that does it? The same start, diffusion and flow without reactions.",
    ),
    (
        "steps",
        "Is it made by the time step? The same design in the steps of the optimisation, and in steps ten times finer "
        "than those of its evaluation, must show the same.",
    ),
    (
        "grid twice as fine",
        "Is it held in place by the grid? On cells half as wide it must show the same; finer steps cannot see this.",
    ),
    ("free space", "Does it need the edges? In a place twice as long and wide it must show the same."),
    ("noise", "How much does it lose if the start, the constants or the flow are a little off?"),
    (
        "better than",
        "Was the optimisation needed? Initial and random constants, and a random start, must do worse (mean and one "
        "standard deviation over the draws). A run that blows up is void and counts for nobody.",
    ),
    ("largest |dc/dt|", "Does anything change so fast that a step of the optimisation would leap over it?"),
    ("cells at a bound", "Did any step leave negative concentrations?"),
    ("mass balance", "Does the amount of matter change only by what flows in and out?"),
)


def title(found: Designed) -> str:
    """The heading of a page."""
    return TITLES.get(found.behaviour, f"A network for {found.behaviour}")


def size(found: Designed) -> str:
    """`4 species, 24 directed reactions, on 64 × 64 cells`."""
    network = found.network
    count = int(network.forward.active.sum()) + int(network.reversible.sum())
    cells = " × ".join(map(str, found.grid.shape))
    return f"{len(network.species)} species, {count} directed reactions, on {cells} cells"


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–" if value is None or math.isnan(value) else "∞".rjust(1 + (value < 0), "−")
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", "−")


def verdict(judged: Verdict) -> str:
    """One sentence."""
    failed = [check for check in judged.checks if not check.passed]
    if not judged.checks:
        return "Not verified yet."
    if not failed:
        return f"Verified: passed all {len(judged.checks)} checks."
    told = "; ".join(f"{check.name} ({number(check.figure)}, limit {number(check.limit)})" for check in failed[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"Not verified: failed {len(failed)} of {len(judged.checks)} checks: {told}{more}."


def times(found: Designed) -> list[float]:
    """The ones a reader looks up, as they occur among the times that were looked at."""
    asked = {found.horizon, 32.0, 100.0, 320.0, LONG, LONGER * found.horizon}
    return sorted(asked)


def summary(found: Designed) -> str:
    """What was asked, what came out, what to read first."""
    head = [f"{title(found)}: {size(found)}, T = {found.horizon:g} s", ""]
    seen = found.metrics
    names, at = figures(found, {name: x for name, x in seen.items() if name != "time"}), np.asarray(seen["time"])
    rows = [["time", *names]]
    for time in times(found):
        i = int(np.argmin(np.abs(at - time)))
        rows.append([f"{at[i]:g} s", *(number(seen[name][i]) for name in names)])
    after = ["", f"Loss {number(found.loss)} after {found.updates} updates."]
    after += ["", "Warnings:", *(f"  {warning}" for warning in found.warnings)] if found.warnings else []
    return "\n".join([*head, *table(rows), *after])


def verified(judged: Verdict) -> str:
    """The table of checks and the verdict, for a terminal."""
    rows = [["", "check", "figure", "limit"]]
    rows += [[mark(c), c.name, number(c.figure), number(c.limit)] for c in judged.checks]
    return "\n".join([*table(rows), "", verdict(judged)])


def mark(check: Finding) -> str:
    """Said in words: a reader may see no colours."""
    return "passed" if check.passed else "FAILED"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def question(check: Finding) -> str:
    """What a check asks."""
    return next((asked for part, asked in QUESTIONS if part in check.name), "")


def figures(found: Designed, seen: Mapping[str, object]) -> list[str]:
    """The figures to be drawn, those that the verdict rests on first; four at most."""
    first = [name for name in wanted(found).kept if name in seen]
    known = [*FIGURES]
    others = sorted((name for name in seen if name not in first), key=lambda n: known.index(n) if n in known else 99)
    return [*first, *others][:4]


def either_way(network: ReactionNetwork, i: int, k: Sequence[float] | np.ndarray) -> str:
    """Reaction `i` with an arrow wherever it goes: both ways, forward, or back."""
    left, right = (complex_text(np.asarray(side)[i], network.species) for side in (network.reactants, network.products))
    return f"{left} {'⇌' if k[1] > 0 else '→'} {right}" if k[0] > 0 or k[1] == 0 else f"{left} ← {right}"


Term = tuple[str, str, list[tuple[str, str]]]  # sign, factor, (species, exponent)


def equations(network: ReactionNetwork) -> list[tuple[str, list[Term]]]:
    """The reactions' part of each dc/dt: what makes the species, then what takes it."""
    S, k = np.asarray(network.stoichiometry), both_ways(network)
    sides = np.asarray(network.reactants), np.asarray(network.products)
    found = []
    for j, name in enumerate(network.species):
        ways = [(way, i) for i in range(len(S)) for way in (0, 1) if S[i, j] and k[way, i] > 0]
        terms = [(float(k[way, i] * S[i, j] * (1, -1)[way]), sides[way][i]) for way, i in ways]
        found.append((name, [_term(network, x, nu) for x, nu in sorted(terms, key=lambda term: term[0] < 0)]))
    return found


def _term(network: ReactionNetwork, factor: float, nu: np.ndarray) -> Term:
    powers = [(name, str(n) if n > 1 else "") for name, n in zip(network.species, nu, strict=True) if n]
    return "−" if factor < 0 else "+", number(abs(factor)), powers


def both_ways(network: ReactionNetwork) -> Float[np.ndarray, "ways reactions"]:
    """The rate constants in double precision, as they are written."""
    return network.constants().astype(float)


def crn(found: Designed) -> str:
    """The network as text that parses back; what the text has no words for, in comments."""
    D = ", ".join(
        f"{n} {float(d):.6g}" for n, d in zip(found.network.species, np.asarray(found.system.diffusivity), strict=True)
    )
    notes = [
        f"# {title(found)}: {size(found)}",
        "# concentrations in an arbitrary unit, time in s",
        f"# diffusivities (cells^2/s): {D}",
        *drive(found),
    ]
    return "\n".join([*notes, str(found.network), ""])


def drive(found: Designed) -> list[str]:
    """The flow, where there is a steady one."""
    flow = found.system.drive
    rate, feed = getattr(flow, "rate", None), getattr(flow, "feed", None)
    if rate is None or feed is None or np.ndim(rate):
        return [] if flow is None else [f"# drive: {type(flow).__name__}"]
    fed = ", ".join(f"{n} {float(x):.6g}" for n, x in zip(found.network.species, np.asarray(feed), strict=True))
    noisy = "" if type(flow).__name__ == "FlowReactor" else f" ({type(flow).__name__})"
    return [f"# flow reactor{noisy}: rate {float(rate):.6g} 1/s, feed {fed}"]
