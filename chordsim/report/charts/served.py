"""Who was left out: outcomes by tier, the budget that bound, and what users saw instead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chordsim.arrays import Ints
from chordsim.ledger.columns import OUTCOMES, SERVED_BY
from chordsim.methods import BINDINGS
from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Bars, Label, Plot
from chordsim.report.gather import Gathered

#: Served is green, refused orange; the others in the order in which a round can end.
_OUTCOME_COLOURS = (2, 1, 6, 3, 4, 7)
_SEEN_COLOURS = (2, 5, 4)
_BINDING_COLOURS = (6, 0, 1, 4)
#: The axis of shares.
SHARE = Axis("share of device-rounds (%)", limits=(0.0, 100.0))


def charts(g: Gathered) -> list[Chart]:
    """Return the section's charts."""
    return [_outcomes(g), _binding(g), _seen(g)]


def stacked(names: Sequence[Label], parts: dict[str, list[float | None]], places: Sequence[int], x: Axis) -> Plot:
    """Return bars in parts that follow one another; the first name stands on top.

    Args:
        names: One per bar.
        parts: Length of each bar's part, by the part's name.
        places: Number of each part's colour.
        x: The axis along.
    """
    bars = [Bars(part, place, names, values) for (part, values), place in zip(parts.items(), places, strict=False)]
    return Plot(x, Axis(kind="names"), bars)


def outcome_bars(names: Sequence[Label], shares: dict[str, list[float | None]], x: Axis) -> Plot:
    """Return bars of how rounds ended, each way in its own colour; ways that never occur are left out."""
    some = {word: values for word, values in shares.items() if any(values)}
    return stacked(names, some, _places(some, OUTCOMES, _OUTCOME_COLOURS), x)


def _outcomes(g: Gathered) -> Chart:
    names: list[tuple[str, str]] = []
    counts: list[Ints] = []
    for name, facts in g.methods.items():
        for tier, by_outcome in zip(g.tiers, facts.outcomes, strict=True):
            if by_outcome.sum():
                names.append((name, tier))
                counts.append(by_outcome)
    table = np.array(counts, np.int64).reshape(-1, len(OUTCOMES))
    shares = _percent(table, OUTCOMES)
    rows = [(m, t, int(c.sum()), *c.tolist()) for (m, t), c in zip(names, counts, strict=True)]
    return Chart(
        "outcomes_by_tier",
        "How rounds ended, by tier",
        "Share of device-rounds: served in time, refused because a budget did not hold, offline, dropped in the middle, late, or failed.",
        (outcome_bars(names, shares, SHARE),),
        ("method", "tier", "device_rounds", *OUTCOMES),
        rows,
    )


def _binding(g: Gathered) -> Chart:
    shares = _percent(np.array([facts.bindings.sum(0) for facts in g.methods.values()], np.int64), BINDINGS)
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
        (stacked(list(g.methods), shares, _places(shares, BINDINGS, _BINDING_COLOURS), SHARE),),
        ("method", "tier", *BINDINGS),
        rows,
    )


def _seen(g: Gathered) -> Chart:
    table = np.array([facts.served_by for facts in g.methods.values()], np.int64)
    shares = _percent(table, SERVED_BY)
    return Chart(
        "served_by",
        "What users saw",
        "A fresh prescription or list, a stale one from an earlier round, or popularity where the method did not serve.",
        (stacked(list(g.methods), shares, _places(shares, SERVED_BY, _SEEN_COLOURS), SHARE),),
        ("method", *SERVED_BY),
        [(name, *row.tolist()) for name, row in zip(g.methods, table, strict=True)],
    )


def _percent(table: Ints, words: Sequence[str]) -> dict[str, list[float | None]]:
    """Return each column as percent of its row, by word; words that never occur are left out."""
    whole = np.maximum(table.sum(1), 1)
    return {w: [number(v) for v in 100.0 * table[:, n] / whole] for n, w in enumerate(words) if table[:, n].any()}


def _places(shares: dict[str, list[float | None]], words: Sequence[str], places: Sequence[int]) -> list[int]:
    """Return the colours of the words that occur: one word has one colour on all pages."""
    return [place for word, place in zip(words, places, strict=True) if word in shares]
