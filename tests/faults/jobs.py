"""A small one of each job, as the command line does it, and what it computed, to the bit."""

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

COMMAND = str(Path(sysconfig.get_path("scripts")) / "guldberg")
DATA = Path(__file__).parents[2] / "guldberg" / "data"
DESIGN = """preset = "pattern"
[options]
species = 3
shape = [16, 16]
horizons = [8, 16]
updates = [700, 700]
rates = [2e-2, 1e-2]
"""
REDUCE = """preset = "annihilation"
steps = 12
[lattice]
size = [60]
[starts]
number = 8
lattices = 20
held_out = 3
truth = 16
outside = 2
"""


@dataclasses.dataclass(frozen=True)
class Small:
    """A command with its input files."""

    words: tuple[str, ...]
    files: dict[str, bytes]

    def command(self, folder: Path, out: Path) -> list[str]:
        """Its input files in `folder`, its run in `out`."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return [
            COMMAND,
            *(str(folder / word) if word in self.files else word for word in self.words),
            "--out",
            str(out),
        ]


JOBS = {
    "discover": Small(
        ("discover", "carotenoid.csv", "--max-order", "1"),
        {"carotenoid.csv": (DATA / "carotenoid.csv").read_bytes()},
    ),
    "design": Small(("design", "small.toml"), {"small.toml": DESIGN.encode()}),
    "reduce": Small(("reduce", "small.toml"), {"small.toml": REDUCE.encode()}),
}


def begun(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """The command as a process that hears Ctrl-C, whatever started the tests."""
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **({"preexec_fn": heard, "env": os.environ | {"OPENBLAS_NUM_THREADS": "1"}} | options),
    )


def bits(folder: Path) -> dict[str, Any]:
    """All that the run found, but how long it took and where it was made."""
    found = timeless(json.loads((folder / "result.json").read_text()))
    found.pop("provenance")
    found["network.crn"] = (folder / "network.crn").read_text()
    found["steps"] = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return found


def timeless(table: Any) -> Any:
    """Without the entries that are times of a clock."""
    if isinstance(table, dict):
        return {key: timeless(value) for key, value in table.items() if not key.startswith("seconds")}
    return [timeless(item) for item in table] if isinstance(table, list) else table
