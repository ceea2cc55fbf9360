"""Which budgets bind, and what phones were refused for: a scenario whose budgets bind nobody studies no budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.methods import BINDINGS

#: Below this share of bound rows a scenario's budgets are called inert.
LEAST_SHARE = 0.1


class Tally(Summary):
    """A summary that also counts which budgets bound.

    Attributes:
        bindings: The count.
    """

    def __init__(self, users: int, tiers: Sequence[str], seed: int) -> None:
        super().__init__(users, tiers, seed)
        self.bindings = Bindings()

    def add(self, rows: Rows) -> None:
        """Take in one method's round."""
        super().add(rows)
        self.bindings.add(rows)


class Bindings:
    """Counts rows by method and binding, and refusals by method, tier, side and reason."""

    def __init__(self) -> None:
        self._rows: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        self._refused: dict[tuple[str, str, str, str], int] = {}

    def add(self, rows: Rows) -> None:
        """Take in one method's round, or a part of it."""
        counts = self._rows.setdefault(rows.method, np.zeros(len(BINDINGS), np.int64))
        counts += np.bincount(rows["binding"], minlength=len(BINDINGS))
        refused = rows.is_word("outcome", "refused")
        if refused.any():
            keys = np.stack([rows[name][refused] for name in ("tier", "refused_by", "binding")], 1)
            for (tier, side, reason), count in zip(*np.unique(keys, axis=0, return_counts=True), strict=True):
                key = (rows.method, rows.words["tier"][tier], rows.words["refused_by"][side], rows.words["binding"][reason])
                self._refused[key] = self._refused.get(key, 0) + int(count)

    def report(self) -> dict[str, Any]:
        """Return what manifest.json holds under "budgets"; the limiting values stand in devices.parquet, by device."""
        total = sum(int(c.sum()) for c in self._rows.values())
        share = sum(int(c[1:].sum()) for c in self._rows.values()) / total if total else 0.0
        inert = share < LEAST_SHARE
        words = f"budgets bind in {share:.0%} of rows, fewer than {LEAST_SHARE:.0%}: this scenario says nothing about budgets"
        return {
            "bound_share": share,
            "bound_share_by_method": {name: float(c[1:].sum() / c.sum()) for name, c in self._rows.items() if c.sum()},
            "inert": inert,
            **({"warning": words} if inert else {}),
            "refusals": [
                {"method": m, "tier": t, "refused_by": side, "reason": reason, "device_rounds": count}
                for (m, t, side, reason), count in sorted(self._refused.items())
            ],
        }
