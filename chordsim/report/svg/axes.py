"""The frame of a chart with two axes: how much room ticks and titles take, grid lines, and where numbers stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chordsim.report.charts.plot import Plot, Points, Spot
from chordsim.report.svg.letters import LINE, shortened, text, width, wrapped
from chordsim.report.svg.scale import Scale, along, scale

#: Height of the plane itself, and of a category that lies, in pixels.
_PLANE, _ROW, _GAP = 230.0, 25.0, 8.0


@dataclass(frozen=True)
class Frame:
    """The plane of a chart.

    Attributes:
        x: Scale along.
        y: Scale upwards.
        height: Of the whole picture.
        drawn: Grid, ticks and titles.
    """

    x: Scale
    y: Scale
    height: float
    drawn: str

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the plane."""
        return self.x.first, min(self.y.first, self.y.last), self.x.last, max(self.y.first, self.y.last)


def frame(plot: Plot, points: Sequence[Points], wide: float) -> Frame:
    """Return the frame of a chart of points for a width in pixels."""
    xs, ys = ([spot for series in points for spot in _spots(series, flat)] for flat in (True, False))
    xs += [] if plot.x.marked is None else [plot.x.marked]
    lying = plot.y.kind == "names"
    rows = len(dict.fromkeys(ys)) if lying else 0
    series = len(points) if plot.dodged else 1
    tall = rows * max(_ROW, 9.0 * series + 8) if lying else _PLANE
    title = wrapped(plot.y.title, wide - 2 * _GAP) if plot.y.title else []
    top = LINE * len(title) + (10 if title else _GAP)
    y = scale(plot.y, ys, top if lying else top + tall, top + tall if lying else top, 6)
    most = 0.42 * wide if lying else wide
    left = min(max((width(words) for _, words in y.ticks), default=0.0), most) + _GAP
    x = along(plot.x, xs, left, wide - _GAP - 6, wide)
    below = wrapped(plot.x.title, wide - left) if plot.x.title else []
    stagger = _staggered(x)
    height = top + tall + 9 + LINE * (1 + stagger + len(below)) + 4
    parts = [text(0, 11 + LINE * n, line, "title") for n, line in enumerate(title)]
    parts += _grid(x, y, top, top + tall, left, wide - 6, lying)
    if plot.x.marked is not None and (at := x.at(plot.x.marked)) is not None and left <= at <= wide:
        parts.append(f'<path class="axis" d="M{at:.1f} {top:.1f}V{top + tall:.1f}"/>')
    for n, (pixel, words) in enumerate(x.ticks):
        room = x.band * (2 if stagger else 1) if x.names else wide
        shown = shortened(words, max(room, 24.0))
        half = width(shown) / 2
        at = min(max(pixel, half), wide - half)
        parts.append(text(at, top + tall + 16 + (LINE * (n % 2) if stagger else 0), shown, "tick", "middle"))
    for pixel, words in y.ticks:
        parts += _row_name(words, left - 6, pixel, most)
    first = top + tall + 19 + LINE * (1 + stagger)
    parts += [text(wide - 6, first + LINE * n, line, "title", "end") for n, line in enumerate(below)]
    return Frame(x, y, height, "".join(parts))


def _staggered(x: Scale) -> int:
    return int(bool(x.names) and any(width(words) > x.band - 4 for _, words in x.ticks))


def _grid(x: Scale, y: Scale, top: float, bottom: float, left: float, right: float, lying: bool) -> list[str]:
    lines = [] if x.names else [f"M{pixel:.1f} {top:.1f}V{bottom:.1f}" for pixel, _ in x.ticks]
    lines += [f"M{left:.1f} {pixel:.1f}H{right:.1f}" for pixel, _ in y.ticks]
    foot = "" if lying else f'<path class="axis" d="M{left:.1f} {bottom:.1f}H{right:.1f}"/>'
    return [f'<path class="grid" d="{"".join(lines)}"/>{foot}']


def _row_name(words: str, x: float, y: float, most: float) -> list[str]:
    lines = wrapped(words, most, 2)
    start = y + 4 - LINE * (len(lines) - 1) / 2
    return [text(x, start + LINE * n - (n and 2), line, "tick", "end") for n, line in enumerate(lines)]


def _spots(series: Points, flat: bool) -> list[Spot]:
    found = list(series.x if flat else series.y)
    if series.across == flat:
        found += [*(series.low or ()), *(series.high or ())]
    return found
