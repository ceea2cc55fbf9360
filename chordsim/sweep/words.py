"""A sweep's means for the terminal, as one table, and in words what the intervals of a page are over."""

from __future__ import annotations

from collections.abc import Sequence

from chordsim.fitted import Fitted
from chordsim.report.html import interval
from chordsim.sweep.costs import SHOWN
from chordsim.sweep.over_seeds import Mean

#: Costs that stand in the terminal's table.
_SESSION = ("per_session_down_bytes", "per_session_up_bytes", "per_session_seconds_p50", "per_session_joules")
_OVER = {
    "bootstrap-by-user": "over the users of one seed, and say nothing of other seeds",
    "normal-by-user": "over the users of one seed, and say nothing of other seeds",
    "t-by-user-and-seed": "over users and seeds",
    "t-by-seed": "over seeds, since each seed has users of its own",
}
_TWO = "Two seeds are too few for an interval: each seed's own mean stands in the table."


def ending(found: Sequence[Mean], keys: Sequence[str]) -> Fitted:
    """Return the table that a sweep ends in: means, spreads, intervals, differences to the baseline, and what a session costs."""
    compared, few = any(m.difference is not None for m in found), _two_seeds(found)
    several = any(m.estimate.spread is not None for m in found)
    heads = ["NDCG@10\nall users", "95 %\ninterval"]
    heads += ["seeds", "spread\nover seeds"] if several else []
    heads += ["by seed"] if few else []
    heads += ["difference", "95 % of\ndifference", "p\n(Holm)"] if compared else []
    costs = [(name, column.head) for name, column, _ in SHOWN if name in _SESSION and any(m.costs.get(name) is not None for m in found)]
    rows = []
    for m in found:
        e, d = m.estimate, m.difference
        cells = [_four(e.mean), interval(e.ci95)]
        cells += [str(len(m.seeds)), _four(e.spread)] if several else []
        cells += [by_seed(e.by_seed)] if few else []
        apart = (None, None, None) if d is None else (d.mean, d.ci95, d.p_holm)
        cells += [_four(apart[0], "+"), interval(apart[1]), _figure(apart[2])] if compared else []
        rows.append((m.method, *map(str, m.values), *(cell or "-" for cell in cells), *(_figure(m.costs.get(name)) for name, _ in costs)))
    names = ("method", *(key.rpartition(".")[2] for key in keys))
    bold = frozenset(place for place, m in enumerate(found) if m.difference is not None and m.difference.significant)
    return Fitted(names, [*heads, *(head.replace("/", "\n/").replace(" B\n", "\nB") for _, head in costs)], rows, bold=bold)


def by_seed(values: Sequence[float]) -> str:
    """Return each seed's own mean."""
    return " ".join(f"{value:.4f}" for value in values)


def bars(found: Sequence[Mean]) -> str:
    """Return what the bars of a chart are, and why some have none."""
    words = _intervals(found)
    return (f"bars are {words}" if words else "there are no bars") + (f". {_TWO}" if _two_seeds(found) else ".")


def over(found: Sequence[Mean]) -> str:
    """Return what the intervals of a table are over, and why some have none."""
    return _intervals(found) or ("two seeds are too few for an interval" if _two_seeds(found) else "no interval")


def _intervals(found: Sequence[Mean]) -> str:
    words = dict.fromkeys(_OVER[m.estimate.ci_method] for m in found if m.estimate.mean is not None and m.estimate.ci95)
    return f"95 % intervals {', or '.join(words)}" if words else ""


def _two_seeds(found: Sequence[Mean]) -> bool:
    return any(len(m.seeds) == 2 for m in found if m.estimate.mean is not None)


def _four(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.4f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
