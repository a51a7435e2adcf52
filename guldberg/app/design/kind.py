"""The job design, as a run needs it."""

from __future__ import annotations

from guldberg.app.design import results, spec
from guldberg.app.runs import Kind


def _slow_start() -> str:
    return "compiling the rollout and its gradient (some ten seconds) ..."


KIND = Kind(spec.design, results.write, results.page, results.summary, _slow_start)
