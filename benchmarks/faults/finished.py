"""Which seeds were played, and what came of them, in a file of one line a seed, so that a long sweep goes on where it was cut off."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from benchmarks.kept_lines import kept_lines


class Finished:
    """Seeds that were played with one engine.

    Attributes:
        met: Faults that came, by seed and kind.
        differ: What differed, by seed; empty for a seed where nothing did.
    """

    def __init__(self, path: Path | None, engine: str) -> None:
        """Read a file of an earlier sweep if there is one; a last line that was cut off counts as not played."""
        self.met, self.differ = dict[int, Counter[str]](), dict[int, list[str]]()
        self._path, self._engine = path, engine
        for said in kept_lines(path, "seed", "engine", "faults", "differs"):
            if said["engine"] == engine:
                self._take(said["seed"], Counter(said["faults"]), said["differs"])

    def add(self, seed: int, met: Counter[str], differs: list[str]) -> None:
        """Note a seed that was played."""
        self._take(seed, met, differs)
        if self._path is not None:
            line = {"seed": seed, "engine": self._engine, "faults": dict(sorted(met.items())), "differs": differs}
            with open(self._path, "a") as file:
                file.write(json.dumps(line) + "\n")

    def _take(self, seed: int, met: Counter[str], differs: list[str]) -> None:
        self.met[seed], self.differ[seed] = met, differs
