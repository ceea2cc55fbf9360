"""The forecast as a table for the terminal."""

from __future__ import annotations

from typing import Any

from chordsim.fitted import Fitted
from chordsim.forecast.predict import ALL, Forecast, Range

_BESIDE = ("served_share", "down_bytes_per_device", "p50_total_s")
_COLUMNS = (
    ("served_share", "served %", 100.0),
    ("refused_share", "refused %", 100.0),
    ("down_bytes_per_device", "down B/round", 1.0),
    ("up_bytes_per_device", "up B/round", 1.0),
    ("p50_total_s", "p50 s", 1.0),
    ("joules_per_device", "joules/round", 1.0),
)


def forecast_table(predicted: Forecast, by: str = "tier") -> Fitted:
    """Return one line per method and group, by tier or another column; every cell is the range that holds at least nine runs of ten."""
    rows = [
        (method if number == 0 else "", tier, *(_cell(quantities.get(name), factor) for name, _, factor in _COLUMNS))
        for method, tiers in predicted.items()
        for number, (tier, quantities) in enumerate(tiers.items())
    ]
    title = "forecast, per device and round: the range that holds nine runs of ten"
    return Fitted(("method", by), [head for _, head, _ in _COLUMNS], rows, title=title)


def beside_lines(summary: dict[str, Any]) -> list[str]:
    """Return the forecast beside what was measured, one line per method, from a run's summary.json.

    A measurement outside its range carries an exclamation mark.
    """
    out = []
    for method, tiers in summary.get("forecast", {}).items():
        parts = []
        for name, title, factor in _COLUMNS:
            found = tiers.get(ALL, {}).get(name)
            if found and "measured" in found and name in _BESIDE:
                cell = _cell(Range(found["low"], found["middle"], found["high"]), factor)
                parts.append(f"{title} {_short(found['measured'] * factor)} ({cell}){'' if found['inside'] else ' !'}")
        if parts:
            out.append(f"  {method}: {', '.join(parts)}")
    return ["measured (forecast):", *out] if out else []


def _cell(found: Range | None, factor: float) -> str:
    if found is None:
        return "-"
    low, high = _short(found.low * factor), _short(found.high * factor)
    return low if low == high else f"{low}-{high}"


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if value >= 1e3 else f"{value:.3g}"
