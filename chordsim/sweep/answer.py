"""What a sweep answers, before its curves: which method at which values is best, at what cost, and what is not settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chordsim.report.answer import listed_names, strip
from chordsim.report.html import ANSWER, Column, Grid, Section, cards, named, text
from chordsim.report.svg.letters import in_bytes
from chordsim.sweep.over_seeds import Mean

#: Lines of the table; the others stand further below.
_LINES = 10


def answer(found: Sequence[Mean], keys: Sequence[str], remark: str = "") -> Section:
    """Return the page's first section.

    Args:
        found: The methods over seeds.
        keys: What was varied.
        remark: What a reader must know of all points; empty for nothing.
    """
    blocks: list[Any] = [text(remark, css="warning")] if remark else []
    ranked = [m for m in found if m.estimate.mean is not None]
    if not ranked:
        order = sorted((m for m in found if m.bytes_after_10 is not None), key=lambda m: m.bytes_after_10 or 0.0)
        words = f"{point(order[0], keys)} moves the fewest bytes; nothing was ranked." if order else "Nobody was served."
        return Section(ANSWER, "The answer", [*blocks, text(words, css="verdict"), *([_table(order, keys, found)] if order else [])])
    order = sorted(ranked, key=lambda m: -(m.estimate.mean or 0.0))
    pairs = [
        ("Who is best?", _best(order[0], keys)),
        ("At what cost?", _cost(order, keys)),
        ("What is not settled?", _unsettled(found, keys)),
    ]
    pairs += [("Who was left out?", _left_out(found, keys)), ("What would change it?", _change(order, keys))]
    verdict = f"{point(order[0], keys)} gave users the best lists{_beside(order[0])}."
    return Section(ANSWER, "The answer", [*blocks, text(verdict, css="verdict"), cards(pairs), _table(order, keys, found)])


def point(m: Mean, keys: Sequence[str]) -> str:
    """Return a method with its values."""
    values = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in zip(keys, m.values, strict=True))
    return f"{m.method} at {values}" if values else m.method


def _beside(m: Mean) -> str:
    if m.difference is None:
        return ""
    if m.difference.p_holm is None:
        return f" by its mean; with {len(m.seeds)} seeds nothing is tested"
    return f", above {m.base}" if m.difference.significant else f" by its mean, but whether it is better than {m.base} is not settled"


def _best(m: Mean, keys: Sequence[str]) -> str:
    low, high = m.estimate.ci95 or (None, None)
    reach = f" ({low:.4f} to {high:.4f}, 95 %)" if low is not None and high is not None else ""
    return f"{point(m, keys)}: NDCG@10 {m.estimate.mean:.4f}{reach}."


def _cost(order: Sequence[Mean], keys: Sequence[str]) -> str:
    best = order[0]
    if best.bytes_after_10 is None:
        return f"{point(best, keys)} served nobody."
    light = min((m for m in order if m.bytes_after_10 is not None), key=lambda m: m.bytes_after_10 or 0.0)
    words = f"{in_bytes(best.bytes_after_10)} over a phone's first ten sessions."
    if light is not best and light.bytes_after_10 is not None:
        words += f" Fewest: {point(light, keys)}, {in_bytes(light.bytes_after_10)}, NDCG@10 {light.estimate.mean:.4f}."
    return words


def _unsettled(found: Sequence[Mean], keys: Sequence[str]) -> str:
    open_ones = [point(m, keys) for m in found if m.difference is not None and not m.difference.significant]
    seeds = {len(m.seeds) for m in found}
    if seeds == {2}:
        return "Every difference: two seeds are too few for a test."
    words = f"{listed_names(open_ones)}, each against its baseline (Holm, 5 %)." if open_ones else "No difference to a baseline."
    return words + (" Other seeds: there is one alone." if seeds == {1} else "")


def _left_out(found: Sequence[Mean], keys: Sequence[str]) -> str:
    some = [m for m in found if m.served_share is not None]
    if not some:
        return "Not told."
    worst = min(some, key=lambda m: m.served_share or 0.0)
    share = 100 * (worst.served_share or 0.0)
    return (
        "No one: every point served every phone in every round." if share == 100 else f"{point(worst, keys)} most: it served {share:.1f} %."
    )


def _change(order: Sequence[Mean], keys: Sequence[str]) -> str:
    """Return how much the best method moves with the keys, and between seeds."""
    mine = [m.estimate.mean or 0.0 for m in order if m.method == order[0].method]
    parts = (
        [f"{', '.join(key.rpartition('.')[2] for key in keys)}: {order[0].method} goes from {min(mine):.4f} to {max(mine):.4f}."]
        if len(mine) > 1
        else []
    )
    spread = order[0].estimate.spread
    parts += [f"The seed: its means spread by {spread:.4f}."] if spread is not None else ["More seeds."]
    return " ".join(parts)


def _table(order: Sequence[Mean], keys: Sequence[str], found: Sequence[Mean]) -> Grid:
    places = {method: place for place, method in enumerate(dict.fromkeys(m.method for m in found))}
    columns = [Column("method"), *(Column(key, "swept") for key in keys), Column("NDCG@10, all users"), Column("95 % interval")]
    columns += [Column("over ten sessions", "bytes up and down of a phone, bootstrap included"), Column("served", "of device-rounds")]
    ends = [end for m in order for end in (m.estimate.ci95 or ())]
    rows = [
        (
            named(m.method, places[m.method]),
            *map(str, m.values),
            m.estimate.mean,
            strip(places[m.method], m.estimate.mean, m.estimate.ci95, ends),
            None if m.bytes_after_10 is None else in_bytes(m.bytes_after_10),
            None if m.served_share is None else f"{100 * m.served_share:.1f} %",
        )
        for m in order[:_LINES]
    ]
    caption = "The best first" if order[0].estimate.mean is not None else "The fewest bytes first"
    return Grid(columns, rows, "league", caption + (f": {_LINES} of {len(order)}" if len(order) > _LINES else ""))
