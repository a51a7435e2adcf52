"""A network as objects of other libraries: a table of pandas, a graph of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from guldberg import notation
from guldberg.network import ReactionNetwork

if TYPE_CHECKING:
    import networkx


def to_dataframe(network: ReactionNetwork, temperature: float | None = None) -> pd.DataFrame:
    """A row for each reaction: its equation, its constants (0 where it has no reverse) at `temperature` (kelvin), and
    the net change of each species."""
    forward, reverse = network.constants(temperature)
    changes = pd.DataFrame(np.asarray(network.stoichiometry), columns=[f"d({name})" for name in network.species])
    known = {"equation": network.equations(), "forward": forward, "reverse": np.where(network.reversible, reverse, 0)}
    return pd.concat([pd.DataFrame(known), changes], axis=1)


def to_networkx(network: ReactionNetwork, temperature: float | None = None) -> networkx.DiGraph:
    """The bipartite graph: species (`kind="species"`) by their names, reactions (`kind="reaction"`, with `equation`,
    `forward` and `reverse`) by their numbers from 1, edges with `molecules`.

    A catalyst goes in and comes out: an edge each way. A reversible reaction has a reverse that is not 0, and the edges
    of its forward direction. Needs networkx, `pip install 'guldberg[graph]'`; ValueError for floating stoichiometry.
    """
    import networkx

    table, graph = to_dataframe(network, temperature), networkx.DiGraph()
    nodes: dict[str, str | int] = {f"s{i}": name for i, name in enumerate(network.species)}
    graph.add_nodes_from(network.species, kind="species")
    for i, (text, forward, reverse) in enumerate(table[["equation", "forward", "reverse"]].itertuples(index=False)):
        nodes[f"r{i}"] = i + 1
        graph.add_node(i + 1, kind="reaction", equation=text, forward=float(forward), reverse=float(reverse))
    for start, end, molecules, _ in notation.edges(network):
        graph.add_edge(nodes[start], nodes[end], molecules=molecules)
    return graph
