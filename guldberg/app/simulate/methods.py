"""The methods by name; one is imported when it is first asked for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from guldberg.app.simulate.asked import Asked, Simulated
from guldberg.errors import InputError


def run(method: str, asked: Asked, typed: Mapping[str, Any], note: Callable[[str], None]) -> Simulated:
    """Simulate by `method` with the options that were `typed`. InputError for one that is not of this method."""
    simulate = importlib.import_module(f"guldberg.app.simulate.{method}").run
    own = inspect.signature(simulate).parameters
    for name in typed:
        if name not in own:
            raise InputError(f"this option does not belong to --method {method}", file=f"--{name}")
    return simulate(asked, note, **typed)
