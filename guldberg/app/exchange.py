"""What was simulated, out: a CSV table that `guldberg discover` reads, NetCDF that xarray reads, pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray

from guldberg import text
from guldberg.app import netcdf
from guldberg.app.options import ANTIMONY, SBML
from guldberg.app.tables import write_experiments
from guldberg.errors import InputError
from guldberg.experiments import Experiments
from guldberg.text import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_out(path: Path, endings: Sequence[str]) -> None:
    """InputError unless a file of a known kind can be written at `path`: before the work, not after it."""
    if path.suffix not in endings:
        raise InputError(f"expected a file name that ends in {' or '.join(endings)}", file=str(path))
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError("expected a file name in a folder that exists and can be written to", file=str(path))


def write(path: Path, table: Experiments, dataset: xarray.Dataset) -> None:
    """One or the other to `path`, as its ending says."""
    if path.suffix == ".nc":
        packed = {
            name: {"zlib": True, "complevel": 4} for name in dataset.data_vars if dataset[name].dtype.kind in "fi"
        }
        netcdf.write(path, dataset, packed)
    else:
        _whole(path, lambda part: write_experiments(table, part))


def write_network(path: Path, model: Model, temperature: float | None) -> None:
    """As SBML, Antimony or our text, as the ending says; the first two hold constants at `temperature`."""
    if path.suffix in SBML:
        from guldberg.app.sbml import writing

        written = writing.write(model, str(path), temperature)
    elif path.suffix == ANTIMONY:
        from guldberg.app import antimony

        written = antimony.write(model, str(path), temperature)
    else:
        written = text.format(model.network, model.initial)
    _whole(path, lambda part: part.write_text(written, encoding="utf-8"))


def write_picture(path: Path, figure: Figure) -> None:
    """As PNG, SVG or PDF."""
    _whole(path, lambda part: figure.savefig(part, dpi=150))


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """The file appears whole or not at all."""
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
