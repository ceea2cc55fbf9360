"""Reads run directories: which cells they hold, what each user's rank was worth, and what it took."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites.agenda import Cell, Group, cells, world
from chordsim.arrays import Floats
from chordsim.config.model import Scenario
from chordsim.data.split import drawn_for_cloud
from chordsim.errors import RunError
from chordsim.files import read_json
from chordsim.ledger.names import MANIFEST, SCENARIO, TRAINING
from chordsim.ledger.parquet import ledger_files
from chordsim.ledger.scan import Part, read_part
from chordsim.ledger.sessions import Sessions
from chordsim.scenario.load import parse
from chordsim.statistics.by_user import means_by_id
from chordsim.store.training import read as read_curves

METRICS = ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr")
MEANS = ("bits_mean", "model_bytes", "peak_memory_bytes", "macs", "train_macs", "prescription_bytes")
_BYTES = ("bootstrap_bytes", "down_bytes", "up_bytes")
_COLUMNS = ("device_id", "user_id", "outcome", *MEANS, *_BYTES, *METRICS)
#: The share of its best validation from which a training counts as settled.
WITHIN = 0.99
_TRAINED = re.compile(r"train (\S+): (\d+) steps in (\d+) s, validation NDCG@10 ([\d.]+)")
_RESUMED = re.compile(r"train (\S+): going on after step (\d+)")
_RUN = re.compile(r"run directory: (.+)")


@dataclass(frozen=True)
class Training:
    """What a training said; None where unknown.

    Attributes:
        steps: How many it took.
        validation: The NDCG@10 that chose its state.
        seconds: How long they took.
        settled_steps: After how many its validation first was within 1 % of its best.
    """

    steps: int | None = None
    validation: float | None = None
    seconds: float | None = None
    settled_steps: int | None = None

    @property
    def settled_seconds(self) -> float | None:
        """The share of the seconds that came before it settled, as if all steps took as long."""
        if self.seconds is None or self.settled_steps is None or not self.steps:
            return None
        return self.seconds * self.settled_steps / self.steps


@dataclass(frozen=True)
class Run:
    """A complete run directory."""

    path: Path
    scenario: Scenario
    manifest: Mapping[str, Any]
    trainings: Mapping[str, Training]


@dataclass(frozen=True)
class Measured:
    """One cell as its ledger tells it.

    Attributes:
        rounds: Each user's mean in each round by metric, [users], NaN for none and for users that the group does not count.
        means: Means over served device-rounds of `MEANS`, and of down and up bytes over all.
        sessions: What first contact and a session cost.
        training: Of the method whose state it plays.
    """

    cell: Cell
    run: Run
    rounds: tuple[Mapping[str, Floats], ...]
    means: Mapping[str, float]
    sessions: Sessions
    training: Training


def complete_runs(folder: Path) -> list[Run]:
    """Return the complete runs right under a folder, by name.

    Raises:
        ChordsimError: A complete run whose scenario cannot be read.
    """
    told, out = _logs(folder), []
    for manifest_file in sorted(folder.glob(f"*/{MANIFEST}")):
        manifest, path = read_json(manifest_file), manifest_file.parent
        if manifest.get("status") == "complete":
            out.append(Run(path, parse((path / SCENARIO).read_text()), manifest, told.get(path.name, {})))
    return out


def holds(run: Run, suite: tuple[Group, ...]) -> list[Cell]:
    """Return the cells of the suite that a run fills."""
    its_world = world(run.scenario)
    return [cell for cell in cells(suite) if cell.is_of(run.scenario, its_world)]


def filled(runs: Iterable[Run], suite: tuple[Group, ...]) -> dict[tuple[str, int], tuple[Cell, Run]]:
    """Return by cell key and seed where each cell is found; the first run in the order of names counts."""
    found: dict[tuple[str, int], tuple[Cell, Run]] = {}
    for run in runs:
        for cell in holds(run, suite):
            found.setdefault((cell.key, cell.seed), (cell, run))
    return found


def measure(cell: Cell, run: Run) -> Measured:
    """Read one method of a run.

    Raises:
        RunError: No ledger of the method, or a damaged file.
    """
    parts = [read_part(path, _COLUMNS) for path in ledger_files(run.path) if path.name.rpartition(".round-")[0] == cell.method]
    if not parts:
        raise RunError(f"{run.path}: is complete and has no ledger of {cell.method}")
    users, sessions = 1 + max(int(part["user_id"].max(initial=-1)) for part in parts), Sessions()
    known = drawn_for_cloud(users, run.scenario.data.cloud_share, run.scenario.seed)
    counted = ~known if cell.group.strangers else np.ones(users, np.bool_)
    for part in parts:
        served = part.is_word("outcome", "served")
        sessions.add(part["device_id"], served, part["bootstrap_bytes"], part["down_bytes"], part["up_bytes"])
    means = {name: _mean(parts, name, served_only=True) for name in MEANS}
    means |= {name: _mean(parts, name, served_only=False) for name in ("down_bytes", "up_bytes")}
    rounds = tuple({name: np.where(counted, means_by_id(part["user_id"], part[name], users), np.nan) for name in METRICS} for part in parts)
    return Measured(cell, run, rounds, means, sessions, _training(cell, run))


def _mean(parts: list[Part], name: str, *, served_only: bool) -> float:
    values = np.concatenate([part.floats(name)[part.is_word("outcome", "served") | (not served_only)] for part in parts])
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _training(cell: Cell, run: Run) -> Training:
    """Return what is known of a cell's training: the manifest's exact figures before the log's rounded ones."""
    from chordsim import methods

    # A control plays the state of the method whose settings it takes; int8 and its like play the reference.
    spec = methods.find(cell.method).as_set(run.scenario.settings.get(cell.method, {}))
    shipped = cell.method == "int8" or cell.method.startswith("uniform-")
    # A backbone without a plan follows the settings of `chord` and is trained by itself.
    played = spec.settings_of if spec.settings_of and not cell.method.startswith("frozen-") else cell.method
    trained = "fp32" if shipped else played
    logged = replace(run.trainings.get(trained, Training()), settled_steps=settled_steps(run.path, trained))
    noted = run.manifest.get("trained", {}).get(cell.method)
    if cell.method == "retriever":
        # Its first ten of a list are its first ten of all items.
        noted = run.manifest.get("retriever", {})
    if noted is None or "steps" not in noted:
        return logged
    # Where lists are ranked and training knows them, validation is of the list, in the order in which phones show it.
    order = "fused" if run.scenario.settings.get(cell.method, {}).get("fuse") else "listed"
    score = noted.get(f"validation_{order}_ndcg_10", noted["validation_ndcg_10"])
    return replace(logged, steps=int(noted["steps"]), validation=float(score))


