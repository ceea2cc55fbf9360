"""The forecast as tables for the terminal."""

from __future__ import annotations

from typing import Any

from chordsim.fitted import Fitted
from chordsim.forecast.predict import ALL, Forecast, Range
from chordsim.ledger.energy_words import Energy, sensitivity
from chordsim.ledger.figures import UNSERVED
from chordsim.round import candidates, item_pilot
from chordsim.sized import SizedWorld
from chordsim.units import amount

_BESIDE = ("served_share", "per_session_down_bytes", "per_session_seconds_p50", "per_session_joules")
_COLUMNS = (
    ("served_share", "served\n%", 100.0),
    *((f"{outcome}_share", f"{outcome}\n%", 100.0) for outcome in UNSERVED),
    ("first_contact_down_bytes", "first\ncontact B", 1.0),
    ("per_session_down_bytes", "down B/\nsession", 1.0),
    ("per_session_up_bytes", "up B/\nsession", 1.0),
    ("per_version_down_bytes", "new\nversion B", 1.0),
    ("wasted_bytes_per_device", "waste B/\ndevice-round", 1.0),
    ("per_session_seconds_p50", "p50\ns", 1.0),
    ("per_session_seconds_p95", "p95\ns", 1.0),
    ("per_session_seconds_p99", "p99\ns", 1.0),
    ("per_session_joules", "joules/\nsession", 1.0),
    ("assumed_share", "assumed\n%", 100.0),
    ("tail_share", "tail\n%", 100.0),
)
#: Columns that are left out where they are nothing but zeros: there is no deadline, nothing breaks off, nobody is away.
_WHERE_ANY = tuple(f"{outcome}_share" for outcome in UNSERVED if outcome != "refused")
_FLEET = (
    ("fleet_down_gb", "down", 1e9, "B"),
    ("fleet_up_gb", "up", 1e9, "B"),
    ("fleet_wasted_gb", "wasted", 1e9, "B"),
    ("fleet_kwh", "energy", 1e3, "Wh"),
)


def forecast_table(predicted: Forecast, by: str = "tier") -> Fitted:
    """Return one line per method and group, by tier or another column; every cell is the range that holds at least nine runs of ten."""
    everything = [quantities for tiers in predicted.values() for quantities in tiers.values()]
    columns = [
        column
        for column in _COLUMNS
        if column[0] not in _WHERE_ANY or any(column[0] in told and told[column[0]].high > 0 for told in everything)
    ]
    rows = [
        (method if number == 0 else "", tier, *(_cell(quantities.get(name), factor, tier) for name, _, factor in columns))
        for method, tiers in predicted.items()
        for number, (tier, quantities) in enumerate(tiers.items())
    ]
    title = "forecast, per served session unless it says otherwise: the range that holds nine runs of ten"
    return Fitted(("method", by), [head for _, head, _ in columns], rows, title=title)


def fleet_table(predicted: Forecast) -> Fitted:
    """Return what all device-rounds of the scenario come to together, one line per method."""
    rows = [
        (
            method,
            *(_amounts(tiers[ALL].get(name), factor, unit) for name, _, factor, unit in _FLEET),
            _cell(tiers[ALL].get("fleet_assumed_share"), 100.0),
        )
        for method, tiers in predicted.items()
        if ALL in tiers
    ]
    heads = (*(head for _, head, _, _ in _FLEET), "assumed %")
    return Fitted(("method",), heads, rows, title="all device-rounds of the scenario together")


def energy_line(predicted: Forecast) -> str:
    """Return in one line what the joules rest on; nothing where none are told."""
    middles: dict[str, Energy] = {
        method: {share: tiers[ALL][share].middle for share in ("assumed_share", "tail_share") if share in tiers[ALL]}
        for method, tiers in predicted.items()
        if ALL in tiers
    }
    return sensitivity(middles)


def rows_lines(world: SizedWorld) -> list[str]:
    """Return how many bytes of a session's are item rows, in a phone's first session and in a later one; nothing where phones own them all.

    A mean over few rounds is mostly first sessions, so that it must not be multiplied by many.
    """
    told: dict[str, list[str]] = {}
    for spec in world.specs.values():
        if candidates.asks(world.scenario, spec):
            means = item_pilot.pilot(world, spec).row_bytes.mean(1)
            first, later = (amount(float(means[at]), "B") for at in (0, -1))
            words = f"about {first} in a phone's first session and in the first with a new version, {later} later"
            told.setdefault(words, []).append(spec.name)
    rounds = world.scenario.rounds.count
    mean = f"down B/session is the mean over {rounds} round{'s' * (rounds > 1)}, first sessions among them"
    return [f"item rows of {', '.join(names)}: {words}; {mean}" for words, names in told.items()]


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
                words = title.replace("/\n", "/").replace("\n", " ")
                parts.append(f"{words} {_short(found['measured'] * factor)} ({cell}){'' if found['inside'] else ' !'}")
        if parts:
            out.append(f"  {method}: {', '.join(parts)}")
    return ["measured (forecast):", *out] if out else []


def _amounts(found: Range | None, factor: float, unit: str) -> str:
    if found is None:
        return "-"
    low, high = amount(found.low * factor, unit), amount(found.high * factor, unit)
    return low if low == high else f"{low} - {high}"


def _cell(found: Range | None, factor: float, tier: str = ALL) -> str:
    if found is None:
        # What a phone downloads once is the same for all tiers.
        return "-" if tier == ALL else ""
    low, high = _short(found.low * factor), _short(found.high * factor)
    return low if low == high else f"{low}-{high}"


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if value >= 1e3 else f"{value:.3g}"
