"""Who was left out: outcomes by tier, the budget that bound, and what users saw instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from chordsim.arrays import Ints
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.methods import BINDINGS
from chordsim.report.charts.chart import Chart, bars_height, colour, figure, number
from chordsim.report.gather import Gathered

#: Served is green, refused orange; the others in the order in which a round can end.
_OUTCOME_COLOURS = (2, 1, 6, 3, 4, 7)
_SEEN_COLOURS = (2, 5, 4)
_BINDING_COLOURS = (6, 0, 1, 4)


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts."""
    return [_outcomes(g), _binding(g), _seen(g)]


def stacked(
    labels: Sequence[Sequence[str]] | Sequence[str], shares: dict[str, list[float | None]], colours: Sequence[int], x: str, bars: int
) -> go.Figure:
    """Return horizontal stacked bars; the first label stands on top.

    Args:
        labels: One label per bar, or two lists: groups and their members.
        shares: Length of each bar's part, by the part's name.
        colours: Number of each part's colour.
        x: Title of the x axis, with its unit.
        bars: Number of bars.
    """
    traces = [
        go.Bar(
            y=labels,
            x=values,
            name=name,
            orientation="h",
            marker={"color": colour(c)},
            hovertemplate=f"%{{x:,.4g}}<extra>{name}</extra>",
        )
        for (name, values), c in zip(shares.items(), colours, strict=False)
    ]
    height = bars_height(bars)
    # The legend keeps its distance in pixels however high the chart is.
    legend = {"orientation": "h", "yanchor": "top", "y": -80 / height, "x": 0, "traceorder": "normal"}
    return figure(traces, x, "", height=height, barmode="stack", yaxis_autorange="reversed", legend=legend)


def _outcomes(g: Gathered) -> Chart:
    groups: tuple[list[str], list[str]] = ([], [])
    counts: list[Ints] = []
    for name, facts in g.methods.items():
        for tier, by_outcome in zip(g.tiers, facts.outcomes, strict=True):
            if by_outcome.sum():
                groups[0].append(name)
                groups[1].append(tier)
                counts.append(by_outcome)
    table = np.array(counts, np.int64).reshape(-1, len(OUTCOMES))
    shares = _percent(table, OUTCOMES)
    rows = [(m, t, int(c.sum()), *c.tolist()) for m, t, c in zip(*groups, counts, strict=True)]
    return Chart(
        "outcomes_by_tier",
        "How rounds ended, by tier",
        "Share of device-rounds: served in time, refused because a budget did not hold, offline, dropped in the middle, late, or failed.",
        stacked(groups, shares, _OUTCOME_COLOURS, "share of device-rounds (%)", len(counts)),
        ("method", "tier", "device_rounds", *OUTCOMES),
        rows,
    )


def _binding(g: Gathered) -> Chart:
    table = np.array([facts.bindings.sum(0) for facts in g.methods.values()], np.int64)
    rows = [
        (name, tier, *facts.bindings[place].tolist())
        for name, facts in g.methods.items()
        for place, tier in enumerate(g.tiers)
        if facts.bindings[place].sum()
    ]
    return Chart(
        "binding_budget",
        "What bound",
        "The phone's budget that limited what was prescribed, or for which it was refused: memory (B), "
        "latency (s, also where joules per day set it) "
        "or the cap on bits per weight.",
        stacked(list(g.methods), _percent(table, BINDINGS), _BINDING_COLOURS, "share of device-rounds (%)", len(g.methods)),
        ("method", "tier", *BINDINGS),
        rows,
    )


def _seen(g: Gathered) -> Chart:
    table = np.array([facts.served_by for facts in g.methods.values()], np.int64)
    return Chart(
        "served_by",
        "What users saw",
        "A fresh prescription or list, a stale one from an earlier round, or popularity where the method did not serve.",
        stacked(list(g.methods), _percent(table, SERVED_BY), _SEEN_COLOURS, "share of device-rounds (%)", len(g.methods)),
        ("method", *SERVED_BY),
        [(name, *row.tolist()) for name, row in zip(g.methods, table, strict=True)],
    )


def _percent(table: Ints, words: Sequence[str]) -> dict[str, list[float | None]]:
    """Return each column as percent of its row, by word; words that never occur are left out."""
    whole = np.maximum(table.sum(1), 1)
    return {w: [number(v) for v in 100.0 * table[:, n] / whole] for n, w in enumerate(words) if table[:, n].any()}
