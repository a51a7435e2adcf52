"""The jobs by name, as runs need them. One is imported when it is first asked for: the others cost nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from guldberg.app.runs import Kind

_HOME = {  # each module has a KIND
    "discover": "guldberg.app.discovery",
    "petab": "guldberg.app.petab.kind",
    "design": "guldberg.app.design.kind",
    "reduce": "guldberg.app.reduce.kind",
    "simulate": "guldberg.app.simulate.kind",
}


class _Kinds(Mapping[str, Kind]):
    def __getitem__(self, job: str) -> Kind:
        return importlib.import_module(_HOME[job]).KIND

    def __iter__(self) -> Iterator[str]:
        return iter(_HOME)

    def __len__(self) -> int:
        return len(_HOME)


KINDS = _Kinds()
