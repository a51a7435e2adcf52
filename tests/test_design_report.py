"""What is written of a design: files that read back, a page that holds all of it, pictures that say what they show."""

import dataclasses
import functools
import io
import json

import jax
import numpy as np
import pytest
import xarray as xr
from designed import bistable, honest, made, stripes
from PIL import Image
from test_report import Reader, nulls

from guldberg.app.cli import main
from guldberg.app.design import film as films
from guldberg.app.design import plot, report, results, shown, words
from guldberg.app.spec import Source, Spec, versions
from guldberg.design import prune, trials, verify
from guldberg.design.checks import Finding
from guldberg.text import parse

SPEC = Spec(
    "design",
    7,
    "guldberg design pattern --target 'a b.png'",
    {"preset": "pattern"},
    (Source("data/a b.png", "a b.png", "c0ffee" * 10 + "beef"),),
    versions(),
)
CHECKS = (
    Finding("correlation at T", 0.97, 0.85, True, "the correlation at the horizon T"),
    Finding("grid twice as fine: contrast", float("inf"), 0.1, False, "largest relative change of the contrast"),
)


@functools.cache
def look():
    return shown.first_look(honest(), None, 0)


@functools.cache
def verified():
    trial = look().verdict.trials["as designed"]
    many = {name: np.concatenate([x, 0.9 * x, 0.8 * x]) for name, x in trial.figures.items()}
    three = {name: np.repeat(getattr(trial, name), 3) for name in trials.PER_DRAW}
    three["outside"][2] = 1.0  # the third blew up
    random = dataclasses.replace(trial, control="random start", figures=many, **three)
    verdict = verify.Verdict({**look().verdict.trials, "random start": random}, CHECKS)
    tried = prune.Tried("A -> 0", 0.1, False), prune.Tried("0 -> A", 0.99, True, tuned=True)
    less = shown.Shorter(honest(), tried, verdict, look().fluxes)
    return dataclasses.replace(look(), verdict=verdict, pruned=less)


# -- files -------------------------------------------------------------------------------------------------------------


def test_every_file_is_written_and_reads_back(tmp_path):
    found = honest()
    results.write(tmp_path, found, SPEC, 3.25)
    names = {"network.crn", "fields.nc", "film.gif", "report.html", "result.json", "verification"}
    assert {path.name for path in tmp_path.iterdir()} == names
    c = np.array([[0.2, 0.4, 0.9]])
    read = parse((tmp_path / "network.crn").read_text())
    np.testing.assert_allclose(read.production(c), found.network.production(c), rtol=1e-15)
    with xr.open_dataset(tmp_path / "fields.nc") as data:
        np.testing.assert_array_equal(data.concentration.sel(time=0.0, species="A"), found.c0[0])
        assert data.concentration.dims == ("time", "species", "x") and data.time.attrs["units"] == "s"
        assert data.attrs["seed"] == 7 and "c0ffee" in data.attrs["inputs_sha256"]
        np.testing.assert_array_equal(data.target, found.target.concentration)
        assert float(data.time[-1]) == 1000.0 and 32.0 in data.time
    animation = Image.open(tmp_path / "film.gif")
    assert 1 < animation.n_frames <= films.film(found).shown and animation.info["loop"] == 0  # equal ones are merged


def test_what_was_kept_is_shown_without_simulating_again(tmp_path):
    results.write(tmp_path, honest(), SPEC, 1.0)
    before = json.loads((tmp_path / "result.json").read_text())
    again = shown.beside(tmp_path, honest(), SPEC.seed)
    assert results.as_json(again, SPEC, 1.0) == before
    (tmp_path / "fields.nc").write_bytes(b"damaged")
    assert results.as_json(shown.beside(tmp_path, honest(), SPEC.seed), SPEC, 1.0) == before


def test_result_json_has_the_promised_names_and_finite_numbers():
    table = json.loads(json.dumps(results.as_json(look(), SPEC, 12.3456), allow_nan=False))
    assert table["job"] == "design" and table["seed"] == 7 and table["seconds"] == 12.346
    assert table["loss"] == 0.1 and table["updates"] == 3 and "verdict" not in table
    for times in (table["metrics"]["time"], table["nulls"]["reactions_off"]["time"]):
        assert {32.0, 320.0, 1000.0} <= set(times)  # T, 10 T, 1000
    for name in ("correlation", "contrast", "rmsd"):
        assert len(table["metrics"][name]) == len(table["metrics"]["time"])
        assert len(table["nulls"]["diffusion_only"][name]) == len(table["nulls"]["diffusion_only"]["time"])
    assert table["reactions"][0]["forward_flux"] >= table["reactions"][-1]["forward_flux"]
    assert nulls(table) == []


