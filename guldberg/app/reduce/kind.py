"""The job reduce, as a run needs it: from the options of a spec and its input files to a job, and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg.app.reduce import lattices, moments, report, results
from guldberg.app.reduce.front import report as front_report
from guldberg.app.reduce.front import results as front_results
from guldberg.app.reduce.front import simulate as front
from guldberg.app.reduce.pairs import report as pairs_report
from guldberg.app.reduce.pairs import results as pairs_results
from guldberg.app.reduce.pairs.simulate import Chains, Pairs
from guldberg.app.reduce.space import report as space_report
from guldberg.app.reduce.space import results as space_results
from guldberg.app.reduce.space.simulate import Particles, rules
from guldberg.app.reduce.spec import plan
from guldberg.app.runs import Kind
from guldberg.app.spec import Spec
from guldberg.learn import fit
from guldberg.reduce.box import BoxReduction
from guldberg.reduce.front.job import FrontReduction
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.front.result import FrontReduced
from guldberg.reduce.job import ChainReduction
from guldberg.reduce.pairs.job import PairReduction
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.pairs.result import PairReduced
from guldberg.reduce.plan import ChainPlan, Plan
from guldberg.reduce.result import Reduced
from guldberg.reduce.space.job import SpaceReduction
from guldberg.reduce.space.plan import SpacePlan
from guldberg.reduce.space.result import SpaceReduced

AnyReduced = Reduced | SpaceReduced | PairReduced | FrontReduced


def reduction(options: Mapping[str, Any], inputs: Sequence[Path]) -> fit.Job[Any, Any]:
    """The job of `guldberg reduce`. InputError where the spec cannot be followed."""
    asked = plan(options, inputs)
    if isinstance(asked, SpacePlan):
        rules(asked.box)
        return SpaceReduction(asked, Particles(asked.box, asked.cells))
    if isinstance(asked, PairPlan):
        rules(asked.box)
        return PairReduction(asked, Pairs(asked.box, asked.distances), Chains(asked.box, asked.distances))
    if isinstance(asked, FrontPlan):
        rules(asked.box)
        return FrontReduction(asked, front.Clouds(asked.box, asked.line), front.Chains(asked.line))
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


def write(folder: Path, found: AnyReduced, spec: Spec, seconds: float) -> None:
    """Every file of a finished reduction; `result.json` last."""
    _home(found)[0].write(folder, found, spec, seconds)


def page(found: AnyReduced, spec: Spec, seconds: float) -> str:
    """`report.html`."""
    return _home(found)[1].page(found, spec, seconds)


def summary(found: AnyReduced) -> str:
    """For the terminal."""
    return _home(found)[0].summary(found)


def _home(found: AnyReduced) -> tuple[Any, Any]:
    """The modules of its results and of its page."""
    if isinstance(found, SpaceReduced):
        return space_results, space_report
    if isinstance(found, FrontReduced):
        return front_results, front_report
    return (pairs_results, pairs_report) if isinstance(found, PairReduced) else (results, report)


KIND = Kind(reduction, write, page, summary)
