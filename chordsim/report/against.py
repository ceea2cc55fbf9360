"""How sure the differences of a run are: every method against the scenario's baseline, user by user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chordsim.config.model import BASELINE
from chordsim.report.gather import Gathered
from chordsim.report.html import Column, Grid, interval, text
from chordsim.statistics.baseline import baseline
from chordsim.statistics.differences import Difference, paired


@dataclass(frozen=True)
class Against:
    """The methods of a run against one of them.

    Attributes:
        base: The method that the others are compared with.
        said: Which one it is and why, in a sentence.
        differences: Of every other method's NDCG@10 over all users, by name; one family of Holm's correction.
        best: Whose mean is highest.
        level: Methods that are not significantly below it; another family, each method against this one.
    """

    base: str
    said: str
    differences: dict[str, Difference]
    best: str
    level: tuple[str, ...] = ()


def against_baseline(g: Gathered) -> Against | None:
    """Return the paired differences to the baseline, over all users; None where no method has a value."""
    ranked = [name for name in g.methods if g.estimates[name]["ndcg_10_all"].mean is not None]
    if not ranked:
        return None
    base, said = baseline(str(g.source.table("protocol").get("baseline", BASELINE)), ranked)
    means = {name: g.methods[name].users["ndcg_10_all"].means() for name in ranked}
    best = max(ranked, key=lambda name: (g.estimates[name]["ndcg_10_all"].mean or 0.0, name == base))
    families = {other: paired({n: (means[n], means[other]) for n in ranked if n != other}, g.source.seed) for other in {base, best}}
    differences, to_best = families[base], families[best]
    return Against(base, said, differences, best, tuple(name for name, d in to_best.items() if not d.significant))


def headline(g: Gathered, found: Against) -> str:
    """Return which method's mean is highest, for how many bytes, and what differs from the baseline."""
    best = found.best
    estimate, facts = g.estimates[best]["ndcg_10_all"], g.methods[best]
    session = facts.costs.per_session()
    words = f"{best} gave users the best lists: NDCG@10 {estimate.mean:.4f}"
    words += f" ({interval(estimate.ci95)}, 95 %)" if estimate.ci95 else ""
    if session["down_bytes"] is not None and session["up_bytes"] is not None:
        each = session["down_bytes"] + session["up_bytes"]
        words += f", for {facts.bootstrap_once:,.0f} bytes at a phone's first contact and {each:,.0f} a session"
    return words + "".join(f". {part}" for part in _parts(found)) + "."


def table(found: Against) -> list[Any]:
    """Return the differences as a table, nothing where the baseline is alone."""
    if not found.differences:
        return []
    columns = (
        Column("method", f"compared with {found.base}"),
        Column("difference", f"its NDCG@10 of all users minus that of {found.base}, mean over the users' own differences"),
        Column("95 % interval", "over users"),
        Column("p (Holm)", f"two-sided, corrected over the {len(found.differences)} comparisons of this table"),
        Column("users", "with a value in both"),
    )
    rows = [(n, d.mean, interval(d.ci95), d.p_holm, d.users) for n, d in found.differences.items()]
    return [text("How sure are the differences?", kind="h3"), text(found.said), Grid(columns, rows)]


def _parts(found: Against) -> list[str]:
    """Return who is above, below and level with the baseline, as far as there is somebody."""
    above = [n for n, d in found.differences.items() if d.significant and (d.mean or 0.0) > 0]
    below = [n for n, d in found.differences.items() if d.significant and (d.mean or 0.0) < 0]
    level = [n for n, d in found.differences.items() if not d.significant]
    words = (("Significantly above", above), ("Significantly below", below), ("Not significantly different from", level))
    return [f"{lead} {found.base}: {', '.join(names)}" for lead, names in words if names]
