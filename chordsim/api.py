"""Running scenarios from Python: `chordsim.run("quickstart")`."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chordsim.callbacks.protocol import Heard
from chordsim.errors import NotWhole, UserError
from chordsim.events import Ended, tell
from chordsim.files import atomic_write, disk_errors, read_json
from chordsim.progress import CURRENT, Progress, Silent

if TYPE_CHECKING:
    import pandas as pd

    from chordsim.callbacks import Callback
    from chordsim.metrics import MetricSpec
    from chordsim.report.shown import Shown


@dataclass(frozen=True)
class RunResult:
    """A finished run on disk.

    Its files are held against their checksums when they are first read; `chordsim.errors.RunError` names one that was damaged or edited.

    Attributes:
        path: The run directory.
        check: Whether files are held against their checksums.
    """

    path: Path
    check: bool = True

    @property
    def status(self) -> str:
        """How the run ended: ``complete``, or what it is short of (``degraded``, ``failed``); see `errors` of the manifest."""
        return str(self.manifest.get("status", "unknown"))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json."""
        return read_json(self._file("summary.json"))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json."""
        from chordsim.store.living import as_it_is

        return as_it_is(self.path, read_json(self._file("manifest.json")))

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """Every device-round of every method."""
        from chordsim.ledger.parquet import read_ledger

        return read_ledger(self.path, self.check)

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """One line per method and round."""
        from chordsim.ledger.damage import frame
        from chordsim.ledger.round_lines import ROUND_FIELDS

        return frame(self._file("rounds.csv"), ROUND_FIELDS)

    @cached_property
    def devices(self) -> pd.DataFrame:
        """The phones of the last round."""
        from chordsim.ledger.damage import frame

        return frame(self._file("devices.parquet"), ("device_id", "tier"))

    @cached_property
    def training(self) -> pd.DataFrame:
        """How the cloud's trainings went, found in the cache or not: a line per number of every validation.

        Columns ``method``, ``step``, ``what``, ``layer``, ``code`` and ``value``, as docs/ledger.md has them; no line where nothing was
        trained, or in a run of before this was kept.
        """
        from chordsim.store.training import read

        return read(self._file("training.csv") if (self.path / "training.csv").exists() else None)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """What methods with levels of importance say of every channel, beside the bits that plans gave it.

        A line per method and channel: ``method``, ``layer``, ``channel``, ``bits_mean``, ``layer_importance``, ``filter_importance`` and
        ``element_importance`` (an array, a number for each of its weights), as docs/ledger.md has them; no line where no method has them.
        """
        import pandas as pd

        from chordsim.ledger.damage import frame

        name = "importance.parquet"
        return frame(self._file(name), ("method", "layer", "channel")) if (self.path / name).exists() else pd.DataFrame()

    @cached_property
    def figures(self) -> dict[str, Shown]:
        """The charts of report.html by name: each shows itself in a notebook, and can be saved or changed."""
        from chordsim.report.page import figures

        return figures(self.path, check=self.check)

    def _file(self, name: str) -> Path:
        """Return a file of the run, once it matches its checksum."""
        from chordsim.ledger.checksums import verified

        return verified(self.path, name) if self.check else self.path / name

    def measure(self, *metrics: str | MetricSpec) -> pd.DataFrame:
        """Return metrics of this run from its ledger, and from the data that it played.

        Args:
            metrics: Names of registered ones, such as ``coverage``, or specs of your own (`chordsim.metrics.MetricSpec`).

        Returns:
            One line per method and metric: its ``mean`` (of each user over rounds first, of users second), the ends of its 95 %
            interval ``low`` and ``high``, and how many ``users`` it is of.

        Raises:
            ScenarioError: No such metric, or one of lists that the run did not keep (``protocol.keep_lists``).
            RunError: A damaged ledger, a metric that fails, or data that are not those of the run.
        """
        from chordsim.frames.measured import measured

        return measured(self.path, metrics)

    def table(self, form: Literal["latex", "markdown", "csv", "recbole"] = "latex") -> str:
        """Return the results as a table: for one column of a paper (latex, markdown), with all numbers (csv), or by RecBole's names."""
        from chordsim.report.export import table

        return table(self.path, form)

    def save_figures(self, folder: str | Path, form: Literal["pdf", "svg"] = "pdf", charts: Sequence[str] = ()) -> list[Path]:
        """Draw the charts of report.html for a paper, each with its numbers beside it as CSV.

        Args:
            folder: Where to; made if it is not there.
            form: ``pdf`` or ``svg``.
            charts: Which, by the keys of `figures`; none is all of them.

        Returns:
            The pictures.

        Raises:
            UserError, RunError: No such chart, nothing to draw, or a folder that cannot be written.
        """
        from chordsim.report.drawn import save
        from chordsim.report.page import charts as of_page

        return save(of_page(self.path), Path(folder), form, charts)


