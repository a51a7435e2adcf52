"""What was asked of `guldberg design` becomes a recipe here; below there are no strings to interpret."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import guldberg
from guldberg.app import spec as specs
from guldberg.app.design import memory, target
from guldberg.design import chemistry
from guldberg.design.job import Design
from guldberg.design.presets import PRESETS, Preset
from guldberg.design.recipe import Recipe
from guldberg.errors import InputError

PORTRAIT = Path(guldberg.__file__).parent / "data" / "portrait.png"
REACTIONS = {"gs": chemistry.gray_scott_like, "sink": chemistry.kitchen_sink, "full": chemistry.full}
MOST_SPECIES = 64
KEYS = {"preset": str, "updates": int, "target": dict, "options": dict}  # of a spec


def asked(spec: str, picture: Path | None, updates: int | None) -> tuple[dict[str, Any], list[Path]]:
    """The options a run keeps, and its input files. `spec` is a preset by name, or a file in TOML: `preset` and
    `updates`, a table [target] with `picture` and `species`, and a table [options] of what the preset takes. What was
    typed goes before what the file says."""
    options: dict[str, Any] = {"preset": spec} if spec in PRESETS else _read(Path(spec))
    if updates is not None:
        options["updates"] = updates
    named = options.get("target", {}).pop("picture", None)
    if picture is None and named is not None:
        picture = Path(spec).parent / named
    preset = _preset(options, spec)
    if picture is not None and not preset.picture:
        raise InputError(f"{options['preset']} takes no picture", file="--target")
    wanted = PORTRAIT if picture is None else picture
    return options, [wanted] if preset.picture else []


def design(options: Mapping[str, Any], inputs: Sequence[Path]) -> Design:
    """The job. InputError where an option is unknown or impossible, or T is too long for the memory there is."""
    recipe = _recipe(_preset(options, "spec"), options, inputs)
    if "updates" in options:
        recipe = recipe.within(_positive("updates", options["updates"]))
    job = Design(recipe)
    memory.check(job)
    return job


def _read(path: Path) -> dict[str, Any]:
    if not path.exists() and not path.suffix:
        raise InputError(f"no preset and no file is called {str(path)!r}; presets: {', '.join(PRESETS)}")
    options = specs.load(path)
    for key, value in options.items():
        if key not in KEYS or not isinstance(value, KEYS[key]):
            names = ", ".join(f"{name} ({kind.__name__})" for name, kind in KEYS.items())
            raise InputError(f"{key} = {value!r}: expected {names}", file=str(path))
    unknown = set(options.get("target", {})) - {"picture", "species"}
    if unknown:
        raise InputError(f"unknown {min(unknown)!r} in [target]; it has picture, species", file=str(path))
    return options


def _preset(options: Mapping[str, Any], where: str) -> Preset:
    name = options.get("preset", "pattern")
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}", file=where)
    return PRESETS[name]


def _recipe(preset: Preset, options: Mapping[str, Any], inputs: Sequence[Path]) -> Recipe:
    given = _known(preset, dict(options.get("options", {})))
    if _positive("species", given.get("species", 1)) > MOST_SPECIES:
        raise InputError(f"species: expected at most {MOST_SPECIES}, got {given['species']}", file="[options]")
    if "reactions" in given:
        given["reactions"] = _chosen("reactions", given["reactions"], REACTIONS)
    if preset.picture:
        shape = _shape(given.pop("shape", (64, 64)))
        shown = _shown(options.get("target", {}), _positive("species", given.get("species", 4)))
        given["picture"] = target.read(inputs[0], shape, shown)
    try:
        return preset.make(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"the options cannot be used: {error}", file="[options]") from error


def _known(preset: Preset, given: dict[str, Any]) -> dict[str, Any]:
    known = {"shape"} if preset.picture else set()
    known |= set(inspect.signature(preset.make).parameters) - {"picture"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(f"unknown option {unknown[0]!r}; there are {', '.join(sorted(known))}", file="[options]")
    return given


def _chosen(name: str, key: Any, among: Mapping[str, Any]) -> Any:
    if key not in among:
        raise InputError(f"{name}: expected one of {', '.join(among)}, got {key!r}", file="[options]")
    return among[key]


def _positive(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise InputError(f"{name}: expected a whole number from 1, got {value!r}", file="[options]")
    return value


def _shape(value: Any) -> tuple[int, int]:
    sizes = [_positive("shape", n) for n in value] if isinstance(value, list | tuple) else []
    if len(sizes) != 2 or min(sizes) < 4 or max(sizes) > 2048:
        raise InputError(f"shape: expected two sizes from 4 to 2048, as [64, 64], got {value!r}", file="[options]")
    return sizes[0], sizes[1]


def _shown(table: Mapping[str, Any], species: int) -> int:
    """Which species the picture is of, by its number or its name: X0, X1, ..."""
    names = [f"X{i}" for i in range(species)]
    asked = table.get("species", min(1, species - 1))
    name = f"X{asked}" if type(asked) is int else asked
    if name not in names:
        raise InputError(f"unknown species {asked!r}; there are {', '.join(names)}", file="[target]")
    return names.index(name)
