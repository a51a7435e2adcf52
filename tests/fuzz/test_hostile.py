"""Files made to do harm, through the real command in one process: status 2 and one line, 10 s each, 1 GB for all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BILLION = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)
)
SBML = (
    '<?xml version="1.0" encoding="UTF-8"?>{doctype}<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" '
    'level="3" version="2"><model><listOfCompartments><compartment id="c" size="{size}" constant="true"/>'
    "</listOfCompartments><listOfSpecies>{species}</listOfSpecies><listOfReactions>"
    '<reaction id="r" reversible="false"><listOfReactants><speciesReference species="A" stoichiometry="{nu}" '
    'constant="true"/></listOfReactants><kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">{math}</math>'
    "</kineticLaw></reaction></listOfReactions></model></sbml>"
)
A = (
    '<species id="A" compartment="c" initialConcentration="1" hasOnlySubstanceUnits="false" boundaryCondition="false" '
    'constant="false"/>'
)
TIMES = "<apply><times/><cn>2</cn><ci>A</ci></apply>"


def sbml(doctype="", size="1", species=A, nu="1", math=TIMES) -> str:
    return SBML.format(doctype=doctype, size=size, species=species, nu=nu, math=math)


DEEP = 100_000
HOSTILE: dict[str, tuple[str, str | bytes]] = {  # name of the file: command, content
    "bomb.xml": ("show", sbml(doctype=BILLION + "]>", math="<ci>&j;</ci>")),
    "outside.xml": (
        "show",
        sbml(doctype='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', math="<ci>&e;</ci>"),
    ),
    "deep.xml": ("show", sbml(math="<apply><plus/>" * DEEP + "<ci>A</ci>" + "</apply>" * DEEP)),
    "open.xml": ("show", "<a>" * DEEP),
    "huge-number.xml": ("show", sbml(math=f"<apply><times/><cn>1{'0' * 5000}</cn><ci>A</ci></apply>")),
    "huge-stoichiometry.xml": ("show", sbml(nu="1e300")),
    "huge-power.xml": ("show", sbml(math="<apply><power/><ci>A</ci><cn>1e9</cn></apply>")),
    "no-size.xml": ("show", sbml(size="-INF")),
    "many-powers.xml": (
        "show",
        sbml(math="<apply><power/><apply><plus/>" + "<ci>A</ci><cn>1</cn>" * 5000 + "</apply><cn>8</cn></apply>"),
    ),
    "one-line.xml": ("show", "<" * 1_000_000),
    "deep.ant": ("show", f"R: A -> B; {'(' * DEEP}k*A{')' * DEEP}; A = 1; k = 1"),
    "import.ant": ("show", 'import "/etc/passwd"\n'),
    "long-name.crn": ("show", f"{'A' * 10_000} -> B @ 1\n"),
    "coefficient.crn": ("show", "99999999999999999999 A -> B @ 1\n"),
    "wide.crn": ("show", " + ".join(["A"] * 100_000) + " -> B @ 1\n"),
    "open-quote.crn": ("show", '"' + "A" * 1_000_000),
    "rate.crn": ("show", "A -> B @ 1e400\n"),
    "rate-long.crn": ("show", f"A -> B @ {'9' * 100_000}\n"),
    "nul.crn": ("show", "A -> B @ 1\x00\n"),
    "arrhenius.crn": ("show", "A -> B @ arrhenius(A=__import__('os').system('x'), b=0, Ea=0)\n"),
    "surrogate.crn": ("show", b"A\xed\xa0\x80 -> B @ 1\n"),
    "wide.csv": ("look", "time," + ",".join(f"s{i}" for i in range(60_000)) + "\n0\n1\n"),
    "ragged.csv": ("look", "time,A\n" + "".join("0," * i + "\n" for i in range(2000))),
    "long-cell.csv": ("look", f"time,A\n0,{'1' * 5_000_000}\n1,2\n"),
    "quotes.csv": ("look", "time,A\n0," + '"' * 999_999 + "\n"),
    "formula.csv": ("look", "time,=cmd|' /C calc'!A0\n0,1\n"),
    "nothing.csv": ("look", b"\x00" * 1_000_000),
    "deep.toml": ("design", "x = " + "[" * DEEP + "]" * DEEP),
    "deep-inline.toml": ("reduce", "x = " + "{a = " * DEEP + "1" + "}" * DEEP),
    "dotted.toml": ("sweep", "a." * DEEP + "b = 1"),
    "huge-int.toml": ("sweep", f"command = {'9' * 100_000}"),
    "huge-grid.toml": ("design", 'preset = "pattern"\n[options]\nshape = [2000000, 2000000]\n'),
    "huge-species.toml": ("design", 'preset = "pattern"\n[options]\nspecies = 100000\n'),
    "huge-lattice.toml": ("reduce", 'reactions = "A + A -> 0 @ 0.01"\n[lattice]\nsize = [100000000000]\n'),
    "huge-sweep.toml": ("sweep", 'command = "simulate"\narguments = ["x.crn"]\n[over]\nseed = "0..99999999999"\n'),
    "member.toml": ("sweep", 'command = "simulate"\narguments = ["x.crn", "--out", "/etc/x"]\n'),
}

# Each file in turn by the command; time, status and what was said. The peak of memory of all together at the end.
DRIVER = """
import contextlib, io, json, resource, sys, time
from guldberg.app.cli import main
for command, name in json.loads(sys.stdin.read()):
    began, said = time.monotonic(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([command, name])
            status = None
        except SystemExit as end:
            status = end.code
        except BaseException as error:
            status = repr(error)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([name, status, time.monotonic() - began, said.getvalue(), peak]), flush=True)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, list]:
    folder = tmp_path_factory.mktemp("hostile")
    for name, (_, content) in HOSTILE.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    asked = json.dumps([(command, name) for name, (command, _) in HOSTILE.items()])
    done = subprocess.run([sys.executable, "-c", DRIVER], input=asked, cwd=folder, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(HOSTILE), f"ended by {done.returncode} after {lines[-1:]}: {done.stderr[-500:]}"
    made = {path.name for path in folder.iterdir()} - {*HOSTILE}
    return {name: [*rest, sorted(made)] for name, *rest in lines}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(told, name):
    status, seconds, said, peak, made = told[name]
    assert status == 2, said[-300:]
    assert said.count("\n") == 1 and len(said) < 2000 and "Traceback" not in said
    assert seconds < 10 and peak < 2**30
    assert not made


@pytest.mark.slow
def test_a_picture_that_unfolds_is_refused(tmp_path):
    """30 000 by 30 000 pixels in some kilobytes."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(png)
    code = "from guldberg.app.cli import main; main()"
    typed = [sys.executable, "-c", code, "design", "pattern", "--target", "bomb.png"]
    done = subprocess.run(typed, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "too large" in done.stderr
    assert [path.name for path in Path(tmp_path).iterdir()] == ["bomb.png"]
