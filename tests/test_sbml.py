"""SBML and Antimony: the zoo goes out and comes back, others simulate it alike, what is not mass action is refused."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from zoo import ZOO

from guldberg import parse
from guldberg.app import antimony
from guldberg.app.sbml import reading, writing
from guldberg.errors import InputError
from guldberg.text import Model, read

XML = '<?xml version="1.0" encoding="UTF-8"?>'
L2 = XML + '<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4">'
L3 = XML + '<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">'
MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">{}</math>'
COMP = "http://www.sbml.org/sbml/level3/version1/comp/version1"
TOLD = []


def kelvin(known):
    return 1000.0 if known.name == "zeldovich" else None


def understood(text):
    TOLD.clear()
    return reading.read(text.encode(), "model.xml", TOLD.append)


def from_antimony(text):
    """Antimony's own library writes the SBML: models that this package did not write."""
    TOLD.clear()
    return antimony.read(text.encode(), "model.ant", TOLD.append)


def production(model, amounts):
    c = np.array([amounts[name] for name in model.network.species], float)
    return dict(zip(model.network.species, np.asarray(model.network.production(c)).tolist(), strict=True))


@pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)
def test_the_zoo_comes_back(known):
    written = writing.write(known.model, "model.xml", kelvin(known))
    assert 'level="3" version="2"' in written
    back, network = understood(written), known.network
    assert back.network.species == network.species and not TOLD
    assert {n: back.initial.get(n, 0.0) for n in network.species} == dict(
        zip(network.species, known.initial, strict=True)
    )
    for ours, theirs in ((network.reactants, back.network.reactants), (network.products, back.network.products)):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(back.network.forward(), network.forward(kelvin(known)), rtol=1e-14)
    if network.reverse is None:
        assert back.network.reverse is None
    else:
        assert back.network.reverse is not None
        np.testing.assert_allclose(back.network.reverse(), network.reverse(kelvin(known)), rtol=1e-14)


@pytest.mark.parametrize("name", ["michaelis_menten", "schloegl", "hydrogen_oxidation"])
def test_antimony_there_and_back(name):
    known = ZOO[name]
    back = from_antimony(antimony.write(known.model, "model.ant"))
    assert set(back.network.species) == set(known.network.species)
    c = dict(zip(known.network.species, np.linspace(0.3, 1.1, len(known.network.species)).tolist(), strict=True))
    expected = production(known.model, c)
    assert production(back, c) == pytest.approx(expected, rel=1e-12)


def test_strange_names_and_names_that_mean_something_in_sbml_come_back():
    text = 'species: "pi", "time", vessel, "Fe3+", "Fe3*", "<x>", k_f, r1, "π", "2A"\n'
    text += '"pi" + "time" <-> vessel + "Fe3+" @ 2, 3\n"Fe3*" + "<x>" -> k_f @ 5\nr1 + k_f <-> "π" + "2A" @ 7, 11\n'
    model = read(text + 'initial: "pi" = 1, "time" = 2')
    back = understood(writing.write(model, "model.xml"))
    assert back.network.species == model.network.species
    assert str(back.network) == str(model.network)


QUICK = ("robertson", "quenching", "zeldovich")


def largest(known):
    return max(known.initial) or 1.0


def followed(known, times):
    rate = jax.jit(lambda c: known.network.production(c, kelvin(known)))
    slope = jax.jit(jax.jacfwd(rate))
    small = 1e-13 * largest(known)
    return solve_ivp(
        lambda t, c: np.asarray(rate(c)),
        (0, times[-1]),
        known.initial,
        "Radau",
        times,
        rtol=1e-9,
        atol=small,
        jac=lambda t, c: np.asarray(slope(c)),
    ).y.T


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ZOO]
)
def test_libroadrunner_simulates_the_file_alike(name):
    roadrunner = pytest.importorskip("roadrunner")
    known = ZOO[name]
    times = np.linspace(0, known.time, 6)
    runner = roadrunner.RoadRunner(writing.write(known.model, "model.xml", kelvin(known)))
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-10, 1e-14 * largest(known)
    ids = writing.identifiers(known.network.species)
    seen = np.array(runner.simulate(times=times.tolist(), selections=["time", *(f"[{name}]" for name in ids)]))
    np.testing.assert_allclose(seen[:, 1:], followed(known, times), rtol=1e-6, atol=1e-8 * largest(known))


