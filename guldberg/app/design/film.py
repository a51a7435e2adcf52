"""The states of a design as time passes: kept in `fields.nc`, shown as frames, a strip and an animation."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, UInt8
from PIL import Image

from guldberg.app import facts, netcdf
from guldberg.app.spec import Spec
from guldberg.design import trials
from guldberg.design.result import Designed

FRAME_TIME = 100  # milliseconds

Frames = Float[np.ndarray, "times species *grid"]
Colours = UInt8[np.ndarray, "times rows columns 3"]


@dataclasses.dataclass(frozen=True)
class Film:
    """States at times in seconds; the first is X_0."""

    times: Float[np.ndarray, "times"]
    states: Frames
    shown: int  # how many of them lie between 0 and T, at equal distances


class Projection(NamedTuple):
    """Red, green and blue as weighted sums of concentrations, the ends of their scales (all but the outermost
    thousandth of the values), and the share of the variance that each principal component explains."""

    weights: Float[np.ndarray, "3 species"]
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    explained: tuple[float, ...]


class Principal(NamedTuple):
    """Frames in the colours of their principal components, and the share of the variance that red, green and blue
    explain."""

    colours: Colours
    explained: tuple[float, ...]


def film(designed: Designed) -> Film:
    """The design as designed, followed to ten times its horizon or 1000 s."""
    early, course = trials.even(designed), trials.course(designed)
    kept = np.isin(course.times, early) | (course.times > designed.horizon)
    return Film(course.times[kept], np.asarray(course.states)[kept], len(early))


def beginning(designed: Designed) -> Film:
    """X_0 alone."""
    return Film(np.zeros(1), designed.c0[None], 1)


def dataset(designed: Designed, shown: Film, spec: Spec) -> xr.Dataset:
    """`fields.nc`: concentrations by time, species and place; X_0 is the first time."""
    axes = "zyx"[-len(designed.grid.shape) :]
    centres = zip(axes, designed.grid.shape, designed.grid.spacing, strict=True)
    coordinates = {
        "time": ("time", shown.times, {"units": "s"}),
        "species": list(designed.network.species),
        **{axis: (axis, (np.arange(n) + 0.5) * h, {"units": "cells", "long_name": axis}) for axis, n, h in centres},
    }
    of_species = {
        "diffusivity": ("species", np.asarray(designed.system.diffusivity), {"units": "cells^2 / s"}),
    }
    c = (("time", "species", *axes), shown.states, {"units": "1", "long_name": "concentration, arbitrary unit"})
    data: dict = {"concentration": c, **of_species}
    if designed.target is not None:
        data["target"] = (tuple(axes), designed.target.concentration, {"long_name": "what one species is to look like"})
    kept = facts.attributes(spec, designed.network) | {"horizon_s": designed.horizon, "behaviour": designed.behaviour}
    return xr.Dataset(data, coordinates, kept)


def save(path: Path, table: xr.Dataset) -> None:
    """As NetCDF4, compressed, whole or not at all."""
    packed = {name: {"zlib": True, "complevel": 4} for name in table.data_vars if table[name].ndim > 2}
    netcdf.write(path, table, packed)


def load(path: Path, designed: Designed) -> Film:
    """What `save` kept. ValueError or OSError where the file is damaged or of another design."""
    with xr.open_dataset(path, engine="h5netcdf") as table:
        times, states = table["time"].values, table["concentration"].values
    if states.shape[1:] != designed.c0.shape:
        raise ValueError(f"{path} holds fields of shape {states.shape[1:]}, the design has {designed.c0.shape}")
    return Film(times, states, int((times <= designed.horizon * (1 + 1e-9)).sum()))


def flat(states: Frames) -> Float[np.ndarray, "times species rows columns"]:
    """As pictures: of three dimensions the plane in the middle, of one a band."""
    axes = states.ndim - 2
    if axes == 3:
        return states[:, :, states.shape[2] // 2]
    return np.repeat(states[:, :, None], max(1, states.shape[2] // 8), axis=2) if axes == 1 else states


def projection(states: Frames) -> Projection:
    """The three directions in which concentrations vary most over cells and times; the first is green, since the eye
    sees differences in it best, then red and blue."""
    values = np.moveaxis(states, 1, -1).reshape(-1, states.shape[1]).astype(float)
    centred = values - values.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred.T @ centred)
    axes = axes[:3] * np.where(axes[:3].sum(axis=1) < 0, -1.0, 1.0)[:, None]  # up is more, where that can be said
    weights = np.zeros((3, len(sizes)))
    weights[[1, 0, 2][: len(axes)]] = axes
    low, high = np.quantile(values @ weights.T, [0.001, 0.999], axis=0)
    shares = tuple((sizes[:3] / max(sizes.sum(), 1e-300)).tolist())
    return Projection(weights, low, np.maximum(high, low + 1e-12), shares)


def principal(states: Frames) -> Principal:
    """Frames in the colours of their principal components, all in one scale of time."""
    pictures = flat(states)
    weights, low, high, shares = projection(pictures)
    along = np.clip((np.moveaxis(pictures, 1, -1).astype(float) @ weights.T - low) / (high - low), 0, 1)
    return Principal((255 * along).astype(np.uint8), shares)


def single(states: Frames, species: int) -> tuple[Float[np.ndarray, "times rows columns"], float, float]:
    """One species, and the range of its colours: all but the outermost thousandth of the values."""
    pictures = flat(states)[:, species].astype(float)
    low, high = np.quantile(pictures, [0.001, 0.999])
    return pictures, float(low), float(max(high, low + 1e-9))


def gif(colours: Colours, *, pixels: int = 1) -> bytes:
    """An animation that repeats; cells enlarged to whole numbers of pixels until the longer side has about `pixels`."""
    scale = max(1, round(pixels / max(colours.shape[1:3])))
    large = colours.repeat(scale, axis=1).repeat(scale, axis=2)
    frames = [Image.fromarray(frame).quantize(64, dither=Image.Dither.NONE) for frame in large]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_TIME, loop=0, optimize=True)
    return out.getvalue()


def inline(data: bytes, kind: str) -> str:
    """As an address that holds the picture itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def chosen(shown: Film, count: int) -> list[int]:
    """Frames for a strip: evenly up to T, then those nearest to 1000 s and to the end."""
    early = np.linspace(0, shown.shown - 1, count - 2).round().astype(int)
    late = [int(np.argmin(np.abs(shown.times - t))) for t in (trials.LONG, shown.times[-1])]
    return sorted({*early.tolist(), *late})
