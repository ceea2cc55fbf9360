"""Charts as PDF or SVG for a paper, each with its numbers beside it as CSV."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

from chordsim.errors import UserError
from chordsim.files import atomic_write, disk_errors
from chordsim.report.charts.chart import GRID, INK, Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Picture = Literal["pdf", "svg"]
#: In inches: one column of an article in two columns, 229.5 pt of TeX; ACM's and IEEE's are a little wider.
_WIDTH, _HEIGHT, _POINTS = 229.0 / 72.27, 2.3, 8
_PIXELS_PER_INCH = 130
_STYLE = {
    "font.size": _POINTS,
    "axes.titlesize": _POINTS,
    "axes.edgecolor": INK[0],
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID[0],
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": _POINTS - 1,
    "xtick.labelsize": _POINTS - 1,
    "ytick.labelsize": _POINTS - 1,
    "pdf.fonttype": 42,  # letters stay letters, which some publishers ask for
    "svg.fonttype": "path",
    "svg.hashsalt": "chordsim",  # equal charts are equal files
}
_DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (8, 3)),
    "longdashdot": (0, (8, 3, 1, 3)),
}
_MARKERS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "star": "*",
    "triangle-down": "v",
    "line-ns-open": "|",
}


def save(charts: Sequence[Chart], folder: Path, form: Picture, wanted: Sequence[str] = ()) -> list[Path]:
    """Draw charts into a folder, each as KEY.pdf or KEY.svg and its numbers as KEY.csv; return the pictures.

    Args:
        charts: What there is.
        folder: Made if it is not there.
        form: ``pdf`` or ``svg``.
        wanted: Keys of those to draw; none is all of them.

    Raises:
        UserError, RunError: A key that no chart has, nothing to draw, or a folder that cannot be written.
    """
    there = {chart.key: chart for chart in charts}
    unknown = next((key for key in wanted if key not in there), None)
    if unknown is not None or not there:
        have = f"there are {', '.join(there)}" if there else "nothing was ranked or kept here that could be drawn"
        raise UserError(f"--chart {unknown}: no such chart: {have}" if unknown is not None else f"no figure: {have}")
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    out = []
    for chart in [there[key] for key in wanted] or charts:
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', chart.key)}.{form}"
        atomic_write(path, picture(chart, form))
        atomic_write(path.with_suffix(".csv"), chart.csv().encode())
        out.append(path)
    return out


def picture(chart: Chart, form: Picture) -> bytes:
    """Return a chart as a file of one of the forms, as wide as a column of a paper; equal charts give equal bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context(_STYLE):  # type: ignore[arg-type]
        dates = {"CreationDate": None} if form == "pdf" else {"Date": None}
        _draw(chart).savefig(buffer, format=form, metadata=dates)
    return buffer.getvalue()


def _draw(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    from chordsim.report.strokes import draw_bars, draw_heat, draw_points

    layout = chart.figure.layout
    tall = max(_HEIGHT, float(layout.height or 0) / _PIXELS_PER_INCH) if _lies(chart) else _HEIGHT
    made = Figure(figsize=(_WIDTH, tall), layout="constrained")
    axes = made.add_subplot()
    if layout.xaxis.type == "log":
        axes.set_xscale("log")
    if layout.yaxis.type == "log":
        axes.set_yscale("log")
    bars = [trace for trace in chart.figure.data if trace.type == "bar"]
    if bars:
        draw_bars(axes, bars, stacked=layout.barmode == "stack")
    for trace in chart.figure.data:
        if trace.type == "scatter":
            draw_points(axes, trace, _MARKERS, _DASHES)
        elif trace.type == "heatmap":
            draw_heat(made, axes, trace)
    _label(axes, layout, 36 if _lies(chart) else 52)
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        most = max(1, min(4, 52 // (max(map(len, labels)) + 5)))
        columns = ceil(len(labels) / ceil(len(labels) / most))  # rows of one length
        made.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=2.2, columnspacing=1.2)
    return made


def _lies(chart: Chart) -> bool:
    """Return whether a chart's rows go down the page, so that it grows with them."""
    return any(trace.type == "heatmap" or trace.orientation == "h" or isinstance(trace.y, tuple | list) for trace in chart.figure.data)


def _label(axes: Axes, layout: Any, letters: int) -> None:
    axes.set_xlabel(fill(layout.xaxis.title.text or "", letters))
    axes.set_ylabel(fill(layout.yaxis.title.text or "", 24))
    if layout.yaxis.autorange == "reversed":
        axes.invert_yaxis()
    for given, setter in ((layout.xaxis.range, axes.set_xlim), (layout.yaxis.range, axes.set_ylim)):
        if given is not None:
            setter(given[0], given[1])
    if layout.yaxis.rangemode == "tozero":
        axes.set_ylim(bottom=0)
    if layout.xaxis.tickangle:
        axes.tick_params(axis="x", labelrotation=90)
    if layout.xaxis.showgrid is False:
        axes.grid(False)
    whole = bool(layout.xaxis.dtick) and layout.xaxis.type != "log"  # rounds and ages: ticks stand on them
    _tick(axes.xaxis, axes.get_xlim(), whole)
    _tick(axes.yaxis, axes.get_ylim(), layout.yaxis.tickformat == "d")


def _tick(axis: Axis, limits: tuple[float, float], whole: bool) -> None:
    """Set ticks that do not run into one another: 1, 2 and 5 on a short logarithmic axis, thousands as k on a long linear one."""
    from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = sorted(limits)
    if axis.get_scale() == "log":
        if high < 30 * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    elif not isinstance(axis.get_major_locator(), FixedLocator) and axis.get_converter() is None:
        axis.set_major_locator(MaxNLocator(6, integer=whole))
        if high >= 10_000:
            axis.set_major_formatter(EngFormatter(sep=""))
