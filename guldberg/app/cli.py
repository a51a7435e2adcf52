"""`guldberg COMMAND`. Everything heavy is imported inside the command that needs it: `--help` answers at once.

Results go to standard output, everything else to standard error. Exit status: 0 done; 1 the computation failed; 2 bad
input or usage, told in one line; 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from guldberg.errors import InputError

METHODS = ("ode", "ssa", "lattice", "particles", "field")


class Failed(click.ClickException):
    """The computation failed; the message says what was reached and where that is kept."""

    exit_code = 1


class Stopped(click.ClickException):
    """Interrupted; the message says how to go on."""

    exit_code = 130


class Commands(click.Group):
    """The commands of this version, in the order a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="guldberg", message="guldberg %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Learn chemical reaction networks: the mechanism behind data, a network with a wished behaviour, a small equation
    for a stochastic simulation.

    \b
    guldberg demo discover          see it work on data that come with it; also design, reduce
    guldberg look DATA.csv          a first look at your own
    guldberg discover DATA.csv      the mechanism, its constants, what else fits
    guldberg design pattern         a network that holds a picture
    guldberg reduce annihilation    a closure learned from a simulation on a lattice
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _quiet(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta["quiet"] = value


quiet = click.option(
    "--quiet", is_flag=True, expose_value=False, is_eager=True, callback=_quiet, help="Only results and errors."
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all randomness.")
temperature = click.option("--temperature", type=float, metavar="K", help="In kelvin, for Arrhenius rates.")
data_files = click.argument("data", nargs=-1, required=True, metavar="DATA.csv ...", type=click.Path(path_type=Path))
run_folder = click.argument("run", metavar="RUN", type=click.Path(path_type=Path))


def note(message: str) -> None:
    """Say something beside the result."""
    if not _is_quiet():
        click.echo(message, err=True)


def _is_quiet() -> bool:
    return click.get_current_context().meta.get("quiet", False)


def answer(facts: dict[str, Any], text: str, as_json: bool) -> None:
    """The result, on standard output."""
    click.echo(json.dumps(facts, ensure_ascii=False, allow_nan=False) if as_json else text)


@cli.command()
@data_files
@click.option("--out", metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run; default: a new one.")
@click.option("--max-order", type=click.IntRange(1, 4), help="Most molecules on one side of a reaction; default 2.")
@click.option("--require", multiple=True, metavar='"A -> B"', help="A reaction known to happen. Repeatable.")
@click.option("--forbid", multiple=True, metavar='"E -> A"', help="A reaction known not to happen. Repeatable.")
@click.option(
    "--catalysts/--no-catalysts", default=None, help="Whether a species may stand on both sides; default yes."
)
@click.option("--unmeasured", multiple=True, metavar="NAME,...", help="Species that exist but were not measured.")
@click.option("--initial", multiple=True, metavar='"B=0"', help="Exact initial amounts that the table does not give.")
@click.option("--scale", multiple=True, metavar="3,6", help="Experiments sharing an unknown factor on all rates.")
@click.option("--law", multiple=True, metavar='"A + 2 B"', help="A sum known to be constant in time. Repeatable.")
@click.option("--noise", metavar="SD", help='Standard deviation where the table has none: "0.01" or "A=0.01,B=0.02".')
@click.option("--detailed-balance", is_flag=True, default=None, help="Known to hold: around every cycle of reactions.")
@click.option("--profiles", is_flag=True, default=None, help="Pictures of the likelihood along each constant.")
@click.option("--resamples", type=click.IntRange(1), metavar="N", help="Search again in N sets of data made anew.")
@click.option("--method", type=click.Choice(["search", "freeze"]), help="See below; default search.")
@click.option("--reactions", type=click.IntRange(1), metavar="N", help="freeze: how many reversible ones to learn.")
@click.option("--starts", type=click.IntRange(1), metavar="N", help="Random ones; freeze: 8, PEtab: 20 by default.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="freeze: at most; default 1000000.")
@seed
@as_json
@quiet
def discover(data: tuple[Path, ...], out: Path | None, seed: int, as_json: bool, **asked: Any) -> None:
    """Find the mechanism behind measured concentrations.

    \b
    search  candidate reactions under the laws that the data show, chosen by fits
    freeze  Algorithm 1 of Huang, Zhou and Yong: stoichiometry by gradient descent on measured
            derivatives, rows frozen when they come close to whole numbers; kept for comparison

    Of a problem in PEtab's form (PROBLEM.yaml), whose mechanism is known, the parameters are found.

    \b
    Example: guldberg discover run1.csv run2.csv --unmeasured ES --initial "P=0" --out found
    """
    from guldberg.app import jobs, runs
    from guldberg.app import spec as specs

    folder = out or runs.default_folder("discover")
    options = specs.typed(asked)
    job, inputs = _problem(data)
    runs.begin(folder, jobs.KINDS, job=job, options=options, inputs=inputs, seed=seed, command=_command())
    _work(folder, as_json)


def _problem(data: Sequence[Path]) -> tuple[str, Sequence[Path]]:
    """The job that takes these files, and all files that it needs."""
    if data[0].suffix not in (".yaml", ".yml"):
        return "discover", data
    from guldberg.app.petab import reading

    if len(data) > 1:
        raise InputError(f"beside a problem in PEtab's form no other file is read: {data[1]}", file=str(data[0]))
    return "petab", reading.files(data[0])


@cli.command()
@click.argument("spec", metavar="SPEC.toml|PRESET")
@click.option("--target", metavar="PICTURE", type=click.Path(path_type=Path), help="What a pattern is to look like.")
@click.option("--out", metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run; default: a new one.")
@click.option("--updates", type=click.IntRange(1), metavar="N", help="Updates in all, shared among the stages.")
@seed
@as_json
@quiet
def design(spec: str, target: Path | None, out: Path | None, updates: int | None, seed: int, as_json: bool) -> None:
    """A reaction-diffusion network that does what is asked of it, and the state it starts from.

    \b
    pattern               holds a picture for 1000 s
    replication           is there twice after 352 s
    replication-tolerant  the same from a start that is not exact
    replication-lineage   a spot that divides, and whose daughters divide again
    dissipation           the most dissipative steady structure
    dissipation-resolved  the same, confirmed by a finer grid
    bits                  words that survive a noisy flow
    paper-2a, paper-2b, paper-3, paper-reaction, paper-4, paper-5: Elliott's own settings

    \b
    Example: guldberg design pattern --target portrait.png --out portrait
    """
    from guldberg.app import jobs, runs
    from guldberg.app.design import spec as specs

    options, inputs = specs.asked(spec, target, updates)
    folder = out or runs.default_folder("design")
    runs.begin(folder, jobs.KINDS, job="design", options=options, inputs=inputs, seed=seed, command=_command())
    _work(folder, as_json)


@cli.command()
@click.argument("spec", metavar="SPEC.toml|PRESET")
@click.option("--out", metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run; default: a new one.")
@seed
@as_json
@quiet
def reduce(spec: str, out: Path | None, seed: int, as_json: bool) -> None:
    """From simulated particles on a lattice to a small learned ODE of their statistics.

    Presets: annihilation (a chain, A + A -> 0) and rossler (a box of 10 x 10 x 10 sites); without a lattice diffusion,
    birth, conversion and plane. A spec in TOML asks for a network of your own, or for another budget.

    \b
    Example: guldberg reduce annihilation --out reduced
    """
    from guldberg.app import jobs, runs
    from guldberg.app.reduce import spec as specs

    options, inputs = specs.asked(spec)
    folder = out or runs.default_folder("reduce")
    runs.begin(folder, jobs.KINDS, job="reduce", options=options, inputs=inputs, seed=seed, command=_command())
    _work(folder, as_json)


@cli.command()
@click.argument("network", metavar="NETWORK")
@click.option("--to", "end", type=float, required=True, metavar="T", help="Last time.")
@click.option("--points", type=click.IntRange(2), default=101, show_default=True, help="Number of times, from 0 to T.")
@click.option("--log", "first", type=float, metavar="T1", help="Times spaced by a factor: 0, T1, ..., T.")
@click.option("--method", type=click.Choice(METHODS), default="ode", show_default=True, help="See below.")
@click.option("--initial", multiple=True, metavar='"A=1,B=0"', help="An initial state. Repeatable.")
@click.option("--initials", metavar="FILE.csv", help="An initial state per row, a column per species.")
@click.option("--runs", type=click.IntRange(1), metavar="N", help="ssa, lattice, particles: of each initial state.")
@click.option("--volume", type=float, metavar="V", help="ssa: molecules per unit of concentration; default 1.")
@click.option("--grid", metavar="128x128", help="lattice, field: sites or cells along each axis.")
@click.option("--spacing", type=float, metavar="H", help="field: between the centres of two cells; default 1.")
@click.option("--box", metavar="10x10", help="particles: lengths of the box.")
@click.option("--boundary", type=click.Choice(["periodic", "no-flux"]), help="lattice, particles, field; all sides.")
@click.option("--diffusivity", metavar='D|"A=1,B=0.5"', help="particles, field: area per time.")
@click.option("--radius", type=float, metavar="R", help="particles: within which two react.")
@click.option("--step", type=float, metavar="DT", help="particles, lattice; field: fixed steps, else adaptive ones.")
@click.option("--start", multiple=True, metavar="A=PICTURE", help="field: black 0, white A's amount.")
@temperature
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE.csv|FILE.nc", help="Where to.")
@click.option(
    "--picture", type=click.Path(path_type=Path), metavar="FILE.png", help="A picture of it; also .svg, .pdf."
)
@seed
@as_json
@quiet
def simulate(
    network: str,
    end: float,
    points: int,
    first: float | None,
    method: str,
    initial: tuple[str, ...],
    initials: str | None,
    temperature: float | None,
    out: Path,
    picture: Path | None,
    seed: int,
    as_json: bool,
    **own: Any,
) -> None:
    """Follow a network through time, from any number of initial states.

    Species that an initial state does not name start as the "initial:" line of NETWORK says, or at 0.

    \b
    ode        the differential equation, well mixed
    ssa        every molecule, well mixed: Gillespie's algorithm. FILE.nc has the counts of every
               run, FILE.csv mean concentrations with the standard errors of these means
    lattice    particles that hop on a lattice, one on a site: concentrations per site, constants
               of pairs are probabilities, and --step is the time of one hop
    particles  particles that diffuse and react on contact; FILE.nc has where they were
    field      reaction and diffusion on a grid; FILE.nc has the fields, FILE.csv their means

    \b
    Example: guldberg simulate robertson.crn --to 1e11 --log 1e-5 --initial "A=1" --out robertson.csv
    """
    from guldberg.app import exchange, options
    from guldberg.app.simulate import asked as asking
    from guldberg.app.simulate import methods
    from guldberg.app.simulate.asked import Asked

    exchange.check_out(out, (".csv", ".nc"))
    if picture is not None:
        exchange.check_out(picture, (".png", ".svg", ".pdf"))
    times = asking.times(end, points, first)
    model = options.network(network, sys.stdin.buffer, note)
    names, states = options.states(model, initial, initials)
    asked = Asked(model.network, names, states, times, options.kelvin(temperature, model), seed)
    done = methods.run(method, asked, {name: v for name, v in own.items() if v not in (None, ())}, note)
    provenance = {"network": str(model.network), "command": _command(), "seed": seed, "guldberg": _version()}
    exchange.write(out, done.table, done.dataset.assign_attrs(provenance))
    if picture is not None:
        exchange.write_picture(picture, done.figure())
    if done.failure:
        raise Failed(f"{done.failure}; what was reached is in {out}. {done.why}")
    final = {run.name: dict(zip(done.table.species, run.values[-1].tolist(), strict=True)) for run in done.table.runs}
    facts = {"out": str(out), "species": list(model.network.species), "times": len(times), "final": final}
    answer(facts, f"{out}: {len(names)} experiment(s), {len(times)} times, {len(facts['species'])} species", as_json)


@cli.command()
@click.argument("network", metavar="NETWORK")
@temperature
@click.option("--latex", "notation", flag_value="latex", help="Instead: reactions and equations for a paper.")
@click.option("--mermaid", "notation", flag_value="mermaid", help="Instead: the graph, as Mermaid draws it.")
@click.option("--dot", "notation", flag_value="dot", help="Instead: the graph, as Graphviz draws it.")
@as_json
@quiet
def show(network: str, temperature: float | None, notation: str | None, as_json: bool) -> None:
    """What follows from a network alone: conservation laws, deficiency, reversibility, detailed balance.

    \b
    Example: guldberg show enzyme.crn          (or "-": the text comes from standard input)
    """
    from guldberg import notation as notations
    from guldberg.app import options
    from guldberg.app import show as shown

    model = options.network(network, sys.stdin.buffer, note)
    if notation is not None:
        text = getattr(notations, notation)(model.network)
        answer({notation: text}, text, as_json)
        return
    facts = shown.facts(model, temperature if temperature is None else options.kelvin(temperature, model))
    answer(facts, shown.render(facts), as_json)


@cli.command()
@data_files
@click.option("--out", type=click.Path(path_type=Path), metavar="PICTURE.png", help="A picture of all curves.")
@as_json
@quiet
def look(data: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """A first look at data: species by experiments, gaps, units, what is constant in them.

    \b
    Example: guldberg look run1.csv run2.csv --out curves.png
    """
    from guldberg.app import exchange, plot, tables
    from guldberg.app import look as looking

    if out is not None:
        exchange.check_out(out, (".png", ".svg", ".pdf"))
    experiments = tables.read_experiments(data)
    if out is not None:
        plot.look(experiments).savefig(out, dpi=150)
    seen = looking.look(experiments)
    answer(seen.facts(), seen.render().rstrip(), as_json)


@cli.command()
@click.argument("network", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@temperature
@as_json
@quiet
def convert(network: str, out: Path, temperature: float | None, as_json: bool) -> None:
    """Write a network in another form: our text (.crn), SBML (.xml, .sbml) or Antimony (.ant), by file ending.

    SBML of Levels 2 and 3 is read, Level 3 Version 2 is written. What is not mass action is refused, by its id.

    \b
    Example: guldberg convert enzyme.crn enzyme.xml
    """
    from guldberg.app import exchange, options

    exchange.check_out(out, (".crn", *options.SBML, options.ANTIMONY))
    model = options.network(network, sys.stdin.buffer, note)
    kelvin = temperature if temperature is None else options.kelvin(temperature, model)
    exchange.write_network(out, model, kelvin)
    species, reactions = model.network.species, model.network.equations()
    facts = {"out": str(out), "species": list(species), "reactions": list(reactions), "initial": model.initial}
    answer(facts, f"{out}: {len(species)} species, {len(reactions)} reactions", as_json)


@cli.command()
@click.argument("spec", metavar="SPEC.toml")
@click.option("--over", multiple=True, metavar="NAME=VALUES", help='"seed=0..31", "k1=0.1,1,10". Repeatable.')
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path), help="Default: SPEC-sweep.")
@click.option("--engine", type=click.Choice(["local", "dask"]), default="local", show_default=True)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="local: processes; default: one for each core.")
@click.option("--scheduler", metavar="ADDRESS", help="dask: as tcp://host:8786.")
@as_json
@quiet
def sweep(
    spec: str,
    over: tuple[str, ...],
    out: Path | None,
    engine: str,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Any job many times: with other seeds, constants, options. A run folder for each member, one table, one page.

    SPEC.toml is a spec of design or reduce, or names a command (discover, design, reduce, simulate), its arguments and
    its options; docs/sweep.md. Stopped, the same command goes on; no finished member is done again.

    \b
    Example: guldberg sweep enzyme.toml --over seed=0..31 --over k1=0.1,1,10
    """
    from guldberg.app.progress import Progress
    from guldberg.app.sweep import engines, plan, table
    from guldberg.app.sweep.sweep import Sweep, again

    if (engine == "dask") != (scheduler is not None):
        raise InputError("--engine dask and --scheduler ADDRESS go together", file="--scheduler")
    asked = Sweep(plan.read(spec, over), out or Path(f"{Path(spec).stem}-sweep"))
    asked.begin()
    width = workers or os.cpu_count() or 1
    opened = engines.local
    if scheduler is not None:
        opened, width = engines.dask(scheduler, asked.folder.resolve())
    try:
        with Progress(note, live=sys.stderr.isatty() and not _is_quiet()) as progress:
            asked.go(opened, width, progress, note)
    except KeyboardInterrupt:
        done = table.gather(asked, _command())["finished"]
        more = f"{done} of {asked.count} members are finished, and what the others reached is saved"
        raise Stopped(f"interrupted; {more}: {again(spec, over, asked.folder)}") from None
    facts = table.gather(asked, _command())
    answer(facts, f"{facts['finished']} of {asked.count} members finished: {asked.folder / 'members.csv'}", as_json)
    note(f"\n{asked.folder / 'report.html'}")
    if facts["failed"]:
        first = next(row for row in facts["members"] if row["state"] == "failed")
        raise Failed(f"{facts['failed']} of {asked.count} members failed, first {first['member']}: {first['why']}")


@cli.command()
@run_folder
@as_json
@quiet
def resume(run: Path, as_json: bool) -> None:
    """Go on where a run stopped; the result is that of a run which never did.

    \b
    Example: guldberg resume discover-run
    """
    _work(run, as_json)


@cli.command()
@run_folder
@as_json
@quiet
def verify(run: Path, as_json: bool) -> None:
    """Repeat a design in finer steps, on a finer grid, with noise and under controls; the verdict.

    Interrupted, it goes on where it stopped. The verdict also goes into RUN/result.json and RUN/report.html.

    \b
    Example: guldberg verify design-run
    """
    from guldberg.app import jobs, runs
    from guldberg.app.progress import Progress

    kind = runs.kind(run, jobs.KINDS)
    if kind.verify is None:
        raise InputError("only designs are verified; this is a run of another job", file=str(run))
    try:
        with Progress(note, live=sys.stderr.isatty() and not _is_quiet()) as progress:
            told = kind.verify(run, progress, note)
    except runs.Interrupted as stop:
        raise Stopped(str(stop)) from None
    answer(json.loads((run / "result.json").read_text())["verdict"], told, as_json)
    note(f"\n{run / 'report.html'}")


@cli.command("next")
@run_folder
@click.option("--limits", multiple=True, metavar='"A=0:1,B=0.5"', help="Initial amounts that can be made. Repeatable.")
@click.option("--times", metavar="FIRST:LAST", help="When samples can be taken after the start.")
@click.option("--points", type=click.IntRange(2), metavar="N", help="Samples of an experiment.")
@click.option("--experiments", type=click.IntRange(1, 20), metavar="N", help="How many to propose; default 1.")
@click.option("--aim", type=click.Choice(["mechanism", "worst", "all"]), help="See below.")
@seed
@as_json
@quiet
def next_(run: Path, seed: int, as_json: bool, **asked: Any) -> None:
    """The experiment to do next: initial amounts and sampling times, within limits.

    \b
    mechanism  the mechanisms still in the running predict curves as different as can be, after each
               has adapted to them as far as the data allow; the default where there are rivals
    worst      the least known constant, or combination of constants, is known best
    all        all constants together are

    Writes RUN/next.csv, a table to fill in, RUN/next.png and RUN/next.json. What is not told is as in the experiments
    so far: amounts up to the largest start of each species, as many samples, as long.

    \b
    Example: guldberg next discover-run --limits "A=0:1,B=0.5" --times 0:10 --points 20
    """
    from guldberg.app import following
    from guldberg.app import spec as specs

    try:
        made = following.plan(following.after(run), specs.typed(asked), seed)
    except ArithmeticError as error:
        raise Failed(str(error)) from error
    files = following.write(run, made)
    answer(following.facts(made), following.summary(made), as_json)
    for path in files:
        note(str(path))


@cli.command()
@run_folder
@click.option("--live", is_flag=True, help="With the network at its end, running (see `guldberg view`).")
@quiet
def report(run: Path, live: bool) -> None:
    """(Re)write the report of a run, also of an unfinished one as far as it got.

    \b
    Example: guldberg report discover-run
    """
    from guldberg.app import checkpoints, jobs, runs

    result, spec, seconds = runs.reached(run, jobs.KINDS)
    kind = jobs.KINDS[spec.job]
    page = kind.page(kind.beside(run, result, spec), spec, seconds)
    if live:
        from guldberg.app.live import page as pages
        from guldberg.app.live import views

        page = pages.inside(page, views.of_run(run)[0])
    checkpoints.write_whole(run / "report.html", page.encode())
    click.echo(run / "report.html")


@cli.command()
@click.argument("source", metavar="RUN|NETWORK", type=click.Path(path_type=Path))
@click.option("--to", "end", type=click.FloatRange(0, min_open=True), metavar="T", help="NETWORK: last time; 100.")
@click.option("--initial", multiple=True, metavar='"A=1,B=0"', help="NETWORK: an initial state. Repeatable.")
@temperature
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.html", help="Default: RUN/live.html, live.html.")
@click.option("--browser/--no-browser", default=None, help="Open it; default: yes on a terminal.")
@quiet
def view(
    source: Path,
    end: float | None,
    initial: tuple[str, ...],
    temperature: float | None,
    out: Path | None,
    browser: bool | None,
) -> None:
    """A page in which the network runs: play, click, turn its constants. One file that needs nothing else.

    A design goes on from the state that it starts from; a mechanism is followed beside the data. The page of a design
    computes on the graphics of the machine (WebGL2).

    \b
    Example: guldberg view design-run
    """
    import webbrowser

    from guldberg.app import checkpoints, exchange, options
    from guldberg.app.live import page, views

    out = out or (source if source.is_dir() else Path()) / "live.html"
    exchange.check_out(out, (".html",))
    if source.is_dir():
        facts, title = views.of_run(source)
    else:
        model = options.network(str(source), sys.stdin.buffer, note)
        states, kelvin = options.states(model, initial, None), options.kelvin(temperature, model)
        facts, title = views.of_network(model, states, end or 100.0, kelvin), f"{source.name}, live"
    checkpoints.write_whole(out, page.page(facts, title).encode())
    click.echo(out)
    if sys.stdout.isatty() if browser is None else browser:
        webbrowser.open(out.resolve().as_uri())


@cli.command()
@click.argument("job", type=click.Choice(["discover", "design", "reduce"]), default="discover")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder for all.")
@seed
@quiet
def demo(job: str, out: Path, seed: int) -> None:
    """Runs that are set up for you: two mechanisms, one from measured data, one from made; a picture held by a network;
    or a closure learned.

    \b
    Example: guldberg demo discover
    """
    from guldberg.app import demo as demos

    for name, begin in demos.JOBS[job].items():
        note(f"{name}\n")
        begin(out / name, seed)
        _work(out / name, as_json=False)


@cli.command()
@as_json
@quiet
def check(as_json: bool) -> None:
    """Is the installation sound? Versions, the device, a two-second self-test.

    \b
    Example: guldberg check
    """
    from guldberg.app import check as checking

    checked = checking.check()
    answer(checked.facts(), checked.render(), as_json)
    if not checked.sound:
        raise Failed("the self-test failed")


def _work(folder: Path, as_json: bool) -> None:
    """Do what the run in `folder` still has to do, and tell its result."""
    from guldberg.app import jobs, runs
    from guldberg.app.progress import Progress

    kind = runs.kind(folder, jobs.KINDS)
    if wait := kind.slow_start():
        note(wait)
    try:
        with Progress(note, live=sys.stderr.isatty() and not _is_quiet()) as progress:
            found = runs.go(folder, jobs.KINDS, on_metrics=progress, on_note=note)
    except runs.Interrupted as stop:
        raise Stopped(str(stop)) from None
    except (ArithmeticError, RuntimeError) as error:
        again = f"guldberg resume {shlex.quote(str(folder))}"
        raise Failed(f"{error}; what was reached is saved: {again}") from error
    answer(json.loads((folder / "result.json").read_text()), kind.summary(found), as_json)
    note(f"\n{folder / 'report.html'}")


def _command() -> str:
    """What was typed."""
    return shlex.join(["guldberg", *sys.argv[1:]])


def _version() -> str:
    import importlib.metadata

    return importlib.metadata.version("guldberg")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The entry point: runs a command, turns what went wrong into one line and an exit status."""
    # JAX reads this when it is first imported, which is later. Only here: a library must leave its user's choice alone.
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: more threads only get in the way
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.ERROR)  # "a GPU may be present": not asked for
    status = _status(lambda: cli.main(argv, prog_name="guldberg", standalone_mode=False))
    if argv is None:  # the process ends here: Ctrl-C after the answer must not make it look as if there were none
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)


def _status(run: Callable[[], int | None]) -> int:
    try:
        return run() or 0
    except click.Abort:
        return _complain("interrupted", 130)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "guldberg"
        return _complain(f"{error.format_message()} (see {path} --help)", 2)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except InputError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:  # as in `guldberg show x.crn | head -1`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error), 2)
    except MemoryError:
        return _complain("out of memory: fewer times, initial states or a smaller --max-order need less", 1)


def _complain(message: str, status: int) -> int:
    click.echo(f"guldberg: {' '.join(message.split())}", err=True)
    return status
