"""Problems in PEtab's form: the library's own likelihood is the oracle, on tables that are read by it alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from petab import v1

from guldberg.app.cli import cli
from guldberg.app.petab import formulas, reading
from guldberg.errors import InputError

HOME = Path(__file__).parents[1] / "examples" / "petab"
PUBLISHED = {"carotenoid": -46.688, "stat5": 138.222}


def simulated(problem, x):
    """The measurement table with our readings in the place of what was measured, row by row."""
    table = {}
    for setting, read in zip(problem.settings, problem.likelihood.readings(x), strict=True):
        ends = np.cumsum([len(one.at) for one in setting.instruments])[:-1]
        for one, misfit in zip(setting.instruments, np.split(read.misfit, ends), strict=True):
            table |= dict(zip(one.rows.tolist(), one.fitted(misfit).tolist(), strict=True))
    return [table[row] for row in range(len(table))]


def by_the_library(path, problem, x):
    """-ln L by petab's reference, at our simulation and our parameters."""
    tables = v1.Problem.from_yaml(str(path))
    measured = tables.measurement_df.reset_index(drop=True)
    table = measured.drop(columns="measurement").assign(simulation=simulated(problem, x))
    parameters = tables.parameter_df.copy()
    parameters.loc[list(problem.unknowns), "nominalValue"] = problem.settings[0].pool.values(x)[: len(x)]
    return -v1.calculate_llh(measured, table, tables.observable_df, parameters)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_likelihood_is_that_of_the_library_and_the_published_one_with_its_slopes(name):
    problem = reading.read(HOME / f"{name}.yaml")
    x = problem.nominal
    assert problem.likelihood.value(x) == pytest.approx(PUBLISHED[name], abs=1e-3)
    away = np.clip(x + 0.1 * np.cos(np.arange(len(x))), problem.likelihood.low, problem.likelihood.high)
    for at in (x, away):
        assert problem.likelihood.value(at) == pytest.approx(by_the_library(HOME / f"{name}.yaml", problem, at))
    point = problem.likelihood.at(away)
    for i, step in enumerate(1e-4 * np.eye(len(x))):
        rise = problem.likelihood.value(away + step) - problem.likelihood.value(away - step)
        assert point.gradient[i] == pytest.approx(rise / 2e-4, rel=1e-2, abs=0.1)


def changed(folder, file, old, new, problem="carotenoid"):
    """A copy of a problem in which one thing is different."""
    for path in HOME.glob(f"{problem}*"):
        shutil.copyfile(path, folder / path.name)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    return folder / f"{problem}.yaml"


@pytest.mark.parametrize("noise", ["noiseParameter1_o_{s} * (1 + slow)", "noiseParameter1_o_{s} + 0.1 * log(1 + {s})"])
def test_logarithms_placeholders_and_rates_told_in_the_condition_table(noise, tmp_path):
    """Readings on a log10 scale with a factor for each row, and noise that depends on a parameter or on what is seen.

    The library's reference knows no species in noise formulas: there the slope alone is compared."""
    head = "observableId\tobservableFormula\tobservableTransformation\tnoiseFormula\n"
    rows = "".join(
        f"o_{s}\tobservableParameter1_o_{s} * {s} + exp(-3)\tlog10\t{noise.format(s=s)}\n"
        for s in ("b10", "bcar", "bcry", "ohb10", "zea")
    )
    path = changed(tmp_path, "carotenoid_conditions.tsv", "slow", "0.5")
    (tmp_path / "carotenoid_observables.tsv").write_text(head + rows)
    table = (tmp_path / "carotenoid_measurements.tsv").read_text().splitlines()
    more = [f"{line}\t{'slow' if n % 2 else 1.25}" for n, line in enumerate(table[1:])]
    (tmp_path / "carotenoid_measurements.tsv").write_text(
        "\n".join([f"{table[0]}\tobservableParameters", *more]) + "\n"
    )
    problem = reading.read(path)
    x = problem.nominal + 0.05
    if "log" not in noise:
        assert problem.likelihood.value(x) == pytest.approx(by_the_library(path, problem, x))
    point, step = problem.likelihood.at(x), 1e-4 * (np.array(problem.unknowns) == "slow")
    rise = problem.likelihood.value(x + step) - problem.likelihood.value(x - step)
    assert point.gradient @ step * 2 == pytest.approx(rise, rel=1e-3)


