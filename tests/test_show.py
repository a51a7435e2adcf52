"""`guldberg show`: the facts of the zoo as plain values and as text."""

import json
import math

import numpy as np
import pytest

from guldberg.app.show import facts, render
from guldberg.text import parse, read
from tests.zoo import ZOO


@pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)
def test_the_facts_are_those_known_and_fit_into_json(known):
    found = facts(known.model, 1000.0)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["species"] == list(known.network.species) and found["initial"] == known.model.initial
    assert len(found["complexes"]) == known.complexes == sum(map(len, found["linkage_classes"]))
    assert len(found["linkage_classes"]) == known.linkage_classes and found["deficiency"] == known.deficiency
    assert (found["reversible"], found["weakly_reversible"]) == (known.reversible, known.weakly_reversible)
    assert found["detailed_balance"]["holds"] == known.balanced
    assert found["rank"] == np.linalg.matrix_rank(known.network.stoichiometry)
    order = "species: " + ", ".join(json.dumps(name) for name in found["species"])
    assert parse("\n".join([order, *(reaction["text"] for reaction in found["reactions"])])) == known.network


@pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)
def test_each_reaction_law_and_cycle_is_shown(known):
    found = facts(known.model)
    text = render(found)
    for reaction in found["reactions"]:
        assert f"  {reaction['text']}\n" in text and reaction["text"].startswith(reaction["equation"])
    for law in found["conservation_laws"]:
        assert f"  {law['law']} = const" in text
    for cycle in found["detailed_balance"]["cycles"]:
        assert all(step["equation"] in text for step in cycle["reactions"])


def test_laws_are_written_as_sums_with_their_total():
    found = facts(ZOO["michaelis_menten"].model)
    assert [law["law"] for law in found["conservation_laws"]] == ["E + ES", "S + ES + P"]
    assert [law["total"] for law in found["conservation_laws"]] == [1.0, 10.0]
    assert facts(read("A <-> 2 B @ 1, 2"))["conservation_laws"] == [
        {"law": "2 A + B", "weights": {"A": 2, "B": 1}, "total": None}
    ]
    difference = facts(read("A + B -> 0 @ 1"))
    assert difference["conservation_laws"][0]["law"] == "A - B" and "  A - B = const\n" in render(difference)


def test_constants_are_numbers_at_the_temperature():
    reaction = facts(read("A <-> B @ arrhenius(A=2, b=1, Ea=1e4), 3"), 400.0)["reactions"][0]
    assert reaction["forward"] == pytest.approx(800 * math.exp(-1e4 / (8.314462618 * 400)), rel=1e-14)
    assert reaction["reverse"] == 3.0
    beyond = facts(read("A <-> B @ arrhenius(A=1, Ea=1e9), arrhenius(A=1, Ea=-1e9)"))["reactions"][0]
    assert (beyond["forward"], beyond["reverse"]) == (0.0, None)
    assert facts(ZOO["robertson"].model)["reactions"][0]["reverse"] is None


def test_a_driven_cycle_is_told_with_its_force():
    found = facts(ZOO["driven_three_cycle"].model)
    (cycle,) = found["detailed_balance"]["cycles"]
    assert cycle["deviation"] == pytest.approx(math.log(8)) and not cycle["balanced"]
    assert "+1 x (A <-> B), +1 x (B <-> C), +1 x (C <-> A): driven: ln prod (kf/kr)^n = 2.07944" in render(found)


def test_the_deficiency_zero_theorem_is_applied_where_it_holds():
    assert "one positive steady state" in render(facts(ZOO["oligomers"].model))
    assert "no steady state" in render(facts(ZOO["michaelis_menten"].model))
    assert "whatever the constants" not in render(facts(ZOO["schloegl"].model))  # deficiency one: three steady states
