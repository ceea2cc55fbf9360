"""Figures of a summary by their keys, `None` where a run has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Where a summary has each quantity that a forecast tells and a sweep keeps, by method or by tier.
PLACES = {
    "served_share": ("served_share",),
    "refused_share": ("refused_share",),
    "late_share": ("late_share",),
    "dropped_share": ("dropped_share",),
    "offline_share": ("offline_share",),
    "first_contact_down_bytes": ("first_contact", "down_bytes"),
    "per_session_down_bytes": ("per_session", "down_bytes"),
    "per_session_up_bytes": ("per_session", "up_bytes"),
    "per_version_down_bytes": ("per_version", "down_bytes"),
    "wasted_bytes_per_device": ("wasted_bytes_per_device",),
    "per_session_seconds_p50": ("per_session", "seconds_p50"),
    "per_session_seconds_p95": ("per_session", "seconds_p95"),
    "per_session_seconds_p99": ("per_session", "seconds_p99"),
    "per_session_joules": ("per_session", "joules"),
    "assumed_share": ("energy", "assumed_share"),
    "tail_share": ("energy", "tail_share"),
    "fleet_down_gb": ("fleet", "down_gb"),
    "fleet_up_gb": ("fleet", "up_gb"),
    "fleet_wasted_gb": ("fleet", "wasted_gb"),
    "fleet_kwh": ("fleet", "kwh"),
    "fleet_assumed_share": ("fleet", "assumed_share"),
    "down_bytes_per_device": ("down_bytes_per_device",),
    "up_bytes_per_device": ("up_bytes_per_device",),
    "p50_total_s": ("p50_total_s",),
    "joules_per_device": ("joules_per_device",),
}

#: How a device-round ends that is not served, where a forecast or a recost can tell.
UNSERVED = ("refused", "late", "dropped", "offline")
#: What a served session costs and what its joules rest on, as columns of a terminal's table: place, head, factor, format.
SESSION_COLUMNS = (
    (("wasted_bytes_per_device",), "waste B/\ndevice-round", 1.0, ",.0f"),
    (("per_session", "seconds_p50"), "p50\ns", 1.0, ".3g"),
    (("per_session", "seconds_p95"), "p95\ns", 1.0, ".3g"),
    (("per_session", "seconds_p99"), "p99\ns", 1.0, ".3g"),
    (("per_session", "joules"), "joules/\nsession", 1.0, ".3g"),
    (("energy", "assumed_share"), "assumed\n%", 100.0, ".0f"),
    (("energy", "tail_share"), "tail\n%", 100.0, ".0f"),
)


def shown(value: float | None, factor: float, how: str) -> str:
    """Return a figure times ``factor`` in the format ``how``, and a dash where there is none."""
    return "-" if value is None else format(value * factor, how)


def share_of(method: Mapping[str, Any], outcome: str) -> float | None:
    """Return which share of a method's device-rounds ended so.

    Args:
        method: As summary.json holds it.
        outcome: A word of the ledger.
    """
    counts = method.get("outcomes", {})
    total = sum(counts.values())
    return counts[outcome] / total if total else None


def unserved_heads(methods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return a column's head for each outcome that left anybody unserved in any of these methods."""
    told = list(methods)
    return {outcome: f"{outcome}\n%" for outcome in UNSERVED if any(share_of(method, outcome) for method in told)}


def at(method: Mapping[str, Any], *path: str) -> float | None:
    """Return one figure of a method, or of one of its tiers.

    Args:
        method: As summary.json holds it.
        path: Its keys.
    """
    found: Any = method
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return None if found is None else float(found)
