"""Damaged files are read as what they say, or refused in one line: no other exception, and nothing written."""

import io
import json
import tempfile
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from damage import damaged
from hypothesis import HealthCheck, given, settings
from PIL import Image

from guldberg import text
from guldberg.app import checkpoints, codec, options, runs, tables
from guldberg.app import spec as specs
from guldberg.app.design import spec as design
from guldberg.app.design import target
from guldberg.app.reduce import spec as reduce
from guldberg.app.sweep import pictures, plan
from guldberg.errors import InputError

FEW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))

WIDE = b"""time [min],A [mM],sd(A),B,temperature [K],experiment
0,1,0,0,300,one
1,0.6,0.05,0.4,300,one
2,,,0.6,300,one
0,2,0,0,310,two
5,1.5,0.1,0.2,310,two
"""
LONG = b"experiment;time;species;value;sd\na;0;A;1,5;0\na;1;A;1,2;0,1\na;1;B;0,3;\n"
CRN = b"""# Michaelis-Menten
E + S <-> ES @ 1e6, 1e3
ES -> E + P @ 10   # makes
0 -> S @ arrhenius(A=1e13, b=0, Ea=5e4)
2 A + "odd name" -> 3 C @ 2
initial: E = 1, S = 10
"""
SWEEP = (
    b'command = "simulate"\narguments = ["a.crn"]\n[options]\nto = 1\npoints = 3\n[over]\nseed = "0..3"\nk1 = [1, 2]\n'
)
DESIGN = b"""preset = "pattern"
updates = 30
[target]
picture = "p.png"
species = 1
[options]
species = 3
shape = [8, 8]
"""
REDUCE = b"""reactions = "A + A -> 0 @ 0.01"
steps = 20
[lattice]
size = [50]
sides = "open"
[starts]
number = 8
low = -1
"""
RUN = specs.Spec("discover", 3, "guldberg discover a.csv", {"max_order": 2, "law": ["A + B"]}, (), {"numpy": "2"})
ANTIMONY = b"model m\n compartment c = 1; species A in c = 3, B in c;\n R: 2 A -> B; k*A^2;\n k = 0.5;\nend\n"


def sbml() -> bytes:
    from guldberg.app.sbml import writing

    return writing.write(text.read("A + B <-> C @ 2, 1\nC -> 0 @ 3\ninitial: A = 1, B = 2"), "x.xml").encode()


def picture(kind: str, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def netcdf() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        table = xr.Dataset(
            {"concentration": (("experiment", "time", "species"), np.random.default_rng(0).random((2, 5, 3)))},
            coords={"time": np.arange(5.0), "species": ["A", "B", "C"], "experiment": ["1", "2"]},
        )
        table.to_netcdf(Path(folder) / "x.nc", engine="h5netcdf")
        return (Path(folder) / "x.nc").read_bytes()


def as_table(path: Path) -> None:
    tables.read_experiments([path])


def as_initials(path: Path) -> None:
    options.states(text.read("A -> B @ 1\nC -> 0 @ 1"), [], str(path))


def as_network(path: Path) -> None:
    """What is read can be written, and comes back."""
    model = options.network(str(path), io.BytesIO(), lambda note: None)
    try:
        written = text.format(model.network, model.initial)
    except ValueError:
        return  # what has no text, as a rate that is not finite in single precision, is told when it is asked for
    again = text.read(written)
    np.testing.assert_array_equal(again.network.stoichiometry, model.network.stoichiometry)


def as_sweep(path: Path) -> None:
    asked = plan.read(str(path), [])
    (path.parent / "a.crn").write_bytes(CRN)
    for axis in asked.axes:
        assert len(axis.values) >= 0
    asked.text()


def as_design(path: Path) -> None:
    (path.parent / "p.png").write_bytes(picture("png"))
    wanted, inputs = design.asked(str(path), None, None)
    recipe = design._recipe(design._preset(wanted, "spec"), wanted, inputs)
    assert recipe.stages is not None


def as_reduce(path: Path) -> None:
    reduce.plan({}, reduce.sources(path)[:1])


def as_run(path: Path) -> None:
    specs.read(path)


def as_target(path: Path) -> None:
    found = target.read(path, (16, 16), 1)
    assert np.isfinite(found.values).all() if hasattr(found, "values") else True


def as_small_picture(path: Path) -> None:
    """Never an error: a page must not be lost for one damaged file."""
    folder = path.parent
    (folder / "trajectories.nc").write_bytes(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that are none
        assert isinstance(pictures.small(folder), str)


READERS = {
    "wide.csv": (WIDE, as_table),
    "long.csv": (LONG, as_table),
    "initials.csv": (b"experiment,A,B\nx,1,2\ny,0,3\n", as_initials),
    "network.crn": (CRN, as_network),
    "model.xml": (sbml, as_network),
    "model.ant": (ANTIMONY, as_network),
    "sweep.toml": (SWEEP, as_sweep),
    "design.toml": (DESIGN, as_design),
    "reduce.toml": (REDUCE, as_reduce),
    "spec.toml": (RUN.text().encode(), as_run),
    "target.png": (lambda: picture("png"), as_target),
    "target.gif": (lambda: picture("gif"), as_target),
    "target.tiff": (lambda: picture("tiff"), as_target),
    "target.jpg": (lambda: picture("jpeg"), as_target),
    "film.nc": (netcdf, as_small_picture),
}


def whole(name: str) -> bytes:
    made = READERS[name][0]
    return made() if callable(made) else made


def holds(name: str, content: bytes) -> None:
    """Read as what it says, or one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            READERS[name][1](path)
        except InputError as error:
            said = str(error)
            assert said and "\n" not in said and len(said) < 2000, said[:300]


def every(name: str, how: settings) -> None:
    @how
    @given(damaged(whole(name)))
    def property_(content: bytes) -> None:
        holds(name, content)

    property_()


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(whole(name))
        READERS[name][1](path)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name):
    every(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_read_or_refused(name):
    every(name, settings(MANY, max_examples=150) if name == "film.nc" else MANY)


STATE = {"x": np.arange(6.0).reshape(2, 3), "step": 4, "name": "α", "pair": (1, float("nan"))}


@FEW
@given(damaged(codec.encode(STATE, ())))
def test_a_damaged_state_is_refused_or_is_one(content):
    try:
        codec.decode(content, ())
    except ValueError:
        pass


@FEW
@given(st.data())
def test_of_three_checkpoints_the_newest_whole_one_is_used(data):
    """Any of them damaged in any way: the state of a step is loaded, and the damaged ones before it are told."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "checkpoints"
        for step in range(1, 5):
            checkpoints.save(folder, step, 0.5 * step, codec.encode({"step": step, "x": np.arange(step)}, ()))
        files = sorted(folder.iterdir())
        assert [path.name for path in files] == ["00000002.json", "00000003.json", "00000004.json"]
        broken = data.draw(st.sets(st.integers(0, 2)))
        for i in broken:
            content = data.draw(damaged(files[i].read_bytes()))
            broken = broken - {i} if content == files[i].read_bytes() else broken
            files[i].write_bytes(content)
        notes: list[str] = []
        saved = checkpoints.load(folder, (), notes.append)
        sound = [step for step in (4, 3, 2) if step - 2 not in broken]
        if saved is None or not sound or saved.step != sound[0]:
            # a change may leave a checkpoint what it was, as a space in its first line; never another state
            assert saved is None or saved.state["step"] == saved.step
            assert saved is not None or not sound
        assert all("is damaged" in note and "\n" not in note for note in notes)


def test_progress_written_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n\x00\x00\x00\n{"st')
    runs._forget_after(path, 5)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]
