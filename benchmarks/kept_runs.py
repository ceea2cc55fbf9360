"""Runs of a measurement that takes long: each stays in a folder, is played once, and goes on where it was cut off."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import chordsim
from chordsim.api import RunResult
from chordsim.arrays import Floats
from chordsim.statistics.by_user import means_by_id


def played(folder: Path, scenario: str, seed: int, overrides: Sequence[str]) -> RunResult:
    """Return a run, played unless it is there already; one that was cut off goes on, or in sizes, where it cannot, begins anew."""
    if (folder / "summary.json").exists():
        return RunResult(folder)
    if "protocol.metrics=none" in overrides:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        if (folder / "manifest.json").exists():
            return chordsim.run(resume=folder, report=False)
        return chordsim.run(scenario, overrides=overrides, seed=seed, out=folder, report=False)
    except KeyboardInterrupt as cut:
        stays = f"what is in {folder.parent} stays: give the same command again to go on with it"
        raise KeyboardInterrupt(f"in {folder.name}; {stays}") from cut


def by_user(rows: pd.DataFrame, users: int | None = None) -> Floats:
    """Return each user's NDCG@10 over the rounds, [users]; as many users as the highest id asks for where no number is given."""
    count = int(rows.user_id.max()) + 1 if users is None else users
    return means_by_id(rows.user_id.to_numpy(), rows.ndcg_10_all.to_numpy(np.float64), count)
