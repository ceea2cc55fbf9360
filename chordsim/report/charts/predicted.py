"""The forecast beside what was measured, so that the cost model can be wrong in public."""

from __future__ import annotations

from typing import Any

from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Plot, Points
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
    names: list[str] = []
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
                    names.append(f"{method}, {label}")
                    ranges.append((100 * line["low"] / line["middle"], 100 * line["high"] / line["middle"]))
                    measured.append(number(100 * line["measured"] / line["middle"]))
    if not measured:
        return []
    middle = [100.0] * len(ranges)
    low, high = ([number(pair[n]) for pair in ranges] for n in (0, 1))
    marks = (
        Points("forecast: nine runs of ten", 5, middle, names, low=low, high=high, across=True),
        Points("measured", 1, measured, names),
    )
    plot = Plot(Axis("relative to the middle of the forecast (%)"), Axis(kind="names"), marks, dodged=False)
    missed = sum(not row[-1] for row in rows)
    return [
        Chart(
            "forecast_and_measurement",
            "Forecast beside measurement",
            f"Made before anything was trained. Of {len(rows)} quantities, tiers included, {len(rows) - missed} fell into the range that "
            "should hold nine runs of ten.",
            (plot,),
            ("method", "tier", "quantity", "forecast_low", "forecast_middle", "forecast_high", "measured", "inside"),
            rows,
        )
    ]
