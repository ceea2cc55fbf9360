"""One line of rounds.csv: what happened to one method in one round."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from chordsim.arrays import Bools, Floats
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.names import ROUNDS
from chordsim.ledger.quantiles import Quantiles
from chordsim.ledger.rows import Rows

_METRICS = ("ndcg_10", "ndcg_10_all")
_BYTES = ("down_bytes", "up_bytes", "wasted_bytes")
#: Columns of rounds.csv. `p50_total_s` is over the phones that finished: served and late.
ROUND_FIELDS: tuple[str, ...] = ("round", "method", "selected", *OUTCOMES, *_METRICS, *_BYTES, "p50_total_s", "round_s")

Line = dict[str, str | int | float | None]


def finished(rows: Rows) -> Bools:
    """Return the phones that went through the whole round, in time or late, shape [D]."""
    return rows.is_word("outcome", "served", "late")


def told(run: Path) -> set[tuple[str, int]]:
    """Return of which methods and rounds a run's rounds.csv tells; a last line that was cut off is none.

    Raises:
        FileNotFoundError: There is no such file.
        OSError, ValueError, KeyError, TypeError, csv.Error: It cannot be read.
    """
    text = (run / ROUNDS).read_text(encoding="utf-8").rpartition("\n")[0]
    return {(line["method"], int(line["round"])) for line in csv.DictReader(text.splitlines()) if None not in line.values()}


class RoundLine:
    """A line in the making: one method's round, taken in part by part."""

    def __init__(self) -> None:
        self._outcomes = np.zeros(len(OUTCOMES), np.int64)
        self._bytes = dict.fromkeys(_BYTES, 0)
        self._means = {name: (0.0, 0) for name in _METRICS}
        self._times, self._round_s = Quantiles(1), 0.0
        self._only: Floats | None = None
        self._parts = 0

    def add(self, rows: Rows, round_s: float) -> None:
        """Take in some of the round's phones.

        Args:
            rows: Their rows.
            round_s: When the clock closed the round for them, in simulated seconds.
        """
        self._outcomes += np.bincount(rows["outcome"], minlength=len(OUTCOMES))
        for name in _BYTES:
            self._bytes[name] += int(rows[name].sum())
        for name, (mean, count) in self._means.items():
            values = rows[name][~rows.nulls[name]]
            if values.size:
                total = count + values.size
                self._means[name] = (float(values.mean()) * (values.size / total) + mean * (count / total), total)
        times = rows["total_s"][finished(rows)]
        # One part's median needs no float32, which is what a stream of parts is kept in.
        self._only = times if not self._parts else None
        self._parts += 1
        self._times.add(times, np.zeros(times.size, np.int64))
        self._round_s = max(self._round_s, round_s)

    def line(self, round: int, method: str) -> Line:
        """Return the line."""
        return {
            "round": round,
            "method": method,
            "selected": int(self._outcomes.sum()),
            **dict(zip(OUTCOMES, self._outcomes.tolist(), strict=True)),
            **{name: mean if count else None for name, (mean, count) in self._means.items()},
            **self._bytes,
            "p50_total_s": float(np.median(self._only)) if self._only is not None and self._only.size else self._times.quantiles((0.5,))[0],
            "round_s": self._round_s,
        }
