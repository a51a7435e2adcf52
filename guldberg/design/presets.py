"""Recipes that come with the package: our own, and the paper's by the number of its figure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from guldberg.design import paper
from guldberg.design.bits import bits
from guldberg.design.dissipation import dissipation, resolved
from guldberg.design.division import lineage
from guldberg.design.pattern import pattern
from guldberg.design.recipe import Recipe
from guldberg.design.replication import replication, tolerant


@dataclasses.dataclass(frozen=True)
class Preset:
    """A recipe by name. `make` takes a `picture`, if there is to be one, and options by name."""

    make: Callable[..., Recipe]
    line: str  # what it does, for the help
    picture: bool = False  # whether it wants a target


PRESETS = {
    "pattern": Preset(pattern, "a network that holds a picture for 1000 s", picture=True),
    "bits": Preset(bits, "words that are read from states under a noisy flow, at any time"),
    "dissipation": Preset(dissipation, "the most dissipative steady structure, under consistent rates"),
    "dissipation-resolved": Preset(resolved, "dissipation that a finer grid confirms, from any start"),
    "replication": Preset(replication, "a structure that is there twice after 352 s"),
    "replication-tolerant": Preset(tolerant, "the same from a start and with constants that are not exact"),
    "replication-lineage": Preset(lineage, "a spot that divides, and whose daughters divide again"),
    "paper-2a": Preset(paper.figure_2a, "Elliott's pattern of four species, as he learned it", picture=True),
    "paper-2b": Preset(paper.figure_2b, "Elliott's pattern of five species", picture=True),
    "paper-3": Preset(paper.figure_3, "Elliott's most dissipative structures"),
    "paper-reaction": Preset(functools.partial(paper.figure_3, reaction=True), "the most dissipation by reactions"),
    "paper-4": Preset(paper.figure_4, "Elliott's 16 bits in a noisy flow"),
    "paper-5": Preset(paper.figure_5, "Elliott's replication, 600 000 updates"),
}