COPASI = """
import json, sys
import basico
for written, end in json.load(sys.stdin):
    basico.load_model_from_string(written)
    seen = basico.run_time_course(duration=end, intervals=5, r_tol=1e-10, a_tol=1e-14, use_sbml_id=True)
    print(json.dumps(seen.to_dict(orient="list")))
"""


def test_copasi_simulates_the_files_alike():
    """In a process of its own: it sets the locale to "C", after which no file is read as UTF-8."""
    if find_spec("basico") is None:
        pytest.skip("COPASI is not installed")
    known = [ZOO[name] for name in ("robertson", "oligomers", "michaelis_menten")]
    asked = json.dumps([(writing.write(one.model, "model.xml"), one.time) for one in known])
    done = subprocess.run([sys.executable, "-c", COPASI], input=asked, capture_output=True, text=True, check=True)
    for one, line in zip(known, done.stdout.splitlines(), strict=True):
        found, ids = json.loads(line), writing.identifiers(one.network.species)
        seen = np.array([found[name] for name in ids]).T
        expected = followed(one, np.linspace(0, one.time, 6))
        np.testing.assert_allclose(seen, expected, rtol=1e-6, atol=1e-8 * largest(one))


def test_amounts_boundaries_and_constant_species_mean_what_sbml_says():
    """Rates of change of the amounts, worked out by hand in a vessel of 2: the law is an amount per time."""
    model = from_antimony(
        "compartment cell = 2; species A in cell, B in cell, $F in cell; substanceOnly species N in cell;\n"
        "A = 3; B = 4; F = 0.5; N = 6\n"
        "r1: A + B -> N; cell * 0.1 * A * B\nr2: $F -> A; 0.7 * F\nr3: N -> B; 0.3 * N\n"
    )
    assert model.initial == pytest.approx({"A": 3, "B": 4, "F": 0.5, "N": 3})  # 6 molecules in a volume of 2
    assert any("size of 2" in told for told in TOLD)
    made = production(model, {"A": 3, "B": 4, "F": 0.5, "N": 3})
    r1, r2, r3 = 2 * 0.1 * 3 * 4, 0.7 * 0.5, 0.3 * 6
    assert made == pytest.approx({"A": (r2 - r1) / 2, "B": (r3 - r1) / 2, "F": 0, "N": (r1 - r3) / 2})


def test_compartments_of_different_sizes_are_told_in_amounts():
    model = from_antimony(
        "compartment inner = 2, outer = 5; species A in inner, B in outer;\nA = 3; B = 4\n"
        "r: A -> B; 0.1 * A - 0.2 * B\n"
    )
    assert any("amounts" in told for told in TOLD)
    assert model.initial == pytest.approx({"A": 6, "B": 20})
    flow = 0.1 * 3 - 0.2 * 4
    assert production(model, {"A": 6, "B": 20}) == pytest.approx({"A": -flow, "B": flow})


def test_functions_rules_for_parameters_and_initial_assignments_are_worked_out():
    model = from_antimony(
        "function law(k, x, y); k * x * y; end\n"
        "model m()\n  A = 2 * B; B = 1.5; k0 = 0.25; k := 2 * k0; E = 3\n"
        "  r1: A + B -> C; law(k, A, B)\n  r2: A -> C; (0.1 + 0.2 * E) * A\n"
        "  r3: -> 2 C; k0^2 * E\n  r4: C => A; k / 4 * C\n"
        "end\n"
    )
    assert model.initial["A"] == pytest.approx(3.0)
    made = production(model, {"A": 3, "B": 1.5, "C": 0.5} | ({"E": 3.0} if "E" in model.network.species else {}))
    r1, r2, r3, r4 = 0.5 * 3 * 1.5, (0.1 + 0.2 * 3) * 3, 0.0625 * 3, 0.125 * 0.5
    assert made["A"] == pytest.approx(-r1 - r2 + r4) and made["C"] == pytest.approx(r1 + r2 + 2 * r3 - r4)


def test_a_catalyst_that_only_the_law_knows_stands_on_both_sides():
    model = from_antimony("species A, B, E; A = 1; E = 2; r: A -> B; 3 * E * A")
    assert model.network.equations() == ("A + E -> B + E",) or model.network.equations() == ("E + A -> E + B",)
    assert float(model.network.forward()[0]) == pytest.approx(3)


