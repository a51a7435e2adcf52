"""What every reduction writes: its files and its page."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from markupsafe import Markup

from guldberg.app import facts, netcdf
from guldberg.app.checkpoints import write_whole
from guldberg.app.pages import PAGES, Picture
from guldberg.app.spec import Spec
from guldberg.app.style import svg
from guldberg.network import ReactionNetwork
from guldberg.text import format


def write(
    folder: Path, network: ReactionNetwork, dataset: xr.Dataset, page: str, table: dict[str, Any], spec: Spec
) -> None:
    """Every file of a finished reduction; `result.json` last, since it is the sign that the run is finished."""
    write_whole(folder / "network.crn", format(network).encode() + b"\n")
    netcdf.write(folder / "trajectories.nc", dataset.assign_attrs(facts.attributes(spec, network)))
    write_whole(folder / "report.html", page.encode())
    write_whole(folder / "result.json", facts.written(table))


def page(template: str, found: Any, network: ReactionNetwork, spec: Spec, seconds: float, **more: Any) -> str:
    """One page that needs nothing else. What comes from files is escaped; only our own drawings are markup."""
    return PAGES.get_template(template).render(
        found=found,
        spec=spec,
        seconds=seconds,
        version=importlib.metadata.version("guldberg"),
        network=format(network),
        equations=network.equations(),
        **more,
    )


def shown(times: Float[np.ndarray, "times"], most: int) -> Int[np.ndarray, "shown"]:
    """Which of many times a table has: so many at most, evenly from the first to the last."""
    return np.unique(np.linspace(0, len(times) - 1, most).astype(int))


def pictures(plot: ModuleType, found: Any, captions: Mapping[str, str]) -> dict[str, Picture]:
    """The figures that functions of `plot` draw, by their names."""
    return {name: Picture(Markup(svg(getattr(plot, name)(found), name)), text) for name, text in captions.items()}
