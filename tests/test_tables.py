"""Tables in, tables out: what each form of CSV must mean, by values worked out by hand."""

import itertools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guldberg.app import datasets
from guldberg.app.synthetic import _MassAction, synthetic
from guldberg.app.tables import read_experiments, write_experiments
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run

nan = np.nan


@pytest.fixture
def read(tmp_path):
    """Read texts, each written to its own file, as one set of experiments."""

    def reader(*texts: str | bytes, names: tuple[str, ...] = ("a.csv", "b.csv", "c.csv")) -> Experiments:
        paths = []
        for name, text in zip(names, texts, strict=False):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append(path)
        return read_experiments(paths)

    return reader


def same(a: Experiments, b: Experiments) -> bool:
    if (a.species, a.time_unit, a.units) != (b.species, b.time_unit, b.units):
        return False
    for r, s in zip(a.runs, b.runs, strict=True):
        slopes = (r.derivatives is None) == (s.derivatives is None)
        if not slopes or (r.name, r.temperature) != (s.name, s.temperature):
            return False
        pairs = [(r.times, s.times), (r.values, s.values), (r.sd, s.sd)]
        if r.derivatives is not None and s.derivatives is not None:
            pairs.append((r.derivatives, s.derivatives))
        if not all(np.array_equal(x, y, equal_nan=True) for x, y in pairs):
            return False
    return True


def test_a_wide_table(read):
    data = read("time [min],A [mM],B [mM],sd(A)\n0,1,0,0\n1,0.5,,0.1\n2.5,.25,7e-1,0.05\n")
    assert (data.species, data.units, data.time_unit) == (("A", "B"), ("mM", "mM"), "min")
    (run,) = data.runs
    assert run.name == "a" and run.derivatives is None and run.temperature is None
    np.testing.assert_array_equal(run.times, [0, 1, 2.5])
    np.testing.assert_array_equal(run.values, [[1, 0], [0.5, nan], [0.25, 0.7]])
    np.testing.assert_array_equal(run.sd, [[0, nan], [0.1, nan], [0.05, nan]])
    np.testing.assert_array_equal(run.exact, [True, False])


def test_a_long_table_says_the_same_as_the_wide_one(read):
    wide = read("experiment,time [s],A [mM],B [mM],sd(A),sd(B)\nx,0,1,0,0,0\nx,1,.5,,.1,\ny,0,2,,,\ny,3,,4,,.2\n")
    long = read("time [s],species,value [mM],sd,experiment\n1,A,.5,.1,x\n0,A,1,0,x\n0,B,0,0,x\n0,A,2,,y\n3,B,4,.2,y\n")
    assert same(wide, long)


SPREADSHEETS = {
    "comma": "time [min],A [%],B [%]\n0,1.5,0\n1,0.5,1.25\n",
    "semicolon, decimal comma": "time [min];A [%];B [%]\n0;1,5;0\n1;0,5;1,25\n",
    "tab": "time [min]\tA [%]\tB [%]\n0\t1.5\t0\n1\t.5\t1.25\n",
    "tab, decimal comma": "time [min]\tA [%]\tB [%]\n0\t1,5\t0\n1\t,5\t1,25\n",
    "mark of byte order": "\ufefftime [min],A [%],B [%]\n0,1.5,0\n1,0.5,1.25\n",
    "old line ends": "time [min],A [%],B [%]\r0,1.5,0\r1,0.5,1.25\r",
    "windows line ends": "time [min],A [%],B [%]\r\n0,1.5,0\r\n1,0.5,1.25\r\n",
    "quotes": '"time [min]","A [%]","B [%]"\n"0","1.5","0"\n"1","0.5","1.25"\n',
    "round brackets": "Time (min),A (%),B(%)\n0,1.5,0\n1,0.5,1.25\n",
    "chemists' brackets": "time [min],[A] (%),[B] [%]\n0,1.5,0\n1,0.5,1.25\n",
    "empty ends": "time [min],A [%],B [%],,\n0,1.5,0,,\n1,0.5,1.25,,\n,,,,\n\n\n",
    "empty lines between": "\n\ntime [min],A [%],B [%]\n\n0,1.5,0\n\n1,0.5,1.25",
    "comments above": "# by hand\n#\ntime [min],A [%],B [%]\n0,1.5,0\n1,0.5,1.25\n",
    "spaces": " time [min] , A [%] ,B [%]\n 0 , 1.5,0\n1,0.5 , 1.25\n",
    "out of order": "time [min],A [%],B [%]\n1,0.5,1.25\n0,1.5,0\n",
    "columns in another order": "A [%],time [min],B [%]\n1.5,0,0\n0.5,1,1.25\n",
}