def test_level_2_is_read():
    text = L2 + (
        '<model id="m"><listOfCompartments><compartment id="c" size="1"/></listOfCompartments><listOfSpecies>'
        '<species id="A" compartment="c" initialAmount="2"/><species id="B" compartment="c" initialConcentration="1"/>'
        '</listOfSpecies><listOfReactions><reaction id="r" reversible="false"><listOfReactants><speciesReference '
        'species="A" stoichiometry="2"/></listOfReactants><listOfProducts><speciesReference species="B"/>'
        f"</listOfProducts><kineticLaw>{MATH.format('<apply><times/><ci>k</ci><ci>A</ci><ci>A</ci></apply>')}"
        '<listOfParameters><parameter id="k" value="0.4"/></listOfParameters></kineticLaw></reaction>'
        "</listOfReactions></model></sbml>"
    )
    model = understood(text)
    assert str(model.network) == "2 A -> B @ 0.4" and model.initial == {"A": 2, "B": 1}


def test_an_exponential_of_time_is_one_more_species():
    """dA/dt = -k exp(-a t) A with k = 2, a = 0.5: A(t) = exp(-(k / a) (1 - exp(-a t)))."""
    model = from_antimony("species A; A = 1; k = 2; a = 0.5; u := 3*exp(-a*time); r: A -> ; k*u*A/3")
    assert str(model.network).splitlines() == ["A + exp_of_time_1 -> exp_of_time_1 @ 2", "exp_of_time_1 -> 0 @ 0.5"]
    assert model.initial == {"A": 1, "exp_of_time_1": 1} and "exp_of_time_1" in TOLD[0]
    rhs = model.network.production
    end = solve_ivp(lambda t, c: np.asarray(rhs(c)), (0, 2), [1.0, 1.0], rtol=1e-10, atol=1e-12).y[0, -1]
    assert end == pytest.approx(np.exp(-4 * (1 - np.exp(-1))), rel=1e-8)


HEAD = "species A, B, C; A = 1; B = 1; C = 0; k = 1; "
REFUSED = [
    (HEAD + "r7: A -> B; k * A / (1 + A)", "'r7' is not mass action: something other than a sum, a product"),
    (HEAD + "r7: A -> B; k", "reaction 'r7' is not mass action: it takes more of 'A' than its rate knows"),
    (HEAD + "r7: 2 A -> B; k * A", "'r7' is not mass action: it takes more of 'A'"),
    (HEAD + "r7: A -> B; k * A^0.5", "'r7' is not mass action: a power of 0.5"),
    (HEAD + "r7: A -> B; k * A * sin(k)", "'r7' is not mass action: 'sin' is none of mass action"),
    (HEAD + "r7: A -> B; k * A * time", "reaction 'r7' depends on time otherwise than by an exponential"),
    (HEAD + "r7: A -> B; piecewise(k * A, A > 1, 0)", "'r7' is not mass action: 'piecewise'"),
    (HEAD + "r7: A -> B; q * A", "the parameter 'q' has no finite value"),
    (HEAD + "r7: A -> B; k * A / 0", "'r7' is not mass action: something is divided by 0"),
    (HEAD + "r7: 1.5 A -> B; k * A", "reaction 'r7': the number of 'A' is not a whole one"),
    (HEAD + "r7: A -> B; k * A; e9: at (A > 2): k = 3", "the event 'e9': events are not read"),
    (HEAD + "r7: A -> B; k * A; k' = 2", "the rule for 'k': of rules, only assignments to parameters"),
    (HEAD + "r7: A -> B; k * A; C := A + B", "the rule for 'C': of rules, only assignments to parameters"),
    (HEAD + "r7: A -> B; k * (A + B + C)^9", "'r7' is not mass action: a power of 9"),
    (HEAD + "r7: A -> B; k * A * (1 + B)^8 * (1 + C)^8", "more than 8 molecules meet"),
    (HEAD + "r7: A -> B; k * A * 1e300 * 1e300", "'r7' is not mass action: a constant is not finite"),
    ("species A; A = 1", "a model without reactions"),
    ('import "x.ant"\nr: A -> B; A', "imports of other files are not followed"),
    ("r: A -> ; nonsense(", "model.ant: "),
]


