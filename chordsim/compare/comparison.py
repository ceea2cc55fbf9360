"""The page and the terminal's table of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chordsim.compare import apps
from chordsim.compare.compare import Comparison, Line
from chordsim.compare.in_sizes import side_by_side
from chordsim.files import atomic_write
from chordsim.fitted import Fitted
from chordsim.ledger.energy_words import percent, sensitivity
from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.html import ANSWER, Column, Grid, Section, document, interval, text
from chordsim.report.svg.shapes import marker_name

_HEAD = (
    Column("method"),
    Column("run", "compared with the first run"),
    Column("users", "to serve: all, unserved ones with the fallback; both served: only the rounds in which both runs served a user"),
    Column("NDCG@10 first", "mean over the paired users in the first run"),
    Column("NDCG@10 this", "the same in this run"),
    Column("difference", "this run minus the first, mean over the users' own differences"),
    Column("95 % interval", "over users"),
    Column("p (Holm)", "two-sided, for no difference, corrected over all lines of this table"),
    Column("n", "users with a value in both"),
    Column("significant", "corrected p below 0.05"),
)


def write(comparison: Comparison, target: Path) -> Path:
    """Write the comparison as one self-contained page.

    Raises:
        UserError, RunError: The file cannot be written.
    """
    title = f"{' / '.join(comparison.names)}"
    doubts: list[Any] = [text(line, css="warning") for line in not_whole(comparison)]
    differs = Section("differs", "What differs", [_differs(comparison)])
    if comparison.sizes_only:
        columns, rows = side_by_side(comparison.names, comparison.sources)
        answer = [*doubts, text(verdict(comparison), css="verdict")]
        costs: list[Any] = [Grid(columns, rows, caption="What every method costs in every run"), *_energy(comparison)]
        parts = [Section(ANSWER, "The answer", answer), Section("methods", "Side by side", costs), differs]
    elif apps.is_of_apps(comparison):
        told = text("What the apps' own metrics came to, and what that cost, stands side by side.", css="verdict")
        parts = [Section(ANSWER, "The answer", [*doubts, told]), Section("methods", "Side by side", [apps.grid(comparison)]), differs]
    else:
        answer = [*doubts, text(verdict(comparison), css="verdict"), *_forest(comparison)]
        sides: list[Any] = [*_tradeoff(comparison), _side_by_side(comparison), *_energy(comparison)]
        parts = [
            Section(ANSWER, "The answer", answer),
            Section("significance", "Is it a difference?", [_grid(comparison)]),
            Section("methods", "Side by side", sides),
            differs,
        ]
    atomic_write(target, document(title, parts, f"{len(comparison.names)} runs, each against the first.").encode())
    return target


def not_whole(comparison: Comparison) -> list[str]:
    """Return a line for every run that is not complete, whose means are over what is there, and for every one that was not checked."""
    pairs = list(zip(comparison.names, comparison.sources, strict=True))
    short = [f"{name} is {s.status}: {(s.manifest.get('errors') or ['no reason given'])[0]}" for name, s in pairs if s.status != "complete"]
    return [*short, *(f"{name}: {s.checked.doubt}" for name, s in pairs if s.checked.doubt)]


def verdict(comparison: Comparison) -> str:
    """Return what the comparison says in one sentence."""
    if comparison.sizes_only:
        return "Nothing was ranked in these runs: what they cost stands side by side, and nothing is tested."
    found = [line for line in comparison.lines if line.difference.significant]
    if not found:
        same = all(not line.difference.mean for line in comparison.lines)
        return "No difference at all." if same else f"No significant difference in {len(comparison.lines)} comparisons (Holm, 5 %)."
    parts = [f"{line.method}, {line.view}: {line.difference.mean:+.4f} in {comparison.names[line.run]}" for line in found]
    return f"Significant in {len(found)} of {len(comparison.lines)} comparisons (Holm, 5 %): {'; '.join(parts)}."


def energy_line(comparison: Comparison) -> str:
    """Return in one line what the joules of all runs rest on; nothing without joules."""
    if comparison.sizes_only:
        told = {(n, name): m.get("energy", {}) for n, source in enumerate(comparison.sources) for name, m in source.summary.items()}
    else:
        told = {(n, name): f.costs.energy(g.assumed) for n, g in enumerate(comparison.gathered) for name, f in g.methods.items()}
    return sensitivity({f"{n}/{name}": energy for (n, name), energy in told.items()})


def _energy(comparison: Comparison) -> list[str]:
    words = energy_line(comparison)
    return [text(f"{words[:1].upper()}{words[1:]}.", css="soft")] if words else []


def terminal_table(comparison: Comparison) -> Fitted:
    """Return the differences for the terminal; where nothing was ranked, what the runs cost."""
    if comparison.sizes_only:
        columns, rows = side_by_side(comparison.names, comparison.sources)
        return Fitted(("method", "run"), [column.head for column in columns[2:]], [tuple(map(_short, row)) for row in rows])
    heads = [column.head.replace("NDCG@10 ", "NDCG@10\n") for column in _HEAD[3:-1]]
    whole = [_row(comparison, line) for line in comparison.lines]
    bold = frozenset(number for number, row in enumerate(whole) if row[-1])
    return Fitted(("method", "run", "users"), heads, [tuple(map(_words, row[:-1])) for row in whole], bold=bold)


def _short(value: Any) -> str:
    """Return a cost in a few characters."""
    return (
        f"{value:,.0f}"
        if isinstance(value, float) and abs(value) >= 1000
        else f"{value:.4g}"
        if isinstance(value, float)
        else _words(value)
    )


def _words(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _row(comparison: Comparison, line: Line) -> tuple[Any, ...]:
    d = line.difference
    name = comparison.names[line.run]
    return (line.method, name, line.view, line.base, line.other, d.mean, interval(d.ci95), d.p_holm, d.users, d.significant)


def _grid(comparison: Comparison) -> Grid:
    return Grid(_HEAD, [_row(comparison, line) for line in comparison.lines], caption="Every run against the first, user by user")


def _differs(comparison: Comparison) -> Grid | str:
    if not comparison.differs:
        return text("The scenarios are the same.")
    columns = [Column("key"), *(Column(name) for name in comparison.names)]
    return Grid(columns, [(key, *values) for key, values in comparison.differs], "facts", "Keys whose values differ")


def _side_by_side(comparison: Comparison) -> Grid:
    columns = (
        Column("method"),
        Column("run"),
        Column("NDCG@10, all users", "what every user saw, mean over users"),
        Column("95 % interval"),
        Column("served %", "of device-rounds"),
        Column("bits", "stored bits per weight"),
        Column("B after 10", "bytes up and down of a phone after ten served sessions, bootstrap and instrumentation included"),
        Column("waste B/device-round", "bytes that crossed for rounds that did not serve"),
        Column("p50 s", "median simulated seconds of a served session"),
        Column("J/session", "joules of a served session"),
        Column("assumed %", "share of these joules that rests on assumed constants"),
    )
    rows = []
    for method in dict.fromkeys(name for g in comparison.gathered for name in g.methods):
        for run, g in zip(comparison.names, comparison.gathered, strict=True):
            if method in g.methods:
                facts, estimate = g.methods[method], g.estimates[method]["ndcg_10_all"]
                served = 100 * facts.served / max(facts.device_rounds, 1)
                session, assumed = facts.costs.per_session(), facts.costs.energy(g.assumed)["assumed_share"]
                costs = (facts.bits_mean, facts.after(), facts.costs.wasted_per_device_round, session["seconds_p50"], session["joules"])
                rows.append((method, run, estimate.mean, interval(estimate.ci95), served, *costs, percent(assumed)))
    return Grid(columns, rows, caption="Every method in every run")


def charts(comparison: Comparison) -> list[Chart]:
    """Return the comparison's charts; none where nothing was ranked."""
    ranked = bool(comparison.lines) and not apps.is_of_apps(comparison)
    return [*_forest(comparison), *_tradeoff(comparison)] if ranked else []


