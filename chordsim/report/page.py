"""report.html: one self-contained page from a run directory, whatever state the run is in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chordsim.errors import ChordsimError
from chordsim.files import atomic_write
from chordsim.ledger.damage import of_runs
from chordsim.progress import Progress

if TYPE_CHECKING:
    from chordsim.report.charts.chart import Chart
    from chordsim.report.shown import Shown

FILE = "report.html"


@of_runs
def write(run: Path, target: Path | None = None, check: bool = True) -> Path:
    """Make the page of a run and return its path.

    Args:
        run: The run directory; the ledger files that are there are shown, also of a run that goes on or was cut off.
        target: Where to write; by default report.html in the run directory.
        check: Hold the run's files against their checksums; a page that was made without says so.

    Raises:
        UserError: Not a run directory, or the target cannot be written.
        RunError: No ledger yet, or a damaged file.
    """
    from chordsim.report import closing, opening, sums
    from chordsim.report.against import against_baseline
    from chordsim.report.answer import answer
    from chordsim.report.gather import gather
    from chordsim.report.html import document
    from chordsim.report.source import Source

    path, source = target or run / FILE, Source.read(run, check)
    title, question = f"{source.name}, seed {source.seed}", str(source.scenario.get("question") or "")
    if sums.has_no_rows(source):
        parts = [*sums.sections(source), closing.reproduce(source)]
        atomic_write(path, document(title, parts, sums.about(source), question).encode())
        return path
    g = gather(run, source=source)
    found = against_baseline(g)
    sections = [
        answer(g, found),
        opening.who_won(g, found),
        opening.who_was_left_out(g),
        closing.heterogeneity(g),
        closing.plans(g),
        closing.traffic_section(g),
        closing.time_section(g),
        *closing.training(g),
        opening.what_was_run(g),
        closing.reproduce(g.source),
    ]
    atomic_write(path, document(title, sections, opening.about(g), question).encode())
    return path


def write_after_run(run: Path, progress: Progress) -> None:
    """Make the page of a run that has just ended; whatever goes wrong here is told, and the run stays as it is."""
    progress.start("report", None)
    try:
        path = write(run)
    except Exception as error:  # the run is whole on the disk: no fault of a page may take it back
        why = str(error) if isinstance(error, ChordsimError) else f"{type(error).__name__}: {error}"
        progress.done(f"no report: {why}; make it later with chordsim report {run}")
    else:
        progress.done(str(path))


@of_runs
def charts(run: Path, check: bool = True) -> list[Chart]:
    """Return the page's charts.

    Raises:
        UserError: Not a run directory.
        RunError: No ledger yet, or a damaged file.
    """
    from chordsim.report import sums
    from chordsim.report.charts import break_even, budgets, cost, fleet, groups, learning, planned, predicted, served, times, traffic
    from chordsim.report.gather import gather
    from chordsim.report.source import Source

    source = Source.read(run, check)
    if sums.has_no_rows(source):
        return fleet.charts(source.summary)
    g = gather(run, source=source)
    return [
        *cost.charts(g),
        *served.charts(g),
        *budgets.charts(g),
        *groups.charts(g),
        *planned.charts(g, run),
        *break_even.charts(g),
        *traffic.charts(g),
        *predicted.charts(g),
        *times.charts(g),
        *learning.charts(g),
    ]


def figures(run: Path, check: bool = True) -> dict[str, Shown]:
    """Return the page's charts by key.

    Raises:
        UserError: Not a run directory.
        RunError: No ledger yet, or a damaged file.
    """
    from chordsim.report.shown import Shown

    return {chart.key: Shown.of(chart) for chart in charts(run, check)}
