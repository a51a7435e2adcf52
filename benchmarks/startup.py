"""Whole commands, as a user waits for them: cold processes, compiled code already on disk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from guldberg.app import datasets
from guldberg.app.tables import write_experiments


def command(seeds: int | None) -> None:
    """`guldberg --help`; `guldberg discover` of hydrogen (derivatives) and carotenoid data, to the report."""
    guldberg = Path(sys.executable).parent / "guldberg"
    with tempfile.TemporaryDirectory() as folder:
        hydrogen = Path(folder) / "hydrogen.csv"
        write_experiments(datasets.hydrogen(derivative_noise=1e-3), hydrogen)
        carotenoid = [str(datasets.path("carotenoid")), "--max-order", "1", "--scale", "3,6"]
        for name, arguments in (
            ("--help", ["--help"]),
            ("discover hydrogen (derivatives)", ["discover", str(hydrogen)]),
            ("discover carotenoid", ["discover", *carotenoid]),
        ):
            times = [_once([str(guldberg), *arguments], Path(folder), i) for i in range(1 + (seeds or 5))]
            print(f"guldberg {name:34s} {np.median(times[1:]):.2f} s (median of {len(times) - 1} after a warm-up)")


def _once(command: list[str], folder: Path, number: int) -> float:
    if command[1] == "discover":
        command = [*command, "--quiet", "--out", str(folder / f"{Path(command[2]).stem}-{number}")]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


ALL: dict[str, Callable[[int | None], None]] = {"command": command}
