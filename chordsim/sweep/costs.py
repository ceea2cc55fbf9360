"""What a sweep's methods cost, mean over seeds: per first contact, served session and new version, and what joules rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chordsim.ledger.energy_words import sensitivity
from chordsim.report.html import Column, Grid, text
from chordsim.sweep.over_seeds import Mean

#: Costs by their names in `chordsim.sweep.tidy.COSTS`, as the page shows them, and by how much they are multiplied.
SHOWN = (
    ("first_contact_down_bytes", Column("first contact B", "bytes down before a phone's first session, once"), 1),
    ("per_session_down_bytes", Column("down B/session", "bytes down of a served session, bootstraps apart"), 1),
    ("per_session_up_bytes", Column("up B/session", "bytes up of a served session, instrumentation apart"), 1),
    ("per_version_down_bytes", Column("new version B", "bytes down to a phone when the cloud's model is renewed"), 1),
    (
        "wasted_bytes_per_device",
        Column("waste B/device-round", "bytes that crossed for rounds that did not serve, over all device-rounds"),
        1,
    ),
    ("per_session_seconds_p50", Column("p50 s", "median simulated seconds of a served session"), 1),
    ("per_session_seconds_p95", Column("p95 s", "95th percentile of the same"), 1),
    ("per_session_seconds_p99", Column("p99 s", "99th percentile of the same"), 1),
    ("per_session_joules", Column("J/session", "joules of computing and radio of a served session, instrumentation apart"), 1),
    ("assumed_share", Column("assumed %", "share of these joules that rests on assumed constants"), 100),
    ("tail_share", Column("tail %", "share of these joules that the radio's tail makes, after the last byte"), 100),
)


def blocks(found: Sequence[Mean], swept: Sequence[Column]) -> list[Any]:
    """Return the table of costs and the line on joules; nothing where no run tells any.

    Args:
        found: The methods over seeds.
        swept: Columns of what was varied.
    """
    shown = [(name, column, factor) for name, column, factor in SHOWN if any(m.costs.get(name) is not None for m in found)]
    if not shown:
        return []
    rows = [(m.method, *map(str, m.values), *(_times(m.costs.get(name), factor) for name, _, factor in shown)) for m in found]
    out: list[Any] = [
        text("What it costs, mean over seeds", kind="h3"),
        Grid((Column("method"), *swept, *(c for _, c, _ in shown)), rows),
    ]
    words = energy_line(found)
    return [*out, text(f"{words[:1].upper()}{words[1:]}.", css="soft")] if words else out


def energy_line(found: Sequence[Mean]) -> str:
    """Return in one line what the joules of a sweep rest on; nothing without joules."""
    return sensitivity({f"{place}": m.costs for place, m in enumerate(found)})


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else value * factor
