"""Answers of an old checkout, kept in a file by commit so that only the new one has to be played again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.same_ledgers.process import PLAYER, Answer
from benchmarks.same_ledgers.scenarios import Scenario
from chordsim.errors import DataError

#: Whose versions decide what numbers come out.
LIBRARIES = ("torch", "numpy", "pandas", "pyarrow", "flwr")


class Kept:
    """The file, which belongs to one machine: other processors give other last bits."""

    def __init__(self, path: Path | None, commit: str) -> None:
        """Read the file, if there is one.

        Args:
            path: The file; None keeps nothing.
            commit: The old checkout's; "" keeps nothing, since nobody can say what it held.

        Raises:
            DataError: The file is another one.
        """
        self._path = path if commit else None
        self._commit = commit
        self._all: dict[str, dict[str, Answer]] = {}
        if self._path is not None and self._path.is_file():
            try:
                self._all = json.loads(self._path.read_text())
            except ValueError:
                raise DataError(f"{self._path}: not a file of kept answers: name another one, or remove it") from None

    def get(self, scenario: Scenario, methods: list[str]) -> Answer | None:
        """Return the answer that was kept for exactly this scenario, played in exactly this way."""
        found = self._all.get(self._commit, {}).get(_key(scenario, methods))
        return None if found is None else {**found, "kept": True}

    def put(self, scenario: Scenario, methods: list[str], answer: Answer) -> None:
        """Keep an answer; one that is an error is played again."""
        if self._path is None or "error" in answer or answer.get("kept"):
            return
        self._all.setdefault(self._commit, {})[_key(scenario, methods)] = answer
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        beside.write_text(json.dumps(self._all))
        os.replace(beside, self._path)


def _key(scenario: Scenario, methods: list[str]) -> str:
    libraries = {name: version(name) for name in LIBRARIES}
    where = [platform.python_version(), platform.machine(), libraries]
    parts: list[Any] = [scenario.job(), methods, PLAYER.read_text(), where]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
