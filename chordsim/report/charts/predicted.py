"""The forecast beside what was measured, so that the cost model can be wrong in public."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from chordsim.report.charts.chart import Chart, bars_height, colour, figure, number
from chordsim.report.gather import Gathered

#: What is shown, with its unit.
_SHOWN = {
    "per_session_down_bytes": "down (B/session)",
    "per_session_up_bytes": "up (B/session)",
    "per_session_seconds_p50": "p50 (s)",
    "per_session_joules": "energy (J/session)",
    "wasted_bytes_per_device": "waste (B/device-round)",
    "served_share": "served",
}


def charts(g: Gathered) -> list[Chart]:
    """Return the chart of forecast and measurement; none where the run made no forecast or did not end."""
    groups: tuple[list[str], list[str]] = ([], [])
    ranges: list[tuple[float, float]] = []
    measured: list[float | None] = []
    rows: list[tuple[Any, ...]] = []
    for method in g.methods:
        for tier, quantities in g.source.forecast.get(method, {}).items():
            for name, label in _SHOWN.items():
                line = quantities.get(name, {})
                if line.get("measured") is None:
                    continue
                rows.append((method, tier, name, *(number(line[key]) for key in ("low", "middle", "high", "measured")), line["inside"]))
                if tier == "all" and line["middle"]:
                    groups[0].append(method)
                    groups[1].append(label)
                    ranges.append((100 * line["low"] / line["middle"], 100 * line["high"] / line["middle"]))
                    measured.append(number(100 * line["measured"] / line["middle"]))
    if not measured:
        return []
    reach = {
        "type": "data",
        "symmetric": False,
        "array": [high - 100 for _, high in ranges],
        "arrayminus": [100 - low for low, _ in ranges],
        "thickness": 6,
        "width": 0,
    }
    traces = [
        go.Scatter(
            x=[100] * len(ranges),
            y=groups,
            name="forecast: nine runs of ten",
            mode="markers",
            error_x=reach,
            marker={"color": colour(5), "size": 7, "symbol": "line-ns-open"},
        ),
        go.Scatter(x=measured, y=groups, name="measured", mode="markers", marker={"color": colour(1), "size": 9, "symbol": "diamond"}),
    ]
    height = bars_height(len(ranges))
    made = figure(traces, "relative to the middle of the forecast (%)", "", height=height, yaxis_autorange="reversed")
    made.update_layout(legend={"y": -80 / height})
    missed = sum(not row[-1] for row in rows)
    return [
        Chart(
            "forecast_and_measurement",
            "Forecast beside measurement",
            f"Made before anything was trained. Of {len(rows)} quantities, tiers included, {len(rows) - missed} fell into the range that "
            "should hold nine runs of ten.",
            made,
            ("method", "tier", "quantity", "forecast_low", "forecast_middle", "forecast_high", "measured", "inside"),
            rows,
        )
    ]
