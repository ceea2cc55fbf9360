"""A case that cannot be measured here: it says why."""

from __future__ import annotations

from benchmarks.throughput.turns import Turns


def run(turns: Turns, reason: str) -> None:
    """Say why there are no figures."""
    turns.refuse(reason)
