"""The raw tables as the page reads them: nothing but the CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.suites.sheets import ACCURACY, ALL_SEEDS, CELLS, DIFFERENCES, MISSING, Line, cells_of, read_lines

SHORT_TRIALS, PHONE_TRIALS = "short_trials.csv", "phone_trials.csv"


@dataclass(frozen=True)
class Book:
    """Lines of the tables, in their order.

    Attributes:
        accuracy: Measured cells.
        differences: Comparisons.
        cells: What the suite declares.
        short: Validations of short trainings that settings were chosen by; written once, by no command of the suite.
        on_phone: Validations of steps and rates that phones which train were given.
    """

    accuracy: list[Line]
    differences: list[Line]
    cells: list[Line]
    short: list[Line]
    on_phone: list[Line]

    @classmethod
    def read(cls, folder: Path) -> Book:
        """Read the tables of a folder."""
        tried = [read_lines(path) if (path := folder / name).exists() else [] for name in (SHORT_TRIALS, PHONE_TRIALS)]
        accuracy, differences, cells = (read_lines(folder / name) for name in (ACCURACY, DIFFERENCES, CELLS))
        return cls(accuracy, differences, cells, *tried)

    @property
    def groups(self) -> list[str]:
        """Names of the groups."""
        return list(dict.fromkeys(cell["group"] for cell in self.cells))

    def labels(self, group: str) -> list[str]:
        """Return the labels that a group declares."""
        return list(dict.fromkeys(cell["label"] for cell in self.cells if cell["group"] == group))

    def line(self, key: str, seed: str = ALL_SEEDS) -> Line | None:
        """Return the accuracy line of ``group/label``, None if it is not measured."""
        group, _, label = key.partition("/")
        return next((a for a in self.accuracy if (a["group"], a["label"], a["seed"]) == (group, label, seed)), None)

    def number(self, key: str, column: str) -> float | None:
        """Return a number of a cell over all seeds, None if it is not measured or not known."""
        line = self.line(key)
        return float(line[column]) if line and line.get(column) else None

    def told(self, key: str, column: str) -> dict[str, float]:
        """Return a number of a cell by seed, of those whose runs tell it."""
        group, _, label = key.partition("/")
        lines = [a for a in self.accuracy if (a["group"], a["label"]) == (group, label) and a["seed"] != ALL_SEEDS and a.get(column)]
        return {line["seed"]: float(line[column]) for line in lines}

    def difference(self, own: str, other: str) -> Line | None:
        """Return a measured comparison."""
        return next((d for d in self.differences if (d["own"], d["other"]) == (own, other) and d["difference"]), None)

    def missing(self, *keys: str) -> list[Line]:
        """Return the cells of these keys that are not measured."""
        asked = {one for key in keys for one in cells_of(key)}
        return [cell for cell in self.cells if f"{cell['group']}/{cell['label']}" in asked and cell["state"] == MISSING]
