"""Each user's NDCG@10 of a measured cell, kept beside the tables, so that seeds and pairs join whose runs are on other machines or gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suites.agenda import Cell
from benchmarks.suites.runs import Measured
from benchmarks.suites.sheets import USERS, USERS_AND_SEEDS, Line
from chordsim.arrays import Floats
from chordsim.errors import RunError
from chordsim.files import atomic_write
from chordsim.ledger.damage import named
from chordsim.statistics.by_user import Paired, UserMeans
from chordsim.statistics.differences import Pair
from chordsim.statistics.estimates import Estimate, estimate_over_seeds

FOLDER = "users"
METRIC = "ndcg_10"
#: Of the bootstrap alone; runs have seeds of their own.
BOOTSTRAP_SEED = 1
#: What intervals are over, by how they were made.
_OVER = {
    "bootstrap-by-user": USERS,
    "normal-by-user": USERS,
    "t-by-user-and-seed": USERS_AND_SEEDS,
    "t-by-seed": USERS_AND_SEEDS,
    "none": "",
}
At = tuple[str, int]


@dataclass(frozen=True)
class Users:
    """What a comparison takes of one cell.

    Attributes:
        cell: The cell.
        source: The run directory or file that it was read from.
        ledger_sha256: Of the run.
        data: The digest of the data that were played.
        protocol: How users were tested.
        rounds: Each user's mean NDCG@10 in each round, [users], NaN for none and for users that the group does not count.
    """

    cell: Cell
    source: Path
    ledger_sha256: str
    data: str
    protocol: Mapping[str, Any]
    rounds: tuple[Floats, ...]

    @classmethod
    def of(cls, one: Measured) -> Users:
        """Return what a run at hand holds of a cell."""
        said, hashed = one.run.manifest, one.run.manifest.get("ledger_sha256") or ""
        return cls(one.cell, one.run.path, hashed, said["data"]["digest"], said["protocol"], tuple(r[METRIC] for r in one.rounds))


def means(rounds: Sequence[Floats]) -> Floats:
    """Return each user's mean over rounds, [users], NaN for none."""
    sums = UserMeans(rounds[0].size)
    for values in rounds:
        some = np.flatnonzero(~np.isnan(values))
        sums.add(some, values[some])
    return sums.means()


def same_data(mine: Sequence[Users]) -> bool:
    """Return whether a user id is the same person in all of these."""
    return len({one.data for one in mine}) == 1


def score(mine: Sequence[Users]) -> dict[str, Any]:
    """Return mean and interval of seeds of one cell, as columns of the table of accuracy."""
    found = estimate_over_seeds([means(one.rounds) for one in mine], BOOTSTRAP_SEED, same_users=same_data(mine))
    return {"users": found.users, METRIC: found.mean, **interval(found)}


def interval(found: Estimate) -> dict[str, Any]:
    """Return the columns that hold an interval of the table of accuracy."""
    low, high = found.ci95 or (None, None)
    return {f"{METRIC}_low": low, f"{METRIC}_high": high, "interval_over": _OVER[found.ci_method]}


def joined(own: Sequence[Users], other: Sequence[Users]) -> dict[int, Pair]:
    """Return by seed each user's means over the rounds of both.

    Raises:
        RunError: Other data or another protocol.
    """
    out = {}
    for one, two in ((one, two) for one in own for two in other if one.cell.seed == two.cell.seed):
        for what, differ in (("data", one.data != two.data), ("protocol", one.protocol != two.protocol)):
            if differ:
                raise RunError(f"{two.source}: cannot be paired with {one.source}: the {what} differ")
        count = max(side.rounds[0].size for side in (one, two))
        sums = Paired(count)
        for pair in zip(one.rounds, two.rounds, strict=True):
            sums.add(*(np.pad(values, (0, count - values.size), constant_values=np.nan) for values in pair))
        out[one.cell.seed] = sums.means()
    return out


def path_of(folder: Path, cell: Cell) -> Path:
    """Return the file of a cell's users in a folder of tables."""
    return folder / FOLDER / cell.group.name / f"{cell.piece.name}_{cell.method}_seed-{cell.seed}.json"


def write(folder: Path, made: Iterable[Users]) -> None:
    """Write the files of cells; what stands there of no such cell goes.

    Args:
        folder: Of the tables.
        made: All that is to be kept, read from there or from runs.
    """
    there = set()
    for one in made:
        path = path_of(folder, one.cell)
        there.add(path)
        if one.source == path:
            continue
        # A place in a list of ten has ten gains: values are few, and each round is a list of numbers of them.
        values, codes = np.unique(np.stack(one.rounds), return_inverse=True)
        held = {
            "scenario": one.cell.scenario_digest,
            "ledger_sha256": one.ledger_sha256,
            "data": one.data,
            "protocol": one.protocol,
            "values": [None if np.isnan(value) else value for value in values.tolist()],
            "rounds": codes.reshape(len(one.rounds), -1).tolist(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, (json.dumps(held, separators=(",", ":")) + "\n").encode())
    for path in (folder / FOLDER).glob("*/*.json"):
        if path not in there:
            path.unlink()


def read(folder: Path, measured: Iterable[tuple[Cell, Line]]) -> dict[At, Users]:
    """Return the users that a folder of tables keeps, by key and seed of their cell.

    Args:
        folder: Of the tables.
        measured: Cells and their lines in the table of cells. Those that were written before users were kept have none.

    Raises:
        RunError: A damaged file, or one of another run than its line tells.
    """
    out = {}
    for cell, line in measured:
        path = path_of(folder, cell)
        if not path.exists():
            continue
        with named(path, "not users' values of a cell, or damaged"):
            about = json.loads(path.read_text())
            values = np.array([np.nan if value is None else value for value in about["values"]], np.float64)
            codes = np.asarray(about["rounds"], np.uint32)
            made = Users(cell, path, about["ledger_sha256"], about["data"], about["protocol"], tuple(values[codes]))
        if (made.ledger_sha256, about["scenario"]) != (line["ledger_sha256"], line["scenario"]):
            raise RunError(f"{path}: of another run than its line in cells.csv: take both from one commit, or remove the file")
        out[cell.key, cell.seed] = made
    return out
