"""The page's figures as charts of the report: each experiment's accuracy, and accuracy against what every arm costs."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.personal_plans.declared import Experiment
from benchmarks.suites.figures import Book
from benchmarks.suites.sheets import Line
from chordsim.report.charts.chart import Chart
from chordsim.report.charts.plot import Axis, Plot, Points

#: Sessions between which a session's bytes are counted.
_BETWEEN = (10, 100)


def measured(book: Book, experiment: Experiment) -> dict[str, Line]:
    """Return the lines of the arms that are measured, by the arm's name."""
    found = {arm.name: book.line(experiment.key(arm.name)) for arm in experiment.arms}
    return {name: line for name, line in found.items() if line is not None}


def session_bytes(line: Line) -> float | None:
    """Return what one more session moves, up and down."""
    few, many = (line[f"bytes_after_{count}"] for count in _BETWEEN)
    return (float(many) - float(few)) / (_BETWEEN[1] - _BETWEEN[0]) if few and many else None


def accuracy(book: Book, experiment: Experiment) -> Chart | None:
    """Return NDCG@10 of an experiment's arms, lines over its contests where gains should grow; None where nothing is measured."""
    lines = measured(book, experiment)
    if not lines:
        return None
    title = Axis("NDCG@10")
    rows = [(name, _number(line, "ndcg_10"), _number(line, "ndcg_10_low"), _number(line, "ndcg_10_high")) for name, line in lines.items()]
    says = {name: experiment.arm(name).says for name in lines}
    if some := [row for row in rows if says[row[0]] is not None]:
        x = [f"{says[row[0]]:,}" for row in some]
        points = Points("", 0, x, [row[1] for row in some], lines=True, low=_ends(some, 2), high=_ends(some, 3))
        plot = Plot(Axis("bits of plan a session", kind="names"), title, (points,))
    elif experiment.ends is None:
        points = Points("", 0, [row[1] for row in rows], [row[0] for row in rows], low=_ends(rows, 2), high=_ends(rows, 3), across=True)
        plot = Plot(title, Axis(kind="names"), (points,))
    else:
        kinds = dict.fromkeys(map(_kind, lines))
        series = tuple(_line(kind, place, [row for row in rows if _kind(row[0]) == kind]) for place, kind in enumerate(kinds))
        plot = Plot(Axis("share of the channels", kind="names"), title, series, dodged=False)
    columns = ("arm", "NDCG@10", "low", "high")
    return Chart(f"personal-plans-{experiment.name}", experiment.title, "Whiskers are 95 % intervals.", (plot,), columns, rows)


def costs(book: Book, experiments: Sequence[Experiment]) -> Chart | None:
    """Return NDCG@10 of all arms against bytes a session, stored bits and operations; None where nothing is measured."""
    found = [(experiment, name, line) for experiment in experiments for name, line in measured(book, experiment).items()]
    if not found:
        return None
    kinds = list(dict.fromkeys(_kind(name) for _, name, _ in found))
    asked = {"bytes a session, up and down": session_bytes, "stored bits a weight": _bits, "million operations a request": _operations}
    plots = []
    for title, value in asked.items():
        series = []
        for place, kind in enumerate(kinds):
            some = [(name, line) for _, name, line in found if _kind(name) == kind]
            x, y = ([value(line) for _, line in some], [_number(line, "ndcg_10") for _, line in some])
            series.append(Points(kind, place, x, y, words=[name for name, _ in some]))
        plots.append(Plot(Axis(title), Axis("NDCG@10"), tuple(series)))
    rows = [(one.name, name, *(value(line) for value in asked.values()), _number(line, "ndcg_10")) for one, name, line in found]
    columns = ("experiment", "arm", *asked, "NDCG@10")
    return Chart("personal-plans-costs", "Accuracy against what it costs", "Left and high is good.", tuple(plots), columns, rows)


def lengths(told: Sequence[Line], experiment: Experiment) -> Chart | None:
    """Return the gains of an experiment's pairs by length of history, from the lines of that table; None where there are none."""
    series, rows = [], []
    for place, (own, other) in enumerate(experiment.lengths):
        pair = (experiment.key(own), experiment.key(other))
        mine = [line for line in told if (line["own"], line["other"]) == pair and line["difference"]]
        if mine:
            name, where = f"{own} over {other}", [span(line) for line in mine]
            gains, low, high = ([_number(line, column) for line in mine] for column in ("difference", "low", "high"))
            known = None not in low
            ends = (low, high) if known else (None, None)
            series.append(Points(name, place, gains, where, low=ends[0], high=ends[1], across=True))
            rows += [(name, *row) for row in zip(where, gains, low, high, strict=True)]
    if not series:
        return None
    plot = Plot(Axis("difference in NDCG@10", marked=0.0), Axis("items before the first target", kind="names"), tuple(series))
    columns = ("pair", "items", "difference", "low", "high")
    meaning = "Whiskers are 95 % intervals; up to 50 items there is nothing older to read."
    return Chart(f"personal-plans-{experiment.name}-lengths", "Gain by length of history", meaning, (plot,), columns, rows)


def span(line: Line) -> str:
    """Return the lengths of history that a line of the table by length is about."""
    return f"{int(line['above']) + 1} to {line['to']}" if line["to"] else f"over {line['above']}"


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _line(kind: str, place: int, rows: Sequence[tuple[str, float | None, float | None, float | None]]) -> Points:
    x = [row[0].partition("-")[2] for row in rows]
    return Points(kind, place, x, [row[1] for row in rows], lines=True, low=_ends(rows, 2), high=_ends(rows, 3))


def _ends(rows: Sequence[tuple[str, float | None, float | None, float | None]], end: int) -> list[float | None] | None:
    """Return whiskers' ends, none where any is not known."""
    found = [row[2] if end == 2 else row[3] for row in rows]
    return None if None in found else found


def _bits(line: Line) -> float | None:
    return _number(line, "bits_mean")


def _operations(line: Line) -> float | None:
    found = _number(line, "macs")
    return None if found is None else found / 1e6


def _number(line: Line, column: str) -> float | None:
    return float(line[column]) if line.get(column) else None
