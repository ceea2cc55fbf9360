"""Who won, at what cost: accuracy against bytes, against bits, and over rounds."""

from __future__ import annotations

from chordsim.report.charts.chart import Chart, number, spread
from chordsim.report.charts.plot import Axis, Plot, Points
from chordsim.report.gather import Gathered
from chordsim.statistics.estimates import Estimate

_ALL = "NDCG@10 of what all users saw"


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts; those without a value in any method are left out."""
    made = [_served_against_bytes(g)] if g.source.sizes_only else [_against_bytes(g), _against_bits(g), _over_rounds(g)]
    return [chart for chart in made if chart.rows]


def point(name: str, place: int, x: float, estimate: Estimate) -> Points:
    """Return one method as a marker with its interval."""
    mean = number(estimate.mean)
    low, high = estimate.ci95 or (None, None)
    return Points(name, place, [number(x)], [mean], low=[number(low)], high=[number(high)])


def _against_bytes(g: Gathered) -> Chart:
    points, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        estimate, total = g.estimates[name]["ndcg_10_all"], facts.after()
        if estimate.mean is None or total is None:
            continue
        points.append(point(name, place, total, estimate))
        low, high = estimate.ci95 or (None, None)
        rows.append((name, number(total), number(estimate.mean), number(low), number(high)))
    x = Axis("bytes up and down after 10 served sessions, bootstrap included (log scale)", "log", unit="B")
    return Chart(
        "accuracy_against_bytes",
        "Accuracy against bytes",
        "Left and high is better: what a phone sent and received over its first ten sessions, and what its user got for it. "
        "Bars are 95 % intervals over users.",
        (Plot(x, Axis(_ALL), points, labelled=True),),
        ("method", "bytes_after_10_sessions_B", "ndcg_10_all", "ci95_low", "ci95_high"),
        rows,
    )


def _served_against_bytes(g: Gathered) -> Chart:
    """Return whom a method serves for its bytes, where nothing was ranked."""
    points, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        total, served = number(facts.after()), number(100 * facts.served / max(facts.device_rounds, 1))
        if total is not None:
            points.append(Points(name, place, [total], [served]))
            rows.append((name, total, served))
    x = Axis("bytes up and down after 10 served sessions, bootstrap included (log scale)", "log", unit="B")
    return Chart(
        "served_against_bytes",
        "Who is served, for how many bytes",
        "Left and high is better: what a phone sent and received over its first ten sessions, and how many device-rounds ended in time.",
        (Plot(x, Axis("served (% of device-rounds)"), points, labelled=True),),
        ("method", "bytes_after_10_sessions_B", "served_percent"),
        rows,
    )


def _against_bits(g: Gathered) -> Chart:
    points, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        estimate, bits = g.estimates[name]["ndcg_10"], facts.bits_mean
        if estimate.mean is None or bits is None:
            continue
        points.append(point(name, place, bits, estimate))
        low, high = estimate.ci95 or (None, None)
        rows.append((name, number(bits), number(estimate.mean), number(low), number(high), estimate.users))
    x = Axis("stored bits per weight (mean by fan-in, log scale)", "log", base=2)
    return Chart(
        "accuracy_against_bits",
        "Accuracy against stored bits",
        "How good a model of so many bits per weight is for the users whom it served; a method without a model on the phone is not here.",
        (Plot(x, Axis("NDCG@10, served users"), points, labelled=True),),
        ("method", "bits_mean_bit", "ndcg_10", "ci95_low", "ci95_high", "users"),
        rows,
    )


def _over_rounds(g: Gathered) -> Chart:
    lines, rows = [], []
    for place, (name, facts) in enumerate(g.methods.items()):
        shown = [facts.rounds[n] for n in spread(len(facts.rounds))]
        values = [number(r.ndcg_10_all) for r in shown]
        lines.append(Points(name, place, [r.round for r in shown], values, lines=True))
        rows += [(name, r.round, value, r.selected, r.served) for r, value in zip(shown, values, strict=True)]
    some = [row for row in rows if row[2] is not None]
    return Chart(
        "accuracy_over_rounds",
        "Accuracy over rounds",
        "What users saw in each round, mean over the phones of the round.",
        (Plot(Axis("round", whole=True), Axis(_ALL), lines),),
        ("method", "round", "ndcg_10_all", "selected_phones", "served_phones"),
        rows if some else [],
    )