@pytest.mark.parametrize("text", SPREADSHEETS.values(), ids=SPREADSHEETS.keys())
def test_spellings_of_one_table(read, text):
    expected = Run("a", np.array([0.0, 1.0]), np.array([[1.5, 0.0], [0.5, 1.25]]), np.full((2, 2), nan))
    assert same(read(text), Experiments(("A", "B"), (expected,), "min", ("%", "%")))


@pytest.mark.parametrize("missing", ["", "NA", "nan", "NaN", "n/a", "#N/A", "  "])
def test_not_measured(read, missing):
    assert np.isnan(read(f"time,A,B\n0,1,2\n1,{missing},3\n").runs[0].values[1, 0])


@pytest.mark.parametrize(
    ("header", "species", "unit"),
    [
        ("alpha-pinene", "alpha-pinene", ""),
        ("β-carotene [mM]", "β-carotene", "mM"),
        ("[Fe(III)] (mM)", "Fe(III)", "mM"),
        ("Fe(II)", "Fe(II)", ""),
        ("A(mmol/L)", "A", "mmol/L"),
        ("[A] [mmol/(L)]", "A", "mmol/(L)"),
        ("A (mmol/(L))", "A", "mmol/(L)"),
        ("H+", "H+", ""),
        ("2-butanol  (racemic mixture) [%]", "2-butanol (racemic mixture)", "%"),
        ("A'", "A'", ""),
    ],
)
def test_names_and_units_in_the_header(read, header, species, unit):
    data = read(f"time,{header},X\n0,1,1\n1,2,2\n")
    assert data.species == (species, "X") and (data.units or ("",))[0] == unit


def test_derivatives_and_temperature(read):
    data = read("time [s],A [mM],dA/dt [mM/s],temperature [°C]\n0,1,-1,25\n1,.4,,25\n")
    np.testing.assert_array_equal(data.runs[0].derivatives, [[-1], [nan]])
    assert data.runs[0].temperature == 298.15
    assert read("time,A,temperature\n0,1,300\n1,2,300\n").runs[0].temperature == 300


def test_a_row_of_empty_cells_still_starts_the_run(read):
    """The amount at time 0 is unknown, and time 0 is when the run began."""
    (run,) = read("time,A,B\n0,,\n5,1,0\n9,2,0\n").runs
    assert run.times[0] == 0 and np.isnan(run.values[0]).all()


def test_several_files_are_several_experiments(read):
    data = read("time [s],A\n0,1\n1,2\n", "time [s],B,A\n0,3,4\n1,5,6\n")
    assert data.species == ("A", "B") and [run.name for run in data.runs] == ["a", "b"]
    np.testing.assert_array_equal(data.runs[0].values, [[1, nan], [2, nan]])
    np.testing.assert_array_equal(data.runs[1].values, [[4, 3], [6, 5]])


def test_experiments_of_one_name_in_two_files_stay_apart(read):
    text = "experiment,time,A\n1,0,1\n1,1,2\n"
    data = read(text, text, "time,A\n0,1\n2,3\n")
    assert [run.name for run in data.runs] == ["a/1", "b/1", "c"]
    assert any("a/1" in note for note in data.notes)


def test_files_of_one_name_in_two_folders_stay_apart(read):
    names = [run.name for run in read("time,A\n0,1\n1,2\n", "time,A\n0,1\n1,2\n", names=("p/x.csv", "q/x.csv")).runs]
    assert len(set(names)) == 2 and all(name.endswith(os.sep + "x") for name in names)


