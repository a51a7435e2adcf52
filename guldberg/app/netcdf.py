"""NetCDF files: whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from guldberg.app.checkpoints import write_whole


def write(path: Path, table: xr.Dataset, encoding: Mapping[Any, Any] | None = None) -> None:
    """Made in memory and written in one piece: HDF5 writing to a disk that is full takes the process with it."""
    write_whole(path, bytes(table.to_netcdf(None, engine="h5netcdf", encoding=encoding)))
