"""Figures for papers: every chart of a page can be drawn, shows its own numbers, and has them beside it."""

from __future__ import annotations

import csv
import io
import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.errors import UserError
from chordsim.report.charts.chart import Chart
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.drawn import _draw, picture, save
from chordsim.report.page import charts


@pytest.fixture(scope="module")
def made(played_run):
    return {chart.key: chart for chart in charts(played_run)}


def test_every_chart_of_a_page_is_drawn_with_its_numbers_beside_it(made, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a sign that the font lacks, a layout that does not come out even
        warnings.simplefilter("ignore", DeprecationWarning)  # an older matplotlib beside newer parts of its own
        paths = save(list(made.values()), tmp_path, "svg")
    assert len(paths) == len(made) > 15
    for path, chart in zip(paths, made.values(), strict=True):
        assert path.read_bytes().startswith(b"<?xml") and path.stem == chart.key
        assert path.with_suffix(".csv").read_text() == chart.csv()


def test_points_and_intervals_stand_where_the_numbers_say(made):
    chart = made["accuracy_against_bytes"]
    rows = list(csv.DictReader(io.StringIO(chart.csv())))
    axes = _draw(chart).axes[0]
    assert axes.get_xscale() == "log" and [text.get_label() for text in axes.containers] == [row["method"] for row in rows]
    for drawn, row in zip(axes.containers, rows, strict=True):
        (x,), (y,) = drawn[0].get_data()
        (segment,) = drawn[2][0].get_segments()
        assert (x, y) == pytest.approx((float(row["bytes_after_10_sessions_B"]), float(row["ndcg_10_all"])))
        assert segment[:, 1] == pytest.approx([float(row["ci95_low"]), float(row["ci95_high"])], rel=1e-4)


def test_bars_lie_on_one_another_and_are_as_long_as_the_numbers_say(made):
    chart = made["served_by"]
    axes = _draw(chart).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [row[0] for row in chart.rows]
    for bar, row in enumerate(chart.rows):
        parts = [container[bar] for container in axes.containers]
        assert sum(part.get_width() for part in parts) == pytest.approx(100, rel=1e-4)
        assert [part.get_x() for part in parts] == pytest.approx(np.cumsum([0, *(part.get_width() for part in parts)])[:-1])
        assert max(part.get_width() for part in parts) == pytest.approx(100 * max(row[1:]) / sum(row[1:]), rel=1e-4)
    beside = _draw(made["accuracy_by_tier"]).axes[0]
    places = sorted(x for container in beside.containers for x in container[0].get_xdata())
    assert len(set(np.round(places, 6))) == len(places), "side by side, none on another"


def test_equal_charts_are_equal_files_of_one_columns_width(made):
    chart = made["accuracy_over_rounds"]
    for form in ("pdf", "svg"):
        assert picture(chart, form) == picture(chart, form)
    root = ElementTree.fromstring(picture(chart, "svg"))
    assert root.tag.endswith("svg") and float(root.attrib["width"].removesuffix("pt")) == pytest.approx(229 * 72 / 72.27, abs=0.1)


def test_what_is_missing_is_not_drawn_and_does_not_fail():
    points = Points("m", 0, [1, 2, 3], [0.1, None, 0.3], lines=True, low=[None, None, 0.2], high=[None, None, 0.4])
    chart = Chart("k", "t", "m", (Plot(Axis("x"), Axis("y"), (points,)),), ("x",), [(1,)])
    assert np.isnan(_draw(chart).axes[0].lines[0].get_ydata(orig=False)).tolist() == [False, True, False]
    assert picture(chart, "pdf").startswith(b"%PDF-")


def test_chosen_charts_alone_are_drawn_where_they_are_asked_for(made, played_run, tmp_path, capsys):
    words = ["--figure", "svg", "--chart", "stragglers", "--out", str(tmp_path / "f")]
    assert main(["report", str(played_run), *words]) == 0
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["stragglers.csv", "stragglers.svg"]
    assert str(tmp_path / "f" / "stragglers.svg") in capsys.readouterr().out
    with pytest.raises(UserError, match="--chart nothing: no such chart: there are accuracy_against_bytes, "):
        save(list(made.values()), tmp_path, "pdf", ["nothing"])
    with pytest.raises(UserError, match="no figure: nothing was ranked"):
        save([], tmp_path, "pdf")
