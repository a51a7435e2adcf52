"""`import guldberg` is instant and without consequences for others. Seen from fresh processes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import guldberg

HEAVY = {"jax", "jaxlib", "equinox", "diffrax", "numpy", "scipy", "numba", "pandas", "xarray", "matplotlib"}


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_nothing_heavy():
    loaded = python("import guldberg, json, sys; print(json.dumps(sorted(sys.modules)))")
    assert not HEAVY & set(json.loads(loaded))


def test_using_every_name_leaves_numba_matplotlib_and_pandas_alone_and_jax_as_it_was():
    """`discover` is the exception that lives on compiled code: its package loads numba, so it is left out here."""
    told = python(
        "import jax, sys; before = dict(jax.config.values); import guldberg\n"
        "for name in set(guldberg.__all__) - {'discover'}: getattr(guldberg, name)\n"
        "print(before == dict(jax.config.values), {'numba', 'matplotlib', 'pandas', 'click'} & set(sys.modules))"
    )
    assert told == "True set()"


def test_discover_leaves_jax_as_it_was():
    told = python(
        "import jax; before = dict(jax.config.values); import guldberg.discover\n"
        "print(before == dict(jax.config.values))"
    )
    assert told == "True"


FUNCTION, MODULE = "from guldberg import simulate", "import guldberg.simulation"


@pytest.mark.parametrize("first, then", [(FUNCTION, MODULE), (MODULE, FUNCTION)])
def test_a_verb_is_a_function_in_whatever_order_it_is_imported(first, then):
    assert (
        python(f"{first}\n{then}\nimport guldberg as g\nprint(type(simulate).__name__, type(g.simulation).__name__)")
        == "function module"
    )


@pytest.mark.parametrize("first", ["import guldberg", "import guldberg.discover", "from guldberg import discover"])
def test_the_job_is_a_module_in_whatever_order_it_is_imported(first):
    assert python(f"{first}\nimport guldberg\nprint(type(guldberg.discover).__name__)") == "module"


def test_no_public_name_is_that_of_another_module():
    """Python would overwrite the name by the module as soon as that is imported."""
    modules = {path.stem for path in Path(guldberg.__file__).parent.iterdir()}
    assert modules & set(guldberg.__all__) == {"discover"}


@pytest.mark.parametrize("name", guldberg.__all__)
def test_every_public_name_exists_and_is_explained(name):
    assert getattr(guldberg, name).__doc__ and name in dir(guldberg)


def test_type_checkers_see_the_same_names_at_the_same_homes():
    tree = ast.parse(Path(guldberg.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}  # type: ignore[attr-defined]
    homes = dict(guldberg._HOME, discover="guldberg")
    assert seen == homes


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'guldberg' has no attribute 'simulte'"):
        guldberg.simulte  # noqa: B018
