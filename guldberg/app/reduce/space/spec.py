"""What is asked of a reduction in continuous space, from a TOML file or the name of a preset.

    preset = "diffusion"                 # or, for a network of your own:
    reactions = "A -> 0 @ 0.5"           # rates as everywhere; second order: reactions on contact
    time = 2.0
    snapshots = 21                       # evenly spaced, from 0 to `time`
    cells = [100]                        # of nu along each axis

    [box]
    lengths = [10.0]                     # one or two
    sides = "periodic"                   # or "reflecting"
    diffusivity = [1.0]                  # of each species
    radius = 0.1                         # within which two particles react
    dt = 0.1                             # the longest step of the simulation
    walls = [[0, 3.0, 0.0, 1.0]]         # in a plane: across axis 0 at 3, from 0 to 1 along the other; along cells

    [runs]
    training = 500
    held_out = 500

    [[start]]                            # any number of clouds; without a centre: anywhere in the box
    species = "A"
    count = 180
    centre = [5.0]
    width = 0.5                          # standard deviation along each axis

Every error names the file and the entry.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from guldberg.app.reduce.entries import Entries
from guldberg.errors import InputError
from guldberg.reduce.space.job import GROUPS
from guldberg.reduce.space.plan import Box, Cloud, SpacePlan
from guldberg.reduce.space.terms import reacting
from guldberg.space.walls import Wall, checked
from guldberg.text import parse

MOST_CELLS = 10_000
MOST_SPECIES = 3  # that a learned function is of at once


def diffusion() -> SpacePlan:
    """A bump that diffuses (D = 1) and decays (k = 0.5): 200 particles, 500 runs."""
    box = Box(parse("A -> 0 @ 0.5"), (10.0,), (1.0,), radius=0.1, dt=0.1)
    return SpacePlan(box, (Cloud(0, 180, (5.0,), 0.5), Cloud(0, 20)), time=2.0)


def birth() -> SpacePlan:
    """0 -> A everywhere (b = 2), A -> 0 (k = 0.5), diffusion (D = 1): a bump and a hole towards their level."""
    box = Box(parse("0 -> A @ 2\nA -> 0 @ 0.5"), (10.0,), (1.0,), radius=0.1, dt=0.1)
    return SpacePlan(box, (Cloud(0, 150, (5.0,), 0.5), Cloud(0, 5)), time=2.0)


def conversion() -> SpacePlan:
    """A -> B (k = 0.8), both diffusing (D = 1 and 0.5): A in the middle, a little of B beside it."""
    box = Box(parse("A -> B @ 0.8"), (10.0,), (1.0, 0.5), radius=0.1, dt=0.1)
    clouds = (Cloud(0, 170, (5.0,), 0.6), Cloud(0, 30), Cloud(1, 60, (2.5,), 0.5), Cloud(1, 40))
    return SpacePlan(box, clouds, time=2.0, cells=(80,), function=2)


def plane() -> SpacePlan:
    """The bump of `diffusion` in a plane between walls, off its middle."""
    box = Box(parse("A -> 0 @ 0.5"), (6.0, 6.0), (1.0,), radius=0.1, dt=0.1, periodic=False)
    return SpacePlan(
        box, (Cloud(0, 170, (2.0, 2.5), 0.6), Cloud(0, 30)), time=1.5, snapshots=16, cells=(24, 24), elements=5
    )


def clouds() -> SpacePlan:
    """A + B -> 0 on contact (k = 0.2): a cloud of A and a smaller one of B between walls, a front where they meet."""
    box = Box(parse("A + B -> 0 @ 0.2"), (10.0,), (1.0, 1.0), radius=0.1, dt=0.02, periodic=False)
    start = (Cloud(0, 180, (2.5,), 1.0), Cloud(0, 10), Cloud(1, 90, (7.5,), 1.0), Cloud(1, 10))
    return SpacePlan(box, start, time=2.0, snapshots=11, cells=(50,), elements=10, function=2)


def neck() -> SpacePlan:
    """A -> 0 (k = 0.2) in a plane with a wall across it, but for a gap of 1: from one chamber into the other."""
    walls = (Wall(0, 3.0, 0.0, 1.0), Wall(0, 3.0, 2.0, 3.0))
    box = Box(parse("A -> 0 @ 0.2"), (6.0, 3.0), (1.0,), radius=0.1, dt=0.005, periodic=False, walls=walls)
    return SpacePlan(
        box, (Cloud(0, 170, (1.0, 1.5), 0.5), Cloud(0, 30)), time=2.0, snapshots=11, cells=(24, 12), elements=5
    )


PRESETS: Mapping[str, Callable[[], SpacePlan]] = {
    "diffusion": diffusion,
    "birth": birth,
    "conversion": conversion,
    "plane": plane,
    "clouds": clouds,
    "neck": neck,
}


def plan(entries: Entries, before: SpacePlan | None) -> SpacePlan:
    """The plan of a spec, changed from a preset's if it names one."""
    box = box_of(entries, before.box if before else None, axes=(1, 2))
    clouds = clouds_of(entries, box, before.start if before else ())
    old = before or SpacePlan(box, clouds, time=1.0, cells=(100,) if len(box.lengths) == 1 else (40, 40))
    runs = entries.table("runs")
    asked = dataclasses.replace(
        old,
        box=box,
        start=clouds,
        time=entries.number("time", old.time, lambda t: t > 0, "a positive time"),
        snapshots=entries.whole("snapshots", old.snapshots, 3),
        cells=_cells(entries, old.cells, len(box.lengths)),
        runs=runs_of(runs, "training", old.runs),
        held_out=runs_of(runs, "held_out", old.held_out),
    )
    runs.end()
    entries.end()
    try:
        checked(box.walls, box.lengths, box.periodic)
        _ = asked.grid  # walls along its cells
    except InputError as error:
        raise InputError(str(error), file=entries.file) from None
    return asked


