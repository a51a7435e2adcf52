"""What is shown while a job works."""

import math

import pytest

from guldberg.app import progress
from guldberg.app.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_plain_line_at_each_stage_and_at_each_interval(clock):
    lines = []
    with Progress(lines.append, live=False) as show:
        for second in range(31):
            clock[0] = 100.0 + second
            show({"stage": "fitting" if second < 25 else "intervals", "progress": second / 30})
    assert [line.split()[0] for line in lines] == ["0.0", "10.0", "20.0", "25.0"]
    assert lines[1] == "  10.0 s   33%  fitting  about 20 s left"
    assert "intervals" in lines[3] and "about 5 s left" in lines[3]


def test_the_time_left_is_that_of_this_sitting(clock):
    lines = []
    with Progress(lines.append, live=False) as show:
        show({"stage": "a", "progress": 0.5})  # resumed halfway
        clock[0] += 10
        show({"stage": "b", "progress": 0.75})
    assert "about 10 s left" in lines[1]


def test_scores_reactions_and_failures_are_told_when_known():
    metrics = {"stage": "fitting", "progress": 0.1, "score": 123.456, "reactions": 6, "solves": 200, "failed": 3}
    assert progress.facts(metrics) == ["6 reactions", "score 123.456", "3 of 200 solves failed"]
    assert progress.facts({"stage": "a", "progress": 0.0, "score": math.inf, "failed": 0}) == []


def test_what_descends_tells_its_loss_its_figures_and_its_speed(clock):
    lines = []
    with Progress(lines.append, live=False) as show:
        for stage, updates in ("a", 0), ("b", 100):
            show({"stage": stage, "progress": 0.1, "loss": 0.25, "correlation": 0.9, "updates": updates, "rejected": 0})
            clock[0] += 4
    assert lines[0].endswith("loss 0.25  r 0.900") and lines[1].endswith("25 updates/s")


def test_a_terminal_gets_one_live_line_with_names_as_they_are(monkeypatch, capsys):
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "120", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    lines = []
    with Progress(lines.append, live=True) as show:
        show({"stage": "fitting [bold]A[/]", "progress": 0.25, "reactions": 6})
        assert show.line is not None
        show.line.refresh()
    shown = capsys.readouterr().err
    assert lines == [] and "fitting [bold]A[/]" in shown and "25%" in shown and "6 reactions" in shown
