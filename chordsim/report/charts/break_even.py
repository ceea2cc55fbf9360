"""Break-even: after which sessions a method that plans for each user has moved fewer bytes than the others, and at what accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from chordsim.report.charts.chart import Chart, number
from chordsim.report.charts.plot import Axis, Bars, Plot
from chordsim.report.gather import Gathered, MethodFacts
from chordsim.report.html import Column, Grid, interval, text
from chordsim.statistics.differences import Difference, paired

#: Sessions up to which it is told; further ones are "on".
LAST = 10_000
_COUNTS = (1, 10, 100)


@dataclass(frozen=True)
class Pair:
    """A method beside another one.

    Attributes:
        method: Who plans.
        other: Whom it is compared with.
        first: The first session after which it has moved fewer bytes, up to `LAST`; None for never.
        last: The last such session; `LAST` where that does not end.
        accuracy: Its NDCG@10 of all users minus the other's; None where nothing was ranked.
    """

    method: str
    other: str
    first: int | None
    last: int | None
    accuracy: Difference | None

    @property
    def words(self) -> str:
        """The sessions in words."""
        if self.first is None or self.last is None:
            return "never"
        if self.last >= LAST:
            return "always" if self.first == 1 else f"from session {self.first:,} on"
        return f"up to session {self.last:,}" if self.first == 1 else f"sessions {self.first:,} to {self.last:,}"


def cheaper(facts: MethodFacts, other: MethodFacts) -> tuple[int, int] | None:
    """Return the first and the last session after which one has moved fewer bytes than the other; None for never, or nobody served.

    Bytes so far are a line in the number of sessions, so it is one stretch.
    """
    ends = [(f.after(1), f.after(LAST)) for f in (facts, other)]
    if any(end is None for pair in ends for end in pair):
        return None
    (mine, mine_last), (theirs, theirs_last) = ends
    assert mine is not None and theirs is not None and mine_last is not None and theirs_last is not None
    begin, end = theirs - mine, theirs_last - mine_last
    if begin <= 0 and end <= 0:
        return None
    slope = (end - begin) / (LAST - 1)
    crossing = 1 - begin / slope if slope else math.inf
    if begin > 0:
        return 1, LAST if end > 0 else min(math.ceil(crossing) - 1, LAST)
    return math.floor(crossing) + 1, LAST


def pairs(g: Gathered) -> list[Pair]:
    """Return every method that prescribes beside every one that does not; none where there are not both."""
    plans = [name for name, facts in g.methods.items() if facts.bytes["prescription_bytes"]]
    others = [name for name in g.methods if name not in plans]
    values = {name: facts.users["ndcg_10_all"] for name, facts in g.methods.items()}
    both = {(m, o): (values[m].means(), values[o].means()) for m in plans for o in others if values[m].known() is not None}
    told = paired({f"{m}/{o}": pair for (m, o), pair in both.items()}, g.source.seed) if both and not g.source.sizes_only else {}
    out = []
    for m in plans:
        for o in others:
            first, last = cheaper(g.methods[m], g.methods[o]) or (None, None)
            out.append(Pair(m, o, first, last, told.get(f"{m}/{o}")))
    return out


def charts(g: Gathered) -> list[Chart]:
    """Return the chart; none where no method prescribes, or all do."""
    found = pairs(g)
    if not found:
        return []
    labels = [f"{pair.method} against {pair.other}" for pair in found]
    bars = Bars("", 2, labels, [p.last for p in found], [p.first for p in found], [p.words for p in found])
    x = Axis("sessions (log scale)", "log", limits=(1.0, float(LAST)))
    rows = [(p.method, p.other, p.first, p.last, p.words, *_accuracy(p)) for p in found]
    return [
        Chart(
            "break_even",
            "When a plan pays",
            "Sessions after which the method on the left has moved fewer bytes up and down, bootstraps and rows included, than the other; "
            "no bar: never. What it gains or loses in accuracy stands in the table.",
            (Plot(x, Axis(kind="names"), (bars,)),),
            ("method", "against", "first_session", "last_session", "cheaper", "ndcg_10_all_difference", "low_95", "high_95"),
            rows,
        )
    ]


def blocks(g: Gathered) -> list[Any]:
    """Return the table of `pairs` with bytes, joules and accuracy beside the break-even, and the chart; nothing without pairs."""
    found = pairs(g)
    if not found:
        return []
    columns = [
        Column("method", "which prescribes for each user"),
        Column("against"),
        Column("cheaper in bytes", "sessions after which it has moved fewer, bootstraps and rows included"),
        *(Column(f"B after {n}", f"of the method, up and down of a phone after {n} served sessions") for n in _COUNTS),
        *(Column(f"other's B after {n}", "the same of the other") for n in _COUNTS),
        Column("J/session", "joules of a served session"),
        Column("other's J/session"),
        Column("NDCG@10 difference", "of all users, the method minus the other"),
        Column("95 %", "interval of the difference, users resampled"),
    ]
    rows = []
    for pair in found:
        mine, theirs = g.methods[pair.method], g.methods[pair.other]
        difference = pair.accuracy
        rows.append(
            (
                pair.method,
                pair.other,
                pair.words,
                *(mine.after(n) for n in _COUNTS),
                *(theirs.after(n) for n in _COUNTS),
                mine.costs.joules(),
                theirs.costs.joules(),
                None if difference is None else difference.mean,
                None if difference is None else interval(difference.ci95),
            )
        )
    return [text("When a plan pays", kind="h3"), Grid(columns, rows), *charts(g)]


def _accuracy(pair: Pair) -> tuple[float | None, float | None, float | None]:
    if pair.accuracy is None:
        return None, None, None
    low, high = pair.accuracy.ci95 or (None, None)
    return number(pair.accuracy.mean), number(low), number(high)
