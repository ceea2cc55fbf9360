"""Who won, at what cost: accuracy against bytes, against bits, and over rounds."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from chordsim.report.charts.chart import Chart, colour, dash, figure, number, spread, symbol
from chordsim.report.gather import Gathered
from chordsim.statistics.estimates import Estimate

_ALL = "NDCG@10 of what all users saw"


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts; those without a value in any method are left out."""
    made = [_against_bytes(g), _against_bits(g), _over_rounds(g)]
    return [chart for chart in made if chart.rows]


def point(name: str, place: int, x: float, estimate: Estimate) -> go.Scatter:
    """Return one method as a marker with its interval."""
    mean = estimate.mean or 0.0
    low, high = estimate.ci95 or (mean, mean)
    return go.Scatter(
        x=[number(x)],
        y=[number(mean)],
        name=name,
        mode="markers",
        error_y={"type": "data", "symmetric": False, "array": [high - mean], "arrayminus": [mean - low], "thickness": 1.5, "width": 5},
        marker={"color": colour(place), "symbol": symbol(place), "size": 11},
        hovertemplate=f"{name}<br>%{{x:,.4g}}<br>%{{y:.4f}} [{low:.4f}, {high:.4f}]<extra></extra>",
    )


def _against_bytes(g: Gathered) -> Chart:
    traces, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        estimate, total = g.estimates[name]["ndcg_10_all"], facts.after()
        if estimate.mean is None or total is None:
            continue
        traces.append(point(name, place, total, estimate))
        low, high = estimate.ci95 or (None, None)
        rows.append((name, number(total), number(estimate.mean), number(low), number(high)))
    made = figure(traces, "bytes up and down after 10 served sessions, bootstrap included (B, log scale)", _ALL, xaxis_type="log")
    return Chart(
        "accuracy_against_bytes",
        "Accuracy against bytes",
        "Left and high is better: what a phone sent and received over its first ten sessions, and what its user got for it. "
        "Bars are 95 % intervals over users.",
        made,
        ("method", "bytes_after_10_sessions_B", "ndcg_10_all", "ci95_low", "ci95_high"),
        rows,
    )


def _against_bits(g: Gathered) -> Chart:
    traces, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        estimate, bits = g.estimates[name]["ndcg_10"], facts.bits_mean
        if estimate.mean is None or bits is None:
            continue
        traces.append(point(name, place, bits, estimate))
        low, high = estimate.ci95 or (None, None)
        rows.append((name, number(bits), number(estimate.mean), number(low), number(high), estimate.users))
    made = figure(traces, "stored bits per weight (mean by fan-in)", "NDCG@10, served users", xaxis_type="log", xaxis_dtick=np.log10(2))
    return Chart(
        "accuracy_against_bits",
        "Accuracy against stored bits",
        "How good a model of so many bits per weight is for the users whom it served; a method without a model on the phone is not here.",
        made,
        ("method", "bits_mean_bit", "ndcg_10", "ci95_low", "ci95_high", "users"),
        rows,
    )


def _over_rounds(g: Gathered) -> Chart:
    traces, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        shown = [facts.rounds[n] for n in spread(len(facts.rounds))]
        values = [number(r.ndcg_10_all) for r in shown]
        traces.append(
            go.Scatter(
                x=[r.round for r in shown],
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": colour(place), "dash": dash(place)},
                marker={"symbol": symbol(place), "size": 8},
            )
        )
        rows += [(name, r.round, value, r.selected, r.served) for r, value in zip(shown, values, strict=True)]
    # Ticks stand on rounds, not between them.
    step = max(1, max((len(f.rounds) for f in g.methods.values()), default=1) // 10)
    made = figure(traces, "round", _ALL, xaxis_dtick=step, xaxis_tick0=1)
    return Chart(
        "accuracy_over_rounds",
        "Accuracy over rounds",
        "What users saw in each round, mean over the phones of the round.",
        made,
        ("method", "round", "ndcg_10_all", "selected_phones", "served_phones"),
        rows,
    )
