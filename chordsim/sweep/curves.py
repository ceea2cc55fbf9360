"""The sweep's page: curves with intervals, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chordsim.files import atomic_write
from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.html import Column, Grid, Section, document, interval, text
from chordsim.sweep.answer import answer
from chordsim.sweep.costs import blocks
from chordsim.sweep.over_seeds import Mean
from chordsim.sweep.points import Point
from chordsim.sweep.words import bars, by_seed

_ALL = "NDCG@10 of what all users saw"


def write(
    folder: Path, points: Sequence[Point], keys: Sequence[str], found: Sequence[Mean], remark: str = "", target: Path | None = None
) -> Path:
    """Write a sweep's page and return its path.

    Args:
        folder: The sweep's.
        points: Its runs.
        keys: What was varied.
        found: The methods over seeds.
        remark: What a reader must know of all points; empty for nothing.
        target: Where to write; by default sweep.html in the sweep's folder.

    Raises:
        UserError, RunError: The file cannot be written.
    """
    sections = [
        answer(found, keys, remark),
        Section("curves", "Curves", [text(f"Points are means over users, rounds and seeds; {bars(found)}"), *charts(found, keys)]),
        Section("table", "Table", _tables(found, keys)),
    ]
    seeds, name = len({point.seed for point in points}), points[0].scenario.name
    about = f"{len(points)} runs: {', '.join(keys) or 'no key'} varied, {seeds} seed{'s' if seeds > 1 else ''}."
    path = target or folder / "sweep.html"
    atomic_write(path, document(f"sweep of {name}", sections, about, points[0].scenario.question).encode())
    return path


def charts(found: Sequence[Mean], keys: Sequence[str]) -> list[Chart]:
    """Return the sweep's charts; those without a value are left out."""
    by_key = [_against_key(found, keys, place) for place in range(len(keys))]
    # In sizes nobody ranks, and bytes are what was asked for.
    in_sizes = [_bytes_by_key(found, keys, place) for place in range(len(keys)) if all(m.estimate.mean is None for m in found)]
    return [chart for chart in (_tradeoff(found, keys), _against_bits(found, keys), *by_key, *in_sizes) if chart.rows]


def _tradeoff(found: Sequence[Mean], keys: Sequence[str]) -> Chart:
    return _curve(
        found,
        keys,
        lambda m: m.bytes_after_10,
        "tradeoff",
        "Accuracy against bytes",
        "Left and high is better; a line goes through a method's points in the order of the swept values.",
        Axis("bytes up and down after 10 served sessions, bootstrap included (log scale)", "log", unit="B"),
        "bytes_after_10_sessions_B",
    )


def _against_bits(found: Sequence[Mean], keys: Sequence[str]) -> Chart:
    return _curve(
        found,
        keys,
        lambda m: m.bits_mean,
        "tradeoff_bits",
        "Accuracy against stored bits",
        "What a bit more per weight is worth to all users, those whom it leaves out included.",
        Axis("stored bits per weight (mean by fan-in)"),
        "bits_mean_bit",
    )


def _curve(
    found: Sequence[Mean],
    keys: Sequence[str],
    x: Callable[[Mean], float | None],
    key: str,
    title: str,
    meaning: str,
    axis: Axis,
    column: str,
) -> Chart:
    """Return accuracy against a measured quantity, one line per method."""
    lines, rows = [], []
    for place, method in enumerate(dict.fromkeys(m.method for m in found)):
        mine = [m for m in found if m.method == method and x(m) is not None and m.estimate.mean is not None]
        if not mine:
            continue
        labels = [", ".join(f"{k} = {v}" for k, v in zip(keys, m.values, strict=True)) for m in mine]
        lines.append(_line(method, place, [number(x(m)) for m in mine], mine, labels))
        rows += [(method, *map(str, m.values), number(x(m)), *_numbers(m)) for m in mine]
    return Chart(
        key,
        title,
        meaning,
        (Plot(axis, Axis(_ALL), lines),),
        ("method", *keys, column, "ndcg_10_all", "ci95_low", "ci95_high", "seeds"),
        rows,
    )


def _against_key(found: Sequence[Mean], keys: Sequence[str], place: int) -> Chart:
    """Return accuracy against one swept key; the other keys' values make further lines."""
    lines, rows = [], []
    methods = list(dict.fromkeys(m.method for m in found))
    numeric = all(isinstance(m.values[place], int | float) and not isinstance(m.values[place], bool) for m in found)
    series: dict[tuple[str, tuple[Any, ...]], list[Mean]] = {}
    for m in found:
        series.setdefault((m.method, m.values[:place] + m.values[place + 1 :]), []).append(m)
    others = [key for n, key in enumerate(keys) if n != place]
    for (method, rest), mine in series.items():
        mine = [m for m in mine if m.estimate.mean is not None]
        if numeric:
            mine.sort(key=lambda m: m.values[place])
        label = ", ".join([method, *(f"{k.rpartition('.')[2]} {v}" for k, v in zip(others, rest, strict=True))])
        xs = [m.values[place] if numeric else str(m.values[place]) for m in mine]
        lines.append(_line(label, methods.index(method), xs, mine, [label] * len(mine)))
        rows += [(method, *map(str, m.values), *_numbers(m)) for m in mine]
    axis = Axis(keys[place], "linear" if numeric else "names")
    return Chart(
        f"by_{keys[place]}",
        f"Accuracy by {keys[place]}",
        "A method that does not depend on the key is a flat line.",
        (Plot(axis, Axis(_ALL), lines, dodged=False),),
        ("method", *keys, "ndcg_10_all", "ci95_low", "ci95_high", "seeds"),
        rows,
    )


