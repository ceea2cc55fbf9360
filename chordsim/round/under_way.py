"""Phones whose work has begun and whose end the clock has not brought yet: what a run in buffered mode keeps between versions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.ledger.columns import LIST
from chordsim.ledger.rows import Rows
from chordsim.ragged import Ragged

#: Beside the ledger's own columns: the version under way when the phone was asked, when its work ends, whether its update came whole.
ASKED, ENDS, HEARD = "asked_in", "ends_s", "heard"
_ROW, _BASE = "row.", "base."


@dataclass
class UnderWay:
    """Phones at work, with what they will be heard to say.

    Attributes:
        now_s: The simulated clock, in seconds after midnight UTC of the first day.
        rows: Ledger columns of each phone, as its own round ended, and `ASKED`, `ENDS`, `HEARD`, [P] each.
        updates: What each will have sent, [P].
        bases: By version, the numbers that updates made from it start at, [N].
    """

    now_s: float
    rows: Columns = field(default_factory=dict)
    updates: Ragged = field(default_factory=lambda: Ragged.empty(0))
    bases: dict[int, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.updates)

    @property
    def ids(self) -> Ints:
        """Phones at work, [P]."""
        return self.rows["device_id"] if self.rows else np.zeros(0, np.int64)

    def begin(self, rows: Rows, round: int, ends_s: Floats, heard: Bools, updates: Ragged, base: Floats) -> None:
        """Let phones begin, [D] each."""
        count = len(rows)
        fresh = {**columns_of(rows), ASKED: np.full(count, round), ENDS: ends_s, HEARD: heard}
        self.rows = {name: np.concatenate([self.rows[name], value]) if self.rows else value for name, value in fresh.items()}
        self.updates = Ragged.concat([self.updates, updates])
        self.bases[round] = base

    def order(self) -> Ints:
        """Return places in the order in which the clock brings their ends; phones of one instant by id."""
        if not self.rows:
            return np.zeros(0, np.int64)
        return np.lexsort((self.rows["device_id"], self.rows[ENDS]))

    def take(self, places: Ints) -> tuple[Columns, Ragged]:
        """Take phones out, by ascending id; return their columns and updates."""
        mine = places[np.argsort(self.ids[places])]
        taken = {name: value[mine] for name, value in self.rows.items()}, Ragged.of_rows(self.updates[n] for n in mine.tolist())
        left = np.setdiff1d(np.arange(len(self)), places)
        self.rows = {name: value[left] for name, value in self.rows.items()} if left.size else {}
        self.updates = Ragged.of_rows(self.updates[n] for n in left.tolist())
        return taken

    def forget(self) -> None:
        """Drop bases that nobody's work starts from any longer."""
        asked = set(self.rows[ASKED].tolist()) if self.rows else set()
        self.bases = {version: base for version, base in self.bases.items() if version in asked}

    def arrays(self) -> Columns:
        """Return everything as arrays, for a checkpoint."""
        return {
            "now_s": np.array([self.now_s]),
            "data": self.updates.data,
            "offsets": self.updates.offsets,
            **{f"{_ROW}{name}": value for name, value in self.rows.items()},
            **{f"{_BASE}{version}": base for version, base in self.bases.items()},
        }

    @classmethod
    def of(cls, arrays: Columns) -> UnderWay:
        """Return what `arrays` told.

        Raises:
            KeyError, ValueError: It did not.
        """
        rows = {name.removeprefix(_ROW): value for name, value in arrays.items() if name.startswith(_ROW)}
        bases = {int(name.removeprefix(_BASE)): value for name, value in arrays.items() if name.startswith(_BASE)}
        return cls(float(arrays["now_s"][0]), rows, Ragged(arrays["data"], arrays["offsets"]), bases)


def columns_of(rows: Rows) -> Columns:
    """Return a ledger's columns as `Rows.of` takes them: codes for words, NaN for null."""
    lists = {} if rows.lists is None else {LIST: rows.lists}
    return {name: rows.floats(name) if name in rows.nulls else value for name, value in rows.values.items()} | lists
