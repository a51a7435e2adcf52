"""Bad input gets one line that says what, where and what to do; status 2; and nothing is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guldberg.app.cli import main

GOOD = "time [min],A [mM],B [mM]\n0,1,0\n1,0.6,0.4\n2,0.4,0.6\n3,0.3,0.7\n"
NETWORK = "A + B <-> C @ 2, 0.1\ninitial: A = 1, B = 1\n"

# name: (content, words that the line must hold; a leading ":" is the place after the file's name)
TABLES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "no bytes": (b"", ("empty", "header")),
    "blank lines": ("\n\n  \n", ("empty", "header")),
    "comments alone": ("# nothing\n# here\n", ("empty", "header")),
    "no rows": ("time,A\n", ("no rows",)),
    "rows of empty cells": ("time,A\n,\n,\n", ("no rows",)),
    "one column": ("time\n0\n1\n", ("at least one species",)),
    "another separator": ("time|A\n0|1\n1|2\n", (":1:", "only one column", "semicolon")),
    "no header": ("0,1\n1,2\n", (":1:", "numbers", "header")),
    "no time": ("t,A\n0,1\n1,2\n", (":1:", "no column named time", "'t'")),
    "time misspelt": ("A,Tiem (min)\n0,1\n1,2\n", ("no column named time", "'Tiem (min)'")),
    "two times": ("time,A,Time [s]\n0,1,0\n1,2,1\n", (":1:3:", "'Time [s]'", "column 1")),
    "a species twice": ("time,A,B,A [mM]\n0,1,1,1\n1,2,1,1\n", (":1:4:", "'A [mM]'", "column 2", "rename")),
    "a species twice in brackets": ("time,A,[A]\n0,1,1\n1,2,1\n", (":1:3:", "'[A]'", "rename")),
    "deviation of nothing": ("time,A,sd(B)\n0,1,1\n1,2,1\n", (":1:3:", "sd(B)", "A")),
    "derivative misspelt": ("time,ATP,dAPT/dt\n0,1,1\n1,2,1\n", (":1:3:", "dAPT/dt", "'ATP' meant")),
    "deviation as a species": ("time,A,A_sd\n0,1,.1\n1,2,.1\n", (":1:3:", "sd(A)", "rename")),
    "reserved name": ("time,A,[time]\n0,1,1\n1,2,1\n", (":1:3:", "cannot name a species", "time_1")),
    "number as a name": ("time,A,17\n0,1,1\n1,2,1\n", (":1:3:", "'17'", "letter")),
    "endless name": (f"time,{'x' * 400}\n0,1\n1,2\n", (":1:2:", "400 characters", "at most 60")),
    "control character in a name": ("time,A\x1b[31m\n0,1\n1,2\n", (":1:2:", "control character", "\\x1b")),
    "column without a name": ("time,A,,B\n0,1,5,2\n1,1,5,2\n", (":2:3:", "'5'", "name it")),
    "long without values": ("time,species,amount\n0,A,1\n1,A,2\n", (":1:", "'value'", "long form")),
    "long with more": ("time,species,value,colour\n0,A,1,red\n1,A,2,red\n", (":1:4:", "'colour'", "no other")),
    "long without a species": ("time,species,value\n0,A,1\n1,,2\n", (":3:2:", "'species'", "letter")),
    "word for a number": ("time,A\n0,1\n1,abc\n", (":3:2:", "'A'", "'abc'", "expected a number")),
    "units below the header": ("time,A\nmin,mM\n0,1\n1,2\n", (":2:1:", "'min'", "header", "time [min]")),
    "number with its unit": ("time,A\n0,1\n1,2 mM\n", (":3:2:", "'2 mM'", "expected a number")),
    "infinite": ("time,A\n0,1\n1,inf\n", (":3:2:", "'inf'", "finite")),
    "too large": ("time,A\n0,1\n1,1e400\n", (":3:2:", "'1e400'", "finite")),
    "detection limit": ("time,A\n0,1\n1,<0.1\n", (":3:2:", "'<0.1'", "limit", "empty")),
    "thousands": ('time,A\n0,1\n1,"1,234.5"\n', (":3:2:", "'1,234.5'", "thousands", "1234.5")),
    "thousands in the German way": ("time;A\n0;1\n1;1.234,5\n", (":3:2:", "thousands")),
    "underscores": ("time,A\n0,1\n1,1_000\n", (":3:2:", "'1_000'", "expected a number")),
    "hexadecimal": ("time,A\n0,1\n1,0x10\n", (":3:2:", "'0x10'")),
    "digits of another script": ("time,A\n0,1\n1,٣\n", (":3:2:", "expected a number")),
    "decimal comma in a comma table": ('time,A\n0,1\n1,"0,5"\n', (":3:2:", "'0,5'", "semicolons")),
    "bare decimal comma in a comma table": ("time,A\n0,1,5\n1,0,5\n", (":2:", "3 cells", "semicolons")),
    "point and comma": ("time;A;B\n0;1,5;1\n1;0.5;2\n", (":3:2:", "'0.5'", "'1,5' in line 2")),
    "too few cells": ("time,A,B\n0,1,2\n1,2\n", (":3:", "2 cells", "3")),
    "too many cells": ("time,A\n0,1\n1,2,3\n", (":3:", "3 cells", "2")),
    "row without a time": ("time,A\n0,1\n,2\n", (":3:1:", "without a time")),
    "negative deviation": ("time,A,sd(A)\n0,1,0\n1,2,-0.1\n", (":3:3:", "'sd(A)'", "-0.1", "positive")),
    "deviation of an empty cell": ("time,A,sd(A)\n0,1,0\n1,,0.1\n", (":3:3:", "'A'", "both or none")),
    "exact after the start": ("time,A,sd(A)\n0,1,0\n1,2,0\n", (":3:2:", "exact", "initial", "empty")),
    "two exact starts": ("time,A,sd(A)\n0,1,0\n0,2,0\n1,2,\n", (":3:2:", "exact", "give one")),
    "two runs below one another": ("time,A\n0,1\n1,2\n0,1\n1,3\n", (":4:", "falls from 1 to 0", "experiment column")),
    "no name of an experiment": ("experiment,time,A\nx,0,1\n,1,2\n", (":3:1:", "name of its experiment")),
    "control character in an experiment": ("experiment,time,A\nx\x07,0,1\nx\x07,1,2\n", (":2:1:", "control character")),
    "experiment without values": ("experiment,time,A\nx,0,1\nx,1,2\ny,0,\ny,1,\n", (":4:", "'y'", "no measured value")),
    "one time": ("time,A\n0,1\n", ("one time only", "two are needed")),
    "two temperatures": ("time,A,temperature\n0,1,300\n1,2,310\n", (":3:", "300", "310", "two experiments")),
    "degrees without a unit": ("time,A,temperature\n0,1,25\n1,2,25\n", (":2:3:", "25", "kelvin", "[K] or [°C]")),
    "Fahrenheit": ("time,A,temperature [°F]\n0,1,300\n1,2,300\n", (":1:3:", "[K] or [°C]")),
    "below zero kelvin": ("time,A,temperature [°C]\n0,1,-300\n1,2,-300\n", (":2:3:", "-300", "zero kelvin")),
    "deviation in another unit": ("time,A [mM],sd(A) [%]\n0,1,1\n1,2,1\n", (":1:3:", "%", "mM", "one unit")),
    "derivative in another unit": ("time [s],A [mM],dA/dt [mM/min]\n0,1,1\n1,2,1\n", (":1:3:", "(mM)/(s)")),
    "quotation mark left open": ('time,A\n0,"1\n1,2\n', (":2:", "quotation mark")),
    "zero byte": (b"time,A\n0,1\n1,\x002\n", (":3:", "binary")),
    "workbook": (b"PK\x03\x04rest of a zip archive", ("workbook", "CSV")),
    "UTF-16": ("time,A\n0,1\n1,2\n".encode("utf-16"), ("UTF-16", "CSV (UTF-8)")),
    "Latin-1": ("time,A [µM]\n0,1\n1,2\n".encode("latin-1"), (":1:", "byte 9", "0xb5", "UTF-8")),
    "picture": (b"\x89PNG\r\n\x1a\n\xff\xff", ("UTF-8",)),
}

NETWORKS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "no bytes": (b"", ("reaction",)),
    "comments alone": ("# nothing here\n", ("reaction",)),
    "no arrow": ("A + B @ 1\n", (":1:", "'->'")),
    "two arrows": ("A -> B -> C @ 1\n", (":1:8",)),
    "no rate": ("A -> B\n", (":1:", "rate constant")),
    "no number after the mark": ("A -> B @\n", (":1:", "rate constant")),
    "word for a rate": ("A -> B @ fast\n", (":1:", "fast", "not defined")),
    "negative rate": ("A -> B @ -1\n", (":1:", "-1")),
    "infinite rate": ("A -> B @ inf\n", (":1:", "inf")),
    "rate not a number": ("A -> B @ nan\n", (":1:", "nan")),
    "rate too large": ("A -> B @ 1e999\n", (":1:", "1e999")),
    "two rates one way": ("A -> B @ 1, 2\n", (":1:11:", "one rate constant", "'<->'")),
    "one rate both ways": ("A <-> B @ 1\n", (":1:", "two rate constants", "'->'")),
    "three rates": ("A <-> B @ 1, 2, 3\n", (":1:15:", "end of the line")),
    "plus without a species": ("A + -> B @ 1\n", (":1:", "'->'")),
    "two plus": ("A + + B -> C @ 1\n", (":1:5",)),
    "fraction of a molecule": ("0.5 A -> B @ 1\n", (":1:1:", "whole number", "0.5")),
    "negative coefficient": ("-2 A -> B @ 1\n", (":1:1:", "whole number", "-2")),
    "enormous coefficient": ("999999999 A -> B @ 1\n", (":1:", "at most")),
    "name with a hyphen": ("alpha-pinene -> B @ 1\n", (":1:6:", "expected", "-pinene")),
    "second line": ("A -> B @ 1\nB => @ 1 2\n", (":2:",)),
    "nothing to nothing": ("0 -> 0 @ 1\n", (":1:1:", "changes nothing")),
    "initial of a stranger": ("A -> B @ 1\ninitial: X = 1\n", (":2:", "X")),
    "negative initial": ("A -> B @ 1\ninitial: A = -1\n", (":2:", "-1")),
    "initial twice": ("A -> B @ 1\ninitial: A = 1, A = 2\n", (":2:", "A", "twice")),
    "Arrhenius without A": ("A -> B @ arrhenius(Ea=1e4)\n", (":1:", "needs A")),
    "Arrhenius with more": ("A -> B @ arrhenius(A=1, c=2)\n", (":1:25:", "A, b and Ea", "c")),
    "Arrhenius left open": ("A -> B @ arrhenius(A=1\n", (":1:23:", "')'")),
    "not mass action": ("r: A -> B; k*A/(1+A)\n", (":1:15:", "mass-action", "'/'")),
    "zero byte": (b"A -> B @ 1\n\x00\n", (":2:1:", "expected", "\\x00")),
    "not UTF-8": (b"A -> B @ 1 # \xb5\n", ("UTF-8", "0xb5")),
}

# options after `guldberg`; good.csv, good.crn and a folder named folder lie in the current one
OPTIONS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "no such command": (["dicsover", "good.csv"], ("dicsover",)),
    "no data": (["look"], ("DATA.csv",)),
    "no such file": (["look", "god.csv"], ("god.csv", "no such file")),
    "a folder": (["look", "folder"], ("folder",)),
    "the same file twice": (["look", "good.csv", "./good.csv"], ("twice",)),
    "no such option": (["look", "good.csv", "--colour", "red"], ("--colour",)),
    "max-order of zero": (["discover", "good.csv", "--max-order", "0"], ("--max-order",)),
    "max-order of a word": (["discover", "good.csv", "--max-order", "two"], ("--max-order", "two")),
    "negative seed": (["discover", "good.csv", "--seed", "-1"], ("--seed",)),
    "required reaction without an arrow": (["discover", "good.csv", "--require", "A B"], ("--require",)),
    "required reaction of a stranger": (["discover", "good.csv", "--require", "A -> X"], ("--require", "X", "A, B")),
    "forbidden reaction of a stranger": (["discover", "good.csv", "--forbid", "Q -> A"], ("--forbid", "Q")),
    "initial of a stranger": (["discover", "good.csv", "--initial", "Q=0"], ("--initial", "Q")),
    "initial without an amount": (["discover", "good.csv", "--initial", "A"], ("--initial", "NAME=AMOUNT")),
    "negative initial": (["discover", "good.csv", "--initial", "A=-1"], ("--initial", "-1")),
    "unmeasured but measured": (["discover", "good.csv", "--unmeasured", "A"], ("--unmeasured", "A")),
    "scale of a stranger": (["discover", "good.csv", "--scale", "other"], ("--scale", "other", "good")),
    "law of a stranger": (["discover", "good.csv", "--law", "A + Q"], ("--law", "Q")),
    "law that is a reaction": (["discover", "good.csv", "--law", "A -> B"], ("--law",)),
    "noise of zero": (["discover", "good.csv", "--noise", "0"], ("--noise", "positive")),
    "noise of a word": (["discover", "good.csv", "--noise", "low"], ("--noise", "low")),
    "no last time": (["simulate", "good.crn", "--out", "x.csv"], ("--to",)),
    "last time not finite": (["simulate", "good.crn", "--to", "inf", "--out", "x.csv"], ("--to", "inf")),
    "one point": (["simulate", "good.crn", "--to", "1", "--points", "1", "--out", "x.csv"], ("--points",)),
    "no output": (["simulate", "good.crn", "--to", "1"], ("--out",)),
    "unknown output": (["simulate", "good.crn", "--to", "1", "--out", "x.doc"], ("x.doc", ".csv")),
    "simulate a stranger": (
        ["simulate", "good.crn", "--to", "1", "--initial", "Q=1", "--out", "x.csv"],
        ("--initial", "Q"),
    ),
    "no such method": (["simulate", "good.crn", "--to", "1", "--method", "magic", "--out", "x.csv"], ("--method",)),
    "no such network": (["show", "none.crn"], ("none.crn",)),
    "no such run": (["resume", "none"], ("none",)),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with good input, in which commands are run."""
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "good.crn").write_text(NETWORK)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    return tmp_path


