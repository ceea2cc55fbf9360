"""The raw figures on disk, one CSV per piece, and what is read out of them: medians, spreads, ratios pair by pair."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HEADER = ("piece", "case", "repetition", "metric", "value")


@dataclass(frozen=True)
class Figure:
    """A median over repetitions, with the least and the most.

    Attributes:
        median: Over repetitions.
        least: Of all repetitions.
        most: Of all repetitions.
        count: How many repetitions.
    """

    median: float
    least: float
    most: float
    count: int


class Results:
    """The figures in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[tuple[str, str, str], dict[int, float]] = {}
        for path in sorted(folder.glob("*.csv")):
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    key = (row["piece"], row["case"], row["metric"])
                    self._rows.setdefault(key, {})[int(row["repetition"])] = float(row["value"])
        runs = folder / "runs.json"
        #: How each piece was run, by piece: command, commit, machine, what each case says of its work, what was skipped.
        self.runs: dict[str, dict[str, Any]] = json.loads(runs.read_text()) if runs.exists() else {}

    def done(self, piece: str, case: str) -> set[int]:
        """Return the repetitions of a case that are on disk."""
        return {n for (p, c, _), values in self._rows.items() if (p, c) == (piece, case) for n in values}

    def cases(self, piece: str) -> list[str]:
        """Return a piece's cases that have figures, in the order in which they were measured."""
        return list(dict.fromkeys(case for p, case, _ in self._rows if p == piece))

    def values(self, piece: str, case: str, metric: str) -> dict[int, float]:
        """Return a metric by repetition; empty if it was not measured."""
        return self._rows.get((piece, case, metric), {})

    def figure(self, piece: str, case: str, metric: str) -> Figure | None:
        """Return a metric's median and spread, or None if it was not measured."""
        return _figure(list(self.values(piece, case, metric).values()))

    def ratio(self, piece: str, over: tuple[str, str], under: tuple[str, str], scale: float = 1.0) -> Figure | None:
        """Return the ratio of two (case, metric), repetition by repetition, times ``scale``."""
        top, bottom = self.values(piece, *over), self.values(piece, *under)
        return _figure([scale * top[n] / bottom[n] for n in top.keys() & bottom.keys()])

    def about(self, piece: str, case: str) -> dict[str, Any]:
        """Return what a case said of its work when it was measured."""
        out: dict[str, Any] = self.runs.get(piece, {}).get("cases", {}).get(case, {})
        return out


def _figure(values: list[float]) -> Figure | None:
    return Figure(median(values), min(values), max(values), len(values)) if values else None


class Writer:
    """Appends one repetition of all cases at a time, so that a run that is cut off can go on."""

    def __init__(self, folder: Path, piece: str) -> None:
        self._path, self._piece = folder / f"{piece}.csv", piece
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, repetition: int, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Write the figures of each case."""
        fresh = not self._path.exists()
        with self._path.open("a", newline="") as file:
            write = csv.writer(file, lineterminator="\n")
            if fresh:
                write.writerow(HEADER)
            write.writerows(self._lines(repetition, figures))

    def _lines(self, repetition: int, figures: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[object, ...]]:
        for case, metrics in figures.items():
            for metric, value in metrics.items():
                yield self._piece, case, repetition, metric, repr(float(value))
