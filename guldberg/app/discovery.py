"""The job discover, as a run needs it: from the options of a spec and its input files to a job, and its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from guldberg import discover
from guldberg.app import options as read
from guldberg.app import report, results
from guldberg.app.runs import Kind
from guldberg.app.tables import read_experiments
from guldberg.discover.freezing import Freezing
from guldberg.errors import InputError
from guldberg.experiments import Experiments

Options = Mapping[str, Any]  # as typed: text, numbers and lists of them; what was not asked is absent


FREEZE = ("reactions", "starts", "epochs")  # options of `--method freeze` alone
SEARCH = (
    "profiles",
    "resamples",
    "max_order",
    "catalysts",
    "require",
    "forbid",
    "law",
    "detailed_balance",
)  # of the default method alone


def discovery(options: Options, inputs: Sequence[Path]) -> discover.Discovery | Freezing:
    """The job of `guldberg discover`. InputError where the data or an option cannot be used."""
    freeze = options.get("method") == "freeze"
    strange = [f"--{name.replace('_', '-')}" for name in (SEARCH if freeze else FREEZE) if name in options]
    if strange:
        raise InputError(f"{', '.join(strange)}: not with --method {'freeze' if freeze else 'search'}")
    data = experiments(options, inputs)
    if freeze:
        return _freezing(data, options)
    return discover.Discovery(
        data,
        discover.Options(
            max_order=options.get("max_order", 2),
            profiles=options.get("profiles", False),
            resamples=options.get("resamples", 0),
            catalysts=options.get("catalysts", True),
            require=_reactions("require", options, data.species),
            forbid=_reactions("forbid", options, data.species),
            laws=tuple(read.law("--law", typed, data.species) for typed in options.get("law", ())),
            detailed_balance=options.get("detailed_balance", False),
        ),
        _first_look,
    )


def _freezing(data: Experiments, options: Options) -> Freezing:
    if "reactions" not in options:
        raise InputError("--method freeze needs to know how many reactions to learn: give --reactions N")
    return Freezing(data, **{name: options[name] for name in FREEZE if name in options})


def _first_look(data: Experiments) -> tuple[str, ...]:
    from guldberg.app.look import look  # its imports are not needed to read options

    return look(data).warnings


def experiments(options: Options, inputs: Sequence[Path]) -> Experiments:
    """The tables, with what the options know beyond them: further species, amounts, factors on the rates, noise."""
    data = read_experiments(inputs)
    for typed in options.get("unmeasured", ()):
        data = _told("--unmeasured", data.with_species, read.names(typed))
    for typed in options.get("initial", ()):
        data = data.with_initial(read.amounts("--initial", typed, data.species))
    for typed in options.get("scale", ()):
        data = _told("--scale", data.with_scale, read.names(typed))
    if "noise" in options:
        data = _with_sd(data, read.deviations("--noise", options["noise"], data.species))
    return data


def _reactions(option: str, options: Options, species: Sequence[str]) -> tuple[read.Reaction, ...]:
    return tuple(way for typed in options.get(option, ()) for way in read.reactions(f"--{option}", typed, species))


def _told(option: str, change: Any, names: tuple[str, ...]) -> Experiments:
    try:
        return change(names)
    except ValueError as error:
        raise InputError(str(error), file=option) from error


def _with_sd(data: Experiments, sd: Float[np.ndarray, "species"]) -> Experiments:
    """`sd` wherever the table gives none."""
    runs = (dataclasses.replace(run, sd=np.where(np.isnan(run.sd), sd, run.sd)) for run in data.runs)
    return dataclasses.replace(data, runs=tuple(runs))


def _slow_start() -> str:
    from guldberg import stiff

    return "" if stiff.compiled_before() else "compiling the integrator, once on this machine (some ten seconds) ..."


KIND = Kind(discovery, results.write, report.page, results.summary, _slow_start)
