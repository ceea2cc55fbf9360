"""A chart: what is drawn, what it says in one line, and its numbers as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chordsim.report.charts.plot import Axis, Bars, Plot

#: Colours that people with any colour vision tell apart (after Okabe and Ito), darkened for white paper, and their partners on a
#: dark screen. Markers, dashes, patterns and order tell series apart as well.
LIGHT = ("#0072b2", "#d55e00", "#00805e", "#b0568a", "#a66f00", "#3a93c8", "#5b5b5b", "#6a4fb3")
DARK = ("#56b4e9", "#ff8a4c", "#2fc79b", "#e39ac3", "#f0c14a", "#9ad4f5", "#b8b8b8", "#b7a3f0")
INK, GRID = "#1b1f24", "#d9dce0"
#: Points of one line; a page of a run of 100,000 rounds stays small.
MOST_POINTS = 300


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: Identifies it on the page and in `RunResult.figures`.
        title: What is shown.
        meaning: One line for a person: what to read off.
        plots: What is drawn, one below the other.
        columns: Names of the columns of its numbers, with units.
        rows: The numbers.
    """

    key: str
    title: str
    meaning: str
    plots: Sequence[Plot]
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def csv(self) -> str:
        """Return the numbers as CSV; empty where there is no value."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if is_missing(value) else value for value in row] for row in self.rows])
        return text.getvalue()


def is_missing(value: Any) -> bool:
    """Return whether a number does not exist."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def colour(number: int) -> str:
    """Return the colour of a series on paper."""
    return LIGHT[number % len(LIGHT)]


def spread(count: int) -> list[int]:
    """Return which of ``count`` rounds a chart shows: all, or `MOST_POINTS` evenly spread ones, the last among them."""
    if count <= MOST_POINTS:
        return list(range(count))
    return sorted({round((n + 1) * count / MOST_POINTS) - 1 for n in range(MOST_POINTS)})


def number(value: float | None) -> float | None:
    """Return a number for a chart or a table: rounded to 6 digits, None where it does not exist."""
    return None if is_missing(value) or value is None else float(f"{value:.6g}")


def lone_bars(names: Sequence[str], values: Sequence[float | None], x: Axis, place: int = 0) -> Plot:
    """Return one bar for each name."""
    return Plot(x, Axis(kind="names"), (Bars("", place, names, values),))
