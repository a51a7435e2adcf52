"""What `guldberg check` says is missing."""

import dataclasses

import pytest

from guldberg.app import check


def test_missing_extras_are_told_with_what_to_type():
    requirements = [
        "jax>=0.7",
        "no-such-thing>=1; extra == 'sbml'",
        'numpy>=2; extra == "graph"',
        "x; extra == 'new-one'",
    ]
    missing = check.missing(requirements)
    assert missing == {"sbml": ["no-such-thing"], "graph": [], "new-one": ["x"]}
    checked = dataclasses.replace(found(), missing=missing)
    said = checked.render().splitlines()
    assert "  SBML and Antimony, in and out (no-such-thing): pip install 'guldberg[sbml]'" in said
    assert "  new-one (x): pip install 'guldberg[new-one]'" in said
    assert not any("guldberg[graph]" in line for line in said)
    assert "extras: all installed" in dataclasses.replace(checked, missing={"graph": []}).render()


def found() -> check.Checked:
    return check.Checked("3.11", "0.1", "cpu", True, {"jax": "0.7"}, {}, True, 1e-9, 1.0)


@pytest.mark.parametrize("extra", sorted(check.EXTRAS))
def test_every_extra_that_is_explained_is_declared(extra):
    import tomllib
    from pathlib import Path

    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert set(declared["project"]["optional-dependencies"]) == set(check.EXTRAS) and extra in check.EXTRAS
