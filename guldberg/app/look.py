"""A first look at data: what was measured, how well, what depends on what, and what will be hard to learn from it."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg.discover.dependencies import Dependencies, Dependency, dependencies, noise_of
from guldberg.experiments import Experiments, Run

WIDTH = 100  # columns of a terminal
MOST_RUNS = 8  # experiments that get a column each
LONGEST_NAME = 24
COARSE = 0.5  # of all the change of a species in one interval
CLEAR = 8.0  # noises of change that count as a change
STILL = 5.0  # noises between the least and the most of a constant
IMPOSSIBLE = 5.0  # noises below zero
NAMED = 5  # experiments named in a warning before "..."


@dataclasses.dataclass(frozen=True)
class Look:
    """What a first look found; `render()` for a reader, `facts()` for a program."""

    data: Experiments
    noise: Float[np.ndarray, "species"]  # standard deviation of one measurement; NaN: cannot be told
    given: tuple[bool, ...]  # whether the table gives it, per species
    dependencies: Dependencies
    statements: tuple[str, ...]  # the dependencies in words
    warnings: tuple[str, ...]

    def render(self) -> str:
        """Plain text, at most 100 columns wide."""
        parts = [_summary(self.data), _table(self), _dependency_text(self)]
        parts.append("\n".join(_item("! ", text) for text in self.warnings if text not in self.statements))
        return "\n\n".join(part for part in parts if part) + "\n"

    def facts(self) -> dict[str, Any]:
        """The same for programs: finite numbers, None for what is not known."""
        data, found = self.data, self.dependencies
        return {
            "species": list(data.species),
            "experiments": [run.name for run in data.runs],
            "points": data.points,
            "measured": data.measured.tolist(),
            "times": [[float(run.times[0]), float(run.times[-1]), len(run.times)] for run in data.runs],
            "time_unit": data.time_unit,
            "units": list(data.units),
            "derivatives": data.has_derivatives,
            "noise": [_finite(sd) for sd in self.noise],
            "noise_given": list(self.given),
            "singular_values": [_finite(s) for s in found.singular],
            "rank": found.rank if len(found.singular) else None,
            "rank_of": [data.species[i] for i in found.columns],
            "dependencies": [
                _dependency_facts(data, d, text) for d, text in zip(found.found, self.statements, strict=True)
            ],
            "warnings": list(self.warnings),
        }


def look(data: Experiments) -> Look:
    """Counts, noise, dependencies and warnings. No fit should start without it."""
    noise = noise_of(data)
    found = dependencies(data, noise)
    sd = np.vstack([run.sd for run in data.runs])
    statements = tuple(_statement(data, d) for d in found.found)
    doubtful = tuple(
        text for d, text in zip(found.found, statements, strict=True) if d.kind != "conserved" or d.nested or d.computed
    )
    warnings = data.notes + doubtful + _about_species(data, noise) + _about_runs(data, noise)
    return Look(data, noise, tuple(bool((column > 0).any()) for column in sd.T), found, statements, warnings)


def _summary(data: Experiments) -> str:
    starts, ends = [run.times[0] for run in data.runs], [run.times[-1] for run in data.runs]
    unit = f" {data.time_unit}" if data.time_unit else ""
    rows = sum(len(run.times) for run in data.runs)
    with_slopes = ", with derivatives" if data.has_derivatives else ""
    temperatures = sorted({run.temperature for run in data.runs if run.temperature is not None})
    warm = f", {temperatures[0]:g} to {temperatures[-1]:g} K" if temperatures else ""
    return (
        f"{_many(len(data.species), 'species')}, {_many(len(data.runs), 'experiment')}, {_many(data.points, 'value')} "
        f"at {_many(rows, 'time')} from {min(starts):g} to {max(ends):g}{unit}{with_slopes}{warm}"
    )


def _table(self: Look) -> str:
    """Species by experiments: how often measured, between which values, with which noise."""
    data = self.data
    head = ["species", "unit", *_count_labels(data), "least", "most", "noise", ""]
    rows = [head]
    for s, name in enumerate(data.species):
        values = np.concatenate([run.values[:, s] for run in data.runs])
        values = values[np.isfinite(values)]
        ends = [f"{values.min():.4g}", f"{values.max():.4g}"] if len(values) else ["-", "-"]
        known = np.isfinite(self.noise[s])
        how = "given" if self.given[s] else "estimated" if known else "-"
        sd = f"{self.noise[s]:.2g}" if known else "-"
        rows.append([_short(name), _short(_unit(data, s), 12) or "-", *_counts(data, s), *ends, sd, how])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(_aligned(cell, w, left=i < 2) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
             for row in rows]  # fmt: skip
    return "\n".join(line.rstrip()[:WIDTH] for line in lines)


def _count_labels(data: Experiments) -> list[str]:
    labels = [_short(run.name, 12) for run in data.runs]
    return labels if len(labels) <= MOST_RUNS and sum(map(len, labels)) < 40 else ["measured", "per experiment"]


def _counts(data: Experiments, s: int) -> list[str]:
    count = data.measured[:, s]
    if len(_count_labels(data)) == len(count):
        return [str(n) for n in count]
    low, high = count.min(), count.max()
    return [str(count.sum()), str(low) if low == high else f"{low} to {high}"]


def _dependency_text(self: Look) -> str:
    found = self.dependencies
    if not len(found.singular):
        return "No two species were measured together often enough to look for conservation laws."
    among = ", ".join(self.data.species[i] for i in found.columns)
    values = ", ".join(f"{s:.3g}" for s in found.singular[:12]) + (" ..." if len(found.singular) > 12 else "")
    rank = f"rank {found.rank} of {len(found.columns)} in {_many(found.rows, 'row')}"
    lines = [_item("", f"{rank} ({among}); singular values over the noise: {values}")]
    lines += [_item("= ", text) for text in self.statements] or ["No linear dependency stands out of the noise."]
    return "\n".join(lines)


def _statement(data: Experiments, d: Dependency) -> str:
    """A dependency in words."""
    if d.kind == "ratio":
        return _ratio(data, d)
    text = f"{_equation(data, d)}{_where(data, d)}"
    if d.kind == "conserved" and not d.nested:
        return f"{text}: conserved"
    if d.kind == "conserved":
        return f"{text}: a law of matter, or a branching in a fixed ratio, or a computed column"
    return f"{text}: conserved, made in a fixed ratio, or computed"


def _equation(data: Experiments, d: Dependency) -> str:
    """`A + 2 B = 1.00 +- 0.01 mM`, or with its range over the experiments; `T = A + B` where a level is zero."""
    used = np.flatnonzero(d.coefficients)
    units = {_unit(data, int(s)) for s in used}
    unit = f" {units.pop()}".rstrip() if len(units) == 1 else ""
    levels = d.levels[np.isfinite(d.levels)]
    if len(levels) and np.abs(levels).max() <= 3 * d.residual and (d.coefficients < 0).any():
        left = _terms(data, np.maximum(d.coefficients, 0)), _terms(data, np.maximum(-d.coefficients, 0))
        return f"{min(left, key=len)} = {max(left, key=len)} +- {_figures(d.residual)}{unit}"
    place = max(-int(np.floor(np.log10(max(d.residual, 1e-12)))), 0) if d.residual > 0 else 6
    low, high = f"{levels.min():.{min(place, 6)}f}", f"{levels.max():.{min(place, 6)}f}"
    level = low if low == high else f"{low} to {high} by experiment,"
    return f"{_terms(data, d.coefficients)} = {level} +- {_figures(d.residual)}{unit}"


def _ratio(data: Experiments, d: Dependency) -> str:
    """y = b x, or y = b (x at the start - x); y is the one that changes less."""
    a, b = np.flatnonzero(d.coefficients)
    small, large = (a, b) if abs(d.coefficients[a]) >= abs(d.coefficients[b]) else (b, a)
    share = -d.coefficients[large] / d.coefficients[small]
    residual = d.residual / abs(d.coefficients[small])
    y, x = data.species[small], data.species[large]
    starts = [run.values[0, small] for run in data.runs]
    from_zero = bool(np.isfinite(starts).any()) and bool(np.nanmax(np.abs(starts)) <= 3 * residual)
    if share < 0 and from_zero:
        text = f"{y} is {_percent(-share)} of the converted {x}"
    elif share > 0 and np.nanmax(np.abs(d.levels)) <= 3 * d.residual:
        text = f"{y} is {share:.3g} times {x}"
    else:
        text = f"{y} {'+' if share < 0 else '-'} {abs(share):.3g} {x} is constant"
    text += _where(data, d)
    if d.computed:
        return (
            f"{text} at every time, to the rounding of the table, while other columns scatter by more: "
            f"it looks computed, not measured (or it is made in a fixed ratio and was measured far better than they)"
        )
    if d.within_rounding:
        return f"{text} at every time, to the rounding of the table: either computed, or made in a fixed ratio"
    return f"{text}, to within {_figures(residual)}: made in a fixed ratio, or computed; not a law of matter by itself"


def _where(data: Experiments, d: Dependency) -> str:
    seen = [run.name for run, level in zip(data.runs, d.levels, strict=True) if np.isfinite(level)]
    return "" if len(seen) == len(data.runs) else f" in experiment {_listed(seen)}"


def _about_species(data: Experiments, noise: Float[np.ndarray, "species"]) -> tuple[str, ...]:
    """Never measured, constant, far below zero."""
    never, still, below = [], [], []
    for s, name in enumerate(data.species):
        values = np.vstack([np.column_stack([run.values[:, s], run.sd[:, s]]) for run in data.runs])
        values = values[np.isfinite(values[:, 0])]
        if data.measured[:, s].sum() == 0:
            never.append(name)
        elif np.ptp(values[:, 0]) <= STILL * (0.0 if np.isnan(noise[s]) else noise[s]):
            still.append(name)
        error = np.where(np.isfinite(values[:, 1]), values[:, 1], noise[s])
        limit = np.where(np.isfinite(error), IMPOSSIBLE * error, 0.1 * np.abs(values[:, 0]).max(initial=0.0))
        if (values[:, 0] < -limit).any():
            below.append(f"{name} ({values[:, 0].min():.3g})")
    texts = {
        "never measured: {}; a species seen only through the others is hard to place": never,
        "constant within the noise: {}; nothing can be learned about what makes or uses it": still,
        "far below zero, by more than the noise explains: {}; is a baseline subtracted?": below,
    }
    return tuple(text.format(_listed(names)) for text, names in texts.items() if names)


def _about_runs(data: Experiments, noise: Float[np.ndarray, "species"]) -> tuple[str, ...]:
    """Too few runs, too coarse times, gaps."""
    warnings = []
    if len(data.runs) == 1 and not data.has_derivatives:
        warnings.append(
            "one single experiment: several mechanisms will often explain one trajectory equally well; "
            "start others from different mixtures"
        )
    if not data.has_derivatives and (coarse := _coarse(data, noise)):
        warnings.append(
            f"times are too coarse for the fastest change, half or more of which lies between two neighbouring times: "
            f"{_listed(coarse)}; fast constants stay open unless some samples are taken earlier, best spaced "
            f"by equal factors"
        )
    filled = data.measured / np.array([[len(run.times)] for run in data.runs])
    gaps = int(((filled > 0) & (filled < 0.5)).sum())
    if gaps:
        warnings.append(f"gaps: in {gaps} of {int((filled > 0).sum())} curves most times have no value")
    return tuple(warnings)


def _coarse(data: Experiments, noise: Float[np.ndarray, "species"]) -> list[str]:
    """Species most of whose change happens within one interval, in at least a quarter of the runs that show change."""
    fast = []
    for s, name in enumerate(data.species):
        verdicts = [v for run in data.runs if (v := _jumps(run, s, noise[s])) is not None]
        if verdicts and np.mean(verdicts) >= 0.25:
            fast.append(name)
    return fast


def _jumps(run: Run, s: int, noise: float) -> bool | None:
    """Whether one interval holds half of all the change; None where there is no clear change to speak of."""
    values = run.values[np.isfinite(run.values[:, s]), s]
    steps = np.abs(np.diff(values))
    if len(steps) < 3 or np.isnan(noise) or np.ptp(values) < CLEAR * noise:
        return None
    return bool(steps.max() >= COARSE * steps.sum())


def _dependency_facts(data: Experiments, d: Dependency, text: str) -> dict[str, Any]:
    return {
        "coefficients": {n: float(c) for n, c in zip(data.species, d.coefficients, strict=True) if c},
        "kind": d.kind,
        "levels": [_finite(level) for level in d.levels],
        "residual": _finite(d.residual),
        "relative": _finite(d.relative),
        "within_rounding": d.within_rounding,
        "computed": d.computed,
        "statement": text,
    }


def _terms(data: Experiments, coefficients: Float[np.ndarray, "species"]) -> str:
    text = ""
    for name, c in zip(data.species, coefficients, strict=True):
        if c:
            sign = ("- " if c < 0 else "+ ") if text else ("-" if c < 0 else "")
            text += f"{' ' if text else ''}{sign}{'' if abs(c) == 1 else f'{abs(c):.4g} '}{name}"
    return text


def _unit(data: Experiments, s: int) -> str:
    return data.units[s] if data.units else ""


def _percent(share: float) -> str:
    return f"{100 * share:#.2g} %" if share < 0.1 else f"{100 * share:.3g} %"


def _figures(x: float) -> str:
    return f"{x:.2g}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _many(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 or what == "species" else f"{n} {what}s"


def _short(text: str, longest: int = LONGEST_NAME) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _aligned(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def _item(mark: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=mark, subsequent_indent=" " * max(len(mark), 2))


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
