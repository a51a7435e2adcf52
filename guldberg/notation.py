"""A network as others write it: LaTeX for papers, Mermaid and DOT for drawings of its graph. One way only; what is
read back is `guldberg.text`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int

from guldberg.network import ReactionNetwork

_LATEX = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\hat{\ }", "~": r"\sim ", " ": r"\ ", "'": r"{}'",
}  # fmt: skip


def latex(network: ReactionNetwork) -> str:
    """The reactions with constants k_i and k_{-i}, and the law of mass action for each species,

        d[A]/dt = ... (Huang, Zhou and Yong eq. 1.1),

    as two `align*` environments of amsmath. ValueError for learned (floating) stoichiometry.
    """
    reactants, products = _whole(network)
    names = [_mathrm(name) for name in network.species]
    reactions = [
        f"{_side(left, names)} &{_arrow(i, both)} {_side(right, names)}"
        for i, (left, right, both) in enumerate(zip(reactants, products, network.reversible, strict=True), start=1)
    ]
    equations = [
        rf"\frac{{\mathrm{{d}}[{name}]}}{{\mathrm{{d}}t}} &= {_sum(network, s, names)}" for s, name in enumerate(names)
    ]
    return "\n".join(_aligned(lines) for lines in (reactions, equations))


def mermaid(network: ReactionNetwork) -> str:
    """A flowchart from species to reactions to species; both ways where a reaction has a reverse."""
    lines = ["flowchart LR"]
    lines += [f'  s{i}["{_entities(name)}"]' for i, name in enumerate(network.species)]
    lines += [f"  r{i}(({i + 1}))" for i in range(len(network.reactants))]
    for start, end, count, both in edges(network):
        label = f'|"{count}"|' if count > 1 else ""
        lines.append(f"  {start} {'<-->' if both else '-->'}{label} {end}")
    return "\n".join(lines)


def dot(network: ReactionNetwork) -> str:
    """The same graph for Graphviz."""
    lines = ["digraph network {", "  rankdir=LR;", "  node [fontname=sans];"]
    lines += [f'  s{i} [shape=box, style=rounded, label="{_quoted(name)}"];' for i, name in enumerate(network.species)]
    lines += [f'  r{i} [shape=circle, label="{i + 1}"];' for i in range(len(network.reactants))]
    for start, end, count, both in edges(network):
        asked = ", ".join([f'label="{count}"'] * (count > 1) + ["dir=both"] * both)
        lines.append(f"  {start} -> {end} [{asked}];" if asked else f"  {start} -> {end};")
    return "\n".join([*lines, "}"])


def edges(network: ReactionNetwork) -> Iterator[tuple[str, str, int, bool]]:
    """(from, to, molecules, both ways) between species "s0", "s1", ... and reactions "r0", "r1", ... ValueError for
    learned (floating) stoichiometry."""
    reactants, products = _whole(network)
    for i, both in enumerate(network.reversible.tolist()):
        yield from ((f"s{j}", f"r{i}", int(reactants[i, j]), both) for j in np.flatnonzero(reactants[i]))
        yield from ((f"r{i}", f"s{j}", int(products[i, j]), both) for j in np.flatnonzero(products[i]))


def _whole(network: ReactionNetwork) -> tuple[Int[np.ndarray, "reactions species"], ...]:
    sides = np.asarray(network.reactants), np.asarray(network.products)
    if any(nu.dtype.kind == "f" for nu in sides):
        raise ValueError("learned (floating) stoichiometry has no such text: round it to integers first")
    return sides


def _mathrm(name: str) -> str:
    return rf"\mathrm{{{''.join(_LATEX.get(x, x) for x in name)}}}"


def _side(nu: Int[np.ndarray, "species"], names: Sequence[str]) -> str:
    terms = [f"{n}\\,{name}" if n > 1 else name for n, name in zip(nu.tolist(), names, strict=True) if n]
    return " + ".join(terms) or r"\varnothing"


def _arrow(i: int, both: bool) -> str:
    return (
        rf"\underset{{k_{{-{i}}}}}{{\overset{{k_{{{i}}}}}{{\rightleftharpoons}}}}"
        if both
        else rf"\xrightarrow{{k_{{{i}}}}}"
    )


def _sum(network: ReactionNetwork, s: int, names: Sequence[str]) -> str:
    """S^T (forward - reverse) of one species, in symbols."""
    reactants, products = _whole(network)
    terms = []
    for i, both in enumerate(network.reversible.tolist()):
        net = int(products[i, s] - reactants[i, s])
        ways = [(net, f"k_{{{i + 1}}}", reactants[i])] + [(-net, f"k_{{-{i + 1}}}", products[i])] * both
        terms += [_term(n, k, nu, names) for n, k, nu in ways if n]
    return "".join(terms).removeprefix("+ ").rstrip() or "0"


def _term(n: int, k: str, nu: Int[np.ndarray, "species"], names: Sequence[str]) -> str:
    powers = [f"[{name}]" + f"^{{{m}}}" * (m > 1) for m, name in zip(nu.tolist(), names, strict=True) if m]
    factor = f"{abs(n)} " if abs(n) > 1 else ""
    return f"{'+' if n > 0 else '-'} {factor}{' '.join([k, *powers])} "


def _aligned(lines: Sequence[str]) -> str:
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


def _entities(name: str) -> str:
    """What a label of Mermaid shows as it is."""
    return "".join(x if x.isalnum() or x in " _-+*()'" else f"#{ord(x)};" for x in name)


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
