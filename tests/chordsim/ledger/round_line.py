"""The line of a whole round at once, for tests: a run adds it up part by part."""

from __future__ import annotations

from chordsim.ledger.round_lines import Line, RoundLine
from chordsim.ledger.rows import Rows


def round_line(rows: Rows, round_s: float | None = None) -> Line:
    """Return the line of a whole round; without ``round_s`` the slowest phone closed it."""
    gathered = RoundLine()
    gathered.add(rows, float(rows["total_s"].max(initial=0.0)) if round_s is None else round_s)
    return gathered.line(rows.round, rows.method)
