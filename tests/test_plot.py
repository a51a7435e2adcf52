"""Figures hold what the result holds: read back from the drawn artists and from the SVG text."""

import dataclasses
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from discovered import mechanism, michaelis_menten
from hypothesis import given, settings
from hypothesis import strategies as st

from guldberg.app import graph, layout, plot, style

FIGURES = ("curves", "graph", "path", "constants", "residuals")


@pytest.fixture(scope="module")
def found():
    return michaelis_menten()


def texts(figure) -> list[str]:
    root = ET.fromstring(style.svg(figure, "x").replace("var(--paper)", "white").replace("var(--grid)", "grey"))
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_the_same_bytes_each_time_and_mention_no_date(found, name):
    first, second = (style.svg(getattr(plot, name)(found), name) for _ in range(2))
    assert first == second
    assert len(first) > 2000 and "<dc:date>" not in first and "matplotlib.org" not in first


def test_ids_of_two_figures_on_one_page_never_meet(found):
    ids = [set(re.findall(r'id="([^"]*)"', style.svg(getattr(plot, name)(found), name))) for name in FIGURES]
    assert sum(map(len, ids)) == len(set().union(*ids)) > 50
    for name, own in zip(FIGURES, ids, strict=True):
        drawn = style.svg(getattr(plot, name)(found), name)
        assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', drawn)) <= own


def test_curves_hold_every_point_and_every_residual(found):
    axes = plot.curves(found).axes
    top, below = axes[0::2], axes[1::2]
    for panel, low, run, fit in zip(top, below, found.data.runs, found.fit.runs, strict=True):
        drawn = np.concatenate([line.get_ydata() for line in panel.lines if line.get_linestyle() == "None"])
        expected = run.values[np.isfinite(run.values)]
        np.testing.assert_array_equal(np.sort(drawn), np.sort(expected))
        residuals = np.concatenate([line.get_ydata() for line in low.lines])
        assert np.isfinite(residuals).sum() == np.isfinite(fit.residuals).sum()
        assert np.abs(low.get_ylim()).min() > np.nanmax(np.abs(fit.residuals))


def test_curves_name_species_units_and_experiments(found):
    said = texts(plot.curves(found))
    assert {"E", "S", "ES", "P", "time [min]", "concentration [mmol/L]", "residual / sd"} <= set(said)
    assert sum(text.startswith("run ") for text in said) == 3


def test_of_many_runs_twelve_are_shown_with_the_best_and_the_worst():
    many = michaelis_menten(runs=20)
    misfit = [np.sqrt(np.nanmean(run.residuals**2)) for run in many.fit.runs]
    which = plot.shown(many)
    assert len(which) == len(set(which)) == 12
    assert which[0] == np.argmin(misfit) and which[-1] == np.argmax(misfit)
    assert len(plot.curves(many).axes) == 24


def test_log_spaced_samples_get_a_logarithmic_axis(found):
    ts = np.concatenate([[0], np.geomspace(1e-4, 1, 8)])
    runs = tuple(dataclasses.replace(run, times=ts) for run in found.data.runs)
    spread = dataclasses.replace(found, data=dataclasses.replace(found.data, runs=runs))
    assert plot.curves(spread).axes[0].get_xscale() == "symlog"
    assert plot.curves(found).axes[0].get_xscale() == "linear"


def test_intervals_are_drawn_where_they_end_and_open_ends_have_an_arrow(found):
    axes = plot.constants(found).axes[0]
    segments = {
        round(float(line.get_ydata()[0])): [float(x) for x in line.get_xdata()]
        for line in axes.lines
        if len(line.get_xdata()) == 2
    }
    assert segments[0] == [4.61, 5.49] and segments[2] == [1.9893, 2.0041]
    assert segments[1][0] == 0.2 and segments[1][1] == axes.get_xlim()[1]
    assert [float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == ">"] == [1.0]
    assert not [line for line in axes.lines if line.get_marker() == "<"]
    assert texts(plot.constants(found))[-3:] == [
        "E + S -> ES [L/(mmol min)]",
        "ES -> E + S [1/min]",
        "ES -> E + P [1/min]",
    ]


def test_the_path_ends_at_the_score_reported(found):
    axes = plot.path(found).axes[0]
    cross = next(line for line in axes.lines if line.get_marker() == "x")
    assert cross.get_xdata() == [3] and cross.get_ydata() == [0.0]


@pytest.mark.parametrize(
    ("equations", "arrows"),
    [
        (["A -> B"], 2),
        (["E + S <-> ES", "ES -> E + P"], 6),
        (["A + X -> 2 X"], 3),
        (["0 -> A", "A -> 0"], 2),
    ],
)
def test_the_graph_has_an_arrow_for_each_part_of_each_reaction(equations, arrows):
    other = mechanism(equations)
    figure = plot.graph(other)
    assert len(figure.axes[0].patches) == arrows
    assert {text.get_text() for text in figure.axes[0].texts} == {
        *other.species,
        *map(str, range(1, len(equations) + 1)),
    }


def test_wide_arrows_are_fast_ones():
    widths = [graph.width(flux, 1.0) for flux in (1.0, 0.1, 0.01, 1e-3, 1e-9, 0.0)]
    assert widths == sorted(widths, reverse=True) and widths[0] > 2 * widths[2] and widths[-1] > 0


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_no_box_of_the_graph_covers_another(data):
    species, reactions = data.draw(st.integers(1, 10)), data.draw(st.integers(0, 12))
    counts = st.lists(st.integers(0, 1), min_size=species, max_size=species)
    sides = [(data.draw(counts), data.draw(counts)) for _ in range(reactions)]
    sizes = [(data.draw(st.floats(0.2, 2.0)), 0.26) for _ in range(species)] + [(0.24, 0.24)] * reactions
    at, (width, height) = layout.bipartite(sides, sizes)
    box = np.array(sizes)
    assert np.isfinite(at).all()
    assert ((at - box / 2).min(axis=0) > 0).all() and ((at + box / 2).max(axis=0) < [width, height]).all()
    for i in range(len(at)):
        for j in range(i):
            assert (np.abs(at[i] - at[j]) > (box[i] + box[j]) / 2 - 1e-6).any()