def test_the_pruned_design_has_files_of_its_own(tmp_path):
    results.publish(tmp_path, verified(), SPEC, 1.0)
    assert parse((tmp_path / "pruned.crn").read_text()).species == ("A",)
    with xr.open_dataset(tmp_path / "pruned.nc") as fields:
        np.testing.assert_allclose(fields["concentration"][0], honest().c0)


def test_a_verdict_is_written_as_promised_and_what_is_not_finite_is_told():
    table = json.loads(json.dumps(results.as_json(verified(), SPEC, 1.0), allow_nan=False))
    assert table["verdict"]["passed"] is False
    first = table["verdict"]["checks"][0]
    assert {k: first[k] for k in ("name", "figure", "limit", "passed")} == {
        "name": "correlation at T", "figure": 0.97, "limit": 0.85, "passed": True
    }  # fmt: skip
    assert table["verdict"]["checks"][1]["figure"] is None
    assert any("verdict.checks[1].figure is null: it came out as inf" in said for said in table["warnings"])
    control = table["controls"]["random start"]
    assert control["draws"] == 3 and control["void"] == 1
    np.testing.assert_allclose(control["correlation"], 0.95 * np.array(table["metrics"]["correlation"]))
    assert table["pruned"]["tried"][1] == {
        "reaction": "0 -> A",
        "figure": 0.99,
        "spared": True,
        "tuned": True,
    }


def test_mean_fluxes_are_those_of_the_fields():
    ts = np.linspace(0, 32, 5)
    A = trials.states(honest(), ts, 0)[:, 0]
    np.testing.assert_allclose(trials.fluxes(honest(), 0)[0], [1.5 * (A**2).mean(), (A**3).mean(), 0.5 * A.mean()])


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_says_all_there_is_to_say():
    page = report.page(verified(), SPEC, 12.3)
    reader = Reader(page)
    for said in (
        "Not verified: failed 1 of 2 checks: grid twice as fine: contrast (∞, limit 0.1)",
        "FAILED",
        "Is it held in place by the grid?",
        "3 A → 2 A",
        "3 directed reactions",
        "c0ffee",
        "guldberg design pattern --target 'a b.png'",
        "Pearson's r with the picture",
        "d[A]/dt = 1.5 [A]2 − 1 [A]3 − 0.5 [A] + DA ∇²[A]",
        "0 -> A 0.99 left out",
        "A -> 0 0.1 needed",
    ):
        assert said in reader.text, said
    assert reader.tags.count("svg") == 8 and reader.tags.count("img") == 1


def test_an_unverified_page_says_how_to_verify():
    text = Reader(report.page(look(), SPEC, 1.0)).text
    assert "Not verified yet. guldberg verify RUN" in text and "Can it be trusted?" not in text


