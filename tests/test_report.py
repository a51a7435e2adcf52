"""What is written: `result.json` for programs, the page for readers, the curves, the summary. Nothing lost, no lie."""

import dataclasses
import importlib.metadata
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from discovered import mechanism, michaelis_menten

from guldberg.app import report, results, words
from guldberg.app.sbml import reading
from guldberg.app.spec import Source, Spec, versions
from guldberg.discover.result import Candidate, Check, Estimate, Profile, Rewriting, Stability
from guldberg.text import parse

SPEC = Spec(
    "discover",
    11,
    "guldberg discover 'a b.csv' --max-order 2",
    {"max_order": 2, "require": ["A -> B"]},
    (Source("data/a b.csv", "a b.csv", "c0ffee" * 10 + "beef"),),
    versions(),
)


@pytest.fixture(scope="module")
def found():
    return michaelis_menten()


@pytest.fixture(scope="module")
def page(found):
    return report.page(found, SPEC, 12.3)


class Reader(HTMLParser):
    """Visible text, tags and attributes of a page; complains where tags do not close."""

    VOID = {"meta", "br", "link", "img"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("td", "th", "li", "dt", "dd", "p", "title", "h1", "h2"):
            self.texts.append(" ")

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_says_all_there_is_to_say(found, page):
    text = Reader(page).text
    for step in found.steps:
        for _, k, order in words.directed(found.species, step):
            for said in (words.value(k), words.interval(k), words.verdict(k), words.unit_of(found, order)):
                assert said in text
    for said in (
        "E + S ⇌ ES",
        "ES → E + P",
        "some rival does without it",
        "E + ES; S + ES + P",
        words.quality(found.fit),
        "k(E + S -> ES) / k(ES -> E + S) 4.87 4.51 to 5.30",
        "with ES -> S + P, without ES -> E + P",
        "one experiment has no measurement of the complex",
        "the data bound k(ES -> E + S) on one side only (above 0.200)",
        SPEC.command,
        SPEC.inputs[0].sha256,
        f"numpy {np.__version__}",
        "Seed 11",
        "1234 solved, 5 failed",
    ):
        assert re.sub(r"\s+", " ", said) in text.replace("\n", " ")
    assert Reader(page).tags.count("svg") == 6


def test_the_equations_are_those_of_the_network(found, page):
    """Read the right-hand sides off the page and evaluate them: the same numbers as the network's own."""
    text = Reader(page).text
    k = {"1": 5.02, "−1": 1.03, "2": 1.9962}
    c = dict(zip(found.species, (0.3, 1.7, 0.4, 0.2), strict=True))
    term = re.compile(r"(−|\+)? ?(\d*) ?k(−?\d+)((?: \[\w+\])*)")
    for name, expected in zip(found.species, found.network().production(np.array([*c.values()])), strict=True):
        written = re.search(rf"d\[{name}\]/dt = (.*?) (?=d\[|Constant)", text)
        assert written
        total = 0.0
        for sign, factor, number, powers in term.findall(written[1]):
            flux = k[number] * math.prod(c[species] for species in re.findall(r"\[(\w+)\]", powers))
            total += (-1 if sign == "−" else 1) * int(factor or 1) * flux
        assert total == pytest.approx(float(expected), rel=1e-12)


def test_nothing_comes_from_outside_and_nothing_runs(page):
    reader = Reader(page)
    namespaces = re.findall(r'xmlns(?::\w+)?="[^"]*"', page)
    rest = page
    for namespace in namespaces:
        rest = rest.replace(namespace, "")
    assert "http:" not in rest and "https:" not in rest and "//" not in rest.replace("*//*", "")
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    loaded = [v for name, v in reader.attributes if name in ("src", "href", "xlink:href", "action", "srcset")]
    assert loaded and all(value.startswith(("#", "data:image/png;base64,")) for value in loaded)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a$b_{$ &amp; {{7*7}}"])
def test_names_are_escaped_wherever_they_stand(bad):
    found = michaelis_menten(names=("E", bad, "ES", "P"), runs=1)
    run = dataclasses.replace(found.data.runs[0], name=f"run {bad}")
    found = dataclasses.replace(
        found,
        data=dataclasses.replace(found.data, runs=(run,), units=(f"u{bad}",) * 4),
        warnings=(f"beware of {bad}",),
    )
    spec = dataclasses.replace(SPEC, command=f"guldberg {bad}", options={bad: bad})
    page = report.page(found, spec, 1.0)
    reader = Reader(page)
    assert not {"script", "img"} & set(reader.tags)
    for said in (f"E + {bad} ⇌ ES", f"beware of {bad}", f"guldberg {bad}", f"[{bad}]", f"u{bad}"):
        assert said in reader.text
    svg = page[page.index("<svg") :]
    assert "<script" not in svg and "<img" not in svg


def test_the_page_is_the_same_each_time(found, page):
    assert report.page(found, SPEC, 12.3) == page


def test_a_page_without_rivals_laws_or_units_still_reads():
    found = mechanism(["0 -> H2O2", "2 H2O2 -> 2 H2O + O2", "O2 -> 0"])
    text = Reader(report.page(found, SPEC, 0.0)).text
    assert "2 H₂O₂ → 2 H₂O + O₂" in text and "∅ → H₂O₂" in text and "O₂ → ∅" in text
    assert "No other mechanism was found" in text and "No conservation law was taken" in text
    assert "the table gives no unit of time and concentrations" in text
    assert "d[H₂O₂]/dt = k1 − 2 k2 [H₂O₂]2 " in text


def _exact(found):
    """Noise-free data fitted to the last digit: no finite score, no residuals in units of a noise."""
    runs = tuple(dataclasses.replace(run, residuals=np.full_like(run.residuals, np.nan)) for run in found.fit.runs)
    fit = dataclasses.replace(found.fit, chi2=0.0, score=-math.inf, runs=runs, sd=np.zeros(4))
    return dataclasses.replace(found, fit=fit)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: dataclasses.replace(found, steps=(), path=()),
        _exact,
        lambda found: dataclasses.replace(
            found,
            steps=tuple(dataclasses.replace(s, forward=Estimate(1e-300, None, None), flux=0.0) for s in found.steps),
        ),
    ],
    ids=["nothing found", "exact data", "constants of no size"],
)
def test_odd_results_are_written_all_the_same(found, change, tmp_path):
    odd = change(found)
    results.write(tmp_path, odd, SPEC, 1.0)
    assert json.loads((tmp_path / "result.json").read_text())["species"] == ["E", "S", "ES", "P"]
    assert Reader((tmp_path / "report.html").read_text()).tags.count("svg") >= 5
    assert results.summary(odd)


