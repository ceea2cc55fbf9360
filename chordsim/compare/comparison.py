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
from chordsim.report.charts.chart import Chart, colour, figure, number, symbol
from chordsim.report.html import Column, Grid, Section, document, interval, text

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
    about: list[Any] = [text(line, css="lead") for line in not_whole(comparison)]
    if comparison.sizes_only:
        columns, rows = side_by_side(comparison.names, comparison.sources)
        costs = Section("methods", "Side by side", [text(verdict(comparison), css="lead"), Grid(columns, rows), *_energy(comparison)])
        atomic_write(target, document(title, [Section("differs", "What differs", [*about, _differs(comparison)]), costs]).encode())
        return target
    if apps.is_of_apps(comparison):
        costs = Section("methods", "Side by side", [apps.grid(comparison)])
        atomic_write(target, document(title, [Section("differs", "What differs", [*about, _differs(comparison)]), costs]).encode())
        return target
    sections = [
        Section("differs", "What differs", [*about, _differs(comparison)]),
        Section("significance", "Is it a difference?", [text(verdict(comparison), css="lead"), _grid(comparison), *_forest(comparison)]),
        Section("methods", "Side by side", [_side_by_side(comparison), *_energy(comparison), *_tradeoff(comparison)]),
    ]
    atomic_write(target, document(title, sections).encode())
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
    return Grid(_HEAD, [_row(comparison, line) for line in comparison.lines])


def _differs(comparison: Comparison) -> Grid | str:
    if not comparison.differs:
        return text("The scenarios are the same.")
    columns = [Column("key"), *(Column(name) for name in comparison.names)]
    return Grid(columns, [(key, *values) for key, values in comparison.differs], "facts")


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
    return Grid(columns, rows)


def charts(comparison: Comparison) -> list[Chart]:
    """Return the comparison's charts; none where nothing was ranked."""
    ranked = bool(comparison.lines) and not apps.is_of_apps(comparison)
    return [*_forest(comparison), *_tradeoff(comparison)] if ranked else []


def _forest(comparison: Comparison) -> list[Chart]:
    import plotly.graph_objects as go

    traces, rows = [], []
    lines = [line for line in comparison.lines if line.difference.ci95 is not None]
    for place, view in enumerate(dict.fromkeys(line.view for line in lines)):
        mine = [line for line in lines if line.view == view]
        means = [line.difference.mean or 0.0 for line in mine]
        ends = [line.difference.ci95 or (0.0, 0.0) for line in mine]
        labels = [line.method if len(comparison.names) == 2 else f"{line.method}, {comparison.names[line.run]}" for line in mine]
        traces.append(
            go.Scatter(
                x=means,
                y=labels,
                name=view,
                mode="markers",
                marker={"color": colour(place), "symbol": symbol(place), "size": 10},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [b - m for m, (_, b) in zip(means, ends, strict=True)],
                    "arrayminus": [m - a for m, (a, _) in zip(means, ends, strict=True)],
                    "width": 5,
                },
            )
        )
        rows += [(label, view, number(m), number(a), number(b)) for label, m, (a, b) in zip(labels, means, ends, strict=True)]
    if not rows:
        return []
    height = 160 + 34 * len({row[0] for row in rows})
    made = figure(traces, "difference in NDCG@10, this run minus the first", "", height=height, yaxis_autorange="reversed")
    made.update_layout(xaxis_zeroline=True, xaxis_zerolinewidth=2, legend={"y": -80 / height})
    meaning = "A bar that does not touch zero is a difference before the correction for many comparisons."
    columns = ("method", "users", "difference", "ci95_low", "ci95_high")
    return [Chart("differences", "Differences with 95 % intervals", meaning, made, columns, rows)]


def _tradeoff(comparison: Comparison) -> list[Chart]:
    import plotly.graph_objects as go

    methods = list(dict.fromkeys(name for g in comparison.gathered for name in g.methods))
    traces, rows = [], []
    for place, method in enumerate(methods):
        points = [
            (run, n, g.methods[method].after(), g.estimates[method]["ndcg_10_all"].mean)
            for n, (run, g) in enumerate(zip(comparison.names, comparison.gathered, strict=True))
            if method in g.methods
        ]
        known = [(run, n, x, y) for run, n, x, y in points if x is not None and y is not None]
        traces.append(
            go.Scatter(
                x=[number(x) for _, _, x, _ in known],
                y=[number(y) for *_, y in known],
                name=method,
                mode="lines+markers",
                line={"color": colour(place), "width": 1},
                marker={"symbol": [symbol(n) for _, n, _, _ in known], "size": 11},
                text=[run for run, *_ in known],
                hovertemplate=f"{method}, %{{text}}<br>%{{x:,.4g}} B<br>%{{y:.4f}}<extra></extra>",
            )
        )
        rows += [(method, run, number(x), number(y)) for run, _, x, y in known]
    made = figure(traces, "bytes up and down after 10 served sessions (B, log scale)", "NDCG@10 of what all users saw", xaxis_type="log")
    shapes = ", ".join(f"{name} is a {symbol(n)}" for n, name in enumerate(comparison.names))
    meaning = f"Left and high is better. Methods have colours, runs have shapes: {shapes}."
    return [Chart("tradeoff", "Accuracy against bytes", meaning, made, ("method", "run", "bytes_after_10_sessions_B", "ndcg_10_all"), rows)]
