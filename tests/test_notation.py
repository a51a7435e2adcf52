"""LaTeX, Mermaid, DOT, pandas and networkx, each read again by something that knows nothing of guldberg."""

import re

import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from guldberg import notation
from guldberg.app.objects import to_dataframe, to_networkx
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.text import parse

AUTOCATALYSIS = "A + 2 B <-> 3 B @ 0.7, 0.2\n2 A -> C + E @ 0.3\nC + E -> D + E @ 1.1\n0 -> A @ 0.4\nD -> 0 @ 2"
NASTY = 'x"]; y --> "$&\\{z}_^~% <b>'


def value(equation, species, c, constants):
    """A right-hand side in LaTeX, at concentrations c."""
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", equation)
    text = re.sub(r"\[(\w+)\](?:\^\{(\d)\})?", lambda m: f"{c[species.index(m[1])]!r}**{m[2] or 1}", text)
    text = re.sub(r"k_\{(-?\d+)\}", lambda m: repr(constants[int(m[1])]), text)
    terms = re.split(r" (?=[+-] )", f"+ {text}" if not text.startswith("-") else text)
    total = 0.0
    for term in terms:
        sign, *factors = term.split()
        powers = [float(x) ** float(n or 1) for x, _, n in (f.partition("**") for f in factors)]
        total += (1 if sign == "+" else -1) * np.prod(powers)
    return total


def test_the_equations_in_latex_are_those_of_the_network():
    network = parse(AUTOCATALYSIS)
    c = [0.3, 0.5, 0.2, 0.9, 0.6]
    constants = {1: 0.7, -1: 0.2, 2: 0.3, 3: 1.1, 4: 0.4, 5: 2.0}
    written = re.findall(
        r"\\frac\{\\mathrm\{d\}\[\\mathrm\{(\w+)\}\]\}\{\\mathrm\{d\}t\} &= (.*?)(?: \\\\)?\n", notation.latex(network)
    )
    assert [name for name, _ in written] == list(network.species)
    exact = dict(zip(network.species, np.asarray(network.production(jnp.array(c))), strict=True))
    for name, right in written:
        found = 0.0 if right == "0" else value(right, network.species, c, constants)
        assert found == pytest.approx(exact[name], abs=1e-12), name


def test_reactions_and_names_in_latex():
    text = notation.latex(
        parse(f'A + 2 B <-> 3 B @ 1, 2\n"{NASTY.replace(chr(92), "").replace(chr(34), "")}" -> 0 @ 1')
    )
    assert r"\mathrm{A} + 2\,\mathrm{B} &\underset{k_{-1}}{\overset{k_{1}}{\rightleftharpoons}} 3\,\mathrm{B}" in text
    assert r"&\xrightarrow{k_{2}} \varnothing" in text
    bare = re.sub(r"\\[{}$&#%_ ]", "", text)  # what is escaped counts for nothing
    assert bare.count("{") == bare.count("}") and "%" not in bare and "$" not in bare


def nasty():
    one = jnp.array([[1, 0]])
    return ReactionNetwork(one, 1 - one, Constant.of([1.0]), None, (NASTY, "B"))


def test_names_break_no_drawing():
    labels = re.findall(r'^  s\d\["(.*)"\]$', notation.mermaid(nasty()), re.M)
    read = [re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label) for label in labels]
    assert read == [NASTY, "B"] and not any(set(label) & set('"<>[]{}|') for label in labels)
    quoted = re.findall(r'label="((?:[^"\\]|\\.)*)"\];$', notation.dot(nasty()), re.M)
    assert [re.sub(r"\\(.)", r"\1", label) for label in quoted] == [NASTY, "B", "1"]


def test_edges_in_mermaid_and_dot():
    network = parse("A + 2 B <-> 3 B @ 1, 2\nC -> 0 @ 1")
    drawn = set(notation.mermaid(network).splitlines()[1:])
    assert drawn == {
        '  s0["A"]', '  s1["B"]', '  s2["C"]', "  r0((1))", "  r1((2))",
        "  s0 <--> r0", '  s1 <-->|"2"| r0', '  r0 <-->|"3"| s1', "  s2 --> r1",
    }  # fmt: skip
    text = notation.dot(network)
    assert '  s1 -> r0 [label="2", dir=both];' in text and "  s2 -> r1;" in text and text.endswith("}")


def test_floating_stoichiometry_is_refused():
    learned = ReactionNetwork(jnp.array([[0.9, 0.0]]), jnp.array([[0.0, 1.0]]), Constant.of([1.0]), None, ("A", "B"))
    for written in (notation.latex, notation.mermaid, notation.dot, to_networkx):
        with pytest.raises(ValueError, match="floating"):
            written(learned)


def test_a_table_gives_the_equation_back():
    network = parse(AUTOCATALYSIS)
    table, c = to_dataframe(network), np.array([0.3, 0.5, 0.2, 0.9, 0.6])
    assert table["equation"].tolist()[0] == "A + 2 B <-> 3 B"
    np.testing.assert_allclose(table["reverse"].to_numpy(), [0.2, 0, 0, 0, 0])
    forward, reverse = (np.asarray(flux) for flux in network.fluxes(jnp.asarray(c)))
    changes = table[[f"d({name})" for name in network.species]].to_numpy()
    np.testing.assert_allclose(changes.T @ (forward - reverse), network.production(jnp.asarray(c)))


def test_a_graph_of_networkx():
    graph = to_networkx(parse(AUTOCATALYSIS))
    species = {node for node, kind in graph.nodes(data="kind") if kind == "species"}
    assert species == set("ABCDE") and networkx.is_bipartite(graph)
    assert graph.edges["B", 1]["molecules"] == 2 and graph.edges[1, "B"]["molecules"] == 3
    assert graph.has_edge("E", 3) and graph.has_edge(3, "E")  # a catalyst
    assert graph.nodes[1]["forward"] == pytest.approx(0.7) and graph.nodes[1]["reverse"] == pytest.approx(0.2)
    assert networkx.has_path(graph, "A", "D") and not networkx.has_path(graph, "D", "A")
