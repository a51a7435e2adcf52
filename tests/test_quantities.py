"""Units by pint: the same quantity in two words, and SBML whose units agree."""

import pytest

from guldberg.app import units
from guldberg.text import read

pytest.importorskip("pint")
from guldberg.app import quantities  # noqa: E402


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("mM", "mmol/L", True),
        ("M", "mol dm-3", True),
        ("µM", "uM", True),
        ("mM", "µM", False),
        ("min", "s", False),
        ("60 s", "min", False),  # a number is no unit
        ("mM", "mg/L", False),
        ("a.u.", "AU", False),
        ("°C", "K", False),
        ("__class__", "mM", False),
        ("Unit", "mM", False),
    ],
)
def test_two_words_for_one_quantity(a, b, same):
    assert units.same(a, b) is same and units.same(b, a) is same


def test_species_in_two_words_for_one_unit_have_a_common_one():
    assert units.common_unit(["A", "B"], ["mM", "mmol/L"]) == ("mM", "")
    assert units.common_unit(["A", "B"], ["mM", "µM"])[0] is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("mM", 1.0), ("µM/min", 1e-3 / 60), ("L/(mmol min)", 1 / 60), ("h", 3600.0), ("mg/L", 1e-3), ("nmol", 1e-9)],
)
def test_a_unit_in_kinds_of_sbml_is_worth_the_same(text, value):
    """In SI: mol m-3, s, kg, worked out by hand."""
    found = quantities.bases(units.parse(text))
    assert found is not None
    worth = 1.0
    for _, exponent, multiplier in found:
        worth *= multiplier**exponent
    assert worth == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "%", "°C", "bogus", "mol/", "counts"])
def test_what_sbml_has_no_word_for_is_left_out(text):
    assert quantities.bases(units.parse(text)) is None


def test_an_exported_model_is_consistent_in_its_units():
    """libsbml's own check of units finds nothing to say; without units it finds something."""
    libsbml = pytest.importorskip("libsbml")
    from guldberg.app.sbml import reading, writing

    model = read("A + B <-> C @ 2, 1\n0 -> A @ 3\n2 C -> A @ 0.5\ninitial: A = 1, B = 2")
    said = {}
    for known in (("mmol/L", "min"), ("", "")):
        text = writing.write(model, "x.xml", units=known)
        document = libsbml.readSBMLFromString(text)
        document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
        said[known] = document.checkConsistency()
        again = reading.read(text.encode(), "x.xml", lambda note: None)
        assert (
            again.network.equations()
            == reading.read(writing.write(model, "x.xml").encode(), "x.xml", lambda note: None).network.equations()
        )
    assert said["mmol/L", "min"] == 0 and said["", ""] > 0
    assert 'timeUnits="time_unit"' in writing.write(model, "x.xml", units=("mM", "s"))
    assert "unitDefinition" not in writing.write(model, "x.xml", units=("%", "s"))
