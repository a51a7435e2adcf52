"""What is said of temperatures and cycles: in the terminal, on the page, in result.json; and what is refused."""

import dataclasses
import math

import pytest
from click.testing import CliRunner
from discovered import michaelis_menten
from test_report import SPEC

from guldberg.app import energies, report, results
from guldberg.app.cli import cli
from guldberg.discover.result import ArrheniusLaw, Balance, Cycle, Range

ES = "ES -> E + P"


@pytest.fixture(scope="module")
def found():
    plain = michaelis_menten()
    names = [name for step in plain.steps for name in step.equations(plain.species)]
    laws = [ArrheniusLaw(name, Range(20.0, 19.0, 21.0), None, Range(4e4, 3.5e4, None)) for name in names[:-1]]
    laws.append(
        ArrheniusLaw(ES, Range(math.log(3e5), 12.0, 13.0), Range(-0.5, -0.9, -0.1), Range(-1234.5, -1300, -1100))
    )
    cycle = Cycle(("A -> B", "B -> C"), (2, 1), Range(0.41, 0.2, 0.6))
    balance = Balance((cycle,), 3e-5, held=False)
    return dataclasses.replace(plain, temperature=310.2, energies=tuple(laws), balance=balance)


def test_the_terminal_and_the_page_tell_energies_and_cycles(found):
    said = results.summary(found)
    for text in (said, report.page(found, SPEC, 1.0)):
        assert "310.2 K" in text and "-0.50 (-0.90 to -0.10)" in text and "40 (above 35)" in text
        assert "the constants contradict it (chance 3e-05)" in text and "0, held" in text
        assert "driven by 0.41 (0.20 to 0.60) RT" in text
    assert "2 (A -> B), B -> C" in said and "-1.23 (-1.30 to -1.10)" in said


def test_the_json_tells_the_same_numbers(found):
    table = results.as_json(found, SPEC, 1.0)
    last = table["energies"][-1]
    assert last["A"]["value"] == pytest.approx(3e5) and last["b"] == {"value": -0.5, "low": -0.9, "high": -0.1}
    assert "b" not in table["energies"][0] and table["temperature"] == 310.2
    assert list(table["detailed_balance"]["cycles"][0]["times"]) == [2, 1]
    assert "energies" not in results.as_json(michaelis_menten(), SPEC, 1.0)


def test_the_network_follows_the_temperature(found):
    k = found.network().constants(400.0)[0, 1]
    expected = 3e5 * 400.0**-0.5 * math.exp(1234.5 / (8.314462618 * 400))
    assert k == pytest.approx(expected, rel=1e-5)
    assert "arrhenius" in str(found.network())


def test_nothing_is_said_where_there_is_nothing():
    plain = michaelis_menten()
    assert energies.rows(plain) == energies.balance(plain) == [] and energies.as_json(plain) == {}


@pytest.mark.parametrize(
    "table, options, message",
    [
        (
            "experiment,time,temperature [K],A\n1,0,300,1\n1,1,300,.5\n2,0,,1\n2,1,,.4\n3,0,320,1\n3,1,320,.2",
            [],
            "give each its own",
        ),
        ("time,A,flow\n0,1,1\n1,.4,2", [], "two flows"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(tmp_path, table, options, message):
    (tmp_path / "data.csv").write_text(table)
    out = CliRunner().invoke(cli, ["discover", str(tmp_path / "data.csv"), "--out", str(tmp_path / "run"), *options])
    assert out.exit_code != 0 and not (tmp_path / "run").exists()
    assert message in str(out.exception) + out.output