def run(
    scenario: str | Path = "quickstart",
    *,
    overrides: Sequence[str] = (),
    data: Any = None,
    seed: int | None = None,
    engine: str | None = None,
    workers: int | None = None,
    ray_address: str | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    allow_drift: bool = False,
    report: bool = True,
    progress: Progress | None = None,
    callbacks: Sequence[Callback | object] = (),
) -> RunResult:
    """Run a scenario.

    Args:
        scenario: A shipped name or a path to a TOML file.
        overrides: ``key=value`` strings over the scenario's keys.
        data: Interactions instead of the scenario's: a pandas data frame or an Arrow table with columns such as user, item, rating
            and timestamp; other names by ``data.columns.user=...`` in ``overrides``. It is kept in the cache as a file.
        seed: Seed over the scenario's.
        engine: ``inprocess`` or ``ray``, over the scenario's.
        workers: Number of Ray workers, over the scenario's.
        ray_address: A Ray cluster that exists already.
        out: The run directory; by default the first free one under ``runs``.
        resume: A run directory to go on with; its own scenario is used, and only engine, workers and address may be given.
        allow_drift: Resume although versions or numerics differ; the run then claims no hash.
        report: Make report.html at the end.
        progress: Where long work reports to.
        callbacks: Who else hears of training steps, validations, rounds and the end (`chordsim.callbacks`), in this order.

    Returns:
        The run. One that ended and is not whole (cells or a method were lost, or nobody was ranked) says so in its
        `status`, and in a warning (`chordsim.errors.NotWhole`).

    Raises:
        UserError: A mistake in what was given.
        RunError: The run began and could not finish, or a callback failed; `StopRun` where a callback ended it on purpose.
    """
    from chordsim.engine.start import start
    from chordsim.scenario.load import load
    from chordsim.scenario.text import dump

    if data is not None and resume is not None:
        raise UserError("--resume goes on with the data of the run as they were: leave out data")
    chosen = [*(_as_file(data) if data is not None else ()), *overrides]
    if engine is not None:
        chosen.append(f'engine.kind="{engine}"')
    if workers is not None:
        chosen.append(f"engine.workers={workers}")
    if allow_drift and resume is None:
        raise UserError("--allow-drift goes with --resume")
    if resume is not None:
        if overrides or seed is not None or out is not None or scenario != "quickstart":
            raise UserError("--resume goes on with the run as it was: leave out SCENARIO, --set, --seed and --out")
        from chordsim.store.torn import scenario_file

        scenario = scenario_file(Path(resume))
    resolved = load(scenario, chosen, seed)
    shown: Progress = progress or Silent()
    if callbacks:
        shown = Heard(shown, callbacks)
    token = CURRENT.set(shown)
    try:
        with disk_errors(Path(os.environ.get("TMPDIR") or "the folder for temporary files")):
            temporary = tempfile.TemporaryDirectory(prefix="chordsim-")
        with temporary as folder:
            path = Path(folder) / f"{resolved.name}.toml"
            atomic_write(path, dump(resolved).encode(), lasting=False)
            given = out if resume is None else resume
            where = Path(os.path.abspath(given)) if given is not None else _next_free(resolved.name, resolved.seed)
            config = {"scenario": str(path), "out": str(where), "resume": resume is not None, "allow-drift": allow_drift, "report": report}
            start(resolved, config, ray_address)
        result = RunResult(where)
        tell(shown, Ended(where, result.status, result.summary))
        return _told(result)
    finally:
        CURRENT.reset(token)


def _as_file(data: Any) -> list[str]:
    """Return the overrides that make a table in memory the run's data."""
    from chordsim.data.in_memory import keep_frame

    return ['data.source="file"', f"data.path={json.dumps(str(keep_frame(data)))}", 'data.format="parquet"']


def _told(result: RunResult) -> RunResult:
    """Return a result; warn where the run is not whole, since nobody looks into a manifest before taking a mean."""
    if result.status != "complete":
        errors = result.manifest.get("errors") or ["no reason given"]
        warnings.warn(f"{result.path}: the run is {result.status}: {errors[0]}", NotWhole, stacklevel=3)
    return result


def _next_free(name: str, seed: int) -> Path:
    from chordsim.files import free_folder

    return free_folder(Path("runs").absolute(), f"{name}-{seed}")
