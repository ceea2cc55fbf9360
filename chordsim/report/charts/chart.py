"""A chart: a plotly figure, what it says in one line, and its numbers as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

#: Colours that people with any colour vision tell apart (after Okabe and Ito), darkened for white paper. The page
#: swaps each for its partner in `DARK` on a dark screen; symbols, dashes and order tell the series apart as well.
LIGHT = ("#0072b2", "#d55e00", "#00805e", "#b0568a", "#a66f00", "#3a93c8", "#5b5b5b", "#6a4fb3")
DARK = ("#56b4e9", "#ff8a4c", "#2fc79b", "#e39ac3", "#f0c14a", "#9ad4f5", "#b8b8b8", "#b7a3f0")
INK, GRID = ("#1b1f24", "#e8e8ea"), ("#d9dce0", "#3a3f47")
#: What each light colour becomes on a dark screen.
SWAPS: dict[str, str] = {**dict(zip(LIGHT, DARK, strict=True)), INK[0]: INK[1], GRID[0]: GRID[1]}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
#: Points of one line; a page of a run of 100,000 rounds stays small.
MOST_POINTS = 300
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: Identifies it on the page and in `RunResult.figures`.
        title: What is shown.
        meaning: One line for a person: what to read off.
        figure: The figure, in light colours.
        columns: Names of the columns of its numbers, with units.
        rows: The numbers.
    """

    key: str
    title: str
    meaning: str
    figure: go.Figure
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
    """Return the colour of a series."""
    return LIGHT[number % len(LIGHT)]


def symbol(number: int) -> str:
    """Return the marker of a series."""
    return SYMBOLS[number % len(SYMBOLS)]


def dash(number: int) -> str:
    """Return the dash of a series' line."""
    return DASHES[number % len(DASHES)]


def figure(traces: Sequence[Any], x: str, y: str, *, height: int = 340, **layout: Any) -> go.Figure:
    """Return a figure with the page's look.

    Args:
        traces: plotly traces.
        x: Title of the x axis, with its unit.
        y: Title of the y axis, with its unit.
        height: In pixels.
        layout: More of plotly's layout, such as ``xaxis_type="log"``.
    """
    made = go.Figure(list(traces))
    axis = {"gridcolor": GRID[0], "linecolor": GRID[0], "zeroline": False, "automargin": True, "title_standoff": 8}
    made.update_layout(
        template="none",
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": INK[0]},
        margin={"l": 8, "r": 12, "t": 30, "b": 8},
        legend={"orientation": "h", "yanchor": "top", "y": -0.26, "x": 0, "xanchor": "left"},
        xaxis={**axis, "title_text": x},
        yaxis={**axis, "title_text": y},
        hovermode="closest",
    )
    if layout:
        made.update_layout(**layout)
    return made


def spread(count: int) -> list[int]:
    """Return which of ``count`` rounds a chart shows: all, or `MOST_POINTS` evenly spread ones, the last among them."""
    if count <= MOST_POINTS:
        return list(range(count))
    return sorted({round((n + 1) * count / MOST_POINTS) - 1 for n in range(MOST_POINTS)})


def bars_height(bars: int) -> int:
    """Return the height of a chart of horizontal bars, in pixels."""
    return 150 + 24 * max(bars, 2)


def number(value: float | None) -> float | None:
    """Return a number for a figure or a table: rounded to 6 digits, None where it does not exist."""
    return None if is_missing(value) or value is None else float(f"{value:.6g}")
