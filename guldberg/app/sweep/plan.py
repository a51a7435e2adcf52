"""What a sweep is to do: a command as it would be typed, and what some of its settings run over.

    command = "simulate"                 # or discover, design, reduce
    arguments = ["enzyme.crn"]           # what stands after it; files beside this one
    [options]                            # as on the command line, without the dashes
    to = 4
    method = "ssa"
    [over]
    seed = "0..31"                       # options of the command
    k1 = [0.1, 1, 10]                    # simulate: the constant of the first reaction; k-1 is its reverse
    S = [5, 10]                          # simulate: how much there is of a species at first

or a spec of `guldberg design` or `guldberg reduce` as it is, whose entries are named `updates`, `options.species`,
`steps`, `starts.number`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from guldberg.app import spec as specs
from guldberg.app.sweep import changes
from guldberg.app.sweep.axes import Axis, Value, axis, member, members, word
from guldberg.errors import InputError

COMMANDS = ("discover", "design", "reduce", "simulate")
KEYS: dict[str, type] = {"command": str, "arguments": list, "options": dict, "over": dict}
NOT_OF_A_MEMBER = ("out", "picture", "json", "quiet", "help")
REDUCE = ("reactions", "steps", "rhs", "lattice", "starts", "compare", "data", "box")  # what only its specs have

Options = dict[str, Any]


class Member(NamedTuple):
    """What `runs.begin` takes."""

    job: str
    options: Options
    inputs: list[Path]
    seed: int
    command: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """A command, what is typed after it, what runs over which values, and where relative paths begin."""

    command: str
    words: tuple[str, ...]
    axes: tuple[Axis, ...]
    place: Path

    def text(self) -> str:
        """As TOML, to be compared with what is asked the next time."""
        over = {axis.name: axis.text().partition("=")[2] for axis in self.axes}
        return specs.toml({"command": self.command, "words": list(self.words), "place": str(self.place), "over": over})

    def member(self, number: int, scratch: Path) -> Member:
        """The member of that number; a network or a spec that is changed for it is written into `scratch`.

        InputError or click's UsageError where its settings cannot be used.
        """
        values = dict(zip((axis.name for axis in self.axes), member(self.axes, number), strict=True))
        with contextlib.chdir(self.place):
            return _member(self.command, self.words, values, scratch)


def read(spec: str, over: Sequence[str]) -> Plan:
    """The plan in the file `spec`, over what the command line says and then what the file says."""
    path = Path(spec)
    table = specs.load(path)
    typed = [axis(one) for one in over]
    members(typed)
    if "command" not in table:
        return Plan(_job(table), (path.name,), tuple(typed), path.parent.resolve())
    command, words, own = _command(table, spec)
    both = {one.name: one for one in (*own, *typed)}
    return Plan(command, words, (*both.values(),), path.parent.resolve())


def _job(table: Mapping[str, Any]) -> str:
    """Whose spec this is."""
    from guldberg.app.reduce.spec import PRESETS

    return "reduce" if table.get("preset") in PRESETS or set(REDUCE) & set(table) else "design"


def _command(table: Mapping[str, Any], file: str) -> tuple[str, tuple[str, ...], list[Axis]]:
    for key, value in table.items():
        if key not in KEYS or not isinstance(value, KEYS[key]):
            names = ", ".join(f"{name} ({kind.__name__})" for name, kind in KEYS.items())
            raise InputError(f"{key} = {value!r}: expected {names}", file=file)
    command = table["command"]
    if command not in COMMANDS:
        raise InputError(f"command = {command!r}: expected one of {', '.join(COMMANDS)}", file=file)
    options = [one for name, value in table.get("options", {}).items() for one in _typed(name, value)]
    return (
        command,
        (*map(str, table.get("arguments", ())), *options),
        [_axis(name, value) for name, value in table.get("over", {}).items()],
    )


def _axis(name: str, value: Any) -> Axis:
    return (
        axis(f"{name}={value}")
        if isinstance(value, str)
        else Axis(name, tuple(value) if isinstance(value, list) else (value,))
    )


def _typed(name: str, value: Any) -> list[str]:
    """An option as words of a command line."""
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else [flag.replace("--", "--no-", 1)]
    return [part for one in (value if isinstance(value, list) else [value]) for part in (flag, word(one))]


def _member(command: str, words: tuple[str, ...], values: Mapping[str, Value], scratch: Path) -> Member:
    known = _options(command)
    own = {name: value for name, value in values.items() if name.replace("_", "-") in known}
    other = {name: value for name, value in values.items() if name not in own}
    words = (*words, *(part for name, value in own.items() for part in _typed(name, value)))
    if other:
        words = (str(_changed(command, words, other, scratch, known)), *words[1:])
    params = _parsed(command, words)
    if twice := set(other) & _named(params):
        name = min(twice)
        raise InputError(
            f"{name} is swept over, and --initial or --initials says it as well: say it once", file="--over"
        )
    options, inputs = _ASKED[command](params)
    inside = f"data/{inputs[0].name}" if other else words[0]
    line = shlex.join(["guldberg", command, inside, *words[1:]])
    return Member(command, options, [path.resolve() for path in inputs], params["seed"], line)


def _named(params: Options) -> set[str]:
    """The species of which the command line says how much there is at first."""
    said = ",".join(params.get("initial") or ())
    if params.get("initials"):
        with Path(params["initials"]).open(encoding="utf-8", errors="replace") as file:
            said += "," + file.readline()
    return {part.partition("=")[0].strip() for part in said.split(",")}


def _changed(command: str, words: Sequence[str], asked: Mapping[str, Value], scratch: Path, known: set[str]) -> Path:
    """The first argument with other numbers in it, as a file in `scratch`."""
    if command == "discover":
        name = next(iter(asked))
        raise InputError(f"discover has no setting {name!r}; there are {', '.join(sorted(known))}", file="--over")
    path = Path(words[0])
    if command == "simulate":
        name, written = f"{path.stem}.crn", changes.network(path, asked, known)
    else:
        name, written = f"{path.stem}.toml", changes.entries(path, asked, command)
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / name).write_text(written, encoding="utf-8")
    return (scratch / name).resolve()


def _options(command: str) -> set[str]:
    """The names of its options, without dashes."""
    from guldberg.app.cli import cli

    options = [one for one in cli.commands[command].params if isinstance(one, click.Option)]
    return {name.lstrip("-") for one in options for name in one.opts} - set(NOT_OF_A_MEMBER)


def _parsed(command: str, words: Sequence[str]) -> Options:
    """What the command line would make of `words`."""
    from guldberg.app.cli import cli

    forbidden = [f"--{name}" for name in NOT_OF_A_MEMBER if f"--{name}" in words]
    if forbidden:
        raise InputError(f"{forbidden[0]} is not for a member of a sweep")
    out = ["--out", "member.nc"] if command == "simulate" else []
    return cli.commands[command].make_context(f"guldberg {command}", [*words, *out]).params


def _given(params: Options, without: Sequence[str]) -> Options:
    """What was asked, as a run keeps it."""
    out = {*without, *NOT_OF_A_MEMBER, "seed", "as_json"}
    return specs.typed({name: value for name, value in params.items() if name not in out})


def _discover(params: Options) -> tuple[Options, list[Path]]:
    return _given(params, ["data"]), list(params["data"])


def _design(params: Options) -> tuple[Options, list[Path]]:
    from guldberg.app.design.spec import asked

    return asked(params["spec"], params["target"], params["updates"])


def _reduce(params: Options) -> tuple[Options, list[Path]]:
    from guldberg.app.reduce.spec import asked

    return asked(params["spec"])


def _simulate(params: Options) -> tuple[Options, list[Path]]:
    from guldberg.app.simulate.kind import sources

    options = _given(params, ["network"])
    return options, sources(Path(params["network"]), options)


_ASKED: dict[str, Callable[[Options], tuple[Options, list[Path]]]] = {
    "discover": _discover,
    "design": _design,
    "reduce": _reduce,
    "simulate": _simulate,
}
