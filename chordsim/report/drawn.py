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
from chordsim.report.charts.plot import Axis, Bars, Map, Plot, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as Drawn
    from matplotlib.figure import Figure

Picture = Literal["pdf", "svg"]
#: In inches: one column of an article in two columns, 229.5 pt of TeX; ACM's and IEEE's are a little wider.
_WIDTH, _HEIGHT, _POINTS = 229.0 / 72.27, 2.3, 8
#: Of a bar or a line of a map, and of what stands around them.
_ROW, _AROUND = 0.19, 1.15
_STYLE = {
    "font.size": _POINTS,
    "axes.titlesize": _POINTS,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": _POINTS - 1,
    "xtick.labelsize": _POINTS - 1,
    "ytick.labelsize": _POINTS - 1,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # letters stay letters, which some publishers ask for
    "svg.fonttype": "path",
    "svg.hashsalt": "chordsim",  # equal charts are equal files
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


def save_as(chart: Chart, path: Path) -> None:
    """Draw one chart into one file.

    Raises:
        UserError, RunError: The name does not end in .pdf, .svg or .png, or the file cannot be written.
    """
    form = path.suffix.removeprefix(".")
    if form not in ("pdf", "svg", "png"):
        raise UserError(f"{path}: ends in {path.suffix or 'nothing'}: a chart is drawn as .pdf, .svg or .png")
    atomic_write(path, picture(chart, form))


def picture(chart: Chart, form: str) -> bytes:
    """Return a chart as a file of one of the forms, as wide as a column of a paper; equal charts give equal bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context(_STYLE):  # type: ignore[arg-type]
        dates = {"CreationDate": None} if form == "pdf" else {"Date": None} if form == "svg" else None
        _draw(chart).savefig(buffer, format=form, metadata=dates, dpi=300)
    return buffer.getvalue()


def drawing(chart: Chart) -> Figure:
    """Return a chart as a figure that can be changed before it is saved."""
    from matplotlib import rc_context

    with rc_context(_STYLE):  # type: ignore[arg-type]
        return _draw(chart)


def _draw(chart: Chart) -> Figure:
    from matplotlib.figure import Figure

    tall = [_height(plot) for plot in chart.plots]
    made = Figure(figsize=(_WIDTH, sum(tall)), layout="constrained")
    drawn = made.subplots(len(tall), 1, squeeze=False, height_ratios=tall)[:, 0]
    for axes, plot in zip(drawn, chart.plots, strict=True):
        _plot(made, axes, plot)
    handles, labels = drawn[0].get_legend_handles_labels()
    if len(handles) > 1:
        most = max(1, min(4, 52 // (max(map(len, labels)) + 5)))
        columns = ceil(len(labels) / ceil(len(labels) / most))  # rows of one length
        made.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=2.2, columnspacing=1.2)
    return made


def _plot(figure: Figure, axes: Axes, plot: Plot) -> None:
    from chordsim.report.strokes import draw_bars, draw_map, draw_points

    if plot.x.kind == "log":
        axes.set_xscale("log", base=plot.x.base)
    if plot.y.kind == "log":
        axes.set_yscale("log")
    for mark in plot.marks:
        if isinstance(mark, Map):
            draw_map(figure, axes, mark)
    draw_bars(axes, [mark for mark in plot.marks if isinstance(mark, Bars)])
    draw_points(axes, plot, [mark for mark in plot.marks if isinstance(mark, Points)])
    _label(axes, plot)


def _height(plot: Plot) -> float:
    """Return a plot's height; one whose names go down the page grows with them."""
    if plot.y.kind != "names":
        return _HEIGHT
    rows = max((len(names) for names in ({*_names(mark)} for mark in plot.marks)), default=0)
    return max(_HEIGHT if any(isinstance(mark, Map) for mark in plot.marks) else 1.4, _AROUND + _ROW * rows)


def _names(mark: Points | Bars | Map) -> Sequence[Any]:
    return mark.y if isinstance(mark, Points) else mark.names


def _label(axes: Axes, plot: Plot) -> None:
    axes.set_xlabel(fill(plot.x.title, 36 if plot.y.kind == "names" else 52))
    axes.set_ylabel(fill(plot.y.title, 24))
    if plot.y.kind == "names":
        axes.invert_yaxis()
        axes.grid(False, axis="y")
    for axis, setter in ((plot.x, axes.set_xlim), (plot.y, axes.set_ylim)):
        if axis.limits is not None or axis.zero:
            setter(*(axis.limits or (0, None)))
    if plot.x.marked is not None:
        axes.axvline(plot.x.marked, color=INK, linewidth=0.8)
    _tick(axes.xaxis, axes.get_xlim(), plot.x)
    _tick(axes.yaxis, axes.get_ylim(), plot.y)


def _tick(drawn: Drawn, limits: tuple[float, float], axis: Axis) -> None:
    """Set ticks that do not run into one another: 1, 2 and 5 on a short logarithmic axis, thousands as k on a long linear one."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = sorted(limits)
    if axis.kind == "log":
        if high < 30 * low and axis.base == 10:
            drawn.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        if high < 30 * low or axis.base == 2:
            drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        drawn.set_minor_formatter(NullFormatter())
    elif axis.kind == "linear":
        drawn.set_major_locator(MaxNLocator(6, integer=axis.whole))
        if high >= 10_000:
            drawn.set_major_formatter(EngFormatter(sep=""))
