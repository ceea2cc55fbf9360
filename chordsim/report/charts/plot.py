"""What a chart shows, in numbers alone: points, lines, bars and maps on two axes, whoever draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Value = float | None
#: The place of a point on an axis: a number, or the name of a category.
Spot = float | str | None
#: A bar's name, or the group that it stands in and its name there.
Label = str | tuple[str, str]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: What it counts, with the unit.
        kind: ``names`` for categories, which stand in the order in which they first occur.
        unit: ``B`` where ticks read best as B, kB and MB.
        zero: Whether it begins at zero.
        whole: Whether ticks stand on whole numbers alone.
        base: Of a logarithmic axis: 10, or 2 for what comes in powers of two.
        limits: Both ends, where they are given.
        marked: A number that a line of its own marks, such as no difference.
    """

    title: str = ""
    kind: Literal["linear", "log", "names"] = "linear"
    unit: Literal["", "B"] = ""
    zero: bool = False
    whole: bool = False
    base: Literal[2, 10] = 10
    limits: tuple[float, float] | None = None
    marked: float | None = None


@dataclass(frozen=True)
class Points:
    """Points of one series, joined by a line or not.

    Attributes:
        name: Of the series.
        place: Its number, which decides colour, marker and dash.
        x: Where each point stands.
        y: The same upwards.
        lines: Whether a line joins them.
        markers: Whether each has a marker.
        low: Lower ends of whiskers; None for none.
        high: Upper ends.
        across: Whether whiskers go along x, not y.
        shapes: Number of each point's own marker, where they differ.
        words: Name of each point, where it has one beside the series'.
    """

    name: str
    place: int
    x: Sequence[Spot]
    y: Sequence[Spot]
    lines: bool = False
    markers: bool = True
    low: Sequence[Value] | None = None
    high: Sequence[Value] | None = None
    across: bool = False
    shapes: Sequence[int] | None = None
    words: Sequence[str] | None = None


@dataclass(frozen=True)
class Bars:
    """Bars that lie, one below the other; those of several series under one name follow one another.

    Attributes:
        name: Of the series; empty where there is one alone.
        place: Its number, which decides colour and pattern.
        names: Of the bars.
        values: Where each ends, or how long it is.
        starts: Where each begins; None for zero, or the end of the series before.
        words: What is written at each; None for its number.
    """

    name: str
    place: int
    names: Sequence[Label]
    values: Sequence[Value]
    starts: Sequence[Value] | None = None
    words: Sequence[str] | None = None


@dataclass(frozen=True)
class Map:
    """Numbers as colours: a row for each name.

    Attributes:
        names: Of the rows, the first on top.
        values: Rows of numbers, all of one length; None where there is nothing.
        top: The number of the last colour; the first is zero.
        title: What the numbers are, with the unit.
    """

    names: Sequence[str]
    values: Sequence[Sequence[Value]]
    top: float
    title: str


@dataclass(frozen=True)
class Plot:
    """A pair of axes and what stands on them: points and lines, or bars, or one map.

    Attributes:
        x: The axis along.
        y: The axis upwards; names go downwards.
        marks: Series, in the order of the legend.
        labelled: Whether each series is so small that its name can stand beside its point.
        dodged: Whether points of several series under one name stand beside one another.
    """

    x: Axis
    y: Axis
    marks: Sequence[Points | Bars | Map] = field(default_factory=tuple)
    labelled: bool = False
    dodged: bool = True
