"""Where the cloud's candidates alone are ranked: each metric with the most that the lists allow, and where they held the target."""

from __future__ import annotations

from typing import Any

from chordsim.ledger.summary import CEILINGS, GIVEN
from chordsim.report.html import Column, Grid, interval, text

_METRICS = (("ndcg_10_all", "NDCG@10, all users"), ("ndcg_10", "NDCG@10, served"), ("hr_10", "HR@10, served"))


def listed(methods: dict[str, Any]) -> list[Any]:
    """Return the table of a run's methods; nothing where all items are ranked.

    Args:
        methods: As summary.json holds them.
    """
    apart = {name: m for name, m in methods.items() if CEILINGS in m}
    if not apart:
        return []
    columns = [Column("method")]
    for _, words in _METRICS:
        columns += [
            Column(words),
            Column(f"at most: {words}", "share of targets that the cloud listed, over the same users: no re-ranking can be above"),
            Column(f"listed: {words}", "over rounds in which the cloud listed the target, mean over users who had one"),
            Column(f"95 %, listed: {words}", "interval, users resampled"),
        ]
    rows = []
    for name, m in apart.items():
        cells: list[Any] = [name]
        for metric, _ in _METRICS:
            given = m[GIVEN][metric]
            cells += [m[metric]["mean"], m[CEILINGS][metric]["mean"], given["mean"], interval(given["ci95"])]
        rows.append(tuple(cells))
    lead = "Phones re-rank what the cloud lists. A target that it did not list is a miss whatever the phone does."
    return [text("What the lists allow", kind="h3"), text(lead), Grid(columns, rows)]
