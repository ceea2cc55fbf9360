"""What each method gives at each budget, where a run's tiers differ in one budget alone: accuracy, service and bytes against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from chordsim.report.charts.chart import GRID, Chart, colour, dash, figure, number, symbol
from chordsim.report.gather import Gathered, MethodFacts

#: Budgets that tiers may be swept in: key of a tier, its name and unit on the axis.
_SWEPT = {"memory_mb": "memory budget (MB)", "latency_ms": "latency budget (ms a request)", "bits": "cap on bits per weight"}
#: Tiers that differ in one budget alone, fewer of which are no sweep.
_LEAST = 3
_PANELS = ("NDCG@10, all users", "served (%)", "down B/session")


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
    traces, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        points = [(budget, *_at(facts, g.tiers.index(tier))) for tier, budget in swept.items() if tier in g.tiers]
        rows += [(name, *point) for point in points]
        for panel in range(len(_PANELS)):
            traces.append(
                go.Scatter(
                    x=[point[0] for point in points],
                    y=[point[1 + panel] for point in points],
                    name=name,
                    legendgroup=name,
                    showlegend=panel == 0,
                    mode="lines+markers",
                    yaxis=f"y{panel + 1}" if panel else "y",
                    line={"color": colour(place), "dash": dash(place)},
                    marker={"symbol": symbol(place), "size": 8},
                )
            )
    made = figure(traces, _SWEPT[key], _PANELS[0], height=760, xaxis_type="log")
    heights = ((0.7, 1.0), (0.38, 0.64), (0.0, 0.32))
    axis = {"gridcolor": GRID[0], "linecolor": GRID[0], "zeroline": False, "automargin": True, "title_standoff": 8, "rangemode": "tozero"}
    for panel, (title, domain) in enumerate(zip(_PANELS, heights, strict=True)):
        made.update_layout({f"yaxis{panel + 1}" if panel else "yaxis": {**axis, "title_text": title, "domain": list(domain)}})
    made.update_layout(xaxis_anchor=f"y{len(_PANELS)}", legend={"y": -0.1})
    words = _SWEPT[key].split(" (")[0]
    return Chart(
        f"at_each_{key}",
        f"At each {words}",
        f"Tiers of this run differ in their {words} alone: what users saw, whom the method served, and what a served session brings down.",
        made,
        ("method", key, "ndcg_10_all", "served_percent", "down_bytes_per_session"),
        rows,
    )


def _at(facts: MethodFacts, tier: int) -> tuple[float | None, float | None, float | None]:
    """Return what a method gave on one tier: accuracy of all users, percent served, bytes down of a served session."""
    outcomes = facts.outcomes[tier]
    served = 100.0 * float(outcomes[0]) / float(outcomes.sum()) if outcomes.sum() else None
    down = facts.costs.per_session(tier)["down_bytes"]
    return number(float(facts.tier.means("ndcg_10_all")[tier])), number(served), number(down)