# -- result.json -------------------------------------------------------------------------------------------------------


def test_result_json_has_the_promised_names_and_values(found):
    table = json.loads(json.dumps(results.as_json(found, SPEC, 12.3456), allow_nan=False))
    assert table["job"] == "discover" and table["seed"] == 11 and table["seconds"] == 12.346
    assert table["guldberg"] == importlib.metadata.version("guldberg")
    assert table["species"] == ["E", "S", "ES", "P"]
    first, second = table["reactions"]
    assert first["equation"] == "E + S <-> ES"
    assert first["reactants"] == {"E": 1, "S": 1} and first["products"] == {"ES": 1}
    assert first["forward"] == {
        "value": 5.02, "low": 4.61, "high": 5.49, "unit": "L/(mmol min)", "verdict": "bounded"
    }  # fmt: skip
    assert first["reverse"] == {"value": 1.03, "low": 0.2, "high": None, "unit": "1/min", "verdict": "one-sided"}
    assert second["reverse"] is None and second["certainty"] == "possible"
    assert table["conservation_laws"] == [{"E": 1, "ES": 1}, {"S": 1, "ES": 1, "P": 1}]
    assert table["alternatives"][0]["score"] == pytest.approx(found.fit.score + 1.27)
    assert table["fit"]["points"] == 88 and table["fit"]["chi2"] == found.fit.chi2
    assert sum(run["chi2"] for run in table["fit"]["experiments"]) == pytest.approx(found.fit.chi2)
    assert table["provenance"]["inputs"][0]["sha256"] == SPEC.inputs[0].sha256


