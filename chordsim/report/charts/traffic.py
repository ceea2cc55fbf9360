"""Bytes: parts up and down apart, the bootstrap, waste, and when a method has paid for itself."""

from __future__ import annotations

import math

import numpy as np

from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS
from chordsim.report.charts.chart import Chart, lone_bars, number
from chordsim.report.charts.plot import Axis, Label, Plot, Points
from chordsim.report.charts.served import stacked
from chordsim.report.gather import Gathered, MethodFacts

_SESSIONS = [int(n) for n in np.unique(np.round(np.logspace(0, 3, 31)))]
_PART_COLOURS = {
    "candidates_bytes": 5,
    "rows_bytes": 1,
    "prescription_bytes": 0,
    "framing_down_bytes": 6,
    "profile_bytes": 2,
    "asks_bytes": 3,
    "update_bytes": 7,
    "report_bytes": 4,
    "framing_up_bytes": 6,
}
_LABELS = {name: name.removesuffix("_bytes").replace("_", " ") for name in (*DOWN_PARTS, *UP_PARTS)}


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts."""
    made = [_bootstrap(g), _parts(g), _cumulative(g), _waste(g)]
    return [chart for chart in made if chart.rows]


def reference(g: Gathered) -> str | None:
    """Return the method that ships a model once in the fewest bytes: what the break-even is measured against."""
    shipped = {name: f.bootstrap_once for name, f in g.methods.items() if f.ships_a_model and f.session is not None}
    return min(shipped, key=lambda name: shipped[name]) if shipped else None


def break_even(facts: MethodFacts, against: MethodFacts) -> str:
    """Say up to how many sessions a method costs fewer bytes than a model shipped once."""
    if facts.session is None or against.session is None:
        return "served no one"
    # Bytes after n sessions are a line in n; a first contact brings the newest version, so that one is not new again.
    start = [f.bootstrap_once + f.sessions.rows_at_first - f.sessions.again for f in (against, facts)]
    saved, more = start[0] - start[1], facts.session - against.session
    if saved < 0 and more < 0:
        return f"cheaper from session {max(1, math.ceil(saved / more)):,} on"
    if saved < 0:
        return "never cheaper"
    return "always cheaper" if more <= 0 else f"cheaper up to session {math.floor(saved / more):,}"


def _bootstrap(g: Gathered) -> Chart:
    rows = [(name, number(facts.bootstrap_once), facts.sessions.contacts) for name, facts in g.methods.items()]
    plot = lone_bars([r[0] for r in rows], [r[1] for r in rows], Axis("bytes down at first contact", unit="B"))
    return Chart(
        "bootstrap_bytes",
        "Before the first round",
        "What a phone must download before a method can serve it at all: embeddings, extractor, mask, weights where they are shipped.",
        (plot,),
        ("method", "bootstrap_bytes_B", "phones_that_received_it"),
        rows,
    )


def _parts(g: Gathered) -> Chart:
    names = [name for name in (*DOWN_PARTS[1:], *UP_PARTS) if any(f.bytes[name] for f in g.methods.values())]
    labels: list[Label] = []
    parts: dict[str, list[float | None]] = {_LABELS[name]: [] for name in names}
    rows: list[tuple[str | float | None, ...]] = []
    for method, facts in g.methods.items():
        for side, own in (("down", DOWN_PARTS), ("up", UP_PARTS)):
            labels.append((method, side))
            for name in names:
                value = number(facts.bytes[name] / facts.device_rounds) if name in own else None
                parts[_LABELS[name]].append(value)
                if value is not None:
                    rows.append((method, side, name, value))
    x = Axis("bytes per device-round, bootstrap apart", unit="B")
    plot = stacked(labels, parts, [_PART_COLOURS[name] for name in names], x)
    return Chart(
        "bytes_by_part",
        "A round's bytes by part, down and up apart",
        "Measured from the encoded messages, cut transfers with their whole length. The report up is instrumentation that a product "
        "would not send; framing is chordsim's header and CRC.",
        (plot,),
        ("method", "direction", "part", "bytes_per_device_round_B"),
        rows,
    )


def _cumulative(g: Gathered) -> Chart:
    lines, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        if facts.session is None:
            continue
        values = [number(facts.after(n)) for n in _SESSIONS]
        lines.append(Points(name, place, _SESSIONS, values, lines=True, markers=False))
        rows += [(name, n, value) for n, value in zip(_SESSIONS, values, strict=True)]
    x, y = Axis("served sessions (log scale)", "log"), Axis("bytes up and down so far (log scale)", "log", unit="B")
    plot = Plot(x, y, lines)
    return Chart(
        "bytes_over_sessions",
        "Bytes over a phone's life",
        "The bootstrap at first contact, the mean served session so many times, and what new versions of a model bring from "
        "the second session on. Where two lines cross is the break-even.",
        (plot,),
        ("method", "sessions", "bytes_so_far_B"),
        rows,
    )


def _waste(g: Gathered) -> Chart:
    rows = []
    for name, facts in g.methods.items():
        moved = facts.bytes["down_bytes"] + facts.bytes["up_bytes"]
        rows.append((name, facts.bytes["wasted_bytes"], number(100 * facts.bytes["wasted_bytes"] / moved) if moved else 0.0))
    nothing = None if any(r[1] for r in rows) else (0.0, 1.0)
    plot = lone_bars([r[0] for r in rows], [r[2] for r in rows], Axis("share of all bytes that crossed (%)", limits=nothing), 1)
    return Chart(
        "wasted_bytes",
        "Waste",
        "Bytes that crossed the link for a round that did not serve: dropped, late, failed, or refused after the download.",
        (plot,),
        ("method", "wasted_bytes_B", "wasted_percent"),
        rows,
    )