def _bytes_by_key(found: Sequence[Mean], keys: Sequence[str], place: int) -> Chart:
    """Return what phones have moved after a hundred sessions against one swept key, one line per method and value of the other keys."""
    methods, lines, rows = list(dict.fromkeys(m.method for m in found)), [], []
    series: dict[tuple[str, tuple[Any, ...]], list[Mean]] = {}
    for m in (m for m in found if m.bytes_after_100 is not None):
        series.setdefault((m.method, m.values[:place] + m.values[place + 1 :]), []).append(m)
    for (method, rest), mine in series.items():
        # In the order in which the values were given: 0 may stand for never.
        xs, ys = [str(m.values[place]) for m in mine], [number(m.bytes_after_100) for m in mine]
        lines.append(Points(", ".join([method, *map(str, rest)]), methods.index(method), xs, ys, lines=True))
        rows += [(method, *map(str, m.values), number(m.bytes_after_100), len(m.seeds)) for m in mine]
    y = Axis("bytes up and down of a phone after 100 served sessions (log scale)", "log", unit="B")
    return Chart(
        f"bytes_by_{keys[place]}",
        f"Bytes after 100 sessions by {keys[place]}",
        "First contact, sessions and new versions of the model, bootstraps and item rows included; mean over phones that were served.",
        (Plot(Axis(keys[place], "names"), y, lines),),
        ("method", *keys, "bytes_after_100_sessions_B", "seeds"),
        rows,
    )


def _line(name: str, place: int, xs: Sequence[Any], mine: Sequence[Mean], words: Sequence[str]) -> Points:
    low, high = ([number(m.estimate.ci95[end]) if m.estimate.ci95 else None for m in mine] for end in (0, 1))
    return Points(name, place, list(xs), [number(m.estimate.mean) for m in mine], lines=True, low=low, high=high, words=list(words))


def _numbers(m: Mean) -> tuple[float | None, float | None, float | None, int]:
    low, high = m.estimate.ci95 or (None, None)
    return number(m.estimate.mean), number(low), number(high), len(m.seeds)


def _tables(found: Sequence[Mean], keys: Sequence[str]) -> list[Any]:
    """Return the methods over seeds, and beside them their differences to the baseline."""
    swept = [Column(key, "swept") for key in keys]
    columns = (
        Column("method"),
        *swept,
        Column("NDCG@10, all users", "what every user saw, mean over users"),
        Column("95 % interval", "of the mean"),
        Column("spread over seeds", "standard deviation of the seeds' own means"),
        Column("by seed", "each seed's own mean"),
        Column("seeds"),
        Column("served %", "of device-rounds"),
        Column("bits", "stored bits per weight"),
        Column("B after 10", "bytes up and down of a phone after ten served sessions, bootstrap and instrumentation included"),
    )
    rows = [
        (
            m.method,
            *map(str, m.values),
            m.estimate.mean,
            interval(m.estimate.ci95),
            m.estimate.spread,
            by_seed(m.estimate.by_seed) or None,
            len(m.seeds),
            None if m.served_share is None else 100 * m.served_share,
            m.bits_mean,
            m.bytes_after_10,
        )
        for m in found
    ]
    return [Grid(columns, rows, caption="Every method at every value, mean over seeds"), *blocks(found, swept), *_differences(found, swept)]


def _differences(found: Sequence[Mean], swept: Sequence[Column]) -> list[Any]:
    compared = [(m, m.difference) for m in found if m.difference is not None]
    if not compared:
        return []
    columns = (
        Column("method"),
        *swept,
        Column("against"),
        Column("difference", "in NDCG@10 of all users, mean over the users' own differences"),
        Column("95 % interval", "of the difference"),
        Column("p (Holm)", f"two-sided, corrected over the {len(compared)} comparisons of this table; none with two seeds"),
        Column("spread over seeds", "standard deviation of the seeds' own differences"),
        Column("by seed", "each seed's own difference"),
    )
    rows = [
        (m.method, *map(str, m.values), m.base, d.mean, interval(d.ci95), d.p_holm, d.spread, by_seed(d.by_seed) or None)
        for m, d in compared
    ]
    said = " ".join(dict.fromkeys(m.said for m, _ in compared))
    return [text("How sure are the differences?", kind="h3"), text(said), Grid(columns, rows)]
