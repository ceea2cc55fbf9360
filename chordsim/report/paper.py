"""A table for a paper: what stands in it, best in bold, significance marks; as Markdown, as CSV, and for LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chordsim.report.charts.chart import is_missing
from chordsim.statistics.differences import Difference


@dataclass(frozen=True)
class Cell:
    """A cell: its words, whether it is the best of its column, and its mark of significance."""

    text: str
    bold: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Paper:
    """A table for a paper.

    Attributes:
        names: Heads of the columns that name a row.
        heads: Heads of the others, in up to two lines; where there is no room for all, the last ones are left out of LaTeX.
        rows: Words of the names and cells of each row.
        caption: What is shown, over whom, and what bold means.
        notes: What a column means, by its head, for those that need a word.
        label: What `ref` of LaTeX takes.
        numbers: Rows of the CSV by column, unrounded, units in the names; all have the same columns.
        after: Rows, by number, after which a group ends.
    """

    names: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[tuple[Sequence[str], Sequence[Cell]]]
    caption: str
    notes: Mapping[str, str]
    label: str
    numbers: Sequence[Mapping[str, Any]]
    after: frozenset[int] = field(default_factory=frozenset)

    def told(self, shown: int) -> str:
        """Return the caption, with the notes on the first columns of numbers, which are shown."""
        return " ".join([self.caption, *(self.notes[head] for head in self.heads[:shown] if self.notes.get(head))])

    def csv(self) -> str:
        """Return all numbers, unrounded; empty where there is no value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.numbers[0])
        writer.writerows([["" if is_missing(value) else value for value in row.values()] for row in self.numbers])
        return text.getvalue()

    def markdown(self) -> str:
        """Return a table for a README, its caption below."""
        lines = [[*self.names, *(head.replace("\n", "") for head in self.heads)], [*["---"] * len(self.names), *["---:"] * len(self.heads)]]
        for names, cells in self.rows:
            lines.append([*names, *((f"**{c.text}**" if c.bold else c.text) + c.mark for c in cells)])
        return (
            "\n".join(f"| {' | '.join(word.replace('|', '/') for word in line)} |" for line in lines)
            + f"\n\n{self.told(len(self.heads))}\n"
        )


def label(*words: str) -> str:
    """Return what a table is referred to by."""
    return "tab:" + re.sub(r"[^A-Za-z0-9]+", "-", "-".join(words)).strip("-").lower()


def short(value: float | None, signed: bool = False) -> str:
    """Return a number between -1 and 1 with four digits and no zero before the point."""
    if is_missing(value) or value is None:
        return "–"
    sign = ("−" if value < 0 else "+") if signed else ("−" if value < 0 else "")
    words = f"{abs(value):.4f}"
    return sign + (words[1:] if words.startswith("0.") else words)


def ends(ci95: Sequence[float] | None) -> str:
    """Return the interval of a mean, which is not negative."""
    return "–" if ci95 is None else f"{short(ci95[0])}–{short(ci95[1])}"


def signed_ends(ci95: Sequence[float] | None) -> str:
    """Return the interval of a difference."""
    return "–" if ci95 is None else f"[{short(ci95[0])}, {short(ci95[1])}]"


def kilo(value: float | None) -> str:
    """Return bytes in thousands, three digits of them."""
    if is_missing(value) or value is None:
        return "–"
    thousands = value / 1000
    return f"{thousands:,.0f}" if thousands >= 100 else f"{thousands:.3g}"


def mark(difference: Difference | None) -> str:
    """Return † for a difference whose p after Holm's correction is below 0.05, ‡ below 0.01."""
    p = difference.p_holm if difference is not None else None
    return "" if p is None or p >= 0.05 else "†" if p >= 0.01 else "‡"


def best(means: Sequence[float | None]) -> list[bool]:
    """Return which of the means are the highest, as far as print shows."""
    known = [short(mean) for mean in means if mean is not None]
    top = max(known, key=lambda word: float(word.replace("−", "-")), default="")
    return [mean is not None and short(mean) == top for mean in means]