def _forest(comparison: Comparison) -> list[Chart]:
    points, rows = [], []
    lines = [line for line in comparison.lines if line.difference.ci95 is not None]
    for place, view in enumerate(dict.fromkeys(line.view for line in lines)):
        mine = [line for line in lines if line.view == view]
        means = [number(line.difference.mean or 0.0) for line in mine]
        low, high = ([number((line.difference.ci95 or (0.0, 0.0))[end]) for line in mine] for end in (0, 1))
        labels = [line.method if len(comparison.names) == 2 else f"{line.method}, {comparison.names[line.run]}" for line in mine]
        points.append(Points(view, place, means, labels, low=low, high=high, across=True))
        rows += list(zip(labels, [view] * len(mine), means, low, high, strict=True))
    plot = Plot(Axis("difference in NDCG@10, this run minus the first", marked=0.0), Axis(kind="names"), points)
    meaning = "A bar that does not touch zero is a difference before the correction for many comparisons."
    columns = ("method", "users", "difference", "ci95_low", "ci95_high")
    return [Chart("differences", "Differences with 95 % intervals", meaning, (plot,), columns, rows)] if rows else []


def _tradeoff(comparison: Comparison) -> list[Chart]:
    methods = list(dict.fromkeys(name for g in comparison.gathered for name in g.methods))
    series, rows = [], []
    for place, method in enumerate(methods):
        found = [
            (run, n, number(g.methods[method].after()), number(g.estimates[method]["ndcg_10_all"].mean))
            for n, (run, g) in enumerate(zip(comparison.names, comparison.gathered, strict=True))
            if method in g.methods
        ]
        known = [line for line in found if line[2] is not None and line[3] is not None]
        runs, shapes, xs, ys = (list(column) for column in zip(*known, strict=True)) if known else ([], [], [], [])
        series.append(Points(method, place, xs, ys, lines=True, shapes=shapes, words=runs))
        rows += [(method, run, x, y) for run, _, x, y in known]
    x = Axis("bytes up and down after 10 served sessions (log scale)", "log", unit="B")
    shapes_told = ", ".join(f"{name} is a {marker_name(n)}" for n, name in enumerate(comparison.names))
    meaning = f"Left and high is better. Methods have colours and dashes, runs have shapes: {shapes_told}."
    columns = ("method", "run", "bytes_after_10_sessions_B", "ndcg_10_all")
    plot = Plot(x, Axis("NDCG@10 of what all users saw"), series)
    return [Chart("tradeoff", "Accuracy against bytes", meaning, (plot,), columns, rows)]
