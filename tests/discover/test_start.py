import dataclasses

import numpy as np
import pytest
from measured import directions, measure
from zoo import ZOO

from guldberg.discover import start
from guldberg.discover.problem import natural, prepare


def started(data, library):
    problem = prepare(data, np.full(len(data.species), 1e-3))
    return start.constants(data, problem, library)[0], natural(problem, library)


@pytest.mark.parametrize("name", ["oligomers", "brusselator", "futile_cycle", "flow_reactor"])
def test_on_a_fine_grid_without_noise_the_start_is_the_answer(name):
    """c(t) - c(0) = sum of integrals is exact; the trapezoid's error falls with the square of the step."""
    known = ZOO[name]
    library, k = directions(known.network)
    errors = []
    for points in (101, 201):
        found, unit = started(measure(known.network, known.time / 4, relative=0.0, points=points), library)
        errors.append(np.abs(found / np.clip(k, start.SMALLEST * unit, start.LARGEST * unit) - 1).max())
    assert errors[1] < 0.05
    assert errors[1] < 0.35 * errors[0] or errors[1] < 1e-4


def test_gaps_are_bridged_and_rows_without_a_value_do_not_count():
    known, rng = ZOO["oligomers"], np.random.default_rng(0)
    library, k = directions(known.network)
    data = measure(known.network, 0.5, relative=0.0, points=101)
    holes = [np.where(rng.uniform(size=run.values.shape) < 0.2, np.nan, run.values) for run in data.runs]
    runs = tuple(dataclasses.replace(run, values=v) for run, v in zip(data.runs, holes, strict=True))
    found, _ = started(dataclasses.replace(data, runs=runs), library)
    np.testing.assert_allclose(found, k, rtol=0.2)


def test_every_reaction_starts_positive_and_within_bounds_and_hidden_ones_at_one_turnover():
    known = ZOO["consecutive"]
    library, _ = directions(known.network)
    data = measure(known.network, 1.0, relative=0.1, runs=2, points=4)
    found, unit = started(data, library)
    assert (found >= start.SMALLEST * unit * (1 - 1e-12)).all() and (found <= start.LARGEST * unit * (1 + 1e-12)).all()
    hidden = data.without(("B",)).with_species(("B",))
    order = [hidden.species.index(name) for name in data.species]
    moved = library._replace(
        **{side: getattr(library, side)[:, np.argsort(order)] for side in ("reactants", "products")}
    )
    found, unit = started(hidden, moved)
    from_b = moved.reactants[:, hidden.species.index("B")] > 0
    np.testing.assert_array_equal(found[from_b], unit[from_b])