def put(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def refused(capsys, place: Path, argv: list[str]) -> str:
    """The one line on standard error; nothing on standard output, nothing written, status 2."""
    before = sorted(place.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        main(argv)
    said = capsys.readouterr()
    assert stop.value.code == 2, said.err
    assert said.out == "" and sorted(place.rglob("*")) == before
    assert said.err.count("\n") == 1 and said.err.startswith("guldberg: ") and len(said.err) < 400
    assert said.err.strip().isprintable()
    return said.err


@pytest.mark.parametrize(("content", "words"), TABLES.values(), ids=TABLES.keys())
def test_damaged_tables(capsys, place, content, words):
    put(place / "bad.csv", content)
    line = refused(capsys, place, ["look", "bad.csv"])
    for word in ("bad", *words):
        assert word in line


@pytest.mark.parametrize(("content", "words"), NETWORKS.values(), ids=NETWORKS.keys())
def test_damaged_networks(capsys, place, content, words):
    put(place / "bad.crn", content)
    line = refused(capsys, place, ["simulate", "bad.crn", "--to", "1", "--initial", "A=1", "--out", "x.csv"])
    for word in ("bad.crn", *words):
        assert word in line


@pytest.mark.parametrize(("argv", "words"), OPTIONS.values(), ids=OPTIONS.keys())
def test_damaged_options(capsys, place, argv, words):
    line = refused(capsys, place, argv)
    for word in words:
        assert word in line


PAIRS = {
    "time in two units": ("time [s],A\n0,1\n1,2\n", "time [min],A\n0,1\n1,2\n", ("b.csv", "min", "a.csv", "one unit")),
    "time with a unit and without": (
        "time [s],A\n0,1\n1,2\n",
        "time,A\n0,1\n1,2\n",
        ("b.csv", "no unit", "s in a.csv"),
    ),
    "a species in two units": ("time,A [mM]\n0,1\n1,2\n", "time,A [M]\n0,1\n1,2\n", ("b.csv", "M", "mM", "a.csv")),
    "a species without its unit": ("time,A [mM]\n0,1\n1,2\n", "time,A\n0,1\n1,2\n", ("b.csv", "no unit", "a.csv")),
    "a good table and a bad one": (GOOD, "time,A\n0,1\n1,x\n", ("b.csv:3:2:", "'x'")),
}


@pytest.mark.parametrize(("first", "second", "words"), PAIRS.values(), ids=PAIRS.keys())
def test_tables_that_do_not_fit(capsys, place, first, second, words):
    put(place / "a.csv", first)
    put(place / "b.csv", second)
    line = refused(capsys, place, ["look", "a.csv", "b.csv"])
    for word in words:
        assert word in line


def test_the_good_input_is_good(capsys, place):
    """What every case above departs from is accepted: they fail for their own reason."""
    for argv in (["look", "good.csv"], ["show", "good.crn"]):
        with pytest.raises(SystemExit) as stop:
            main(argv)
        assert stop.value.code == 0 and capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        ["look", "bad.csv"],
        ["discover", "bad.csv", "--out", "run"],
        ["simulate", "bad.csv", "--to", "1", "--out", "x.csv"],
    ],
)
def test_the_command_itself(place, argv):
    """As a user meets it: a process of its own."""
    put(place / "bad.csv", "time,A\n0,1\n1,x\n")
    before = sorted(place.rglob("*"))
    command = [sys.executable, "-c", "from guldberg.app.cli import main; main()", *argv]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("guldberg: bad.csv:") and sorted(place.rglob("*")) == before