def nulls(value, where=()):
    """Every path to a null, and a failure at a number that is not finite."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in nulls(v, (*where, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in nulls(v, (*where, i))]
    assert not isinstance(value, float) or math.isfinite(value)
    return [where] if value is None else []


def test_every_null_has_a_warning_that_says_why(found):
    table = results.as_json(found, SPEC, 1.0)
    said = " | ".join(table["warnings"])
    paths = nulls(table)
    assert set(paths) == {
        ("reactions", 0, "reverse", "high"),  # one-sided
        ("reactions", 1, "reverse"),  # irreversible: promised to be null
        ("combinations", 0, "unit"),
        ("combinations", 1, "unit"),
        ("combinations", 1, "low"),
        ("combinations", 1, "high"),
    }
    assert "k(ES -> E + S) on one side only" in said and "do not determine k(ES -> E + S) * 2" in said


def test_numbers_that_are_not_finite_become_null_with_their_place():
    found = michaelis_menten(runs=1)
    exact = dataclasses.replace(found.fit, score=-math.inf, sd=np.array([0.1, math.nan, 0.1, 0.1]))
    table = results.as_json(dataclasses.replace(found, fit=exact), SPEC, 1.0)
    json.dumps(table, allow_nan=False)
    assert table["fit"]["score"] is None and table["fit"]["sd"]["S"] is None
    assert "fit.score is null: it came out as -inf" in table["warnings"]
    assert any(warning.startswith("fit.sd.S is null") for warning in table["warnings"])


@pytest.mark.parametrize(
    ("time", "units", "unit", "warning"),
    [
        ("", (), None, "no unit of time and concentrations"),
        ("min", (), None, "no unit of concentrations"),
        ("", ("mM",) * 4, None, "no unit of time"),
        ("min", ("mM", "mM", "g/L", "mM"), None, "E is in mM and ES in g/L"),
        ("s", ("mM",) * 4, "1/(mM s)", None),
    ],
)
def test_units_follow_from_the_table_or_are_null_with_a_warning(found, time, units, unit, warning):
    data = dataclasses.replace(found.data, time_unit=time, units=units)
    table = results.as_json(dataclasses.replace(found, data=data), SPEC, 1.0)
    assert table["reactions"][0]["forward"]["unit"] == unit
    assert table["reactions"][1]["forward"]["unit"] == (f"1/{time}" if time else None)
    assert warning is None or any(warning in said for said in table["warnings"])


def test_open_candidates_are_counted_in_a_warning(found):
    candidates = (Candidate("E + S -> ES", "certain", 4.9, 5.1), Candidate("ES -> S + P", "possible", 0.0, None))
    table = results.as_json(dataclasses.replace(found, candidates=candidates), SPEC, 1.0)
    assert table["candidates"][1] == {"equation": "ES -> S + P", "certainty": "possible", "low": 0.0, "high": None}
    assert "1 of 2 candidate reactions have no upper bound" in table["warnings"]


# -- the other files ---------------------------------------------------------------------------------------------------


def test_all_files_are_written_and_read_back(found, tmp_path):
    results.write(tmp_path, found, SPEC, 12.3)
    assert {p.name for p in tmp_path.iterdir()} == {
        *("result.json", "network.crn", "network.xml", "trajectories.nc", "report.html")
    }
    network = parse((tmp_path / "network.crn").read_text())
    told: list[str] = []
    foreign = reading.read((tmp_path / "network.xml").read_bytes(), "network.xml", told.append)
    assert foreign.network.equations() == network.equations() and not told
    c = np.array([0.3, 1.7, 0.4, 0.2])
    np.testing.assert_array_equal(network.production(c), found.network().production(c))
    with xr.open_dataset(tmp_path / "trajectories.nc") as data:
        run = data.sel(experiment="run 2", species="S")
        np.testing.assert_array_equal(run.measured, found.data.runs[1].values[:, 1])
        np.testing.assert_array_equal(run.fitted, found.fit.runs[1].curve[:, 1])
        assert run.time.attrs["units"] == "min" and run.measured.attrs["units"] == "mmol/L"
        assert data.attrs["seed"] == 11 and "c0ffee" in data.attrs["inputs_sha256"]
        assert parse(data.attrs["network"]).species == found.species


def test_runs_of_unequal_length_are_padded_with_nan(found):
    runs = list(found.data.runs)
    runs[0] = dataclasses.replace(runs[0], times=runs[0].times[:4], values=runs[0].values[:4], sd=runs[0].sd[:4])
    fits = list(found.fit.runs)
    fits[0] = dataclasses.replace(fits[0], residuals=fits[0].residuals[:4])
    data = dataclasses.replace(found.data, runs=tuple(runs))
    short = dataclasses.replace(found, data=data, fit=dataclasses.replace(found.fit, runs=tuple(fits)))
    table = results.trajectories(short, SPEC)
    assert table.time.shape == (3, 9) and np.isnan(table.time[0, 4:]).all() and np.isnan(table.measured[0, 4:]).all()
    np.testing.assert_array_equal(table.measured[0, :4], runs[0].values)


def test_the_summary_holds_every_constant_in_columns(found):
    lines = results.summary(found).splitlines()
    rows = [line for line in lines if re.search(r"  k( reverse)?  ", line)]
    assert [re.split(r"\s{2,}", row.strip()) for row in rows] == [
        ["E + S <-> ES", "k", "5.02", "L/(mmol min)", "(4.61 to 5.49)"],
        ["k reverse", "1.03", "1/min", "(above 0.200)"],
        ["ES -> E + P", "k", "1.9962", "1/min", "(1.9893 to 2.0041)", "some rival does without it"],
    ]
    for column in ("k", r"(?:L/\(mmol min\)|1/min)", r"\((?:\d|above)"):
        assert len({re.search(rf"(?<=  ){column}", row).start() for row in rows}) == 1
    assert any(
        "Cannot be told apart" in line for line in lines
    ) and "  with ES -> S + P, without ES -> E + P" in "\n".join(lines)


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "said", "interval"),
    [
        (0.016628, 0.0151, 0.0182, "0.0166", "0.0151 to 0.0182"),
        (1.9962, 1.9893, 2.0041, "1.9962", "1.9893 to 2.0041"),
        (1e6, 9.99e5, 1.001e6, "1.0000e6", "999000 to 1.0010e6"),
        (216.0, 215.9999, 216.0001, "216.00000", "215.99990 to 216.00010"),
        (3.0e-9, 1e-9, 1e-8, "3.0e-9", "1.0e-9 to 1.0e-8"),
        (5.0, 1.0, None, "5.00", "above 1.00"),
        (5.0, None, 20.0, "5.00", "below 20.0"),
        (5.0, None, None, "5.00", "unbounded"),
    ],
)
def test_numbers_have_as_many_digits_as_the_data_support(value, low, high, said, interval):
    estimate = Estimate(value, low, high)
    assert (words.value(estimate), words.interval(estimate)) == (said, interval)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("H2O", "H₂O"), ("Fe2(SO4)3", "Fe₂(SO₄)₃"), ("C12H22O11", "C₁₂H₂₂O₁₁"), ("OH", "OH")]
    + [(name, name) for name in ("b10", "A2", "ohb10", "C1", "E", "H02", "mRNA2", "")],
)
def test_only_chemical_formulas_get_subscripts(name, shown):
    assert words.pretty(name) == shown


@pytest.mark.parametrize(
    ("chi2", "given", "said"),
    [
        (85.0, True, "within the stated errors"),
        (150.0, True, "larger than the stated errors allow"),
        (40.0, True, "may be overstated"),
        (85.0, False, "chi2 per degree of freedom 1, with the noise estimated"),
    ],
)
def test_the_fit_is_judged_in_words(found, chi2, given, said):
    assert said in words.quality(dataclasses.replace(found.fit, chi2=chi2, sd_given=given))


@pytest.mark.parametrize(
    ("weights", "said"), [((1, 0, 1, 0), "E + ES"), ((0, 1, 1, 2), "S + ES + 2 P"), ((4, -1, 0, -3), "4 E - S - 3 P")]
)
def test_laws_are_sums(found, weights, said):
    assert words.law(found.species, weights) == said


def test_a_fit_with_no_freedom_says_so(found):
    assert "tests nothing" in words.quality(dataclasses.replace(found.fit, parameters=88))


def test_where_no_mechanism_fits_that_is_what_is_said_first(found):
    checks = (
        Check("slow", None, 1e-9),
        Check("trend", "S", 1e-5),
        Check("trend", "E", 0.4),
        Check("normal", None, 0.5),
    )
    bad = dataclasses.replace(found, fit=dataclasses.replace(found.fit, checks=checks))
    said = words.warnings(bad)[0]
    assert said.startswith("No mechanism in the library fits these data") and "S deviates alike" in said
    assert "No mechanism in the library fits" in Reader(report.page(bad, SPEC, 1.0)).text
    assert results.summary(bad).startswith("No mechanism fits")
    table = results.as_json(bad, SPEC, 1.0)
    assert table["fit"]["fits"] is False and table["warnings"][0] == said
    assert [check["failed"] for check in table["fit"]["checks"]] == [True, True, False, False]
    good = dataclasses.replace(found, fit=dataclasses.replace(found.fit, checks=checks[2:]))
    assert good.fit.fits and "No mechanism" not in results.summary(good) + report.page(good, SPEC, 1.0)
    assert [answer.split()[0] for _, answer, _ in words.checks(good.fit)] == ["yes", "yes"]


def test_a_misfit_of_size_alone_leaves_room_for_errors_told_too_small(found):
    checks = (Check("misfit", None, 1e-9), Check("slow", None, 0.2))
    said = words.misfit(dataclasses.replace(found.fit, checks=checks))
    assert "or they are too small" in said


def test_what_has_the_same_equations_is_told_apart_from_rivals(found):
    other = Rewriting(("ES -> E + P",), ("ES -> <i> + P", "ES -> E"), (1.5, 0.25))
    same = dataclasses.replace(found, rewritings=(other,))
    said = "ES -> <i> + P (1.5), ES -> E (0.25) in place of ES -> E + P"
    assert said in Reader(report.page(same, SPEC, 1.0)).text and said in results.summary(same)
    assert results.as_json(same, SPEC, 1.0)["same_equations"][0]["constants"] == [1.5, 0.25]
    assert "same equations" not in results.summary(found)


def test_profiles_and_stability_are_on_the_page_where_they_were_asked_for(found):
    names = [name for step in found.steps for name in step.equations(found.species)]
    k = np.geomspace(1.0, 9.0, 5)
    profiles = tuple(Profile(name, k, np.log(k / 3) ** 2, np.log(k / 3) ** 2, k[:, None], 3.84) for name in names)
    again = (Stability(names[0], 100, 100), Stability("S -> P", 3, 100))
    more = dataclasses.replace(found, profiles=profiles, stability=again)
    seen = Reader(report.page(more, SPEC, 1.0)).text
    assert "100 of 100" in seen and "S -> P 3 of 100 not in the mechanism above" in seen
    assert f"{names[1]} 0 of 100" in seen  # never found again
    assert (
        "Two crossings of the dotted line" in seen and "Two crossings" not in Reader(report.page(found, SPEC, 1.0)).text
    )
    table = results.as_json(more, SPEC, 1.0)
    assert table["profiles"][0]["values"] == k.tolist() and table["stability"][1]["share"] == 0.03
    assert "3 of 100  (not in the mechanism)" in results.summary(more)
    assert table["weight"] + sum(rival["weight"] for rival in table["alternatives"]) == pytest.approx(1.0)
