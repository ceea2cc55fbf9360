"""A sweep's means in words: one line per method for the terminal, and what the intervals of a page are over."""

from __future__ import annotations

from collections.abc import Sequence

from chordsim.report.html import interval
from chordsim.sweep.costs import cost_line
from chordsim.sweep.over_seeds import Mean

_OVER = {
    "bootstrap-by-user": "over the users of one seed, and say nothing of other seeds",
    "normal-by-user": "over the users of one seed, and say nothing of other seeds",
    "t-by-user-and-seed": "over users and seeds",
    "t-by-seed": "over seeds, since each seed has users of its own",
}


_TWO = "Two seeds are too few for an interval: each seed's own mean stands in the table."


def line(m: Mean, keys: Sequence[str]) -> str:
    """Return a method's mean, interval, seeds, difference to the baseline and costs of a session as one line."""
    e, d = m.estimate, m.difference
    name = ", ".join([m.method, *(f"{key.rpartition('.')[2]} {value}" for key, value in zip(keys, m.values, strict=True))])
    costs = f"; {found}" if (found := cost_line(m)) else ""
    if e.mean is None:
        return f"{name}: no user has a value{costs}"
    words = f"{name}: NDCG@10 {e.mean:.4f}{_ends(e.ci95)}"
    if e.spread is not None:
        words += f", {len(e.by_seed)} seeds {by_seed(e.by_seed)}, spread {e.spread:.4f}"
    if d is not None and d.mean is not None:
        words += f"; against {m.base} {d.mean:+.4f}{_ends(d.ci95)}"
        words += f", seeds {by_seed(d.by_seed)}" if d.p_holm is None else f", Holm p {d.p_holm:.3g}"
    return words + costs


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


def _ends(ci95: tuple[float, float] | None) -> str:
    return f" ({interval(ci95)})" if ci95 else ""
