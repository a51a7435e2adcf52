"""What is asked of the job reduce, from a TOML file or the name of a preset, as a plan of `guldberg.reduce.plan`.

    preset = "annihilation"              # or, for a network of your own:
    reactions = "A + A -> 0 @ 0.01"      # first order: a rate; second order: the probability of a collision
    steps = 200
    rhs = "elements"                     # what d theta / dt is made of on a chain; or "polynomial", or "network"

    [lattice]
    size = [1000]                        # a chain of one species, or a box [10, 10, 10] of up to three
    sides = "open"                       # or "periodic"
    hop = 1.0                            # probability that a particle tries to hop in a step
    dt = 0.01                            # time of a step

    [starts]                             # what the lattices start from, and how many are simulated
    number = 50

    [compare]
    layers = false                       # true: hidden layers are learned as well
    recipe = false                       # true: so is the paper's Algorithm 1, one change at a time; minutes

    [data]
    moments = "moments.npz"              # trajectories you bring, in place of simulated ones

Every error names the file and the entry. A spec with a table [box] is about particles in continuous space:
`guldberg.app.reduce.space.spec`; with a table [pairs] as well, about pairs of them: `guldberg.app.reduce.pairs.spec`;
with [front], about two species that meet: `guldberg.app.reduce.front.spec`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guldberg.app import spec as specs
from guldberg.app.reduce.entries import Entries
from guldberg.app.reduce.front import spec as front
from guldberg.app.reduce.pairs import spec as pairs
from guldberg.app.reduce.space import spec as space
from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Constant
from guldberg.reduce.front.plan import FrontPlan
from guldberg.reduce.learn import FAMILIES
from guldberg.reduce.pairs.plan import PairPlan
from guldberg.reduce.plan import BoxPlan, ChainPlan, Lattice, Plan
from guldberg.reduce.space.plan import SpacePlan
from guldberg.stochastic import rules
from guldberg.text import parse


def annihilation() -> ChainPlan:
    """A + A -> 0 on a chain of 1000 sites, Ernst et al. section IV A: 50 starts in [-1, 1]^3, 50 lattices of each."""
    return ChainPlan(Lattice(rules.annihilation(), (1000,)))


def rossler() -> BoxPlan:
    """Williamowski-Rossler on 10 x 10 x 10 sites, eq. (42), from 200 particles of each species at random sites."""
    return BoxPlan(Lattice(rules.rossler(), (10, 10, 10), periodic=True), (200, 200, 200))


LATTICES: Mapping[str, Callable[[], Plan]] = {"annihilation": annihilation, "rossler": rossler}
AnyPlan = Plan | SpacePlan | PairPlan | FrontPlan
PRESETS: Mapping[str, Callable[[], AnyPlan]] = {**LATTICES, **space.PRESETS, **pairs.PRESETS, **front.PRESETS}
MOST_SITES = 1_000_000
CHAIN = {  # entry of [starts]: field of the plan, least value
    "number": ("starts", 4),
    "lattices": ("lattices", 2),
    "held_out": ("held_out", 2),
    "truth": ("truth", 2),
    "outside": ("outside", 0),
}
BOX = {
    "simulations": ("simulations", 20),
    "number": ("starts", 0),
    "number_simulations": ("start_simulations", 20),
    "number_steps": ("start_steps", 5),
    "low": ("low", 1),
    "high": ("high", 2),
    "fresh": ("fresh", 0),
    "fresh_simulations": ("fresh_simulations", 20),
}


def asked(typed: str) -> tuple[dict[str, Any], list[Path]]:
    """What was typed after `guldberg reduce`, as options and input files of a run."""
    return ({"preset": typed}, []) if typed in PRESETS else ({}, sources(Path(typed)))


def sources(path: Path) -> list[Path]:
    """The files that a run of this spec needs: itself and the trajectories that it names."""
    moments = _read(path).get("data", {})
    named = moments.get("moments") if isinstance(moments, dict) else None
    return [path, path.parent / named] if isinstance(named, str) else [path]


def plan(options: Mapping[str, Any], inputs: Sequence[Path]) -> AnyPlan:
    """What is asked: by the preset that the options name, or by the spec that is the first of the inputs."""
    if not inputs:
        return PRESETS[options["preset"]]()
    entries = Entries(str(inputs[0]), _read(inputs[0]))
    before = _preset(entries)
    if "pairs" in entries.left or isinstance(before, PairPlan):
        return pairs.plan(entries, before if isinstance(before, PairPlan) else None)
    if "front" in entries.left or isinstance(before, FrontPlan):
        return front.plan(entries, before if isinstance(before, FrontPlan) else None)
    if "box" in entries.left or isinstance(before, SpacePlan):
        return space.plan(entries, before if isinstance(before, SpacePlan) else None)
    lattice = _lattice(entries, before)
    base = _base(entries, before, lattice)
    asked = _chain(entries, base) if isinstance(base, ChainPlan) else _box(entries, base)
    entries.table("data").take("moments")
    entries.end()
    return asked


def _read(path: Path) -> dict[str, Any]:
    try:
        return specs.load(path)
    except FileNotFoundError:
        presets = " or ".join(PRESETS)
        raise InputError(f"no such file; expected a spec in TOML, or the preset {presets}", file=str(path)) from None


def _preset(entries: Entries) -> AnyPlan | None:
    name = entries.text("preset")
    if name is not None and name not in PRESETS:
        raise entries.fail("preset", f"expected {' or '.join(PRESETS)}, got {name!r}")
    return None if name is None else PRESETS[name]()


def _lattice(entries: Entries, before: Plan | None) -> Lattice:
    text, table = entries.text("reactions"), entries.table("lattice")
    if text is None and before is None:
        raise InputError('expected a preset, or reactions = "A + A -> 0 @ 0.01"', file=entries.file)
    old = before.lattice if before else Lattice(parse("A -> 0 @ 1"), (), dt=0.01)
    network = old.network if text is None else network_of(text, entries)
    lattice = Lattice(
        network,
        _size(table, old.size),
        _sides(table, old.periodic),
        table.number("hop", old.hop, lambda p: 0 < p <= 1, "a probability above 0, at most 1"),
        table.number("dt", old.dt, lambda dt: dt > 0, "a positive time of a step"),
    )
    table.end()
    return lattice


def network_of(text: str, entries: Entries) -> ReactionNetwork:
    """First and second order, plain constants: rates not negative, probabilities at most 1 for each pair together."""
    network = parse(text, file=f"{entries.file}: reactions")
    if not isinstance(network.forward, Constant) or network.reversible.any():
        raise entries.fail("reactions", "expected irreversible reactions with plain constants; write both directions")
    orders, k = np.asarray(network.reactants).sum(axis=1), np.asarray(network.forward(None))
    for equation, order, constant in zip(network.equations(), orders, k, strict=True):
        if order not in (1, 2):
            raise entries.fail("reactions", f"{equation}: expected one or two reactants on a lattice, got {order}")
        if order == 2 and constant > 1:
            raise entries.fail(
                "reactions", f"{equation}: expected the probability of a collision, at most 1, got {constant:g}"
            )
    return network


def _size(table: Entries, before: tuple[int, ...]) -> tuple[int, ...]:
    size = table.take("size", list(before) or None)
    if not isinstance(size, list) or len(size) not in (1, 3) or any(type(n) is not int or n < 4 for n in size):
        raise table.fail("size", f"expected [sites] of a chain or [x, y, z] of a box, each at least 4, got {size!r}")
    if math.prod(size) > MOST_SITES:
        raise table.fail("size", f"expected at most {MOST_SITES} sites, got {math.prod(size)}")
    return tuple(size)


def _sides(table: Entries, before: bool) -> bool:
    sides = table.take("sides", "periodic" if before else "open")
    if sides not in ("open", "periodic"):
        raise table.fail("sides", f'expected "open" or "periodic", got {sides!r}')
    return sides == "periodic"


def _base(entries: Entries, before: Plan | None, lattice: Lattice) -> Plan:
    """The plan to change: the preset's if its kind of lattice is kept, else the plain one for this lattice."""
    species = len(lattice.network.species)
    if len(lattice.size) == 1 and species != 1:
        raise entries.fail("reactions", f"expected one species on a chain, got {species}; a box takes up to three")
    if len(lattice.size) == 3 and species > 3:
        raise entries.fail("reactions", f"expected at most three species in a box, got {species}")
    if len(lattice.size) == 1:
        chain = before if isinstance(before, ChainPlan) else ChainPlan(lattice)
        return dataclasses.replace(chain, lattice=lattice)
    share = lattice.sites // (5 * species)
    box = before if isinstance(before, BoxPlan) else BoxPlan(lattice, (share,) * species, starts=0, fresh=0)
    return dataclasses.replace(box, lattice=lattice)


