"""The job design, as a run needs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guldberg.app import runs
from guldberg.app.design import report, results, shown, spec, words
from guldberg.app.runs import Kind
from guldberg.app.spec import Spec
from guldberg.design.prune import Pruning
from guldberg.design.result import Designed
from guldberg.design.verify import Verification, brief, longest, standard
from guldberg.learn import fit
from guldberg.learn.fit import Metrics


def _slow_start() -> str:
    return "compiling the rollout and its gradient (some ten seconds) ..."


def _beside(folder: Path, found: Designed, asked: Spec) -> shown.Shown:
    return shown.beside(folder, found, asked.seed)


def _verify(folder: Path, on_metrics: Callable[[Metrics], None], on_note: Callable[[str], None]) -> str:
    found, asked, _ = runs.reached(folder, {"design": KIND})

    def go(name: str, job: fit.Job[Any, Any]) -> Any:
        return runs.further(folder, name, job, asked.seed, command="verify", on_metrics=on_metrics, on_note=on_note)

    verdict = go(shown.VERIFICATION, Verification(found, standard(found)))
    on_note("pruning: which of the reactions matter?")
    pruned = go(shown.PRUNING, Pruning(found, longest(found, verdict.trials))).designed
    on_note(f"verifying what is left: {words.size(pruned)}")
    go(shown.SHORTER, Verification(pruned, brief(pruned)))
    seen = shown.beside(folder, found, asked.seed)
    seconds = float(json.loads((folder / "result.json").read_text())["seconds"])
    results.publish(folder, seen, asked, seconds)
    return words.verified(seen.verdict)


KIND = Kind(spec.design, results.write, report.page, results.summary, _slow_start, _beside, _verify)
