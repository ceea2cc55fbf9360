"""Runs a grid: finished points are kept, unfinished ones are done again, trained models are shared through the cache."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chordsim import api
from chordsim.errors import ChordsimError, NotWhole, RunError, UserError
from chordsim.files import read_json
from chordsim.kernels.choose import as_played
from chordsim.ledger import parquet
from chordsim.ledger.columns import SCHEMA_VERSION
from chordsim.ledger.names import LOCK, MANIFEST
from chordsim.progress import Progress, Silent
from chordsim.scenario.text import digest
from chordsim.store.directory import take_lock
from chordsim.sweep.points import Point, axis, points

if TYPE_CHECKING:
    import pandas as pd

    from chordsim.sweep.over_seeds import Mean

POINTS, PAGE = "points", "sweep.html"


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep on disk.

    Attributes:
        path: Its folder.
        table: One row per point, seed and method.
        redone: How many points ran now; the others were there.
        keys: What was varied.
        means: Every method at every combination of values, over seeds.
    """

    path: Path
    table: pd.DataFrame
    redone: int
    keys: tuple[str, ...]
    means: tuple[Mean, ...]


def sweep(
    scenario: str | Path,
    over: Sequence[str],
    *,
    seeds: int = 1,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    engine: str | None = None,
    workers: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> SweepResult:
    """Run a scenario over a grid of values and seeds; run it again to go on where it was cut off.

    Args:
        scenario: A shipped name or a path.
        over: ``key=a,b,c`` strings; every combination is run. None of them is right with several seeds.
        seeds: How many seeds, counted up from the first.
        seed: The first seed; by default the scenario's.
        overrides: ``key=value`` strings for every point.
        engine: ``inprocess`` or ``ray``.
        workers: Number of Ray workers.
        out: The sweep's folder; by default ``sweeps/NAME`` for the scenario's name.
        progress: Where long work reports to.

    Raises:
        UserError: A mistake in what was given, or another sweep that writes into the same folder.
        RunError: Points failed; the others are finished and in the table.
    """
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: at least 1")
    if not over and seeds == 1:
        raise UserError("a sweep of one run: give values with --over key=a,b,c, several seeds with --seeds 3, or both")
    fixed = [*overrides, *([f'engine.kind="{engine}"'] if engine else []), *([f"engine.workers={workers}"] if workers is not None else [])]
    axes = [axis(text) for text in over]
    grid = points(scenario, axes, fixed, seed, seeds)
    folder = Path(os.path.abspath(out if out is not None else Path("sweeps") / grid[0].scenario.name))
    try:
        (folder / POINTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}: choose a folder that you may write to") from error
    lock = take_lock(folder)
    try:
        return _sweep(scenario, grid, [one.key for one in axes], folder, progress or Silent())
    finally:
        os.close(lock)


def finished(folder: Path, point: Point) -> bool:
    """Return whether a point's run is there, complete, of exactly this scenario, and as it was written, with all its files."""
    path = folder / POINTS / point.name
    if not (path / MANIFEST).is_file():
        return False
    try:
        manifest = read_json(path / MANIFEST)
        mine = (manifest.get("status"), manifest.get("schema_version"), manifest.get("scenario_sha256"))
        if mine != ("complete", SCHEMA_VERSION, digest(as_played(point.scenario))):
            return False
        return not parquet.check(path).gone
    except ChordsimError:
        return False  # half-written, damaged or edited: it is run again


def _sweep(scenario: str | Path, grid: Sequence[Point], keys: list[str], folder: Path, progress: Progress) -> SweepResult:
    from chordsim.sweep import curves, over_seeds
    from chordsim.sweep.tidy import mixed, save, tidy

    failed: list[str] = []
    todo = [point for point in grid if not finished(folder, point)]
    progress.start(f"sweep, {len(grid) - len(todo)} of {len(grid)} points were there", len(todo))
    for point in todo:
        path = folder / POINTS / point.name
        _clear(path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotWhole)  # told with the other points that are not finished
                ran = api.run(scenario, overrides=point.overrides, seed=point.seed, out=path, report=False, progress=progress)
            if ran.status != "complete":
                failed.append(f"{point.name}: the run is {ran.status}: {(ran.manifest.get('errors') or ['no reason given'])[0]}")
        except ChordsimError as error:
            failed.append(f"{point.name}: {error}")
        progress.advance(1, point.name)
    progress.done()
    done = [point for point in grid if finished(folder, point)]
    if not done:
        raise RunError(f"{folder}: no point of the sweep could be finished: {failed[0] if failed else 'none is complete'}")
    table = tidy(folder, done, keys)
    save(folder, table)
    found = over_seeds.means(folder, done)
    over_seeds.save(folder, found, keys)
    curves.write(folder, done, keys, found, mixed(table))
    if len(done) < len(grid):
        why = failed[0] if failed else "a run is not complete"
        raise RunError(f"{folder}: {len(grid) - len(done)} of {len(grid)} points are not finished; the first: {why}")
    return SweepResult(folder, table, len(todo), tuple(keys), tuple(found))


def _clear(path: Path) -> None:
    """Remove what a cut-off run left; only a folder that nothing but a run of chordsim can have made.

    Raises:
        UserError: Something else stands there, or a run is going on in it.
    """
    if not path.exists():
        return
    if not re.search(r"seed-\d+_[0-9a-f]{10}$", path.name) or not ((path / MANIFEST).exists() or (path / LOCK).exists()):
        raise UserError(f"{path}: stands where a point of the sweep belongs and is no run: move it away")
    os.close(take_lock(path))
    shutil.rmtree(path)
