"""Points, lines and whiskers on their frame, with names beside points where there is room."""

from __future__ import annotations

from collections.abc import Sequence

from chordsim.report.charts.plot import Plot, Points, Spot
from chordsim.report.svg.axes import Frame, frame
from chordsim.report.svg.letters import LINE, text, width, written
from chordsim.report.svg.shapes import css, line, marker

#: Markers of one line: more would be a smear.
_MOST_MARKERS = 12
_REACH = 5.0
Box = tuple[float, float, float, float]


def draw(plot: Plot, wide: float) -> tuple[str, float, bool]:
    """Return the drawing, its height in pixels, and whether every series' name stands in it."""
    points = [mark for mark in plot.marks if isinstance(mark, Points)]
    made = frame(plot, points, wide)
    shifts = _shifts(plot, points, made)
    parts = [_series(plot, series, made, shift) for series, shift in zip(points, shifts, strict=True)]
    names = _names(points, made) if plot.labelled else None
    return made.drawn + "".join(parts) + (names or ""), made.height, names is not None


def _shifts(plot: Plot, points: Sequence[Points], made: Frame) -> list[float]:
    """Return how far each series stands from the middle of its category."""
    band = made.x.band if made.x.names else made.y.band if made.y.names else 0.0
    if not band or not plot.dodged or any(series.lines for series in points):
        return [0.0] * len(points)
    step = min(0.72 * band / len(points), 16.0)
    return [step * (n - (len(points) - 1) / 2) for n in range(len(points))]


def _series(plot: Plot, series: Points, made: Frame, shift: float) -> str:
    move = (shift, 0.0) if made.x.names else (0.0, shift)
    spots = [(_moved(made.x.at(x), move[0]), _moved(made.y.at(y), move[1])) for x, y in zip(series.x, series.y, strict=True)]
    parts = [_whiskers(series, made, spots, move)] if series.low is not None else []
    if series.lines:
        parts.append(line(series.place, _path(spots), series.name))
    some = [n for n, (x, y) in enumerate(spots) if x is not None and y is not None]
    if series.lines and len(some) > _MOST_MARKERS:
        some = sorted({some[round(n * (len(some) - 1) / (_MOST_MARKERS - 1))] for n in range(_MOST_MARKERS)})
    if series.markers:
        for n in some:
            x, y = spots[n]
            shape = None if series.shapes is None else series.shapes[n]
            parts.append(marker(series.place, x or 0.0, y or 0.0, _tip(plot, series, n), shape))
    return f'<g data-series="{series.place}">{"".join(parts)}</g>'


def _moved(pixel: float | None, shift: float) -> float | None:
    return None if pixel is None else pixel + shift


def _path(spots: Sequence[tuple[float | None, float | None]]) -> str:
    parts, pen = [], "M"
    for x, y in spots:
        if x is None or y is None:
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def _whiskers(series: Points, made: Frame, spots: Sequence[tuple[float | None, float | None]], move: tuple[float, float]) -> str:
    along, parts = (made.x if series.across else made.y), []
    for (x, y), low, high in zip(spots, series.low or (), series.high or (), strict=True):
        a, b = along.at(low), along.at(high)
        if x is None or y is None or a is None or b is None or a == b:
            continue
        if series.across:
            parts.append(f"M{a:.1f} {y - _REACH:.1f}v{2 * _REACH}M{a:.1f} {y:.1f}H{b:.1f}M{b:.1f} {y - _REACH:.1f}v{2 * _REACH}")
        else:
            parts.append(f"M{x - _REACH:.1f} {a:.1f}h{2 * _REACH}M{x:.1f} {a:.1f}V{b:.1f}M{x - _REACH:.1f} {b:.1f}h{2 * _REACH}")
    return f'<path class="whisker {css(series.place)}" d="{"".join(parts)}"/>' if parts else ""


def _tip(plot: Plot, series: Points, n: int) -> str:
    words = f"{series.name}, {series.words[n]}" if series.words else series.name
    x, y = (_said(spot, axis.unit) for spot, axis in ((series.x[n], plot.x), (series.y[n], plot.y)))
    low, high = ((ends[n] if ends else None) for ends in (series.low, series.high))
    unit = plot.x.unit if series.across else plot.y.unit
    reach = f" ({_said(low, unit)} to {_said(high, unit)})" if low is not None and high is not None and low != high else ""
    return f"{words}: {x}, {y}{reach}"


def _said(spot: Spot, unit: str) -> str:
    return spot if isinstance(spot, str) else "none" if spot is None else written(float(spot), unit)


def _names(points: Sequence[Points], made: Frame) -> str | None:
    """Return each series' name beside its first point; None where two would stand on one another."""
    left, top, right, bottom = made.box
    at = [(made.x.at(series.x[0]) or 0.0, made.y.at(series.y[0]) or 0.0) for series in points]
    taken: list[Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in at]
    parts = []
    for series, (x, y) in zip(points, at, strict=True):
        wide = width(series.name)
        for dx, dy in (
            (10, 0),
            (-10 - wide, 0),
            (10, -13),
            (10, 13),
            (-10 - wide, -13),
            (-10 - wide, 13),
            (-wide / 2, -18),
            (-wide / 2, 18),
        ):
            box = (x + dx, y + dy - LINE / 2, x + dx + wide, y + dy + LINE / 2)
            if (
                box[0] >= left - 4
                and box[2] <= right + 8
                and box[1] >= top - 8
                and box[3] <= bottom
                and not any(_meet(box, b) for b in taken)
            ):
                taken.append(box)
                parts.append(text(box[0], y + dy + 4, series.name, f"name {css(series.place)}"))
                break
        else:
            return None
    return "".join(parts)


def _meet(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
