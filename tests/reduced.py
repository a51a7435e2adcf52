"""Results of reductions for tests of what is written and drawn: plausible numbers, nothing fitted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from guldberg.app.reduce.spec import annihilation, plan, rossler
from guldberg.errors import InputError
from guldberg.reduce.persistent import Recorded
from guldberg.reduce.result import Beyond, BoxReduced, ChainReduced, PhaseTest, Row, Slice
from guldberg.reduce.single import SNAPSHOTS, Followed

CLOSURES = ("learned", "projection", "pair_closure", "pair_closure_unfitted", "mean_field", "static_floor", "noise")


def chain(steps: int = 30, warnings: tuple[str, ...] = ()) -> ChainReduced:
    """Decaying moments of a few starts."""
    rng, t = np.random.default_rng(0), np.arange(steps + 1.0)
    decay = 1 / (1 + 0.1 * t)
    moments = 300 * decay[None, :, None] ** np.arange(1, 5) * rng.uniform(0.5, 1, (6, 1, 1))
    thetas = np.cumsum(rng.normal(0, 0.05, (6, steps + 1, 3)), axis=1)
    grid = np.linspace(-1, 1, 8)
    planes = tuple(Slice(axes, grid, grid, rng.normal(size=(3, 8, 8))) for axes in (("b", "J"), ("b", "K"), ("J", "K")))
    errors = {who: (i + 1.0) * decay * np.ones((4, 1)) for i, who in enumerate(CLOSURES)}
    return ChainReduced(
        dataclasses.replace(annihilation(), steps=steps, starts=6, held_out=6),
        ("b", "J", "K"),
        errors,
        {"b": 8 * errors["static_floor"], "b, J": 3 * errors["static_floor"]},
        moments,
        moments,
        1.02 * moments,
        thetas,
        thetas,
        planes,
        (("1", 0.12), ("10", 0.034)),
        Beyond(rng.uniform(1, 2, (4, 3)), rng.uniform(1, 9, (4, 4)), np.array([True, False, True, True])),
        {"hidden units": (2 * errors["static_floor"], 4 * errors["learned"])},
        {"nothing moves": 90 * errors["learned"], "CD-1": 50 * errors["learned"]},
        {"simulate": 0.5, "static": 2.0, "refine": 7.5, "judge": 1.0},
        2e-4,
        1e-3,
        warnings,
    )


def _recorded(times: int, rng: np.random.Generator) -> Recorded:
    counts, pairs = rng.uniform(20, 300, (times, 3)), rng.uniform(5, 400, (times, 6))
    return Recorded(counts, pairs, pairs, rng.random((times, 165)), rng.random((times, 9)), rng.random((times, 3)), 100)


def _followed(times: int, rng: np.random.Generator) -> Followed:
    path, state = rng.normal(size=(times, 9)), rng.integers(0, 4, (10, 10, 10)).astype(np.int8)
    seen = _recorded(times, rng)
    return Followed(seen, seen, path, None, 500, 900, path, state, rng.random((1000, 3)))


def box(many: bool = True, warnings: tuple[str, ...] = ()) -> BoxReduced:
    """Three energies of one start, and closures of fresh starts."""
    rng = np.random.default_rng(1)
    names = ("pairs of neighbours", "hidden units, eq. (44)", "hidden units, all weights")
    species, pairs = np.array([2.0, 3.0, 1.0]), np.arange(1.0, 7.0)
    rows = [Row(f"{name}, steps 0 to 30", species, pairs, kind="learned") for name in names]
    fresh = (
        Row("means alone, cubic", species, None, 6.0, 20.0, 60, "baseline"),
        Row("pair energy, F of its moments, quadratic", species, pairs, 3.0, 9.0, 495),
        Row("pair energy, static fits", species, pairs, 2.0, 7.0, 0, "floor"),
    )
    pictures = {
        "data": tuple(_recorded(31, rng) for _ in range(4)),
        "snapshots": rng.integers(0, 4, (len(SNAPSHOTS), 10, 10, 10)).astype(np.int8),
        "followed": {name: _followed(31, rng) for name in names},
    }
    if many:
        pictures["fresh"] = rng.uniform(20, 300, (5, 31, 9)), rng.uniform(20, 300, (5, 31, 9))
    who = ("learned", "mean_field", "static_floor", "noise") if many else ("learned", "static_floor", "noise")
    errors = {name: np.ones((1 if name == "mean_field" else 2, 31)) * (i + 1) for i, name in enumerate(who)}
    tests = (
        PhaseTest(names[0], 30, species, np.array([[900.0, 5, 5], [50, 250, 250]]), np.ones((2, 3))),
        PhaseTest(names[1], 30, species, np.array([[50.0, 250, 250]] * 2), np.ones((2, 3))),
    )
    seconds = {"single": 3.0, "fit": 30.0, "follow": 20.0, "phases": 2.0, "many": 25.0, "learn": 30.0}
    return BoxReduced(
        rossler(), ("b_A", "J_AA"), errors, tuple(rows), tests, fresh if many else (), pictures, seconds, warnings
    )


def refused(folder: Path, text: str, expected: tuple[str, ...]) -> None:
    """A spec that cannot be followed is told with its file and all of these words."""
    (folder / "asked.toml").write_text(text)
    with pytest.raises(InputError) as told:
        plan({}, [folder / "asked.toml"])
    assert all(word in str(told.value) for word in ("asked.toml", *expected)), told.value