def test_replicates_are_averaged_by_their_deviations(read):
    (run,) = read("time,A,sd(A)\n0,1,0\n1,2,1\n1,5,2\n2,3,1\n").runs
    np.testing.assert_allclose(run.values[:, 0], [1, (2 / 1 + 5 / 4) / (1 + 1 / 4), 3])
    np.testing.assert_allclose(run.sd[:, 0], [0, (1 + 1 / 4) ** -0.5, 1])


def test_replicates_tell_the_deviation_of_a_species(read):
    """Pooled variance: squares 0.5, 2, 0.5 + 0 over four degrees of freedom; a mean of n has sd / sqrt(n)."""
    data = read("time,A,B\n0,1,7\n0,2,7\n1,4,7\n1,6,7\n2,3,7\n2,4,7\n2,,7\n3,5,7\n4,1,7\n4,1,7\n")
    pooled = ((0.5 + 2 + 0.5 + 0) / 4) ** 0.5
    np.testing.assert_allclose(data.runs[0].values[:, 0], [1.5, 5, 3.5, 5, 1])
    np.testing.assert_allclose(data.runs[0].sd[:, 0], pooled / np.sqrt([2, 2, 2, 1, 2]))
    assert np.isnan(data.runs[0].sd[:, 1]).all()  # replicates that agree exactly tell no deviation
    assert any("A" in note and "4 replicates" in note for note in data.notes)


def test_few_replicates_are_averaged_without_a_deviation(read):
    data = read("time,A\n0,1\n0,2\n1,4\n")
    np.testing.assert_allclose(data.runs[0].values[:, 0], [1.5, 4])
    assert np.isnan(data.runs[0].sd).all() and any("averaged" in note for note in data.notes)


def test_a_run_with_one_time_is_told(read):
    data = read("experiment,time,A\nx,0,1\nx,1,2\ny,0,3\n")
    assert any("y" in note and "one time" in note for note in data.notes)


finite = st.floats(allow_nan=False, allow_infinity=False)
cell = st.one_of(st.just(nan), finite)
label = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8).filter(
    lambda text: text.strip() == text and text.isprintable()
)

name = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,3}[XYZ]", fullmatch=True),
    st.sampled_from(["Fe (III)", "H+", "a,b", 'say "x"', "A/dt", "sd(Q)", "µ-oxo [2]", "3PG", "x;y", "dA/dt"]),
)


@st.composite
def experiments(draw):
    species = draw(st.lists(name, min_size=1, max_size=3, unique=True))
    slopes, warm = draw(st.booleans()), draw(st.booleans())
    names = draw(st.lists(label, min_size=1, max_size=3, unique=True))
    runs = tuple(draw(run(name, len(species), slopes, warm)) for name in names)
    return Experiments(tuple(species), runs, draw(st.sampled_from(["", "min", "s"])), ("mmol/L",) * len(species))


@st.composite
def run(draw, name, n, slopes, warm):
    times = np.array(sorted(draw(st.lists(finite, min_size=2, max_size=4, unique_by=lambda t: t + 0.0))))
    table = st.lists(st.lists(cell, min_size=n, max_size=n), min_size=len(times), max_size=len(times))
    values = np.array(draw(table))
    values[0, 0] = draw(finite)
    sd = np.abs(np.array(draw(table)))
    sd[np.isnan(values) | (sd == 0)] = nan
    if draw(st.booleans()):
        sd[0, 0] = 0.0
    temperature = draw(st.floats(1, 5000)) if warm else None
    return Run(name, times, values, sd, np.array(draw(table)) if slopes else None, temperature)


