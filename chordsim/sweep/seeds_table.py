"""A sweep's table for a paper: every method over seeds, with mean, interval, spread, and differences to the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from chordsim.errors import UserError
from chordsim.files import read_json
from chordsim.ledger.names import MANIFEST
from chordsim.report.latex import printed
from chordsim.report.paper import Cell, Paper, best, ends, kilo, label, short
from chordsim.report.run_table import BOLD, DELTA, KB, gap, marks
from chordsim.sweep.found import Found, find
from chordsim.sweep.over_seeds import table_row
from chordsim.sweep.words import over


def table(folder: Path, form: Literal["latex", "markdown", "csv", "recbole"]) -> str:
    """Return a sweep's results as a table.

    Raises:
        UserError: RecBole's names, which are for one run.
        UserError, RunError: The sweep or one of its runs is damaged.
    """
    if form == "recbole":
        raise UserError(f"--table recbole: for one run: {folder} is a sweep, whose runs stand in {folder / 'points'}")
    return printed(_paper(find(folder)), form)


def _paper(found: Found) -> Paper:
    means, keys = found.means, [key.rpartition(".")[2] for key in found.keys]
    several = any(m.estimate.spread is not None for m in means)
    count = sum(m.difference is not None for m in means)
    rows = []
    for m, top in zip(means, best([m.estimate.mean for m in means]), strict=True):
        cells = [Cell(short(m.estimate.mean), top), *([gap(m.difference)] if count else []), Cell(ends(m.estimate.ci95))]
        cells += [Cell(short(m.estimate.spread))] if several else []
        rows.append(((m.method, *map(str, m.values)), [*cells, Cell(kilo(m.bytes_after_10))]))
    groups = frozenset(n for n, (one, two) in enumerate(zip(means, means[1:], strict=False)) if one.values != two.values)
    heads = ["NDCG\n@10", *(["Δ"] if count else []), "95 % CI", *(["s.d."] if several else []), "kB"]
    bases = ", ".join(dict.fromkeys(m.base for m in means if m.difference is not None))
    tested = any(m.difference is not None and m.difference.p_holm is not None for m in means)
    delta = DELTA.format(base=f"{bases} at the same values" if keys else bases)
    notes = {"Δ": f"{delta} {marks(bases, count) if tested else ''}".strip(), "s.d.": "s.d.: of the seeds' means.", "kB": KB}
    numbers = [table_row(m, found.keys) for m in means]
    name = label("sweep", found.points[0].scenario.name)
    return Paper(("method", *keys), heads, rows, _caption(found), notes, name, numbers, groups if keys else frozenset())


def _caption(found: Found) -> str:
    first, means = found.points[0], found.means
    manifest = read_json(found.path / "points" / first.name / MANIFEST)
    seeds = sorted({point.seed for point in found.points})
    told = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 2 else f"seed{'s' if len(seeds) > 1 else ''} {' and '.join(map(str, seeds))}"
    users = max(m.estimate.users for m in means)
    return (
        f"{first.scenario.name} on {manifest.get('data', {}).get('name', 'its data')}, {told}: NDCG@10 of what all {users:,} users saw, "
        f"unserved ones the fallback; ranked among {manifest.get('protocol', {}).get('ranking')}; {over(means)}. {BOLD}"
    )