def _chain(entries: Entries, plan: ChainPlan) -> ChainPlan:
    starts = entries.table("starts")
    low = starts.number("low", plan.low, lambda x: -5 <= x <= 5, "a number between -5 and 5")
    high = starts.number("high", plan.high, lambda x: low < x <= 5, f"a number above low ({low:g}), at most 5")
    asked = {field: starts.whole(key, getattr(plan, field), least) for key, (field, least) in CHAIN.items()}
    starts.end()
    compare, rhs = entries.table("compare"), entries.text("rhs") or plan.rhs
    if rhs not in FAMILIES:
        raise entries.fail("rhs", f"expected {', '.join(FAMILIES)}, got {rhs!r}")
    beside = {"layers": compare.flag("layers"), "recipe": compare.flag("recipe")}
    compare.end()
    steps = entries.whole("steps", plan.steps, 10)
    return dataclasses.replace(plan, low=low, high=high, steps=steps, rhs=rhs, **beside, **asked)


def _box(entries: Entries, plan: BoxPlan) -> BoxPlan:
    starts, names = entries.table("starts"), plan.lattice.network.species
    counts = starts.take("counts", list(plan.counts))
    if not isinstance(counts, list) or len(counts) != len(names) or any(type(n) is not int or n < 0 for n in counts):
        raise starts.fail("counts", f"expected particles of {', '.join(names)} as whole numbers, got {counts!r}")
    if sum(counts) > plan.lattice.sites:
        raise starts.fail("counts", f"{sum(counts)} particles do not fit on {plan.lattice.sites} sites, one on each")
    asked = {field: starts.whole(key, getattr(plan, field), least) for key, (field, least) in BOX.items()}
    if asked["low"] >= asked["high"]:
        raise starts.fail("high", f"expected more than low ({asked['low']}), got {asked['high']}")
    if asked["starts"] and asked["high"] * len(names) > plan.lattice.sites:
        raise starts.fail("high", f"{asked['high']} particles of each species do not fit on {plan.lattice.sites} sites")
    starts.end()
    return dataclasses.replace(plan, counts=tuple(counts), steps=entries.whole("steps", plan.steps, 10), **asked)