def settled_steps(path: Path, method: str) -> int | None:
    """Return the first step at which a method's validation was within 1 % of its best.

    Args:
        path: The run directory.
        method: The method that was trained.

    Returns:
        The step, None where the run keeps no curve of that training.

    Raises:
        RunError: A damaged file.
    """
    curve = read_curves(path / TRAINING if (path / TRAINING).exists() else None)
    curve = curve[(curve["method"] == method) & (curve["what"] == "validation_ndcg_10")].sort_values("step")
    near = curve[curve["value"] >= WITHIN * curve["value"].max()]
    return None if near.empty else int(near["step"].iloc[0])


def _logs(folder: Path) -> dict[str, dict[str, Training]]:
    """Return by run directory's name what logs beside the runs say of trainings.

    A log is named after its run, or holds the output of `chordsim run`, which names the run at its end.
    """
    out: dict[str, dict[str, Training]] = {}
    for log in sorted(folder.glob("*.log")):
        found: dict[str, Training] = {}
        resumed: set[str] = set()
        for line in log.read_text(errors="replace").splitlines():
            if match := _TRAINED.match(line):
                # A training that was cut off and went on tells the seconds of its last part alone.
                seconds = None if match[1] in resumed else float(match[3])
                found[match[1]] = Training(int(match[2]), float(match[4]), seconds)
            elif match := _RESUMED.match(line):
                resumed.add(match[1])
            elif match := _RUN.match(line):
                out.setdefault(Path(match[1].strip()).name, {}).update(found)
                found = {}
        if found:
            out.setdefault(log.stem, {}).update(found)
    return out
