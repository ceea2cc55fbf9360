"""Charts of a run that kept no rows, only the sums of its fleet: bytes, outcomes, seconds and joules by tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.figures import at
from chordsim.report.charts.chart import Chart, lone_bars, number
from chordsim.report.charts.plot import Axis, Label, Plot, Points
from chordsim.report.charts.served import SHARE, outcome_bars, stacked

_LIVES = ("1", "10", "100")
Summary = Mapping[str, Mapping[str, Any]]


def charts(methods: Summary) -> list[Chart]:
    """Return the charts of what summary.json holds of each method; those without a number are left out."""
    return [chart for chart in (*cost(methods), *left_out(methods), *groups(methods)) if chart.rows]


def cost(methods: Summary) -> list[Chart]:
    """Return what a phone moves at first contact, in a session, and over its first sessions."""
    return [_first(methods), _session(methods), _lives(methods)]


def left_out(methods: Summary) -> list[Chart]:
    """Return how rounds ended, by tier."""
    names: list[Label] = []
    rows = []
    for method, told in methods.items():
        for tier, facts in told["per_tier"].items():
            if facts["device_rounds"] and facts.get("outcomes"):
                names.append((method, tier))
                rows.append((method, tier, facts["device_rounds"], *(facts["outcomes"][word] for word in OUTCOMES)))
    if not rows:
        names = list(methods)
        rows = [(method, "all", told["device_rounds"], *(told["outcomes"][word] for word in OUTCOMES)) for method, told in methods.items()]
    shares = {word: [number(100.0 * row[3 + n] / max(row[2], 1)) for row in rows] for n, word in enumerate(OUTCOMES)}
    meaning = "Share of device-rounds: served in time, refused because a budget did not hold, offline, dropped, late, or failed."
    columns = ("method", "tier", "device_rounds", *OUTCOMES)
    return [Chart("outcomes_by_tier", "How rounds ended", meaning, (outcome_bars(names, shares, SHARE),), columns, rows)]


def groups(methods: Summary) -> list[Chart]:
    """Return seconds and joules of a served session by tier."""
    return [_seconds(methods), _joules(methods)]


def _first(methods: Summary) -> Chart:
    rows = [(name, number(at(told, "first_contact", "down_bytes"))) for name, told in methods.items()]
    rows = [row for row in rows if row[1] is not None]
    plot = lone_bars([row[0] for row in rows], [row[1] for row in rows], Axis("bytes down at first contact", unit="B"))
    meaning = "What a phone must download before a method can serve it at all."
    return Chart("bootstrap_bytes", "Before the first round", meaning, (plot,), ("method", "first_contact_down_B"), rows)


def _session(methods: Summary) -> Chart:
    ways = {way: {name: number(at(told, "per_session", f"{way}_bytes")) for name, told in methods.items()} for way in ("down", "up")}
    names = [name for name in methods if ways["down"][name] is not None]
    rows = [(name, ways["down"][name], ways["up"][name]) for name in names]
    parts = {way: [values[name] for name in names] for way, values in ways.items()}
    plot = stacked(names, parts, (0, 2), Axis("bytes of a served session, bootstraps apart", unit="B"))
    meaning = "Mean over served sessions, instrumentation left out."
    return Chart("bytes_by_part", "A session's bytes", meaning, (plot,), ("method", "down_B", "up_B"), rows)


def _lives(methods: Summary) -> Chart:
    lines, rows = [], []
    for place, (name, told) in enumerate(methods.items()):
        values = [number(at(told, "bytes_after_sessions", n)) for n in _LIVES]
        if values[0] is not None:
            lines.append(Points(name, place, [float(n) for n in _LIVES], values, lines=True))
            rows += [(name, int(n), value) for n, value in zip(_LIVES, values, strict=True)]
    plot = Plot(Axis("served sessions (log scale)", "log"), Axis("bytes up and down so far (log scale)", "log", unit="B"), lines)
    meaning = "First contact, then so many mean sessions, new versions of the model included. Where two lines cross is the break-even."
    return Chart("bytes_over_sessions", "Bytes over a phone's life", meaning, (plot,), ("method", "sessions", "bytes_so_far_B"), rows)


def _seconds(methods: Summary) -> Chart:
    points, rows = [], []
    for place, (name, told) in enumerate(methods.items()):
        tiers = {tier: facts.get("per_session", {}) for tier, facts in told["per_tier"].items()}
        p50, p95 = ([number(session.get(f"seconds_{share}")) for session in tiers.values()] for share in ("p50", "p95"))
        points.append(Points(name, place, list(tiers), p50, low=p50, high=p95))
        rows += [(name, tier, a, b) for tier, a, b in zip(tiers, p50, p95, strict=True) if a is not None]
    plot = Plot(Axis("tier", "names"), Axis("seconds per served session (s)", zero=True), points)
    meaning = "Simulated seconds: the marker is the median, its whisker ends at the 95th percentile."
    return Chart("seconds_by_tier", "Time by tier", meaning, (plot,), ("method", "tier", "total_s_p50", "total_s_p95"), rows)


def _joules(methods: Summary) -> Chart:
    points, rows = [], []
    for place, (name, told) in enumerate(methods.items()):
        values = {tier: number(at(facts, "per_session", "joules")) for tier, facts in told["per_tier"].items()}
        points.append(Points(name, place, list(values), list(values.values())))
        rows += [(name, tier, value) for tier, value in values.items() if value is not None]
    plot = Plot(Axis("tier", "names"), Axis("joules per served session (J)", zero=True), points)
    meaning = "Computing and radio of one served session; the note below says what these joules rest on."
    return Chart("joules_by_tier", "Energy by tier", meaning, (plot,), ("method", "tier", "joules_mean"), rows)
