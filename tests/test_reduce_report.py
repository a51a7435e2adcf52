"""`guldberg reduce` as a user meets it: complaints in one line, the files of a run, the page that a reader opens."""

import json
import math
import re
import tomllib

import numpy as np
import pytest
import xarray as xr
from reduced import box, chain

from guldberg.app.cli import main
from guldberg.app.reduce import moments, plot, report, results, spec, words
from guldberg.app.spec import Spec, versions
from guldberg.app.style import svg
from guldberg.errors import InputError
from guldberg.reduce.plan import BoxPlan, ChainPlan
from guldberg.reduce.result import WHO
from guldberg.text import parse

SPEC = Spec("reduce", 7, "guldberg reduce 'a b.toml'", {"preset": "annihilation"}, (), versions())
CHAIN = 'reactions = "A + A -> 0 @ 0.01"\n[lattice]\nsize = [100]\n'
BOX = 'reactions = "A -> 2 A @ 1\\n2 A -> A @ 0.1"\n[lattice]\nsize = [6, 6, 6]\nsides = "periodic"\n'

# name: (spec, words that the line must hold)
SPECS: dict[str, tuple[str, tuple[str, ...]]] = {
    "no TOML": ("reactions = = 1", ("not a spec in TOML", "line 1, column 13")),
    "nothing": ("", ("preset", "reactions")),
    "unknown preset": ('preset = "rosler"', ("preset", "'rosler'", "annihilation or rossler")),
    "unknown entry": (f"colour = 1\n{CHAIN}", ("colour", "no such entry", "steps")),
    "unknown entry of a table": (CHAIN + "lenght = 3\n", ("[lattice] lenght", "no such entry", "size")),
    "no text": ("reactions = 3\n", ("reactions", "quotation marks", "3")),
    "a table that is none": (f"starts = 5\n{CHAIN}", ("starts", "expected a table", "5")),
    "a reaction that is none": ('reactions = "A + -> B"\n[lattice]\nsize = [9]\n', ("asked.toml: reactions:1:",)),
    "no size": ('reactions = "2 A -> 0 @ 0.1"\n', ("[lattice] size", "at least 4", "None")),
    "two dimensions": (CHAIN.replace("[100]", "[10, 10]"), ("[lattice] size", "[10, 10]")),
    "half a site": (CHAIN.replace("[100]", "[100.5]"), ("[lattice] size", "100.5")),
    "a tiny chain": (CHAIN.replace("[100]", "[2]"), ("[lattice] size", "at least 4")),
    "too many sites": (CHAIN.replace("[100]", "[5000, 5000, 5000]"), ("[lattice] size", "at most 1000000")),
    "sides of no kind": (CHAIN + 'sides = "closed"\n', ("[lattice] sides", '"open" or "periodic"', "'closed'")),
    "hop above 1": (CHAIN + "hop = 1.5\n", ("[lattice] hop", "at most 1", "1.5")),
    "hop of nothing": (CHAIN + "hop = 0\n", ("[lattice] hop", "above 0")),
    "hop not a number": (CHAIN + "hop = nan\n", ("[lattice] hop", "nan")),
    "step of no time": (CHAIN + "dt = -0.1\n", ("[lattice] dt", "positive", "-0.1")),
    "probability above 1": (CHAIN.replace("0.01", "1.5"), ("2 A -> 0", "at most 1", "1.5")),
    "negative constant": (CHAIN.replace("0.01", "-0.5"), ("-0.5",)),
    "three at once": (CHAIN.replace("A + A", "3 A"), ("3 A -> 0", "one or two reactants", "3")),
    "from nothing": (CHAIN.replace("A + A -> 0", "0 -> A"), ("0 -> A", "one or two reactants")),
    "three products": (CHAIN.replace("A + A -> 0", "A -> 3 A"), ("A -> 3 A", "at most two")),
    "both ways": (CHAIN.replace("->", "<->").replace("0.01", "0.01, 0.1"), ("irreversible", "both directions")),
    "two species on a chain": (CHAIN.replace("A + A", "A + B"), ("one species on a chain", "2")),
    "four species": (BOX.replace("2 A -> A @ 0.1", "B + C -> D @ 0.1"), ("at most three species", "4")),
    "too few steps": (f"steps = 3\n{CHAIN}", ("steps", "at least 10", "3")),
    "half a step": (f"steps = 20.5\n{CHAIN}", ("steps", "whole number", "20.5")),
    "too few starts": (CHAIN + "[starts]\nnumber = 1\n", ("[starts] number", "at least 4")),
    "bounds crossed": (CHAIN + "[starts]\nlow = 1\nhigh = -1\n", ("[starts] high", "above low")),
    "an unknown right-hand side": (f'rhs = "spline"\n{CHAIN}', ("rhs", "elements, polynomial, network", "'spline'")),
    "neither true nor false": (CHAIN + "[compare]\nlayers = 1\n", ("[compare] layers", "true or false", "1")),
    "an endless start": (CHAIN + "[starts]\nlow = -inf\n", ("[starts] low", "-inf")),
    "more particles than sites": (BOX + "[starts]\ncounts = [500]\n", ("500 particles", "216 sites")),
    "species without a count": (BOX + "[starts]\ncounts = [5, 5]\n", ("[starts] counts", "A", "[5, 5]")),
    "fewer than none": (BOX + "[starts]\ncounts = [-5]\n", ("[starts] counts", "[-5]")),
    "starts that do not fit": (BOX + "[starts]\nnumber = 4\nhigh = 400\n", ("[starts] high", "400", "216 sites")),
    "no room between": (BOX + "[starts]\nlow = 9\nhigh = 9\n", ("[starts] high", "more than low (9)")),
    "no such file of moments": (CHAIN + '[data]\nmoments = "gone.npz"\n', ("gone.npz", "no such file")),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    return tmp_path


def complaint(capsys, *typed):
    with pytest.raises(SystemExit) as end:
        main(list(typed))
    told = capsys.readouterr().err.strip()
    assert end.value.code == 2 and "\n" not in told and "Traceback" not in told, told
    return told


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_that_cannot_be_followed_is_told_in_one_line(name, folder, capsys):
    text, expected = SPECS[name]
    (folder / "asked.toml").write_text(text)
    told = complaint(capsys, "reduce", "asked.toml", "--out", "run")
    assert all(word in told for word in expected), told
    assert not (folder / "run").exists()


def test_a_preset_misspelt_names_those_that_there_are(capsys):
    assert "annihilation or rossler" in complaint(capsys, "reduce", "annihilaton")


def _npz(folder, **arrays):
    np.savez(folder / "m.npz", **arrays)
    (folder / "asked.toml").write_text(CHAIN + '[data]\nmoments = "m.npz"\n')


GOOD = 40 * np.ones((8, 12, 1)) * np.array([1.0, 0.5, 0.2, 0.1])
BAD: dict[str, tuple[dict[str, np.ndarray], tuple[str, ...]]] = {
    "another name": ({"mu": GOOD}, ("'moments'",)),
    "three orders": ({"moments": GOOD[..., :3]}, ("(8, 12, 3)", "(starts, steps, 4)")),
    "one start": ({"moments": GOOD[0]}, ("(12, 4)", "(starts, steps, 4)")),
    "too few": ({"moments": GOOD[:3]}, ("3 starts", "at least 6")),
    "NaN": ({"moments": np.where(np.arange(12)[:, None] == 5, np.nan, GOOD)}, ("start 0, step 5", "not finite")),
    "negative": ({"moments": -GOOD}, ("between 0 and the 100 sites",)),
    "more than sites": ({"moments": 100 * GOOD}, ("between 0 and the 100 sites",)),
    "more pairs than particles": ({"moments": GOOD[..., ::-1]}, ("more runs of 2 particles",)),
    "text": ({"moments": np.full((8, 12, 4), "x")}, ("expected numbers",)),
    "objects": ({"moments": np.array([{}] * 3, dtype=object)}, ("NPZ",)),
}


@pytest.mark.parametrize("name", BAD)
def test_moments_that_are_none_are_told_in_one_line(name, folder, capsys):
    arrays, expected = BAD[name]
    _npz(folder, **arrays)
    told = complaint(capsys, "reduce", "asked.toml", "--out", "run")
    assert "m.npz" in told and all(word in told for word in expected), told
    assert not (folder / "run").exists()


@pytest.mark.parametrize("name, content, expected", [
    ("m.csv", "start,step,n1\n0,0,1\n", ("columns", "n4")),
    ("m.csv", "start,step,n1,n2,n3,n4\n0,0,1,x,0,0\n", (":2:4", "expected a number")),
    ("m.csv", "start,step,n1,n2,n3,n4\n0,0,1,0,0,0\n0,2,1,0,0,0\n", ("same steps",)),
    ("m.nc", "no NetCDF", ("not a NetCDF file",)),
    ("m.txt", "1 2 3", (".npz, .nc, .csv", "'.txt'")),
    ("m.npz", "no NPZ", ("not an NPZ file",)),
])  # fmt: skip
def test_files_of_moments_that_cannot_be_read(name, content, expected, folder, capsys):
    (folder / name).write_text(content)
    (folder / "asked.toml").write_text(CHAIN + f'[data]\nmoments = "{name}"\n')
    told = complaint(capsys, "reduce", "asked.toml", "--out", "run")
    assert name in told and all(word in told for word in expected), told


def test_moments_are_the_same_from_every_kind_of_file(folder):
    plan = spec.plan({"preset": "annihilation"}, [])
    assert isinstance(plan, ChainPlan)
    values = GOOD * np.linspace(1, 0.5, 12)[:, None] * np.linspace(1, 0.8, 8)[:, None, None]
    np.savez(folder / "m.npz", moments=values)
    xr.Dataset({"moments": (("start", "step", "order"), values)}).to_netcdf(folder / "m.nc", engine="h5netcdf")
    rows = [f"{s},{t},{','.join(map(repr, values[s, t].tolist()))}" for t in range(12) for s in range(8)]
    (folder / "m.csv").write_text("start,step,n1,n2,n3,n4\n" + "\n".join(rows) + "\n")
    for name in ("m.npz", "m.nc", "m.csv"):
        np.testing.assert_array_equal(moments.brought([folder / "s.toml", folder / name], plan), values)
    assert moments.brought([], plan) is None
    fitting = moments.fitting(plan, values)
    assert (fitting.starts, fitting.held_out, fitting.steps) == (6, 2, 11)


def _brought() -> np.ndarray:
    """Independent sites whose density falls by mean field: moments that a closure must follow."""
    density = np.random.default_rng(0).uniform(0.2, 0.8, (8, 1)) / 1.0
    density = density / (1 + 0.05 * density * np.arange(15))
    return (100 - np.arange(4)) * density[..., None] ** np.arange(1, 5)


@pytest.mark.slow
@pytest.mark.parametrize("name, sides", [("m.npz", "open"), ("m.nc", "open"), ("m.csv", "periodic")])
def test_trajectories_that_a_user_brings_are_reduced(name, sides, folder, capsys):
    """From a file of each kind to a result, on a chain with ends and on a ring."""
    values = _brought() if sides == "open" else _brought() * 100 / (100 - np.arange(4))
    if name == "m.npz":
        np.savez(folder / name, moments=values)
    elif name == "m.nc":
        xr.Dataset({"moments": (("start", "step", "order"), values)}).to_netcdf(folder / name, engine="h5netcdf")
    else:
        rows = [f"{s},{t},{','.join(map(repr, values[s, t].tolist()))}" for s in range(8) for t in range(15)]
        (folder / name).write_text("start,step,n1,n2,n3,n4\n" + "\n".join(rows) + "\n")
    asked = f'[data]\nmoments = "{name}"\n'
    (folder / "asked.toml").write_text(CHAIN.replace("[100]", f'[100]\nsides = "{sides}"') + asked)
    with pytest.raises(SystemExit) as end:
        main(["reduce", "asked.toml", "--out", "run", "--quiet"])
    assert end.value.code == 0
    found = json.loads((folder / "run" / "result.json").read_text())
    learned = np.array([found["moments"]["rmse"]["learned"][order] for order in "1234"])
    nothing = np.sqrt(((values[-2:] - values[-2:, :1]) ** 2).mean(axis=0)).T * 10  # per 1000 sites, if nothing moved
    assert learned[0, -1] < 0.2 * nothing[0, -1] and np.isfinite(learned).all()
    assert found["moments"]["rmse"]["noise"]["1"][0] is None and found["outside"] is None
    with xr.open_dataset(folder / "run" / "trajectories.nc", engine="h5netcdf") as kept:
        np.testing.assert_allclose(kept["held_out"], values[-2:])


# -- the spec ----------------------------------------------------------------------------------------------------------


def test_presets_are_the_systems_of_the_paper():
    chain, box = spec.annihilation(), spec.rossler()
    assert (chain.lattice.size, chain.steps, chain.starts, chain.lattices) == ((1000,), 200, 50, 50)
    assert chain.lattice.network.equations() == ("2 A -> 0",) and not chain.lattice.periodic
    assert box.lattice.size == (10, 10, 10) and box.counts == (200, 200, 200) and box.lattice.periodic
    assert len(box.lattice.network.equations()) == 7


def test_a_spec_changes_what_it_names_and_nothing_else(folder):
    (folder / "a.toml").write_text('preset = "rossler"\n[lattice]\nsides = "open"\n[starts]\nnumber = 0\n')
    asked = spec.plan({}, [folder / "a.toml"])
    assert isinstance(asked, BoxPlan) and not asked.lattice.periodic and asked.starts == 0
    assert asked.lattice.size == (10, 10, 10) and asked.simulations == spec.rossler().simulations
    (folder / "b.toml").write_text(CHAIN + "hop = 0.5\n[starts]\nnumber = 300\n")
    other = spec.plan({}, [folder / "b.toml"])
    assert isinstance(other, ChainPlan) and other.starts == 300 and other.lattice.hop == 0.5
    assert other.lattice.sites == 100 and other.steps == spec.annihilation().steps


def test_the_example_in_the_head_of_the_spec_is_one(folder):
    text = re.search(r"\n\n(    preset.*?)\n\nEvery", spec.__doc__ or "", re.DOTALL)
    assert text
    example = "\n".join(line[4:] for line in text[1].split("\n"))
    assert tomllib.loads(example)["preset"] == "annihilation"
    (folder / "a.toml").write_text(example)
    assert [path.name for path in spec.sources(folder / "a.toml")] == ["a.toml", "moments.npz"]
    assert isinstance(spec.plan({}, [folder / "a.toml"]), ChainPlan)


# -- what is written ---------------------------------------------------------------------------------------------------


def finite(value) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("found", [chain(), box(), box(many=False)], ids=["chain", "box", "one start"])
def test_result_json_has_the_promised_names_and_values(found, folder):
    table = json.loads(json.dumps(results.as_json(found, SPEC, 12.3456), allow_nan=False))
    assert table["job"] == "reduce" and table["seed"] == 7 and table["seconds"] == 12.346 and finite(table)
    moments = table["moments"]
    assert set(moments["rmse"]) == set(WHO) and moments["steps"] == list(range(31))
    for who in WHO:
        assert set(moments["rmse"][who]) == {"1", "2", "3", "4"}
        for order, values in moments["rmse"][who].items():
            assert len(values) == 31
            known = found.errors.get(who)
            if known is not None and int(order) <= len(known):
                assert values == known[int(order) - 1].tolist()
            else:
                assert values == [None] * 31 and any("null" in warning for warning in table["warnings"])
    assert table["seconds_training"] == pytest.approx(words.training(found))
    assert table["seconds_simulation"] == pytest.approx(words.simulation(found))


@pytest.mark.parametrize("found", [chain(steps=12), box(many=False)], ids=["chain", "box"])
def test_the_files_of_a_run_are_read_back(found, folder, monkeypatch):
    monkeypatch.setattr(report, "_pictures", lambda found, captions: {})  # drawn in other tests, and slow
    results.write(folder, found, SPEC, 12.3456)
    assert json.loads((folder / "result.json").read_text())["job"] == "reduce"
    assert parse((folder / "network.crn").read_text()).equations() == found.plan.lattice.network.equations()
    with xr.open_dataset(folder / "trajectories.nc", engine="h5netcdf") as kept:
        assert kept.attrs["seed"] == 7 and all(np.isfinite(kept[name]).all() for name in kept.data_vars)


def test_training_and_simulation_are_counted_apart():
    found = chain()
    assert words.training(found) == 9.5 and words.simulation(found) == 0.5


def test_infinite_errors_are_null_with_a_reason(folder):
    found = chain()
    found.errors["learned"][2, 5] = np.inf
    table = results.as_json(found, SPEC, 1.0)
    assert table["moments"]["rmse"]["learned"]["3"][5] is None
    assert any("rmse.learned.3[5]" in warning for warning in table["warnings"])


BAD_NAME = "<img src=x onerror=alert(1)>"
FOUND = {
    "chain": chain(warnings=(BAD_NAME,)),
    "box": box(warnings=(BAD_NAME,)),
    "one start": box(many=False, warnings=(BAD_NAME,)),
}


@pytest.fixture(scope="module")
def pages():
    asked = Spec("reduce", 0, BAD_NAME, {BAD_NAME: BAD_NAME}, (), versions())
    return {name: report.page(found, asked, 1.0) for name, found in FOUND.items()}


@pytest.mark.parametrize("name", FOUND)
def test_the_page_needs_nothing_else_and_has_every_picture(name, pages):
    page, found = pages[name], FOUND[name]
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!#|data:)', page)
    outside = set(re.findall(r"https?://[^\s\"<]*", page)) - {"http://www.w3.org/2000/svg"}
    assert all("w3.org" in address or "matplotlib" in address or "purl" in address for address in outside)
    captions = report.CHAIN if "b" in found.interactions else report.BOX
    missing = {"ladder", "fresh"} if name == "one start" else set()
    assert page.count("<svg") == len(captions) - len(missing)


@pytest.mark.parametrize("name", FOUND)
def test_what_comes_from_files_is_escaped(name, pages):
    assert "<img src" not in pages[name]
    assert pages[name].count("&lt;img src=x onerror=alert(1)&gt;") >= 3


def test_a_picture_is_the_same_each_time():
    first, again = (svg(plot.errors(chain()), "errors") for _ in range(2))
    assert first == again


def test_the_summary_names_every_closure_and_warning():
    text = results.summary(chain(warnings=("beware",)))
    assert all(words.NAMES[who] in text for who in WHO) and "beware" in text and "four in a row" in text
    assert "Training 9.5 s" in text


def test_a_table_of_errors_for_the_reader_is_that_of_the_result(pages):
    text = re.sub(r"<[^>]*>", " ", pages["chain"])
    found = FOUND["chain"]
    assert f"{found.errors['mean_field'][3, 20]:.3g}" in text
    for table in (found.layers["hidden units"][1], found.recipes["CD-1"]):
        assert f"{table[3, 20]:.3g}" in text


def test_the_published_recipe_needs_lattices(folder, capsys):
    np.savez(folder / "m.npz", moments=GOOD)
    (folder / "asked.toml").write_text(CHAIN + '[data]\nmoments = "m.npz"\n[compare]\nrecipe = true\n')
    assert "needs whole lattices" in complaint(capsys, "reduce", "asked.toml", "--out", "run")


def test_a_network_that_cannot_be_on_a_lattice_is_an_input_error(folder):
    (folder / "a.toml").write_text('reactions = "A -> 3 A @ 1"\n[lattice]\nsize = [50]\n')
    from guldberg.app.reduce.kind import reduction

    with pytest.raises(InputError, match="at most two"):
        reduction({}, [folder / "a.toml"])
