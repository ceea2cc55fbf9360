"""Which budgets bind, and what phones were refused for: a scenario whose budgets bind nobody studies no budgets.

The ledger's `binding` has one word for what limits a request's operations, `latency`. Where the joules of a day are what
sets that limit, this is where they get their own name: the phone tells it, as a pure function of seed and id.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.arrays import Bools
from chordsim.config.model import Scenario
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.methods import BINDINGS
from chordsim.population.generate import Population
from chordsim.population.profile import assumed_energy

_LATENCY, JOULES = BINDINGS.index("latency"), "joules"
#: Names of the budgets, with joules apart.
_NAMES = (*BINDINGS, JOULES)
#: Below this share of bound rows a scenario's budgets are called inert.
LEAST_SHARE = 0.1


def accounting(scenario: Scenario) -> dict[str, Any]:
    """Return what a summary must know of a scenario to say what its figures rest on, as arguments of `Summary`."""
    listed = scenario.protocol.list_length if scenario.protocol.ranking == "candidates" else 0
    costs = {"counts_report": scenario.clock.count_report, "assumed": assumed_energy(scenario.population.source)}
    return {**costs, "listed": listed, "cached": scenario.backbone.items == "cached"}


class Tally(Summary):
    """A summary that also counts which budgets bound.

    Attributes:
        bindings: The count.
    """

    def __init__(self, users: int, phones: Population, scenario: Scenario, known: Bools | None = None) -> None:
        """Start empty.

        Args:
            users: How many users there are.
            phones: Whose budgets they are; tells the tiers, too.
            scenario: The scenario.
            known: Whom the cloud trained on, [users].
        """
        super().__init__(users, list(phones.config.tiers), scenario.seed, known=known, **accounting(scenario))
        self.bindings = Bindings(phones)

    def add(self, rows: Rows) -> None:
        """Take in one method's round."""
        super().add(rows)
        self.bindings.add(rows)


class Bindings:
    """Counts rows by method and binding, and refusals by method, tier, side and reason."""

    def __init__(self, phones: Population) -> None:
        self._phones = phones
        self._rationed = any(tier.joules_per_day is not None for tier in phones.config.tiers.values())
        self._rows: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        self._refused: dict[tuple[str, str, str, str], int] = {}

    def add(self, rows: Rows) -> None:
        """Take in one method's round, or a part of it."""
        counts = self._rows.setdefault(rows.method, np.zeros(len(_NAMES), np.int64))
        reasons = np.where(self._by_joules(rows), _NAMES.index(JOULES), rows["binding"])
        counts += np.bincount(reasons, minlength=len(_NAMES))
        refused = rows.is_word("outcome", "refused")
        if refused.any():
            keys = np.stack([rows["tier"][refused], rows["refused_by"][refused], reasons[refused]], 1)
            for (tier, side, reason), count in zip(*np.unique(keys, axis=0, return_counts=True), strict=True):
                key = (rows.method, rows.words["tier"][tier], rows.words["refused_by"][side], _NAMES[reason])
                self._refused[key] = self._refused.get(key, 0) + int(count)

    def _by_joules(self, rows: Rows) -> Bools:
        """Return which rows latency bound on a phone whose latency budget is what the joules of a day allow, [D]."""
        out = rows["binding"] == _LATENCY
        if self._rationed and out.any():
            out[out] = self._phones.profiles(rows["device_id"][out]).by_joules
            return np.asarray(out, np.bool_)
        return np.zeros(len(rows), np.bool_)

    def report(self) -> dict[str, Any]:
        """Return what manifest.json holds under "budgets"; the limiting values stand in devices.parquet, by device."""
        total = sum(int(c.sum()) for c in self._rows.values())
        share = sum(int(c[1:].sum()) for c in self._rows.values()) / total if total else 0.0
        inert = share < LEAST_SHARE
        words = f"budgets bind in {share:.0%} of rows, fewer than {LEAST_SHARE:.0%}: this scenario says nothing about budgets"
        return {
            "bound_share": share,
            "bound_share_by_method": {name: float(c[1:].sum() / c.sum()) for name, c in self._rows.items() if c.sum()},
            "bound_rows": {name: dict(zip(_NAMES[1:], c[1:].tolist(), strict=True)) for name, c in self._rows.items()},
            "inert": inert,
            **({"warning": words} if inert else {}),
            "refusals": [
                {"method": m, "tier": t, "refused_by": side, "reason": reason, "device_rounds": count}
                for (m, t, side, reason), count in sorted(self._refused.items())
            ],
        }
