"""Trajectories that a user brings: mean counts of 1, 2, 3 and 4 particles in a row, of chains from several starts.

NPZ and NetCDF hold one array `moments` (starts, steps, 4). A CSV has a row for each start and step,

    start,step,n1,n2,n3,n4

in any order, every start with the same steps 0, 1, 2, ...
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float

from guldberg.app.cells import numbers, read_cells
from guldberg.app.columns import Column
from guldberg.errors import InputError
from guldberg.reduce.plan import ChainPlan

COLUMNS = ("start", "step", "n1", "n2", "n3", "n4")
FEWEST_STARTS, FEWEST_STEPS = 6, 10


def brought(inputs: Sequence[Path], plan: ChainPlan) -> Float[np.ndarray, "starts times 4"] | None:
    """The moments among the inputs of a run; None if there are none. InputError where they cannot be moments."""
    if len(inputs) < 2:
        return None
    path = inputs[1]
    if not path.exists():
        raise InputError("no such file; it is named by [data] moments", file=str(path))
    readers = {".npz": _npz, ".nc": _netcdf, ".csv": _csv}
    if path.suffix not in readers:
        raise InputError(f"expected moments as {', '.join(readers)}, got {path.suffix!r}", file=str(path))
    moments = readers[path.suffix](path)
    _check(moments, plan, str(path))
    return moments


def fitting(plan: ChainPlan, moments: Float[np.ndarray, "starts times 4"] | None) -> ChainPlan:
    """The plan with as many starts and steps as were brought, a fifth of the starts held out."""
    if moments is None:
        return plan
    if plan.recipe:
        raise InputError("[compare] recipe: Algorithm 1 needs whole lattices; moments were brought in their place")
    held = max(2, len(moments) // 5)
    sizes = {"starts": len(moments) - held, "held_out": held, "steps": moments.shape[1] - 1}
    return dataclasses.replace(plan, **sizes, outside=0)


def _npz(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            return _numbers(file["moments"], str(path))
    except KeyError:
        raise InputError("expected an array named 'moments' (starts, steps, 4)", file=str(path)) from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"not an NPZ file of arrays: {error}", file=str(path)) from None


def _netcdf(path: Path) -> np.ndarray:
    try:
        with xr.open_dataset(path, engine="h5netcdf") as file:
            return _numbers(file["moments"].values, str(path))
    except KeyError:
        raise InputError("expected a variable named 'moments' (starts, steps, 4)", file=str(path)) from None
    except (OSError, ValueError) as error:
        raise InputError(f"not a NetCDF file: {error}", file=str(path)) from None


def _csv(path: Path) -> np.ndarray:
    cells = read_cells(path)
    header = [cell.strip() for cell in cells.header]
    if sorted(header) != sorted(COLUMNS):
        raise InputError(f"expected the columns {', '.join(COLUMNS)}, got {', '.join(header)}", file=str(path), line=1)
    for row, record in enumerate(cells.rows):
        if len(record) != len(header):
            raise cells.fail(f"{len(record)} cells, the header has {len(header)}", row)
    columns = {name: Column(header.index(name) + 1, name, "amount") for name in COLUMNS}
    values = numbers(cells, columns.values())
    table = np.stack([values[columns[name].number] for name in COLUMNS], axis=1)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    starts, sizes = np.unique(table[:, 0], return_counts=True)
    steps = np.tile(np.arange(sizes[0]), len(starts))
    if len(set(sizes)) > 1 or not np.array_equal(table[:, 1], steps):
        raise InputError("every start needs a row for each of the same steps 0, 1, 2, ...", file=str(path))
    return table[:, 2:].reshape(len(starts), sizes[0], 4)


def _numbers(array: np.ndarray, file: str) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise InputError(f"moments are {array.dtype}; expected numbers", file=file)
    return array.astype(float)


def _check(moments: np.ndarray, plan: ChainPlan, file: str) -> None:
    if moments.ndim != 3 or moments.shape[2] != 4:
        raise InputError(f"moments of shape {moments.shape}; expected (starts, steps, 4)", file=file)
    starts, times, _ = moments.shape
    if starts < FEWEST_STARTS or times <= FEWEST_STEPS:
        raise InputError(
            f"{starts} starts of {times} steps; expected at least {FEWEST_STARTS} of {FEWEST_STEPS + 1}", file=file
        )
    if not np.isfinite(moments).all():
        start, step, order = np.argwhere(~np.isfinite(moments))[0]
        raise InputError(
            f"start {start}, step {step}: moment {order + 1} is not finite; expected mean counts", file=file
        )
    if (moments < 0).any() or (moments[..., 0] > plan.lattice.sites).any():
        raise InputError(f"mean counts must lie between 0 and the {plan.lattice.sites} sites of the chain", file=file)
    if (np.diff(moments, axis=2) > 1e-9).any():
        start, step, order = np.argwhere(np.diff(moments, axis=2) > 1e-9)[0]
        raise InputError(
            f"start {start}, step {step}: more runs of {order + 2} particles than of {order + 1}; "
            f"expected counts of 1, 2, 3, 4 in a row",
            file=file,
        )