@pytest.mark.parametrize(("text", "told"), REFUSED, ids=[text[-40:] for text, _ in REFUSED])
def test_what_is_not_mass_action_is_refused_by_its_id(text, told):
    with pytest.raises(InputError) as refused:
        from_antimony(text)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def bomb(levels=40):
    """Functions that call one another twice each: 2^40 terms if they were expanded."""
    body = "<lambda><bvar><ci>x</ci></bvar>{}</lambda>"
    first = f'<functionDefinition id="f0">{MATH.format(body.format("<ci>x</ci>"))}</functionDefinition>'
    call = "<apply><plus/><apply><ci>f{0}</ci><ci>x</ci></apply><apply><ci>f{0}</ci><ci>x</ci></apply></apply>"
    rest = [
        f'<functionDefinition id="f{i}">{MATH.format(body.format(call.format(i - 1)))}</functionDefinition>'
        for i in range(1, levels)
    ]
    law = MATH.format(f"<apply><ci>f{levels - 1}</ci><ci>A</ci></apply>")
    return L3 + (
        f"<model><listOfFunctionDefinitions>{first}{''.join(rest)}</listOfFunctionDefinitions>"
        '<listOfCompartments><compartment id="c" size="1" constant="true"/></listOfCompartments><listOfSpecies>'
        '<species id="A" compartment="c" hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>'
        "</listOfSpecies>"
        '<listOfReactions><reaction id="r" reversible="false"><listOfReactants><speciesReference species="A" '
        f'stoichiometry="1" constant="true"/></listOfReactants><kineticLaw>{law}</kineticLaw></reaction>'
        "</listOfReactions></model></sbml>"
    )


ENTITIES = '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><sbml>&b;</sbml>'
DAMAGED = {
    "entities": (ENTITIES.encode(), "a document type is declared"),
    "utf-16": (ENTITIES.encode("utf-16"), "not UTF-8"),
    "deep": (b"<sbml>" + b"<a>" * 100_000, "elements within elements, deeper than 200"),
    "functions": (bomb().encode(), "its formulas are too long"),
    "empty": (b"", "no XML"),
    "zeros": (bytes(100), "no XML"),
    "cut": (L3.encode()[:60], "no XML"),
    "html": (b"<html><body/></html>", "model.xml"),
    "level 1": (b'<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model/></sbml>', "model.xml"),
    "package": (
        L3.replace(
            "<sbml ", '<sbml xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true" '
        ).encode()
        + b"<model/></sbml>",
        "needs the package 'comp'",
    ),
    "no model": (L3.encode() + b"</sbml>", "model.xml"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_and_hostile_files_are_one_line(name):
    raw, told = DAMAGED[name]
    with pytest.raises(InputError) as refused:
        reading.read(raw, "model.xml", TOLD.append)
    assert told in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_every_cut_of_a_good_file_is_refused_or_read():
    """Never anything but InputError; cut anywhere, no document is whole."""
    raw = writing.write(ZOO["dimerisation"].model, "model.xml").encode()
    for n in range(0, len(raw) - 2, 97):
        with pytest.raises(InputError):
            reading.read(raw[:n], "model.xml", TOLD.append)


def test_constants_out_of_place_are_refused_or_read_never_a_crash():
    """Each number of a good file replaced by what is none, or is huge."""
    good = writing.write(ZOO["dimerisation"].model, "model.xml")
    for match in re.finditer(r'="([\d.]+)"', good.split("<model>", 1)[1]):
        for wrong in ("nan", "1e999", "-1", "x", "1e300", ""):
            at = good.index("<model>") + len("<model>")
            text = good[: at + match.start(1)] + wrong + good[at + match.end(1) :]
            try:
                model = understood(text)
            except InputError:
                continue
            assert np.isfinite(np.asarray(model.network.forward())).all()
            assert all(np.isfinite(x) and x >= 0 for x in model.initial.values())


def test_arrhenius_needs_a_temperature():
    model = Model(parse("A -> B @ arrhenius(A=1, Ea=1)"), {})
    with pytest.raises(InputError, match="--temperature: this network has Arrhenius rates"):
        writing.write(model, "model.xml")
