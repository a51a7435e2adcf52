"""Measured runs: what they hold, what they refuse, and what the with_... methods leave alone."""

import numpy as np
import pytest

from guldberg.experiments import Experiments, Run

nan = np.nan


def run(name="x", **changed):
    parts = {
        "times": np.array([0.0, 1.0, 2.0]),
        "values": np.array([[1.0, nan], [0.5, 0.5], [nan, 0.7]]),
        "sd": np.array([[0.0, nan], [0.1, nan], [nan, 0.2]]),
    }
    return Run(name, **(parts | changed))


def data(**changed):
    return Experiments(("A", "B"), (run("x"), run("y", temperature=300.0)), **changed)


def test_exact_initial_amounts_are_no_measurements():
    assert run().exact.tolist() == [True, False]
    assert data().measured.tolist() == [[1, 2], [1, 2]] and data().points == 6


def test_initial_amounts_settle_only_what_the_table_leaves_open():
    settled = data().with_initial({"A": 9.0, "B": 0.0})
    for before, after in zip(data().runs, settled.runs, strict=True):
        assert after.values[0].tolist() == [1.0, 0.0] and after.exact.tolist() == [True, True]
        np.testing.assert_array_equal(after.values[1:], before.values[1:])
        np.testing.assert_array_equal(after.sd[1:], before.sd[1:])
    assert np.isnan(data().runs[0].values[0, 1])  # the original is untouched


def test_a_noisy_measured_start_is_not_overruled():
    noisy = Experiments(("A", "B"), (run(sd=np.full((3, 2), 0.1)),)).with_initial({"A": 5.0})
    assert noisy.runs[0].values[0, 0] == 1.0 and not noisy.runs[0].exact[0]


def test_species_come_and_go():
    slopes = np.arange(6.0).reshape(3, 2)
    plain = Experiments(("A", "B"), (run(derivatives=slopes),), "s", ("mM", "%"), ("a note",))
    wider = plain.with_species(("C",))
    assert wider.species == ("A", "B", "C") and len(wider.units) == 3 and wider.notes == ("a note",)
    (wide,) = wider.runs
    assert np.isnan(wide.values[:, 2]).all() and np.isnan(wide.sd[:, 2]).all()
    assert wide.derivatives is not None and np.isnan(wide.derivatives[:, 2]).all()
    (back,) = wider.without(("C",)).runs
    for table in ("values", "sd", "derivatives"):
        np.testing.assert_array_equal(getattr(back, table), getattr(plain.runs[0], table))
    (narrow,) = plain.without(("A",)).runs
    assert plain.without(("A",)).units == ("%",)
    np.testing.assert_array_equal(narrow.derivatives, slopes[:, 1:])


def test_runs_share_a_scale():
    scaled = data().with_scale(("y",))
    assert [r.scale for r in scaled.runs] == [None, "y"]
    assert len({r.scale for r in data().with_scale(("x", "y")).runs}) == 1


def test_derivatives_count_only_where_every_run_has_some():
    some = run("d", derivatives=np.full((3, 2), 1.0))
    none = run("e", derivatives=np.full((3, 2), nan))
    assert Experiments(("A", "B"), (some,)).has_derivatives
    assert not Experiments(("A", "B"), (some, none)).has_derivatives
    assert not data().has_derivatives


REFUSED = {
    "times that repeat": (lambda: run(times=np.array([0.0, 1.0, 1.0])), "increase"),
    "times that fall": (lambda: run(times=np.array([0.0, 2.0, 1.0])), "increase"),
    "no times": (lambda: run(times=np.zeros(0), values=np.zeros((0, 2)), sd=np.zeros((0, 2))), "at least one"),
    "infinite time": (lambda: run(times=np.array([0.0, 1.0, np.inf])), "finite"),
    "shapes": (lambda: run(values=np.zeros((2, 2))), "shape"),
    "infinite value": (lambda: run(values=np.full((3, 2), np.inf)), "finite"),
    "negative deviation": (lambda: run(sd=np.full((3, 2), -1.0)), "positive"),
    "exact later": (lambda: run(sd=np.zeros((3, 2))), "first row"),
    "no runs": (lambda: Experiments(("A",), ()), "at least one"),
    "species twice": (lambda: Experiments(("A", "A"), (run(),)), "A more than once"),
    "names twice": (lambda: Experiments(("A", "B"), (run("x"), run("x"))), "x more than once"),
    "columns": (lambda: Experiments(("A", "B", "C"), (run(),)), "3 columns"),
    "units": (lambda: data(units=("mM",)), "1 units for 2"),
    "unknown initial": (lambda: data().with_initial({"Q": 1.0}), "unknown species Q"),
    "measured unmeasured": (lambda: data().with_species(("B",)), "B: in the table"),
    "unknown scale": (lambda: data().with_scale(("z",)), "no experiment named z"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
