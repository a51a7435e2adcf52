"""What every page of a run shares: the environment of its template, and pictures with captions."""

from __future__ import annotations

import dataclasses

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

PAGES = Environment(
    loader=PackageLoader("guldberg.app"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing with what it shows."""

    drawing: Markup
    caption: str
