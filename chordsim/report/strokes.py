"""How the marks of a chart are drawn on paper: points with whiskers, bars, and a map of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chordsim.report.charts.chart import colour
from chordsim.report.charts.plot import Bars, Label, Map, Plot, Points, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "D", "^", "P", "X", "*", "v")
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (8, 3)), (0, (8, 3, 1, 3)), (0, (3, 1)), (0, (1, 3)))
_HATCHES = ("", "////", "||", "\\\\\\\\", "--", "++", "xx", "..")
_ROOM = 0.7  # of the place of a category that its points take


def draw_points(axes: Axes, plot: Plot, points: Sequence[Points]) -> None:
    """Draw points, their lines and whiskers; those of several series under one name stand side by side."""
    shared, names = _names(plot, points), plot.x.kind == "names"
    along = {name: float(place) for place, name in enumerate(shared)}
    dodged = plot.dodged and not any(series.lines for series in points)
    for number, series in enumerate(points):
        shift = _ROOM / len(points) * (number - (len(points) - 1) / 2) if dodged and shared else 0.0
        x, y = _placed(series.x, along, shift), _placed(series.y, along, shift)
        reach = _reach(series, x if series.across else y)
        alike = series.shapes is None
        axes.errorbar(
            x,
            y,
            xerr=reach if series.across else None,
            yerr=None if series.across else reach,
            color=colour(series.place),
            label=series.name,
            marker=_MARKERS[series.place % len(_MARKERS)] if series.markers and alike else "",
            markerfacecolor="white" if series.place // len(_MARKERS) % 2 else None,
            linestyle=_DASHES[series.place % len(_DASHES)] if series.lines else "",
            elinewidth=0.8,
            capsize=2,
        )
        for place, shape in enumerate(series.shapes or ()):
            axes.plot(x[place], y[place], color=colour(series.place), marker=_MARKERS[shape % len(_MARKERS)], linestyle="")
    if shared:
        (axes.set_xticks if names else axes.set_yticks)(list(along.values()), list(along))
        axes.grid(False, axis="x" if names else "y")


def draw_bars(axes: Axes, series: Sequence[Bars]) -> None:
    """Draw bars that lie, those of several series one after the other."""
    names = list(dict.fromkeys(name for one in series for name in one.names))
    if not names:
        return
    place = {name: float(n) for n, name in enumerate(names)}
    ends = dict.fromkeys(names, 0.0)
    for order, one in enumerate(series):
        starts = [ends[name] for name in one.names] if one.starts is None else [_float(start) for start in one.starts]
        lengths = [_float(v) - (0.0 if one.starts is None else start) for v, start in zip(one.values, starts, strict=True)]
        look: dict[str, Any] = {"color": colour(one.place), "label": one.name, "edgecolor": "white", "linewidth": 0}
        axes.barh([place[name] for name in one.names], lengths, 0.8, left=starts, hatch=_HATCHES[order % len(_HATCHES)], **look)
        for name, length in zip(one.names, lengths, strict=True):
            ends[name] += float(np.nan_to_num(length))
    axes.set_yticks(list(place.values()), [_said(name) for name in names])
    axes.grid(False, axis="y")


def draw_map(figure: Figure, axes: Axes, heat: Map) -> None:
    """Draw a map: a row for each name, a column for each number, nothing where there is no value."""
    rows = np.array([[_float(value) for value in row] for row in heat.values])
    drawn = axes.pcolormesh(rows, cmap="cividis", vmin=0, vmax=heat.top, rasterized=True)
    axes.set_yticks(np.arange(len(rows)) + 0.5, list(heat.names))
    axes.grid(False)
    figure.colorbar(drawn, ax=axes, label=heat.title)


def _names(plot: Plot, points: Sequence[Points]) -> list[str]:
    """Return the categories in order; none where numbers stand on both axes."""
    if "names" not in (plot.x.kind, plot.y.kind):
        return []
    spots = (spot for series in points for spot in (series.x if plot.x.kind == "names" else series.y))
    return list(dict.fromkeys(str(spot) for spot in spots))


def _placed(spots: Sequence[Any], along: dict[str, float], shift: float) -> list[float]:
    return [along[spot] + shift if isinstance(spot, str) else _float(spot) for spot in spots]


def _float(value: Value) -> float:
    return float("nan") if value is None else float(value)


def _said(name: Label) -> str:
    return name if isinstance(name, str) else ", ".join(name)


def _reach(series: Points, middle: Sequence[float]) -> Any:
    """Return how far whiskers go below and above their points [2, N], None without any."""
    if series.low is None or series.high is None:
        return None
    ends = [
        (max(m - _float(low), 0.0), max(_float(high) - m, 0.0)) if low is not None and high is not None else (0.0, 0.0)
        for m, low, high in zip(middle, series.low, series.high, strict=True)
    ]
    return np.nan_to_num(np.array(ends).T)
