"""What each method gives at each budget, where a run's tiers differ in one budget alone: accuracy, service and bytes against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.gather import Gathered, MethodFacts

#: Budgets that tiers may be swept in: key of a tier, its name and unit on the axis.
_SWEPT = {"memory_mb": "memory budget (MB)", "latency_ms": "latency budget (ms a request)", "bits": "cap on bits per weight"}
#: Tiers that differ in one budget alone, fewer of which are no sweep.
_LEAST = 3
_PANELS = (Axis("NDCG@10, all users"), Axis("served (%)"), Axis("down B/session", unit="B"))


def charts(g: Gathered) -> list[Chart]:
    """Return one chart for each budget that the run's tiers sweep; none where they sweep none."""
    tiers = g.source.table("population").get("tiers", {})
    return [_against(g, key, swept) for key in _SWEPT if (swept := sweep(tiers, key))]


def sweep(tiers: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, float]:
    """Return the budgets of the largest group of tiers that differ in ``key`` alone, by tier and ascending; empty for fewer than three."""
    groups: dict[tuple[Any, ...], dict[str, float]] = {}
    for name, tier in tiers.items():
        others = tuple(sorted((k, str(v)) for k, v in tier.items() if k not in (key, "share")))
        if tier.get(key) is not None:
            groups.setdefault(others, {})[name] = float(tier[key])
    best = max(groups.values(), key=len, default={})
    found = dict(sorted(best.items(), key=lambda pair: pair[1]))
    return found if len(set(found.values())) >= _LEAST else {}


def _against(g: Gathered, key: str, swept: Mapping[str, float]) -> Chart:
    panels: list[list[Points]] = [[] for _ in _PANELS]
    rows = []
    for place, (name, facts) in enumerate(g.methods.items()):
        points = [(budget, *_at(facts, g.tiers.index(tier))) for tier, budget in swept.items() if tier in g.tiers]
        rows += [(name, *point) for point in points]
        for panel, lines in enumerate(panels):
            lines.append(Points(name, place, [point[0] for point in points], [point[1 + panel] for point in points], lines=True))
    x = Axis(_SWEPT[key], "log")
    plots = [
        Plot(x, replace(axis, zero=True), lines) for axis, lines in zip(_PANELS, panels, strict=True) if any(any(one.y) for one in lines)
    ]
    words = _SWEPT[key].split(" (")[0]
    return Chart(
        f"at_each_{key}",
        f"At each {words}",
        f"Tiers of this run differ in their {words} alone: what users saw, whom the method served, and what a served session brings down.",
        plots,
        ("method", key, "ndcg_10_all", "served_percent", "down_bytes_per_session"),
        rows,
    )


def _at(facts: MethodFacts, tier: int) -> tuple[float | None, float | None, float | None]:
    """Return what a method gave on one tier: accuracy of all users, percent served, bytes down of a served session."""
    outcomes = facts.outcomes[tier]
    served = 100.0 * float(outcomes[0]) / float(outcomes.sum()) if outcomes.sum() else None
    down = facts.costs.per_session(tier)["down_bytes"]
    return number(float(facts.tier.means("ndcg_10_all")[tier])), number(served), number(down)
