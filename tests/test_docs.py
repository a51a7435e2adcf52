"""What the README, docs/ and the help texts show is true: code runs, commands are understood, links lead somewhere."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import jax
import pytest

import guldberg
from guldberg.app.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def blocks(page, language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [block for name, block in fenced if name == language]


def named(pages):
    return {"argvalues": pages, "ids": [str(page.relative_to(ROOT)) for page in pages]}


@pytest.fixture
def lenient():
    """A reader has not asked JAX to refuse promotions, as these tests do elsewhere."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.parametrize("page", **named([page for page in PAGES if blocks(page, "python")]))
def test_python_runs_and_prints_what_its_last_line_says(page, capsys, lenient):
    names = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)
        printed, last = capsys.readouterr().out, block.strip().splitlines()[-1]
        assert not last.startswith("# ") or printed.strip() == last.removeprefix("# ")


def test_the_first_run_of_the_guide_runs(tmp_path, monkeypatch, capsys, lenient):
    """Its script, in this process: five cold starts would take longer than all the rest."""
    monkeypatch.chdir(tmp_path)
    (script,) = blocks(ROOT / "docs" / "discover.md", "sh")
    name, text, typed = re.fullmatch(r"cat > (\S+) <<'END'\n(.*?)^END\n(.*)", script, re.M | re.S).groups()
    Path(name).write_text(text)
    for line in typed.splitlines():
        assert line.startswith("guldberg ")
        cli.main(shlex.split(line)[1:], prog_name="guldberg", standalone_mode=False)
    assert "E + S <-> ES" in capsys.readouterr().out and Path("found/report.html").exists()


def commands():
    """Every `guldberg ...` that a reader is told to type, with where it stands."""
    helps = [("guldberg", cli.help), *((name, command.help) for name, command in cli.commands.items())]
    for name, text in helps:
        typed = re.findall(r"^(?:Example: )?(guldberg .+)$", text, re.M)
        yield from ((f"help of {name}", re.split(r" {2,}", line)[0]) for line in typed)
    for page in PAGES:
        typed = re.findall(r"^\$ (guldberg .+)$|`(guldberg [^`\n]+)`", page.read_text(), re.M)
        yield from ((page.name, shown or quoted) for shown, quoted in typed)


@pytest.mark.parametrize("where, typed", sorted(set(commands())))
def test_every_command_shown_is_understood(where, typed):
    name, *arguments = shlex.split(typed, comments=True)[1:]
    if not arguments and name in cli.commands:  # "`guldberg resume` goes on": named, not shown
        return
    with cli.make_context("guldberg", [name, *arguments]) as context:
        _, command, rest = cli.resolve_command(context, [name, *arguments])
        try:
            command.make_context(name, rest, parent=context)
        except click.exceptions.Exit as end:  # --help
            assert end.exit_code == 0


def test_commands_that_do_not_exist_are_not_understood():
    """The test above can fail."""
    for typed in (
        "guldberg discover data.csv --no-such-option",
        "guldberg discovery data.csv",
        "guldberg simulate x.crn",
    ):
        with pytest.raises(click.UsageError):
            test_every_command_shown_is_understood("here", typed)


@pytest.mark.parametrize("page", **named(PAGES))
def test_links_lead_to_files_and_make_knows_its_targets(page):
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^\$ )make ([a-z][\w-]*)", text, re.M)) <= targets
    files = re.findall(r"`((?:guldberg|examples|docs|tests|tools)/[\w./-]+)`", text)
    scripts = re.findall(r"python (examples/[\w./-]+)", text)
    assert [name for name in files + scripts if not (ROOT / name).exists()] == []


def test_the_map_shows_every_module():
    (drawn,) = [block for block in blocks(ROOT / "README.md", "") if block.startswith("guldberg/")]
    inside = {path for path in Path(guldberg.__file__).parent.iterdir() if not path.name.startswith(("_", "."))}
    modules = {path.name + "/" * path.is_dir() for path in inside} - {"data/", "cursor.py", "errors.py"}
    assert set(re.findall(r"[\w]+(?:\.py|/)", drawn.split("\n", 1)[1])) == modules


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == VERSION
