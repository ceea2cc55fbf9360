"""Time: when rounds end, what a round's seconds go to, and how far stragglers lag."""

from __future__ import annotations

import numpy as np

from chordsim.report.charts.chart import Chart, number, spread
from chordsim.report.charts.plot import Axis, Label, Plot, Points
from chordsim.report.charts.served import stacked
from chordsim.report.gather import Gathered

_PARTS = {"download_s": 0, "adapt_s": 3, "infer_s": 4, "upload_s": 2}


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts."""
    made = [_timeline(g), _stragglers(g), _parts(g)]
    return [chart for chart in made if chart.rows]


def _timeline(g: Gathered) -> Chart:
    lines, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        done = [r for r in facts.rounds if not np.isnan(r.seconds[2])]
        ends = np.cumsum([g.source.closed_s.get((name, r.round), r.seconds[2]) for r in done])
        places = spread(len(done))
        done, ends = [done[n] for n in places], ends[places]
        lines.append(Points(name, place, [number(e) for e in ends], [r.round for r in done], lines=True))
        rows += [(name, r.round, *(number(s) for s in r.seconds), number(e)) for r, e in zip(done, ends, strict=True)]
    plot = Plot(Axis("simulated seconds since the start (s)", zero=True), Axis("rounds done", zero=True, whole=True), lines)
    return Chart(
        "round_timeline",
        "Round timeline",
        "When the clock closed each round: at its last phone, or at the deadline. The first round carries the bootstrap; training on "
        "the cloud is not in it.",
        (plot,),
        ("method", "round", "total_s_p50", "total_s_p95", "total_s_slowest", "ended_s"),
        rows,
    )


def _stragglers(g: Gathered) -> Chart:
    lines, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        done = [r for r in facts.rounds if r.seconds[0] > 0]
        done = [done[n] for n in spread(len(done))]
        lag = [number(r.seconds[2] / r.seconds[0]) for r in done]
        lines.append(Points(name, place, [r.round for r in done], lag, lines=True))
        rows += [(name, r.round, value, number(r.seconds[1] / r.seconds[0])) for r, value in zip(done, lag, strict=True)]
    plot = Plot(Axis("round", whole=True), Axis("slowest phone : median phone", zero=True), lines)
    return Chart(
        "stragglers",
        "Stragglers",
        "How many times longer the slowest phone of a round took than the median phone.",
        (plot,),
        ("method", "round", "slowest_over_p50", "p95_over_p50"),
        rows,
    )


def _parts(g: Gathered) -> Chart:
    requests = int(g.source.table("rounds").get("requests_per_round", 1))
    names: list[Label] = []
    parts: dict[str, list[float | None]] = {name: [] for name in _PARTS}
    rows: list[tuple[str | float | None, ...]] = []
    for method, facts in g.methods.items():
        means = {name: facts.tier.means(name) * (requests if name == "infer_s" else 1) for name in _PARTS}
        for place, tier in enumerate(g.tiers):
            values = [number(means[name][place]) for name in _PARTS]
            if values[0] is None:
                continue
            names.append((method, tier))
            for name, value in zip(_PARTS, values, strict=True):
                parts[name].append(value)
            rows.append((method, tier, *values))
    labels = {"infer_s": f"infer, {requests} requests"}
    named = {labels.get(name, name.removesuffix("_s")): values for name, values in parts.items()}
    plot = stacked(names, named, list(_PARTS.values()), Axis("mean seconds of a served session (s)"))
    return Chart(
        "seconds_by_part",
        "Where a session's seconds go",
        "Down link, decoding and quantizing, inference, up link; means over served sessions, the bootstrap's download included.",
        (plot,),
        ("method", "tier", "download_s", "adapt_s", f"infer_s_times_{requests}", "upload_s"),
        rows,
    )
