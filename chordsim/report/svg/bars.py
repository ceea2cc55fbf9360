"""Bars that lie, alone or in parts, each with its number; members of a group stand under the group's name."""

from __future__ import annotations

from collections.abc import Sequence

from chordsim.report.charts.chart import is_missing
from chordsim.report.charts.plot import Bars, Label, Plot, Value
from chordsim.report.svg.letters import LINE, shortened, text, width, wrapped, written
from chordsim.report.svg.scale import Scale, along
from chordsim.report.svg.shapes import bar

_HIGH, _ROW, _HEAD, _INDENT, _GAP = 16.0, 22.0, 20.0, 12.0, 8.0


def draw(plot: Plot, wide: float) -> tuple[str, float]:
    """Return the drawing and its height in pixels."""
    series = [mark for mark in plot.marks if isinstance(mark, Bars)]
    names = list(dict.fromkeys(name for one in series for name in one.names))
    own, most = [name if isinstance(name, str) else name[1] for name in names], 0.4 * wide
    indent = _INDENT if any(not isinstance(name, str) for name in names) else 0.0
    left = min(max((width(name) for name in own), default=0.0) + indent, most) + _GAP
    lone = len(series) == 1
    outside = max((width(words) for words in _words(plot, series[0])), default=0.0) + 8 if lone and series[0].starts is None else 0.0
    x = _along(plot, series, left, wide - 8 - outside, outside)
    places, y, heads = _places(names)
    parts = [f'<path class="grid" d="{"".join(f"M{pixel:.1f} 2V{y:.1f}" for pixel, _ in x.ticks)}"/>']
    parts += [text(0, top + 14, group, "head") for group, top in heads]
    parts += [
        text(indent, places[name] + 13, shortened(words, left - indent - _GAP + 4), "tick") for name, words in zip(names, own, strict=True)
    ]
    ends: dict[Label, float] = {}
    for order, one in enumerate(series):
        parts.append(f'<g data-part="{one.place}">{_bars(plot, one, order, x, places, ends, lone, wide)}</g>')
    parts += [text(min(max(pixel, width(words) / 2), wide - width(words) / 2), y + 14, words, "tick", "middle") for pixel, words in x.ticks]
    title = wrapped(plot.x.title, wide - 6)
    parts += [text(wide - 6, y + 17 + LINE * (n + 1), line, "title", "end") for n, line in enumerate(title)]
    return "".join(parts), y + 23 + LINE * len(title)


def _along(plot: Plot, series: Sequence[Bars], first: float, last: float, outside: float) -> Scale:
    sums: dict[Label, float] = {}
    for one in series:
        for name, value in zip(one.names, one.values, strict=True):
            sums[name] = sums.get(name, 0.0) + (0.0 if value is None else value)
    ends = [0.0, *sums.values()] if plot.x.kind == "linear" else [v for one in series for v in (*one.values, *(one.starts or ()))]
    if plot.x.kind == "linear" and plot.x.limits is None and any(sums.values()):
        # Bars begin at the axis, and the longest ends with it.
        plot = Plot(type(plot.x)(plot.x.title, unit=plot.x.unit, limits=(0.0, max(sums.values()))), plot.y)
    return along(plot.x, ends, first, last, last + outside + 8)


def _places(names: Sequence[Label]) -> tuple[dict[Label, float], float, list[tuple[str, float]]]:
    """Return where each bar begins, where all end, and groups with where their names stand."""
    places: dict[Label, float] = {}
    heads: list[tuple[str, float]] = []
    y = 2.0
    for name in names:
        if not isinstance(name, str) and (not heads or heads[-1][0] != name[0]):
            y += 6 if heads else 0
            heads.append((name[0], y))
            y += _HEAD
        places[name] = y
        y += _ROW
    return places, y + 2, heads


def _bars(
    plot: Plot, one: Bars, order: int, x: Scale, places: dict[Label, float], ends: dict[Label, float], lone: bool, wide: float
) -> str:
    parts = []
    words = _words(plot, one)
    for n, (name, value) in enumerate(zip(one.names, one.values, strict=True)):
        start = one.starts[n] if one.starts is not None else ends.get(name, 0.0)
        y, missing = places[name], is_missing(value) or is_missing(start)
        if missing and not lone:
            continue
        first = x.first if missing else _or(x.at(start), x.first)
        last = x.first if missing else _or(x.at(float(value or 0) + (0.0 if one.starts is not None else float(start or 0))), x.first)
        if one.starts is None and not missing:
            ends[name] = float(start or 0) + float(value or 0)
        if not missing and (last > first or lone):
            title = name if isinstance(name, str) else " ".join(name)
            parts.append(bar(one.place, order, (first, y, last - first, _HIGH), f"{title}: {one.name + ' ' if one.name else ''}{words[n]}"))
        parts.append(_written(words[n], first, last, y, lone, wide))
    return "".join(parts)


def _or(pixel: float | None, other: float) -> float:
    return other if pixel is None else pixel


def _written(words: str, first: float, last: float, y: float, lone: bool, wide: float) -> str:
    """Return a bar's number: in it if it fits, beside it if the bar is alone in its row, else nothing."""
    size = width(words)
    if lone and last + 6 + size <= wide:
        return text(last + 6, y + 12, words, "value")
    if last - first >= size + 8:
        pill = f'<rect class="pill" x="{(first + last - size) / 2 - 3:.1f}" y="{y + 1:.1f}" width="{size + 6:.1f}" height="14" rx="3"/>'
        return pill + text((first + last) / 2, y + 12, words, "value", "middle")
    return text(max(first - 6 - size, 0.0), y + 12, words, "value") if lone else ""


def _words(plot: Plot, one: Bars) -> list[str]:
    if one.words is not None:
        return list(one.words)
    return [_number(value, plot.x.unit) for value in one.values]


def _number(value: Value, unit: str) -> str:
    return "none" if value is None or is_missing(value) else written(float(f"{value:.3g}"), unit)
