"""A comparison's table for a paper: every method in every run, with its difference to the first run."""

from __future__ import annotations

from typing import Any

from chordsim.compare.compare import VIEWS, Comparison, Line
from chordsim.compare.in_sizes import side_by_side
from chordsim.report.paper import Cell, Paper, best, kilo, label, short, signed_ends
from chordsim.report.run_table import BOLD, DELTA, KB, difference_columns, gap, marks

_ALL = next(iter(VIEWS))
_NARROW = ("first contact B", "down B/session", "up B/session", "p50 s", "J/session")


def paper(comparison: Comparison) -> Paper:
    """Return the table of a comparison over all users to serve; the CSV has the users whom both runs served as well."""
    if not comparison.lines:
        return _costs(comparison)
    shown = [line for line in comparison.lines if line.view == _ALL]
    methods = list(dict.fromkeys(line.method for line in shown))
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    means: list[float | None] = []
    ends: set[int] = set()
    for method in methods:
        mine = [line for line in shown if line.method == method]
        rows.append(((method, comparison.names[0]), _cells(comparison, method, 0, mine[0].base, None)))
        rows += [((method, comparison.names[line.run]), _cells(comparison, method, line.run, line.other, line)) for line in mine]
        means += [mine[0].base, *(line.other for line in mine)]
        ends.add(len(rows) - 1)
    bold = [(names, [Cell(cells[0].text, top), *cells[1:]]) for (names, cells), top in zip(rows, best(means), strict=True)]
    users = max(line.difference.users for line in shown)
    first = comparison.names[0]
    ranking = comparison.sources[0].manifest.get("protocol", {}).get("ranking")
    caption = f"NDCG@10 of what all {users:,} users saw, unserved ones the fallback; ranked among {ranking}. {BOLD}"
    delta = f"{DELTA.format(base=first)} {marks(first, len(comparison.lines))}"
    notes = {"Δ": delta, "95 % CI\nof Δ": "95 % intervals over users.", "kB": KB}
    numbers = [_numbers(comparison, line) for line in comparison.lines]
    groups = frozenset(ends - {len(rows) - 1})
    return Paper(("method", "run"), ("NDCG\n@10", *notes), bold, caption, notes, label("compare", *comparison.names), numbers, groups)


def _cells(comparison: Comparison, method: str, run: int, mean: float | None, line: Line | None) -> list[Cell]:
    facts = comparison.gathered[run].methods.get(method)
    cost = Cell(kilo(None if facts is None else facts.after()))
    if line is None:
        return [Cell(short(mean)), Cell(""), Cell(""), cost]
    return [Cell(short(mean)), gap(line.difference), Cell(signed_ends(line.difference.ci95)), cost]


def _numbers(comparison: Comparison, line: Line) -> dict[str, Any]:
    out: dict[str, Any] = {"method": line.method, "first": comparison.names[0], "run": comparison.names[line.run], "users": line.view}
    out |= {"n": line.difference.users, "first_mean": line.base, "run_mean": line.other}
    return out | difference_columns(line.difference)


def _costs(comparison: Comparison) -> Paper:
    """Return what runs cost in which nothing was compared by rank."""
    columns, rows = side_by_side(comparison.names, comparison.sources)
    heads = [column.head for column in columns]
    shown = [n for n, head in enumerate(heads) if head in _NARROW]
    cells = [((row[0], row[1]), [Cell("–" if row[n] is None else f"{row[n]:,.4g}") for n in shown]) for row in rows]
    caption = (
        "What methods cost; nothing was ranked. Bytes at first contact and per served session, seconds and joules of a served session."
    )
    numbers = [dict(zip(heads, row, strict=True)) for row in rows]
    return Paper(("method", "run"), [heads[n] for n in shown], cells, caption, {}, label("compare", *comparison.names), numbers)
