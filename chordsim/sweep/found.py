"""A sweep that is on the disk: its folder, its finished runs as points, and their means, read from the ledgers anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chordsim.errors import UserError, one_line
from chordsim.sweep.tidy import TABLE_CSV

if TYPE_CHECKING:
    from chordsim.report.charts.chart import Chart
    from chordsim.sweep.over_seeds import Mean
    from chordsim.sweep.points import Point


@dataclass(frozen=True)
class Found:
    """A sweep as its folder tells it.

    Attributes:
        path: The folder.
        keys: What was varied.
        points: The finished runs.
        means: Every method at every combination of values, over seeds.
    """

    path: Path
    keys: tuple[str, ...]
    points: tuple[Point, ...]
    means: tuple[Mean, ...]


def is_sweep(folder: Path) -> bool:
    """Return whether a folder is a sweep's."""
    return (folder / TABLE_CSV).is_file() and (folder / "points").is_dir()


def find(folder: Path) -> Found:
    """Read a sweep's folder.

    Raises:
        UserError, RunError: The table of its points, or the run of one of them, is missing or damaged.
    """
    import pandas as pd

    from chordsim.scenario.load import load
    from chordsim.sweep.over_seeds import means
    from chordsim.sweep.points import Point

    path = folder / TABLE_CSV
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        keys = tuple(table.columns[: table.columns.get_loc("seed")])
        rows = table.drop_duplicates("run")
        told = [(tuple(row[key] for key in keys), int(row["seed"]), Path(row["run"]).name) for _, row in rows.iterrows()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read: {one_line(error)}: run the sweep again, which keeps its runs") from error
    if not told:
        raise UserError(f"{path}: no row in it: run the sweep again, which keeps its runs")
    points = tuple(Point(values, (), seed, load(folder / "points" / name / "scenario.toml"), name) for values, seed, name in told)
    return Found(folder, keys, points, tuple(means(folder, points)))


def charts(folder: Path) -> list[Chart]:
    """Return the charts of a sweep's page.

    Raises:
        UserError, RunError: As `find`.
    """
    from chordsim.sweep import curves

    found = find(folder)
    return curves.charts(found.means, found.keys)


def write_page(folder: Path, target: Path | None = None) -> Path:
    """Make the page of a sweep again and return its path.

    Args:
        folder: The sweep's.
        target: Where to write; by default sweep.html in the folder.

    Raises:
        UserError, RunError: As `find`, or the file cannot be written.
    """
    from chordsim.sweep import curves
    from chordsim.sweep.tidy import mixed, tidy

    found = find(folder)
    return curves.write(folder, found.points, found.keys, found.means, mixed(tidy(folder, found.points, found.keys)), target)
