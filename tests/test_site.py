"""The site of the documentation: every page is on it, it builds without a warning, and the tutorials run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from guldberg.app.cli import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_page_is_on_the_site():
    nav = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(nav) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_every_module_of_the_reference_exists():
    named = [
        name for page in (DOCS / "api").glob("*.md") for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.M)
    ]
    assert len(named) > 30 and len(set(named)) == len(named)
    missing = [n for n in named if not any((ROOT / n.replace(".", "/")).with_suffix(s).exists() for s in (".py", ""))]
    assert not missing


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    home = (tmp_path / "site" / "index.html").read_text()
    assert not re.findall(r'<(?:script|link)[^>]+(?:src|href)="https?://', home)  # nothing is fetched from elsewhere
    assert "dc/dt" in (tmp_path / "site" / "api" / "network.html").read_text()


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.M | re.S)


def typed(block: str) -> list[str]:
    """Files are written as the shell would; what is left are commands."""
    for name, text in re.findall(r"^cat > (\S+) <<'END'\n(.*?)^END$", block, re.M | re.S):
        Path(name).write_text(text)
    return re.sub(r"^cat > .*?^END$", "", block, flags=re.M | re.S).split("\n")


@pytest.mark.slow
@pytest.mark.parametrize("job", ["discover", "design", "reduce"])
def test_a_tutorial_runs_as_it_stands(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ""
    for block in blocks(DOCS / "tutorials" / f"{job}.md"):
        for line in filter(None, typed(block)):
            command = [sys.executable, "-c", "from guldberg.app.cli import main; main()", *shlex.split(line)[1:]]
            done = subprocess.run(command, capture_output=True, text=True)
            assert line.startswith("guldberg ") and done.returncode == 0, done.stderr
            said += done.stdout
    folder = {"discover": "found", "design": "held", "reduce": "reduced"}[job]
    assert (tmp_path / folder / "report.html").exists()
    if job == "discover":
        assert "E + S <-> ES" in said and "ES -> E + P" in said


def test_each_command_of_a_tutorial_is_understood():
    """Without its work: `--help` after the name of each."""
    for job in ("discover", "design", "reduce"):
        for line in re.findall(r"^guldberg (\w+)", "\n".join(blocks(DOCS / "tutorials" / f"{job}.md")), re.M):
            assert CliRunner().invoke(cli, [line, "--help"]).exit_code == 0
