"""The job reduce, as a run needs it: from the options of a spec and its input files to a job, and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg.app.reduce import lattices, moments, report, results
from guldberg.app.reduce.spec import plan
from guldberg.app.runs import Kind
from guldberg.learn import fit
from guldberg.reduce.box import BoxReduction
from guldberg.reduce.job import ChainReduction
from guldberg.reduce.plan import ChainPlan, Plan


def reduction(options: Mapping[str, Any], inputs: Sequence[Path]) -> fit.Job[Any, Any]:
    """The job of `guldberg reduce`. InputError where the spec cannot be followed."""
    asked = plan(options, inputs)
    lattices.rules(asked.lattice)  # what cannot happen on a lattice is told before anything is written
    known = moments.brought(inputs, asked) if isinstance(asked, ChainPlan) else None
    return job_of(asked, known)


def job_of(asked: Plan, known: Float[np.ndarray, "starts times 4"] | None) -> fit.Job[Any, Any]:
    """The plan with samplers in its hands; `known` are moments that a user brought."""
    if isinstance(asked, ChainPlan):
        return ChainReduction(moments.fitting(asked, known), lattices.ChainLattices(asked.lattice), known)
    species, size = asked.lattice.network.species, asked.lattice.size
    energies = {
        "pairs of neighbours": lattices.PairChains(species, size),
        "hidden units, eq. (44)": lattices.HiddenChains(species, size, full=False),
        "hidden units, all weights": lattices.HiddenChains(species, size, full=True),
    }
    return BoxReduction(asked, lattices.BoxLattices(asked.lattice), energies)


KIND = Kind(reduction, results.write, report.page, results.summary)