def runs_of(table: Entries, key: str, before: int) -> int:
    """Of a kind: as many in each of the groups that intervals rest on."""
    asked = table.whole(key, before, GROUPS)
    if asked % GROUPS:
        raise table.fail(key, f"expected a multiple of {GROUPS}, got {asked}")
    return asked


def box_of(entries: Entries, before: Box | None, *, axes: tuple[int, ...]) -> Box:
    """The box of a spec, of one of these numbers of axes."""
    text, table = entries.text("reactions"), entries.table("box")
    if text is None and before is None:
        raise entries.fail("reactions", 'expected a preset, or reactions = "A -> 0 @ 0.5"')
    network = before.network if text is None and before else parse(str(text), file=f"{entries.file}: reactions")
    for s, name in enumerate(network.species):
        most = {s, *reacting(network, s)}
        if len(most) > MOST_SPECIES:
            raise entries.fail(
                "reactions",
                f"what happens to {name} depends on {', '.join(network.species[i] for i in sorted(most))}: functions "
                f"of more than {MOST_SPECIES} densities are not learned in continuous space",
            )
    lengths = _numbers(table, "lengths", before.lengths if before else (), axes)
    species = len(network.species)
    D = _numbers(table, "diffusivity", before.diffusivity if before else (1.0,) * species, (species,))
    radius = before.radius if before else 0.01 * min(lengths)
    sides = table.take("sides", "periodic" if before is None or before.periodic else "reflecting")
    if sides not in ("periodic", "reflecting"):
        raise table.fail("sides", f'expected "periodic" or "reflecting", got {sides!r}')
    box = Box(
        network, lengths, D,
        radius=table.number("radius", radius, lambda r: r > 0, "a positive distance"),
        dt=table.number("dt", before.dt if before else 0.01, lambda dt: dt > 0, "a positive time of a step"),
        periodic=sides == "periodic",
        walls=_walls(table, before.walls if before else ()),
    )  # fmt: skip
    table.end()
    return box


def _walls(table: Entries, before: tuple[Wall, ...]) -> tuple[Wall, ...]:
    walls = table.take("walls")
    if walls is None:
        return before
    if not isinstance(walls, list) or not all(
        isinstance(w, list) and len(w) == 4 and type(w[0]) is int and all(type(x) in (int, float) for x in w)
        for w in walls
    ):
        raise table.fail("walls", f"expected lists [axis, place, from, to], got {walls!r}")
    return tuple(Wall(w[0], *map(float, w[1:])) for w in walls)


def _numbers(table: Entries, key: str, before: tuple[float, ...], counts: tuple[int, ...]) -> tuple[float, ...]:
    """Positive ones, in a list of one of these lengths."""
    value, many = table.take(key, list(before)), " or ".join(map(str, counts))
    if not isinstance(value, list) or len(value) not in counts or not all(map(_positive, value)):
        raise table.fail(key, f"expected a list of {many} positive numbers, got {value!r}")
    return tuple(map(float, value))


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _cells(entries: Entries, before: tuple[int, ...], axes: int) -> tuple[int, ...]:
    cells = entries.take("cells", list(before))
    if not isinstance(cells, list) or len(cells) != axes or any(type(n) is not int or n < 10 for n in cells):
        raise entries.fail("cells", f"expected {axes} whole numbers, each at least 10, got {cells!r}")
    if math.prod(cells) > MOST_CELLS:
        raise entries.fail("cells", f"expected at most {MOST_CELLS} cells, got {math.prod(cells)}")
    return tuple(cells)


def clouds_of(entries: Entries, box: Box, before: tuple[Cloud, ...]) -> tuple[Cloud, ...]:
    """The clouds of a spec; those before where it has none."""
    clouds = entries.take("start")
    if clouds is None and before:
        return before
    if not isinstance(clouds, list) or not clouds or not all(isinstance(cloud, dict) for cloud in clouds):
        raise entries.fail("start", f"expected one or more tables [[start]], got {clouds!r}")
    return tuple(_cloud(Entries(entries.file, cloud, "start"), box) for cloud in clouds)


def _cloud(table: Entries, box: Box) -> Cloud:
    name = table.text("species")
    if name not in box.species:
        raise table.fail("species", f"expected {' or '.join(box.species)}, got {name!r}")
    cloud = Cloud(box.species.index(name), table.whole("count", 0, 1))
    centre = table.take("centre")
    if centre is not None:
        inside = isinstance(centre, list) and len(centre) == len(box.lengths)
        if not inside or not all(
            type(x) in (int, float) and 0 <= x <= L for x, L in zip(centre, box.lengths, strict=True)
        ):
            raise table.fail("centre", f"expected a place in the box, one number for each axis, got {centre!r}")
        width = table.number("width", 0.05 * min(box.lengths), lambda w: w > 0, "a positive width")
        cloud = dataclasses.replace(cloud, centre=tuple(map(float, centre)), width=width)
    table.end()
    return cloud
