"""A chart in the hands of a person: it shows itself in a notebook, becomes a file, or matplotlib's figure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from chordsim.report.charts.chart import Chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shown(Chart):
    """A chart that draws itself where it is asked to."""

    @classmethod
    def of(cls, chart: Chart) -> Shown:
        """Return the same chart, ready to be shown."""
        return cls(*(getattr(chart, field.name) for field in fields(Chart)))

    def figure(self) -> Figure:
        """Return the chart as matplotlib draws it for a paper, to be changed at will."""
        from chordsim.report.drawn import drawing

        return drawing(self)

    def save(self, path: str | Path) -> None:
        """Write the chart as a picture; the name's ending says which: .pdf, .svg or .png.

        Raises:
            UserError, RunError: Another ending, or a file that cannot be written.
        """
        from chordsim.report.drawn import save_as

        save_as(self, Path(path))

    def _repr_html_(self) -> str:
        """Return the chart as a notebook shows it."""
        from chordsim.report.html import alone

        return alone(self)
