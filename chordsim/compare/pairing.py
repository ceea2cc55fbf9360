"""Pairs two runs user by user and round by round, so that a difference never mixes rounds that only one of them served."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chordsim.arrays import Floats
from chordsim.ledger.parquet import ledger_files
from chordsim.ledger.scan import Part, read_part

_COLUMNS = ("user_id", "ndcg_10", "ndcg_10_all")


class Paired:
    """Sums by user over the rounds in which both runs have a value of a column."""

    def __init__(self, users: int) -> None:
        self._sums = np.zeros((2, users))
        self._rounds = np.zeros(users, np.int64)

    def add(self, first: Floats, second: Floats) -> None:
        """Take in one round: the mean of each user in either run, [users], NaN for none."""
        both = ~np.isnan(first) & ~np.isnan(second)
        self._sums[0, both] += first[both]
        self._sums[1, both] += second[both]
        self._rounds[both] += 1

    def means(self) -> tuple[Floats, Floats]:
        """Return each user's mean in either run over the rounds of both, [users], NaN for none."""
        count = np.where(self._rounds > 0, self._rounds, np.nan)
        return self._sums[0] / count, self._sums[1] / count


def pair(first: Path, second: Path, methods: tuple[str, str], users: int) -> dict[str, tuple[Floats, Floats]]:
    """Return by-user means of both runs over the same rounds, by column.

    Args:
        first: A run directory.
        second: Another one, over the same users.
        methods: The method of the first run and the one of the second.
        users: How many users there are.

    Raises:
        RunError: A damaged file.
    """
    one, two = (_by_round(run, method) for run, method in zip((first, second), methods, strict=True))
    out = {name: Paired(users) for name in _COLUMNS[1:]}
    for round in sorted(one.keys() & two.keys()):
        parts = [read_part(path, _COLUMNS) for path in (one[round], two[round])]
        for name, kept in out.items():
            kept.add(*(_by_user(part, name, users) for part in parts))
    return {name: kept.means() for name, kept in out.items()}


def _by_round(run: Path, method: str) -> dict[int, Path]:
    """Return the ledger files of a method by round."""
    found = {}
    for path in ledger_files(run):
        name, _, rest = path.name.rpartition(".round-")
        if name == method:
            found[int(rest.removesuffix(".parquet"))] = path
    return found


def _by_user(part: Part, name: str, users: int) -> Floats:
    """Return each user's mean in one round; NaN for none."""
    some = ~np.isnan(part[name])
    ids, values = part["user_id"][some], part[name][some]
    count = np.bincount(ids, minlength=users)
    sums = np.bincount(ids, values, minlength=users)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
