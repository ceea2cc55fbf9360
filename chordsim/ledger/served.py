"""What served sessions cost, from the ledger alone: bytes, seconds and joules, and how much of the joules rests on what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.ledger.product import report_crossed
from chordsim.ledger.quantiles import EXACT_LIMIT, Quantiles
from chordsim.population.clock import RADIO_TAIL_S

#: Columns that are read.
COLUMNS = (
    "bootstrap_bytes",
    "down_bytes",
    "up_bytes",
    "report_bytes",
    "cut_up_bytes",
    "wasted_bytes",
    "download_s",
    "upload_s",
    "total_s",
    "compute_j",
    "radio_j",
)
#: What joules are made of: operations, the radio while something crosses, and the radio after the last byte.
ENERGY = ("compute", "transfer", "tail")
SHARES = (0.5, 0.95, 0.99)
_SESSION = ("sessions", "down", "up", *ENERGY)
_FLEET = ("rows", "down", "up", "wasted", *ENERGY)
_GB, _KWH = 1e-9, 1 / 3.6e6


class Table(Protocol):
    """Columns of one method's round, whoever read them."""

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """Return a numeric column, [D]."""
        ...


def product_up(table: Table, counts_report: bool) -> Ints:
    """Return the bytes that crossed up, the report left out unless it counts, [D]."""
    up: Ints = table["up_bytes"]
    return up if counts_report else up - report_crossed(table["report_bytes"], table["cut_up_bytes"])


def tail_j(table: Table) -> Floats:
    """Return what of ``radio_j`` is the radio's tail, [D]: its share of the seconds that the radio is on."""
    return np.asarray(table["radio_j"] * (RADIO_TAIL_S / (table["download_s"] + table["upload_s"] + RADIO_TAIL_S)))


class Served:
    """Feed it one method's rounds; ask per session, per tier, and for the whole fleet.

    A session's bytes leave the bootstrap out, which comes at first contact and with new versions; its seconds and joules are those of the
    ledger. The report is left out of bytes as it is of seconds and joules, unless the scenario counts it.
    """

    def __init__(self, tiers: int, *, counts_report: bool = False, exact_limit: int = EXACT_LIMIT) -> None:
        """Start empty.

        Args:
            tiers: How many tiers.
            counts_report: Whether the report is no instrumentation (``clock.count_report``).
            exact_limit: Values up to which quantiles are exact.
        """
        self._tiers, self._counts_report = tiers, counts_report
        # Phones that finished in the first half of the groups, those of them that were served in the second.
        self._seconds = Quantiles(2 * tiers, exact_limit)
        self._session = {name: np.zeros(tiers) for name in _SESSION}
        self._fleet = dict.fromkeys(_FLEET, 0.0)

    @property
    def quantile_method(self) -> str:
        """How the quantiles are found, for the summary."""
        return self._seconds.method

    def add(self, table: Table, served: Bools, finished: Bools, tier: Ints) -> None:
        """Take in one round, or some of its phones.

        Args:
            table: Its columns, `COLUMNS` among them.
            served: Whose outcome is served, [D].
            finished: Who went through the whole round, in time or late, [D].
            tier: Tier of each phone, [D].
        """
        up, tail = product_up(table, self._counts_report), tail_j(table)
        numbers: dict[str, Any] = {
            "sessions": np.ones(up.size),
            "down": table["down_bytes"] - table["bootstrap_bytes"],
            "up": up,
            "compute": table["compute_j"],
            "transfer": table["radio_j"] - tail,
            "tail": tail,
        }
        for name, values in numbers.items():
            self._session[name] += np.bincount(tier[served], values[served].astype(np.float64), minlength=self._tiers)
        group = tier + self._tiers * served
        self._seconds.add(table["total_s"][finished], group[finished])
        whole = {"rows": np.ones(up.size), "down": table["down_bytes"], "up": up, "wasted": table["wasted_bytes"]}
        for name, values in (whole | {part: numbers[part] for part in ENERGY}).items():
            self._fleet[name] += float(values.sum())

    def sessions(self, tier: int | None = None) -> int:
        """Return how many sessions were served."""
        return int(self._sum("sessions", tier))

    def per_session(self, tier: int | None = None) -> dict[str, float | None]:
        """Return what a served session costs on average, and quantiles of its seconds; None where there was none."""
        p50, p95, p99 = self.seconds(SHARES, tier, served=True)
        return {
            "down_bytes": self._mean("down", tier),
            "up_bytes": self._mean("up", tier),
            "seconds_p50": p50,
            "seconds_p95": p95,
            "seconds_p99": p99,
            "joules": self.joules(tier),
        }

    def joules(self, tier: int | None = None) -> float | None:
        """Return the joules of a served session; None where there was none."""
        parts = [self._mean(name, tier) for name in ENERGY]
        return None if parts[0] is None else float(sum(part or 0.0 for part in parts))

    def seconds(self, shares: tuple[float, ...], tier: int | None = None, *, served: bool = False) -> list[float | None]:
        """Return quantiles of a round's seconds over the phones that finished, or over those that were served."""
        tiers = range(self._tiers) if tier is None else (tier,)
        halves = (1,) if served else (0, 1)
        return self._seconds.quantiles(shares, [t + half * self._tiers for t in tiers for half in halves])

    def energy(self, assumed: Collection[str] = ENERGY, tier: int | None = None) -> dict[str, float | None]:
        """Return the shares of a served session's joules by what they are made of, and the share that rests on assumed constants.

        Args:
            assumed: Names in `ENERGY` whose constants are assumed.
            tier: One tier, or all.
        """
        sums = {name: self._sum(name, tier) for name in ENERGY}
        total = sum(sums.values())
        shares = {f"{name}_share": value / total if total else None for name, value in sums.items()}
        return {**shares, "assumed_share": _share_of(sums, assumed)}

    def fleet(self, assumed: Collection[str] = ENERGY) -> dict[str, float | int | None]:
        """Return what all device-rounds cost together, served or not: gigabytes of 10^9 bytes, kilowatt-hours.

        Args:
            assumed: Names in `ENERGY` whose constants are assumed; their share of the kilowatt-hours stands beside them.
        """
        return {
            "sessions": self.sessions(),
            "down_gb": self._fleet["down"] * _GB,
            "up_gb": self._fleet["up"] * _GB,
            "wasted_gb": self._fleet["wasted"] * _GB,
            "kwh": self._fleet_joules() * _KWH,
            "assumed_share": _share_of(self._fleet, assumed),
        }

    @property
    def wasted_per_device_round(self) -> float | None:
        """Bytes that crossed for rounds that did not serve, over all device-rounds."""
        return self._fleet["wasted"] / self._fleet["rows"] if self._fleet["rows"] else None

    @property
    def joules_per_device_round(self) -> float | None:
        """Joules of all device-rounds, served or not, over their number."""
        return self._fleet_joules() / self._fleet["rows"] if self._fleet["rows"] else None

    def _fleet_joules(self) -> float:
        return float(sum(self._fleet[name] for name in ENERGY))

    def _sum(self, name: str, tier: int | None) -> float:
        values: Floats = self._session[name]
        return float(values.sum() if tier is None else values[tier])

    def _mean(self, name: str, tier: int | None) -> float | None:
        count = self._sum("sessions", tier)
        return self._sum(name, tier) / count if count else None


def _share_of(joules: Mapping[str, float], parts: Collection[str]) -> float | None:
    """Return the share that some of the parts have of all joules."""
    total = sum(joules[name] for name in ENERGY)
    return sum(joules[name] for name in parts) / total if total else None