def test_nothing_comes_from_outside_and_nothing_runs():
    reader = Reader(report.page(verified(), SPEC, 1.0))
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    loaded = [v for name, v in reader.attributes if name in ("src", "href", "xlink:href", "action", "srcset")]
    assert loaded and all(value.startswith(("#", "data:image/")) for value in loaded)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", "a$b_{$ &amp; {{7*7}}"])
def test_what_comes_from_files_is_escaped(bad):
    odd = dataclasses.replace(look(), designed=dataclasses.replace(honest(), warnings=(f"beware of {bad}",)))
    spec = dataclasses.replace(SPEC, command=f"guldberg {bad}", options={bad: bad})
    reader = Reader(report.page(odd, spec, 1.0))
    assert "script" not in reader.tags and f"beware of {bad}" in reader.text and f"guldberg {bad}" in reader.text


def test_the_page_is_the_same_each_time():
    assert report.page(look(), SPEC, 1.0) == report.page(look(), SPEC, 1.0)


def test_the_summary_has_the_figures_at_the_times_one_asks_for():
    said = words.summary(dataclasses.replace(honest(), warnings=("take care",)))
    assert "3 directed reactions, on 48 cells, T = 32 s" in said and "correlation" in said and "take care" in said


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_principal_colours_explain_all_of_what_has_one_direction():
    x = np.random.default_rng(0).uniform(size=(4, 1, 8, 8))
    one = np.concatenate([x, 2 * x + 1, 0 * x], axis=1)
    colours, explained = films.principal(one)
    assert explained[0] == pytest.approx(1) and sum(explained) == pytest.approx(1)
    green = colours[..., 1].astype(float)
    assert np.corrcoef(green.ravel(), x.ravel())[0, 1] > 0.999  # more of it is lighter
    assert green.min() == 0 and green.max() == 255


def test_explained_variances_are_the_eigenvalues_of_the_covariance():
    states = np.random.default_rng(1).normal(size=(5, 4, 6, 6)) * np.array([3, 2, 1, 0.5]).reshape(1, 4, 1, 1)
    values = np.sort(np.linalg.eigvalsh(np.cov(np.moveaxis(states, 1, 0).reshape(4, -1))))[::-1]
    np.testing.assert_allclose(films.principal(states).explained, values[:3] / values.sum(), rtol=1e-10)


@pytest.mark.parametrize("shape", [(2, 1, 12), (2, 3, 6, 9), (2, 2, 4, 5, 6)])
def test_fields_of_any_dimension_become_pictures(shape):
    states = np.random.default_rng(2).uniform(size=shape)
    pictures = films.flat(states)
    assert pictures.ndim == 4 and pictures.shape[:2] == shape[:2] and pictures.shape[-1] == shape[-1]
    assert films.principal(states).colours.shape == (*np.array(pictures.shape)[[0, 2, 3]], 3)
    if len(shape) == 5:
        np.testing.assert_array_equal(pictures, states[:, :, 2])


def test_an_animation_has_all_frames_enlarged_by_whole_numbers():
    colours = np.random.default_rng(3).integers(0, 2, (5, 6, 9, 3)).astype(np.uint8) * 255
    animation = Image.open(io.BytesIO(films.gif(colours, pixels=90)))
    assert animation.n_frames == 5 and animation.size == (90, 60)
    animation.seek(3)
    np.testing.assert_array_equal(np.asarray(animation.convert("RGB"))[5::10, 5::10], colours[3])


def test_time_is_told_by_frames_evenly_up_to_the_horizon():
    film = films.film(honest())
    np.testing.assert_allclose(np.diff(film.times[: film.shown]), film.times[1], atol=1.0)
    assert film.times[film.shown - 1] == 32.0 and film.times[0] == 0.0
    which = films.chosen(film, 8)
    assert film.times[which[-1]] == 1000.0 and 0 in which and film.shown - 1 in which


def test_curves_hold_the_figures_and_bands_leave_out_the_void():
    figure = plot.controls(verified().verdict.trials, "correlation", 32.0)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")}
    own = look().verdict.trials["as designed"].figures["correlation"][0]
    np.testing.assert_array_equal(lines["as designed"].get_ydata(), own)
    np.testing.assert_allclose(lines["random start (1 of 3 void)"].get_ydata(), 0.95 * own)


def test_a_graph_of_many_reactions_shows_the_strongest():
    text = "\n".join(f"A{i} -> A{i + 1} @ {i + 1}" for i in range(30))
    network = parse(text)
    weights = np.arange(1.0, 31.0)
    figure = plot.graph(network, weights, np.argsort(-weights).tolist())
    texts = [t.get_text() for t in figure.axes[0].texts]
    assert {str(i) for i in range(1, plot.MOST_REACTIONS + 1)} <= set(texts) and "25" not in texts


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.12345, "0.123"), (1e-5, "1e−5"), (-2.345e-7, "−2.3e−7"), (123456.0, "1.2e5"), (None, "–")],
)
def test_numbers_are_short(value, said):
    assert words.number(value) == said


def test_equations_are_those_of_the_network():
    network = parse("A + 2 B <-> 3 B @ 2, 0.5\nB -> A @ 0.25")
    c = jax.random.uniform(jax.random.key(0), (2,))
    for (_, terms), exact in zip(words.equations(network), network.production(c), strict=True):
        total = 0.0
        for sign, factor, powers in terms:
            product = np.prod([float(c["AB".index(name)]) ** int(power or 1) for name, power in powers])
            total += (-1 if sign == "−" else 1) * float(factor.replace("−", "-")) * product
        assert total == pytest.approx(float(exact))


@pytest.mark.slow
def test_a_design_without_a_target_is_drawn_as_well():
    found = made(bistable(0.5), np.outer(stripes(16, D=0.3), np.ones(4)), D=0.3)
    bare = dataclasses.replace(found, target=None, recipe=dataclasses.replace(found.recipe, target=None))
    page = report.page(shown.first_look(bare, None, 0), SPEC, 1.0)
    assert "nothing else shows it" not in page and Reader(page).tags.count("svg") >= 6


# -- guldberg verify ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "said"),
    [(None, "there is no run here"), ("discover", "only designs are verified"), ("nonsense", "unknown job 'nonsense'")],
)
def test_what_cannot_be_verified_is_told_in_one_line(tmp_path, capsys, job, said):
    if job is not None:
        spec = dataclasses.replace(SPEC, job=job, inputs=())
        (tmp_path / "spec.toml").write_text(spec.text())
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(tmp_path)])
    told = capsys.readouterr()
    assert stop.value.code == 2 and said in told.err and told.err.count("\n") == 1 and told.out == ""
