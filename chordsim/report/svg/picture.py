"""A chart's plot as an SVG element: for a wide screen and for a narrow one, with its legend and what it says in words."""

from __future__ import annotations

from html import escape

from chordsim.report.charts.chart import Chart
from chordsim.report.charts.plot import Axis, Bars, Map, Plot, Points, Spot
from chordsim.report.svg import bars, heat, points
from chordsim.report.svg.letters import written
from chordsim.report.svg.shapes import css, swatch

#: Widths that every chart is drawn for, in pixels, by the class that the page shows it under.
WIDTHS = {"broad": 540.0, "slim": 330.0}
#: Series that a chart is told by in words.
_TOLD = 8


def figure(chart: Chart) -> str:
    """Return all plots of a chart for both widths, one legend above them where names do not stand in the drawing."""
    drawn = {size: [_drawn(plot, wide) for plot in chart.plots] for size, wide in WIDTHS.items()}
    out, legends = [], {size: not all(named for _, _, named in made) for size, made in drawn.items()}
    if any(legends.values()):
        only = "" if all(legends.values()) else next(size for size, wanted in legends.items() if wanted)
        out.append(legend(chart.plots[0], only))
    for size, made in drawn.items():
        for plot, (body, height, _) in zip(chart.plots, made, strict=True):
            wide = WIDTHS[size]
            label = escape(f"{chart.title}. {told(plot)}")
            out.append(
                f'<svg class="plot {size}" viewBox="0 0 {wide:.0f} {height:.0f}" width="{wide:.0f}" height="{height:.0f}" role="img" '
                f'aria-label="{label}">{body}</svg>'
            )
    return "".join(out)


def _drawn(plot: Plot, wide: float) -> tuple[str, float, bool]:
    """Return a drawing, its height, and whether it needs no legend."""
    if any(isinstance(mark, Map) for mark in plot.marks):
        return *heat.draw(plot, wide), True
    if any(isinstance(mark, Bars) for mark in plot.marks):
        return *bars.draw(plot, wide), len(plot.marks) == 1
    return points.draw(plot, wide)


def legend(plot: Plot, size: str = "") -> str:
    """Return the series' names with their colours and shapes; a press on one dims the others."""
    items = []
    for order, mark in enumerate(plot.marks):
        if isinstance(mark, Map):
            continue
        kind = "bar" if isinstance(mark, Bars) else "both" if mark.lines and mark.markers else "line" if mark.lines else "marker"
        items.append(f'<li class="{css(mark.place)}" data-for="{mark.place}">{swatch(mark.place, kind, order)}{escape(mark.name)}</li>')
    return f'<ul class="legend {size}">{"".join(items)}</ul>'


def told(plot: Plot) -> str:
    """Return in words what a plot shows: its axes, and what each series has, as far as that is short."""
    axes = [axis.title for axis in (plot.x, plot.y) if axis.title]
    said = [words for mark in plot.marks if (words := _said(plot, mark))]
    more = f"; and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
    return f"{' against '.join(reversed(axes))}: {'; '.join(said[:_TOLD])}{more}. All numbers stand in the table below."


def _said(plot: Plot, mark: Points | Bars | Map) -> str:
    if isinstance(mark, Map):
        return f"{mark.title} of {len(mark.names)} layers, 0 to {mark.top:g}"
    if isinstance(mark, Bars):
        pairs = [(_name(name), value) for name, value in zip(mark.names, mark.values, strict=True) if value is not None]
        parts = [f"{name} {mark.words[n] if mark.words else written(value, plot.x.unit)}" for n, (name, value) in enumerate(pairs)]
        return ", ".join([*([mark.name] if mark.name else []), *parts[:_TOLD]])
    some = [(x, y) for x, y in zip(mark.x, mark.y, strict=True) if x is not None and y is not None]
    if not some:
        return ""
    first, last = (f"{_spot(y, plot.y)} at {_spot(x, plot.x)}" for x, y in (some[0], some[-1]))
    return f"{mark.name} {first}" + (f" to {last}" if len(some) > 1 else "")


def _name(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else " ".join(name)


def _spot(spot: Spot, axis: Axis) -> str:
    return spot if isinstance(spot, str) else written(float(spot or 0.0), axis.unit)
