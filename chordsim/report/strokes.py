"""How the traces of a chart are drawn on paper: points with intervals, bars, and a map of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROOM = 0.8  # of the place of a group that its bars take


def draw_points(axes: Axes, trace: Any, markers: Mapping[str, str], dashes: Mapping[str, Any]) -> None:
    """Draw a scatter trace: its line, its points and their intervals; points of several shapes are drawn one by one."""
    mode, symbols = str(trace.mode or "lines"), trace.marker.symbol
    shapes = list(symbols) if isinstance(symbols, list | tuple | np.ndarray) else None
    x, y = _values(trace.x), _values(trace.y)
    colour = trace.line.color or trace.marker.color
    axes.errorbar(
        x,
        y,
        xerr=_reach(trace.error_x),
        yerr=_reach(trace.error_y),
        color=colour,
        label=trace.name,
        marker=markers.get(str(symbols), "o") if "markers" in mode and shapes is None else "",
        linestyle=dashes.get(str(trace.line.dash or "solid"), "-") if "lines" in mode else "",
        elinewidth=0.8,
        capsize=2,
    )
    for place, shape in enumerate(shapes or ()):
        axes.plot(x[place], y[place], color=colour, marker=markers.get(str(shape), "o"), linestyle="")


def draw_bars(axes: Axes, traces: Sequence[Any], *, stacked: bool) -> None:
    """Draw bars, upright ones side by side in their groups and lying ones on one another."""
    lying = traces[0].orientation == "h"
    names = list(dict.fromkeys(label for t in traces for label in _values(t.y if lying else t.x)))
    place = {name: float(n) for n, name in enumerate(names)}
    thick = _ROOM if stacked or lying else _ROOM / len(traces)
    ends = np.zeros(len(names))
    for number, trace in enumerate(traces):
        labels, lengths = _values(trace.y if lying else trace.x), _values(trace.x if lying else trace.y)
        at = np.array([place[label] for label in labels])
        values = np.array(lengths, np.float64)
        if not (stacked or lying):
            at = at + thick * (number - (len(traces) - 1) / 2)
        look = {"color": trace.marker.color, "label": trace.name}
        if lying:
            axes.barh(at, values, thick, left=[ends[int(n)] for n in at] if stacked else None, **look)
        else:
            axes.bar(at, values, thick, yerr=_reach(trace.error_y), error_kw={"elinewidth": 0.8, "capsize": 1.5}, **look)
        if stacked:
            ends[at.astype(int)] += np.nan_to_num(values)
    (axes.set_yticks if lying else axes.set_xticks)(list(place.values()), names)
    axes.grid(False, axis="y" if lying else "x")


def draw_heat(figure: Figure, axes: Axes, trace: Any) -> None:
    """Draw a map: a row for each name, a column for each number, nothing where there is no value."""
    rows = [[np.nan if v is None else float(v) for v in row] for row in trace.z]
    drawn = axes.pcolormesh(np.array(rows), cmap="cividis", vmin=trace.zmin, vmax=trace.zmax, rasterized=True)
    axes.set_yticks(np.arange(len(rows)) + 0.5, list(trace.y))
    figure.colorbar(drawn, ax=axes, label=trace.colorbar.title.text)


def _values(given: Any) -> list[Any]:
    """Return the places of points; of two columns of names, group and member, one name for both."""
    found = list(given) if given is not None else []
    if len(found) == 2 and all(isinstance(part, list | tuple | np.ndarray) for part in found):
        return [f"{group}, {member}" for group, member in zip(*found, strict=True)]
    return [np.nan if value is None else value for value in found]


def _reach(error: Any) -> Any:
    """Return how far intervals go below and above their points [2, N], None without any."""
    if error is None or error.array is None:
        return None
    up = [0.0 if v is None else max(float(v), 0.0) for v in error.array]
    down = up if error.arrayminus is None else [0.0 if v is None else max(float(v), 0.0) for v in error.arrayminus]
    return np.array([down, up])
