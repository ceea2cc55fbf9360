"""What plans look like: bits by layer and channel, how plans differ between users, and what age does to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Map, Plot, Points
from chordsim.report.gather import Gathered
from chordsim.report.kept_plans import Plans, read_plans

#: Methods whose channels get a chart of their own.
_MAPS = 4
#: Larger models are shown by layer only.
_MOST_CHANNELS = 4096
_POINTS = 51


def charts(g: Gathered, run: Path) -> list[Chart]:
    """Return the section's charts; none where no method of the run makes plans."""
    plans = read_plans(run)
    places = {name: place for place, name in enumerate(g.methods)}  # a method has one colour on the whole page
    made = [_by_age(g)]
    if plans:
        maps = [_channels(name, p) for name, p in list(plans.items())[:_MAPS] if p.codes.shape[1] <= _MOST_CHANNELS]
        made = [_by_layer(plans, places), *maps, _disagreement(plans, places), _distance(plans, places), *made]
    return [chart for chart in made if chart.rows]


def _by_layer(plans: dict[str, Plans], places: dict[str, int]) -> Chart:
    points, rows = [], []
    for name, p in plans.items():
        layers, bits = [layer for layer, _, _ in p.layers], p.bits
        values = [number(bits[a:b].mean()) for a, b in p.edges]
        points.append(Points(name, places[name], values, layers))
        rows += [(name, layer, value, len(p.codes)) for layer, value in zip(layers, values, strict=True)]
    return Chart(
        "bits_by_layer",
        "Bits by layer",
        "Where plans spend their bits, mean over the plans of the last round (a sample of the phones).",
        (Plot(Axis("mean bits per channel", zero=True), Axis(kind="names"), points),),
        ("method", "layer", "bits_mean", "plans"),
        rows,
    )


def _channels(name: str, p: Plans) -> Chart:
    bits, widest = p.bits, max(channels for _, channels, _ in p.layers)
    grid: list[list[float | None]] = []
    rows = []
    for (layer, _, _), (a, b) in zip(p.layers, p.edges, strict=True):
        values = [number(v) for v in bits[a:b]]
        grid.append([*values, *([None] * (widest - len(values)))])
        rows += [(name, layer, channel, value) for channel, value in enumerate(values)]
    heat = Map([layer for layer, _, _ in p.layers], grid, float(p.widths.max()), "bits")
    return Chart(
        f"channels_{name}",
        f"Bits by channel: {name}",
        f"Mean bits of every channel over {len(p.codes):,} plans of the last round.",
        (Plot(Axis("channel", whole=True), Axis(kind="names"), (heat,)),),
        ("method", "layer", "channel", "bits_mean"),
        rows,
    )


def _disagreement(plans: dict[str, Plans], places: dict[str, int]) -> Chart:
    points, rows = [], []
    for name, p in plans.items():
        layers, chance = [layer for layer, _, _ in p.layers], p.disagreement()
        values = [number(100 * chance[a:b].mean()) for a, b in p.edges]
        points.append(Points(name, places[name], values, layers))
        rows += [(name, layer, value, len(p.codes)) for layer, value in zip(layers, values, strict=True)]
    return Chart(
        "plans_between_users",
        "How plans differ between users",
        "Take two phones at random: in how many channels of a layer do their plans differ? A part of it is budgets, a part is taste; "
        "0 % means that everybody has the same plan.",
        (Plot(Axis("channels that differ (%)", zero=True), Axis(kind="names"), points),),
        ("method", "layer", "differing_channels_percent", "plans"),
        rows,
    )


def _distance(plans: dict[str, Plans], places: dict[str, int]) -> Chart:
    lines, rows, shares = [], [], np.linspace(0, 1, _POINTS)
    for name, p in plans.items():
        values = [number(100 * v) for v in np.quantile(p.distance(), shares)]
        percent = [number(100 * s) for s in shares]
        lines.append(Points(name, places[name], percent, values, lines=True, markers=False))
        rows += [(name, s, v) for s, v in zip(percent, values, strict=True)]
    x = Axis("plans, nearest to the common one first (%)", limits=(0.0, 100.0))
    return Chart(
        "plans_from_the_common_one",
        "How far plans stray",
        "The common plan takes each channel's most frequent code; phones are sorted by how many channels of theirs differ from it.",
        (Plot(x, Axis("channels unlike the common plan (%)", zero=True), lines),),
        ("method", "plans_percent", "channels_unlike_percent"),
        rows,
    )


def _by_age(g: Gathered) -> Chart:
    lines, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        if not facts.age:
            continue
        ages = sorted(facts.age)
        values = [number(facts.age[age][1] / facts.age[age][0]) for age in ages]
        lines.append(Points(name, place, ages, values, lines=True))
        rows += [(name, age, value, facts.age[age][0]) for age, value in zip(ages, values, strict=True)]
    x = Axis("age of the plan in use (rounds, 0 is fresh)", zero=True, whole=True)
    return Chart(
        "accuracy_by_plan_age",
        "Plan age against accuracy",
        "What a plan is worth after so many rounds; where all plans were fresh there is one point.",
        (Plot(x, Axis("NDCG@10, served users", zero=True), lines),),
        ("method", "plan_age_rounds", "ndcg_10", "device_rounds"),
        rows,
    )
