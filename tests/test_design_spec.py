"""What is asked of `guldberg design`: pictures of any kind, specs, and one line for what cannot be used."""

import dataclasses

import jax
import numpy as np
import pytest
from PIL import Image

from guldberg.app.cli import cli
from guldberg.app.design import memory, spec, target
from guldberg.design.presets import PRESETS
from guldberg.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (16, 16)).astype(np.uint8)


def normalised(grey):
    grey = np.asarray(grey, float)
    return (1 + np.maximum((grey - grey.mean()) / grey.std(), -1)) / 2


def saved(tmp_path, picture, name="p.png", **kwargs):
    picture.save(tmp_path / name, **kwargs)
    return tmp_path / name


def test_a_picture_of_the_right_size_is_normalised_and_clipped(tmp_path):
    found = target.read(saved(tmp_path, Image.fromarray(GREY)), (16, 16), 1)
    assert np.allclose(found.concentration, normalised(GREY), atol=1e-6) and found.concentration.min() == 0
    assert (found.species, found.name) == (1, "p.png")


@pytest.mark.parametrize(
    "mode, name", [("RGB", "p.jpg"), ("P", "p.gif"), ("1", "p.png"), ("I;16", "p.png"), ("RGBA", "p.webp")]
)
def test_any_mode_and_format_gives_the_same_picture(tmp_path, mode, name):
    y, x = np.mgrid[0:64, 0:96]
    grey = 120 + 100 * np.sin(x / 9) * np.cos(y / 9)
    whole = Image.fromarray(grey.astype(np.uint8))
    made = Image.fromarray((grey * 256).astype(np.uint16)) if mode == "I;16" else whole.convert(mode)
    found = target.read(saved(tmp_path, made, name), (16, 16), 0).concentration
    middle = normalised(np.asarray(whole.crop((16, 0, 80, 64)).resize((16, 16), Image.Resampling.BICUBIC), float))
    assert found.shape == (16, 16) and np.corrcoef(found.ravel(), middle.ravel())[0, 1] > 0.97


def test_what_is_transparent_is_white(tmp_path):
    rgba = np.zeros((16, 16, 4), np.uint8)  # black, but transparent on the left
    rgba[:, 8:, 3] = 255
    found = target.read(saved(tmp_path, Image.fromarray(rgba, "RGBA")), (16, 16), 0).concentration
    assert found[:, :7].min() > found[:, 9:].max()


def broken(tmp_path, name):
    path = tmp_path / name
    if name == "flat.png":
        Image.new("L", (20, 20), 77).save(path)
    elif name == "text.png":
        path.write_text("this is not a picture")
    elif name == "cut.png":
        whole = saved(tmp_path, Image.fromarray(RNG.integers(0, 256, (64, 64)).astype(np.uint8)), "whole.png")
        path.write_bytes(whole.read_bytes()[:1500])
    elif name == "dot.png":
        Image.new("L", (1, 1)).save(path)
    return path


@pytest.mark.parametrize(
    "name, said",
    [
        ("flat.png", "the same everywhere"),
        ("dot.png", "the same everywhere"),
        ("text.png", "not a picture that can be read"),
        ("cut.png", "is damaged"),
    ],
)
def test_pictures_that_cannot_be_used_are_told_in_one_line(tmp_path, name, said):
    path = broken(tmp_path, name)
    with pytest.raises(InputError, match=said) as told:
        target.read(path, (64, 64), 0)
    assert str(told.value).startswith(f"{path}: ") and "\n" not in str(told.value)


def test_a_picture_that_is_not_there_is_an_operating_system_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        target.read(tmp_path / "nothing.png", (8, 8), 0)


def asked(tmp_path, text):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    return spec.asked(str(path), None, None)


