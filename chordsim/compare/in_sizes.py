"""Runs that ranked nothing, side by side: no user has a score, so nothing is paired and nothing is significant or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chordsim.report.html import Column
from chordsim.report.source import Source
from chordsim.report.sums import known


def side_by_side(names: Sequence[str], sources: Sequence[Source]) -> tuple[list[Column], list[tuple[Any, ...]]]:
    """Return what every method costs in every run: columns, and a row for each method and run that has it."""
    figures = known([method for source in sources for method in source.summary.values()])
    columns = [Column("method"), Column("run"), *(Column(figure.head, figure.meaning) for figure in figures)]
    rows = [
        (method, name, *(figure.of(source.summary[method]) for figure in figures))
        for method in dict.fromkeys(name for source in sources for name in source.summary)
        for name, source in zip(names, sources, strict=True)
        if method in source.summary
    ]
    return columns, rows
