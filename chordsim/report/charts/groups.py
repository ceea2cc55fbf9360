"""Heterogeneity: accuracy, seconds and joules by tier and by activity group, and the spread over users."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.gather import Gathered

_POINTS = 101
_ALL = "NDCG@10 of what all users saw"


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts; those by activity only where the run tells history lengths."""
    by_tier = [
        _by(g, "tier", "ndcg_10_all", "accuracy_by_tier", "Accuracy by tier", _ALL, "What users of weak and strong phones saw."),
        _latency(g),
        _by(
            g,
            "tier",
            "joules",
            "joules_by_tier",
            "Energy by tier",
            "joules per served session (J)",
            "Computing and radio of one served session; the note below says what these joules rest on.",
        ),
    ]
    by_activity = (
        []
        if g.activity is None
        else [
            _by(
                g,
                "activity",
                "ndcg_10_all",
                "accuracy_by_activity",
                "Accuracy by activity",
                _ALL,
                "Users cut into quarters by how many items they had before the test: does the method serve the quiet ones?",
            ),
            _by(
                g,
                "activity",
                "total_s",
                "seconds_by_activity",
                "Time by activity",
                "mean seconds per served session (s)",
                "Simulated seconds of a served session for each group; a gap here means that activity and phone are linked.",
            ),
            _by(
                g,
                "activity",
                "joules",
                "joules_by_activity",
                "Energy by activity",
                "joules per served session (J)",
                "Computing and radio of one served session; the note below says what these joules rest on.",
            ),
        ]
    )
    made = [*by_tier, *by_activity, _over_users(g)]
    return [chart for chart in made if chart.rows]


def gaps(g: Gathered) -> tuple[tuple[str, ...], list[tuple[str | float | None, ...]]]:
    """Return header and rows of the gap table: best group minus worst for accuracy, worst over best for time and energy."""
    rows: list[tuple[str | float | None, ...]] = []
    for name, facts in g.methods.items():
        p50 = [facts.costs.seconds((0.5,), place, served=True)[0] for place in range(len(g.tiers))]
        activity = facts.activity.means("ndcg_10_all").tolist() if g.activity else []
        rows.append((name, _difference(activity), _ratio(p50), _ratio(facts.tier.means("joules").tolist())))
    return (
        "method",
        "NDCG@10 gap between activity groups",
        "p50 s/session, slowest : fastest tier",
        "joules per session, most : least tier",
    ), rows


def _difference(values: Sequence[float | None]) -> float | None:
    some = _some(values)
    return number(max(some) - min(some)) if len(some) > 1 else None


def _ratio(values: Sequence[float | None]) -> float | None:
    some = _some(values)
    return number(max(some) / min(some)) if len(some) > 1 and min(some) > 0 else None


def _some(values: Sequence[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None and np.isfinite(v)]


def _by(g: Gathered, which: str, column: str, key: str, title: str, y: str, meaning: str) -> Chart:
    """Return means by tier or activity group."""
    labels = list(g.tiers) if which == "tier" or g.activity is None else list(g.activity.labels)
    points, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        sums = facts.tier if which == "tier" else facts.activity
        values, counts = sums.means(column), sums.counts(column)
        points.append(Points(name, place, labels, [number(v) for v in values]))
        rows += [(name, label, number(v), int(n)) for label, v, n in zip(labels, values, counts, strict=True) if n]
    x = Axis(which if which == "tier" else "history before the test (items)", "names")
    columns = ("method", which, f"{column}_mean", "device_rounds")
    return Chart(key, title, meaning, (Plot(x, Axis(y, zero=True), points),), columns, rows)


def _latency(g: Gathered) -> Chart:
    points, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        found = [facts.costs.seconds((0.5, 0.95), tier, served=True) for tier in range(len(g.tiers))]
        p50, p95 = ([number(pair[n]) for pair in found] for n in (0, 1))
        points.append(Points(name, place, list(g.tiers), p50, low=p50, high=p95))
        rows += [(name, t, a, b) for t, a, b in zip(g.tiers, p50, p95, strict=True) if a is not None]
    return Chart(
        "seconds_by_tier",
        "Time by tier",
        "Simulated seconds of a served session, link and computing: the marker is the median, its whisker ends at the 95th percentile.",
        (Plot(Axis("tier", "names"), Axis("seconds per served session (s)", zero=True), points),),
        ("method", "tier", "total_s_p50", "total_s_p95"),
        rows,
    )


def _over_users(g: Gathered) -> Chart:
    lines, rows = [], []
    shares = np.linspace(0, 1, _POINTS)
    for place, (name, facts) in enumerate(g.methods.items()):
        means = facts.users["ndcg_10_all"].means()
        means = means[~np.isnan(means)]
        if not means.size:
            continue
        values = [number(v) for v in np.quantile(means, shares)]
        percent = [number(100 * s) for s in shares]
        lines.append(Points(name, place, percent, values, lines=True, markers=False))
        rows += [(name, s, v) for s, v in zip(percent, values, strict=True)]
    x = Axis("users, worst served first (%)", limits=(0.0, 100.0))
    return Chart(
        "distribution_over_users",
        "Distribution over users",
        "Users sorted by what they saw on average over the rounds: where a line leaves zero is how many got nothing.",
        (Plot(x, Axis("user's mean NDCG@10", zero=True), lines),),
        ("method", "users_percent", "ndcg_10_all"),
        rows,
    )