def test_a_spec_becomes_a_recipe(tmp_path):
    saved(tmp_path, Image.fromarray(GREY), "leaf.png")
    text = """
        preset = "pattern"
        updates = 30
        [target]
        picture = "leaf.png"
        species = "X2"
        [options]
        species = 5
        shape = [8, 12]
        reactions = "full"
        horizons = [4, 8, 16]
        updates = [100, 100, 100]
    """
    options, inputs = asked(tmp_path, text)
    assert inputs == [tmp_path / "leaf.png"]
    recipe = spec.design(options, inputs).recipe
    assert recipe.target.species == 2 and recipe.target.concentration.shape == (8, 12)
    assert [(stage.horizon, stage.updates) for stage in recipe.stages] == [(4, 10), (8, 10), (16, 10)]
    medium = spec.design(options, inputs).skeleton(0, 0).medium
    assert len(medium.species) == 5 and len(medium.network.reactants) == 60


def test_what_is_typed_goes_before_what_the_file_says(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text('updates = 30\n[target]\npicture = "leaf.png"')
    options, inputs = spec.asked(str(path), tmp_path / "other.png", 50)
    assert options["updates"] == 50 and inputs == [tmp_path / "other.png"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("preset = 3", "preset = 3: expected preset"),
        ('preset = "patern"', "unknown preset 'patern'; there are pattern"),
        ("speed = 3", "speed = 3: expected"),
        ("updates = 'many'", "updates = 'many'"),
        ("updates = 0", "updates: expected a whole number from 1, got 0"),
        ("= 3", "not a spec in TOML"),
        ("[target]\ncolour = 1", "unknown 'colour'"),
        ("[target]\nspecies = 'X4'", "unknown species 'X4'; there are X0, X1, X2, X3"),
        ("[target]\nspecies = -1", "unknown species -1"),
        ("[options]\nspecie = 4", "unknown option 'specie'; there are horizons"),
        ("[options]\nspecies = 2.5", "species: expected a whole number from 1, got 2.5"),
        ("[options]\nreactions = 'some'", "reactions: expected one of gs, sink, full, got 'some'"),
        ("[options]\nshape = [64]", "shape: expected two sizes from 4"),
        ("[options]\nshape = [64, 100000]", "shape: expected two sizes"),
        ("[options]\nhorizons = [64]", "the options cannot be used"),
        ("[options]\nhorizons = [0]\nupdates = [5]", "T = 0"),
        ("[options]\nhorizons = [10000000]\nupdates = [5]", "GB are free: shorten T to"),
    ],
)
def test_specs_that_cannot_be_met_are_told_in_one_line(tmp_path, text, said):
    with pytest.raises(InputError) as told:
        spec.design(*asked(tmp_path, text))
    assert said in str(told.value) and "\n" not in str(told.value)


def test_no_preset_and_no_file_of_that_name():
    with pytest.raises(InputError, match="no preset and no file is called 'patern'; presets: pattern"):
        spec.asked("patern", None, None)


def test_a_preset_without_a_picture_takes_none(tmp_path):
    with pytest.raises(InputError, match="paper-3 takes no picture"):
        spec.asked("paper-3", tmp_path / "p.png", None)


def test_the_memory_estimate_grows_with_every_state_that_is_kept():
    job = spec.design({"preset": "pattern"}, [spec.PORTRAIT])
    long = dataclasses.replace(job.recipe.stages[0], horizon=100_000.0)
    longer = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, stages=(long,)))
    trajectory = 100_000 * 64 * 64 * 4 * 4 / 1e9
    assert trajectory < memory.needs(longer, 0) - memory.needs(job, 0) < 4 * trajectory


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_recipe(name):
    pictures = {"picture": target.read(spec.PORTRAIT, (64, 64), 1)} if PRESETS[name].picture else {}
    recipe = PRESETS[name].make(**pictures)
    assert recipe.behaviour and all(stage.updates > 0 and stage.steps > 0 for stage in recipe.stages)


def test_the_help_names_every_preset():
    assert all(name in (cli.commands["design"].help or "") for name in PRESETS)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_an_update(name):
    job = spec.design({"preset": name, "updates": 1}, [spec.PORTRAIT] if PRESETS[name].picture else [])
    with jax.numpy_dtype_promotion("standard"):
        _, metrics = job.step(job.init(0))
    assert np.isfinite(metrics["loss"]) and metrics["rejected"] == 0