REFUSED = {
    "a prior": ("_parameters.tsv", "estimate\n", "estimate\tobjectivePriorType\n", "prior"),
    "a Laplace": ("_observables.tsv", "noiseFormula\n", "noiseFormula\tnoiseDistribution\n", "'laplace'"),
    "sine": ("_observables.tsv", "\tbcar\t", "\tsin(bcar)\t", "observable 'o_bcar': sin in its formula"),
    "no such parameter": ("_conditions.tsv", "slow", "fast", "no valid problem"),
    "steady state": ("_measurements.tsv", "\t180\t", "\tinf\t", "at no finite time"),
    "a law that is none of mass action": ("_model.xml", "<ci> b10 </ci>", "<ci> k5 </ci>", "takes more of 'b10'"),
    "another file": (".yaml", "carotenoid_model.xml", "../carotenoid_model.xml", "expected the name of a file beside"),
    "version 2": (".yaml", "format_version: 1", "format_version: 2", "version 1"),
    "no yaml": (".yaml", "format_version: 1", "{[", "cannot be read"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_read_is_refused_by_its_id(what, tmp_path):
    file, old, new, told = REFUSED[what]
    path = changed(tmp_path, f"carotenoid{file}", old, new)
    extra = {"a prior": "\tparameterScaleUniform", "a Laplace": "\tlaplace"}.get(what)
    if extra:
        table = (tmp_path / f"carotenoid{file}").read_text().splitlines()
        (tmp_path / f"carotenoid{file}").write_text("\n".join([table[0], *(line + extra for line in table[1:])]) + "\n")
    with pytest.raises(InputError) as refused:
        reading.read(path)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_formulas_are_walked_through_not_executed():
    read = v1.math.sympify_petab("2 * x^2 / (1 + log(y)) - exp(-x)")
    at = {"x": np.array([1.0, 2.0]), "y": np.array(3.0)}
    expected = 2 * at["x"] ** 2 / (1 + np.log(3.0)) - np.exp(-at["x"])
    np.testing.assert_allclose(formulas.value(read, at), expected, rtol=1e-14)
    np.testing.assert_allclose(
        formulas.value(formulas.slopes(read)["x"], at), 4 * at["x"] / (1 + np.log(3.0)) + np.exp(-at["x"]), rtol=1e-13
    )
    assert formulas.foreign(v1.math.sympify_petab("1 + sin(x)")) == "sin" and formulas.foreign(read) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_twenty_starts_find_the_published_optimum(name, tmp_path):
    run = tmp_path / "run"
    cli.main(["discover", str(HOME / f"{name}.yaml"), "--out", str(run), "--quiet"], standalone_mode=False)
    told = json.loads((run / "result.json").read_text())
    assert told["objective"] <= PUBLISHED[name] + 2e-3 and told["starts"]["reached"] >= 4
    verdicts = {one["id"]: one["verdict"] for one in told["parameters"]}
    one_sided = {"k_imp_homo", "k_exp_hetero"} if name == "stat5" else set()
    assert {name for name, verdict in verdicts.items() if verdict != "bounded"} == one_sided
    published = {
        name: float(row.split("\t")[4])
        for row in (HOME / f"{name}_parameters.tsv").read_text().splitlines()[1:]
        for name in [row.split("\t")[0]]
    }
    for one in told["parameters"]:
        if one["verdict"] == "bounded":
            assert one["low"] < published[one["id"]] < one["high"]
    assert (run / "report.html").read_text().count("<svg") == 2 and (run / "network.crn").exists()


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped_and_other_options_are_refused(tmp_path):
    from guldberg.app import jobs, runs

    path, folder = HOME / "stat5.yaml", tmp_path / "run"
    runs.begin(
        folder, jobs.KINDS, job="petab", options={"starts": 2}, inputs=reading.files(path), seed=1, command="guldberg"
    )
    stopped = []

    def stop(metrics):
        stopped.append(metrics)
        if len(stopped) == 2:
            raise KeyboardInterrupt

    with pytest.raises(runs.Interrupted):
        runs.go(folder, jobs.KINDS, on_metrics=stop)
    whole = runs.go(folder, jobs.KINDS)
    assert len(whole.found.values) == 2 and len(whole.found.estimates) == 9
    with pytest.raises(InputError, match="--max-order: not with a problem"):
        jobs.KINDS["petab"].build({"max_order": 3}, [path])
