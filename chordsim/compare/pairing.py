"""Pairs two runs user by user and round by round, so that a difference never mixes rounds that only one of them served."""

from __future__ import annotations

from pathlib import Path

from chordsim.arrays import Floats
from chordsim.ledger.parquet import ledger_files
from chordsim.ledger.scan import read_part
from chordsim.statistics.by_user import Paired, means_by_id

_COLUMNS = ("user_id", "ndcg_10", "ndcg_10_all")


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
            kept.add(*(means_by_id(part["user_id"], part[name], users) for part in parts))
    return {name: kept.means() for name, kept in out.items()}


def _by_round(run: Path, method: str) -> dict[int, Path]:
    """Return the ledger files of a method by round."""
    found = {}
    for path in ledger_files(run):
        name, _, rest = path.name.rpartition(".round-")
        if name == method:
            found[int(rest.removesuffix(".parquet"))] = path
    return found
