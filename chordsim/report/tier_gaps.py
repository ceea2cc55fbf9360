"""Who pays for heterogeneity, as a table: the largest gaps between tiers, how sure they are, and users of each tier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chordsim.ledger.tier_gap import ACCURACY, SERVICE
from chordsim.report.html import Column, Grid, interval

LEAD = "Who pays for heterogeneity: the largest gaps between tiers"
_COLUMNS = {
    ACCURACY: (
        Column("gap in NDCG@10", "of what users saw, best tier minus worst, mean over users"),
        Column("95 % interval", "over users, and wide enough for the choice of the two tiers among all"),
        Column("between", "best tier, worst tier"),
    ),
    SERVICE: (
        Column("gap in service", "share of device-rounds that were served, best tier minus worst, mean over users"),
        Column("95 % interval of it", "Agresti and Caffo's over users, likewise"),
        Column("between these", "best tier, worst tier"),
    ),
}


def gap_grid(by_method: Mapping[str, Mapping[str, Any]]) -> Grid:
    """Return one line per method; a gap that no method has is left out, as that of accuracy where nothing was ranked.

    Args:
        by_method: ``tier_gap`` of each method, as summary.json holds it.
    """
    shown = [name for name in _COLUMNS if any(gaps.get(name, {}).get("gap") is not None for gaps in by_method.values())]
    columns = [Column("method"), *(column for name in shown for column in _COLUMNS[name]), Column("users", "on phones of each tier")]
    return Grid(columns, [(method, *_cells(gaps, shown)) for method, gaps in by_method.items()])


def _cells(gaps: Mapping[str, Any], shown: list[str]) -> list[Any]:
    cells: list[Any] = []
    for name in shown:
        gap = gaps.get(name, {})
        best, worst, ci95 = (gap.get(key) for key in ("best", "worst", "ci95"))
        pair = None if best is None or best == worst else f"{best}, {worst}"
        cells += [gap.get("gap"), None if ci95 is None else interval((ci95[0], ci95[1])), pair]
    users = gaps.get(SERVICE, {}).get("users", {})
    return [*cells, ", ".join(f"{tier} {count:,}" for tier, count in users.items()) or None]