@settings(max_examples=60, deadline=None)
@given(data=experiments())
def test_what_is_written_is_read_back_to_the_same_bits(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("round") / "table.csv"
    write_experiments(data, path)
    assert same(read_experiments([path]), data)


def test_measured_tables_are_complete():
    carotenoid = read_experiments([datasets.path("carotenoid")])
    assert carotenoid.points == 77 and len(carotenoid.runs) == 6 and carotenoid.notes == ()
    # time 0: all but the substrate fed are exactly absent
    assert [carotenoid.species[int(np.flatnonzero(~run.exact)[0])] for run in carotenoid.runs] == [
        "b10", "bcar", "bcar", "bcry", "ohb10", "zea",
    ]  # fmt: skip
    assert all(run.exact.sum() == 4 for run in carotenoid.runs)
    pinene = read_experiments([datasets.path("alpha-pinene")])
    assert pinene.points == 40 and pinene.runs[0].exact.all() and pinene.units == ("%",) * 5
    assert np.abs(pinene.runs[0].values.sum(axis=1) - 100.2).max() < 0.21


def test_carotenoid_table_is_that_of_the_published_optimum():
    """chi2 of the published constants and initial amounts, by the exact solution of their linear network: 65.111."""
    from scipy.linalg import expm

    data = read_experiments([datasets.path("carotenoid")])
    s = {name: i for i, name in enumerate(data.species)}
    k = [("bcar", "b10", 0.016628), ("b10", None, 0.005844), ("bcry", "b10", 0.001679), ("bcry", "ohb10", 0.006976),
         ("ohb10", None, 0.006083), ("zea", "ohb10", 0.003087)]  # fmt: skip
    A = np.zeros((5, 5))
    for source, target, rate in k:
        A[s[source], s[source]] -= rate
        if target:
            A[s[target], s[source]] += rate
    fed = [4.222, 4.440, 3.302, 5.217, 1.737, 2.958]
    chi2 = 0.0
    for run, amount, factor in zip(data.runs, fed, [1, 1, 0.517, 1, 1, 0.517], strict=True):
        c0 = np.where(run.exact, 0.0, amount)
        model = np.array([expm(A * factor * t) @ c0 for t in run.times[1:]])
        chi2 += np.nansum(((model - run.values[1:]) / run.sd[1:]) ** 2)
    assert abs(chi2 - 65.111) < 0.02


def test_made_data_solve_their_network():
    """Against an independent solver, one run at a time, and the network's own right-hand side."""
    from scipy.integrate import solve_ivp

    network = datasets.hydrogen_network()
    data = datasets.hydrogen(runs=3)
    rate = _MassAction(network)
    for run in data.runs:
        alone = solve_ivp(
            lambda _, c: rate(c), (0, 1), run.values[0], method="Radau", t_eval=run.times, rtol=1e-10, atol=1e-12
        )
        np.testing.assert_allclose(run.values, alone.y.T, atol=1e-7)
        for c, slope in zip(run.values, run.derivatives, strict=True):
            np.testing.assert_allclose(slope, network.production(c), rtol=1e-12, atol=1e-9)
        assert run.exact.all()


def test_noise_of_made_data_is_what_was_asked():
    clean = datasets.hydrogen(runs=40)
    noisy = datasets.hydrogen(runs=40, noise=1e-2, derivative_noise=0.1)
    difference = np.array([b.values - a.values for a, b in zip(clean.runs, noisy.runs, strict=True)])
    ratio = np.array([b.derivatives / a.derivatives - 1 for a, b in zip(clean.runs, noisy.runs, strict=True)])
    assert (difference[:, 0] == 0).all()
    n = difference[:, 1:].size
    assert abs(difference[:, 1:].std() / 1e-2 - 1) < 4 / np.sqrt(2 * n)
    assert np.abs(ratio).max() <= 0.1 + 1e-12 and abs(ratio.std() - 0.1 / 3**0.5) < 0.002
    start_measured = synthetic(
        datasets.hydrogen_network(), np.ones((2, 6)), np.array([0.0, 1.0]), noise=1e-2, exact_start=False
    )
    assert not any(run.exact.any() for run in start_measured.runs) and (start_measured.runs[0].values[0] != 1).all()


def test_a_large_table_is_read_in_seconds(tmp_path):
    import time

    path = tmp_path / "large.csv"
    rows = (f"{i},{i * 0.5},{i * 0.25}" for i in range(100_000))
    path.write_text("\n".join(itertools.chain(["time,A,B"], rows)))
    start = time.perf_counter()
    data = read_experiments([path])
    assert time.perf_counter() - start < 5 and data.points == 200_000


def test_no_table_is_told():
    with pytest.raises(InputError, match="at least one table"):
        read_experiments([])
