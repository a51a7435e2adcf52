"""What is imported is declared, what is declared is used, and the floors of the package hold and can be broken."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NAMED = {"h5netcdf": 'engine="h5netcdf"', "h5py": "h5netcdf"}  # used through a name in the text, not by an import
MODULES = {"PIL": "pillow", "libsbml": "python-libsbml"}  # imported by another name than the one they are installed by
SITE = {"mkdocs-material": "mkdocs build", "mkdocstrings": "mkdocs build"}
TOOLS = {
    "pytest-xdist": "-n 2",
    "import-linter": "lint-imports",
    "editables": "--editable",
} | SITE  # how they are called
CALLED = [ROOT / "Makefile", ROOT / "tools" / "venv.sh", ROOT / ".ci" / "run"]


def imported(folder):
    """The top-level packages that the modules of `folder` import, those for type checking only left out."""
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    packages = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"guldberg", "__future__"}
    return {MODULES.get(name, name) for name in packages}


def declared(requirements):
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


RUNTIME = declared(PROJECT["project"]["dependencies"])
EXTRAS = set().union(*map(declared, PROJECT["project"]["optional-dependencies"].values()))
DEVELOPMENT = declared(PROJECT["dependency-groups"]["dev"])


def test_every_import_of_the_package_is_declared_and_every_dependency_is_used():
    assert imported(ROOT / "guldberg") == (RUNTIME | EXTRAS) - set(NAMED)
    text = "".join(path.read_text() for path in (ROOT / "guldberg").rglob("*.py"))
    assert all(trace in text for trace in NAMED.values())


def test_every_development_tool_is_used():
    own = {path.stem for folder in ("tests", "examples") for path in (ROOT / folder).rglob("*.py")}
    used = set().union(*(imported(ROOT / folder) for folder in ("tests", "examples", "benchmarks")))
    assert used - own - {"tests", "examples", "benchmarks"} <= RUNTIME | DEVELOPMENT
    calls = "".join(path.read_text() for path in CALLED)
    assert all(tool in used | EXTRAS or TOOLS.get(tool, tool) in calls for tool in DEVELOPMENT)
    assert EXTRAS <= DEVELOPMENT  # they are tested


def test_the_lock_names_no_address_pins_every_dependency_and_has_hashes():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    pins = dict.fromkeys(re.findall(r"^([\w.-]+)==", lock, re.M))
    assert RUNTIME | DEVELOPMENT <= set(pins)
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries) and len(entries) >= len(pins)


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_the_installed_version_is_one_that_the_project_allows(name):
    """The lower bounds are no guess that nobody ever met: what is locked satisfies them."""
    requirement = next(r for r in PROJECT["project"]["dependencies"] if declared([r]) == {name})
    least = tuple(map(int, requirement.split(">=")[1].split(".")))
    found = tuple(int(part) for part in importlib.metadata.version(name).split(".")[: len(least)])
    assert found >= least


VIOLATIONS = [
    ("structure.py", "import matplotlib.pyplot", "guldberg.structure -> matplotlib"),
    ("experiments.py", "def late():\n    import pandas", "guldberg.experiments -> pandas"),
    ("system.py", "from numba import njit", "guldberg.system -> numba"),
    ("system.py", "import diffrax", "guldberg.system -> diffrax"),
    ("experiments.py", "import guldberg.text", "guldberg.experiments -> guldberg.text"),
    ("learn/fit.py", "from guldberg.discover import result", "guldberg.learn.fit -> guldberg.discover.result"),
    ("simulation.py", "from guldberg import stiff", "guldberg.simulation -> guldberg.stiff"),
    ("novel.py", "", "guldberg.novel"),
]


def lint(folder):
    """Import-linter on a copy of the package in `folder`."""
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.fixture
def package(tmp_path):
    shutil.copytree(ROOT / "guldberg", tmp_path / "guldberg", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_floors_hold(package):
    status, told = lint(package)
    assert status == 0, told


@pytest.mark.parametrize("file, code, told", VIOLATIONS, ids=[told for *_, told in VIOLATIONS])
def test_the_floors_cannot_be_broken_unnoticed(package, file, code, told):
    module = package / "guldberg" / file
    module.write_text(f"{module.read_text() if module.exists() else ''}\n{code}\n")
    status, output = lint(package)
    assert status == 1 and told in output
