"""The run directory of a Flower app: the ledger that every chordsim run has, its metrics, and its trips for a recost."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.arrays import Columns, Ints
from chordsim.config.strict import NAME_PATTERN
from chordsim.errors import UserError
from chordsim.files import atomic_write
from chordsim.flower.fleet import Fleet
from chordsim.ledger.invariants import Moved, check
from chordsim.ledger.names import ROUNDS
from chordsim.ledger.parquet import iter_rows
from chordsim.ledger.round_lines import ROUND_FIELDS, Line, RoundLine
from chordsim.ledger.rows import Rows
from chordsim.ledger.summary import Summary
from chordsim.round.bindings import accounting
from chordsim.scenario.text import dump
from chordsim.store.directory import RunDirectory, Status
from chordsim.store.manifest import peak_rss_bytes, started

#: One row per message and its reply, for `chordsim recost`.
TRIPS = "trips.parquet"
METRIC = "metric_"
#: Before an app's name, the ledger's method.
PREFIX = "flower:"
_PROTOCOL = {"ranking": "none: a Flower app scores itself; its metrics are in rounds.csv as metric_NAME"}
_REPEATS = (
    "the ledger repeats where the app does: Flower's strategies sample nodes with Python's random, and sizes of replies are the app's; "
    "the same hash twice says that it did"
)
_UNUSED = "a Flower app on this scenario's phones: of the scenario, population, clock and seed are used; its data and methods are not"
_MOST_ERRORS = 100


class Recorder:
    """Writes one run; `close` it once, whatever happened."""

    def __init__(self, fleet: Fleet, out: Path | None, name: str) -> None:
        """Open the run directory.

        Args:
            fleet: The phones.
            out: Where; None takes the first free folder under ``runs``.
            name: The app's name: the ledger's method is ``flower:NAME``.

        Raises:
            UserError: The folder is not empty or cannot be written, or the name cannot be part of a file's.
        """
        if not re.fullmatch(NAME_PATTERN, name):
            raise UserError(f"name = {name!r}: letters, digits, dots, dashes and underscores, at most 64")
        self.method, self._fleet, self._began = f"{PREFIX}{name}", fleet, time.monotonic()
        self._store = RunDirectory.create(out, name=fleet.scenario.name, seed=fleet.scenario.seed, resumes=False)
        self._lines: list[Line] = []
        self._metrics: list[dict[str, float]] = []
        self._asked: Ints = np.zeros(0, np.int64)
        self._rounds = 0
        self._trips: list[Columns] = []
        self._kinds: list[str] = []
        self.errors: list[str] = []
        self.notes: dict[str, Counter[str]] = defaultdict(Counter)
        self.moved = Counter[str]()
        self._open, self.measured, self.mode = True, False, "synchronous"
        self._store.write_scenario(dump(fleet.resolved()))
        about = {"data": self._data(), "protocol": _PROTOCOL, "remarks": [_UNUSED], "app": name}
        self._store.write_manifest("running", **started(fleet.resolved()), **about)

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._store.path

    def error(self, text: str) -> None:
        """Note an error of an app or a node; beyond a hundred only their number is kept."""
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(" ".join(text.split())[:300])
        self.notes["all rounds"]["errors"] += 1

    def trip(self, round: int, kind: str, columns: Columns, timeout_s: float | None) -> None:
        """Keep what one exchange was, one entry per phone."""
        count = columns["device_id"].size
        waits_s = np.inf if timeout_s is None else timeout_s
        about = {"round": np.full(count, round), "exchange": np.full(count, len(self._trips)), "timeout_s": np.full(count, waits_s)}
        self._trips.append({**about, **columns})
        self._kinds += [kind] * count

    def round(self, number: int, columns: Columns, round_s: float, metrics: Mapping[str, float]) -> None:
        """Write one closed round.

        Args:
            number: From 1.
            columns: The ledger's columns.
            round_s: Seconds after its begin when it closed.
            metrics: Means of the app's own metrics.

        Raises:
            InvariantError: The books contradict what passed.
        """
        rows = Rows.of(self.method, number, columns, tiers=self._fleet.tiers)
        check(rows, Moved(self.moved["down"], self.moved["up"], 0))
        self.moved.clear()
        self._store.write_rows(rows)
        self._asked, self._rounds = np.union1d(self._asked, rows["device_id"]), self._rounds + 1
        line = RoundLine()
        line.add(rows, round_s)
        self._lines.append(line.line(number, self.method))
        self._metrics.append(dict(metrics))
        atomic_write(self.path / ROUNDS, self._rounds_csv().encode())

    def close(self, failed: str = "") -> None:
        """Write what is left: summary, trips, phones, and how the run ended. Closing twice does nothing.

        Args:
            failed: What ended the run, "" if it ended by itself.
        """
        if not self._open:
            return
        self._open = False
        scenario = self._fleet.resolved()
        with self._store:
            self._store.write_scenario(dump(scenario))
            self._store.write_devices(self._devices(self._asked))
            if self._trips:
                self._write_trips()
            self._store.write_summary(self._summary(scenario.seed))
            status: Status = "failed" if failed else "degraded" if self.errors else "complete"
            claimed = None if failed or self.errors or self.measured or not self._rounds else self._store.ledger_sha256
            self._store.write_manifest(
                status,
                **started(scenario),
                data=self._data(),
                errors=[*self.errors, *([failed] if failed else [])],
                quarantine={key: dict(found) for key, found in self.notes.items() if found},
                ledger_sha256=claimed,
                repeats="not: costs were measured on this host" if self.measured else _REPEATS,
                mode=self.mode,
                cost=None if self._fleet.cost is None else asdict(self._fleet.cost),
                nodes={"with_a_phone": self._fleet.size, "phones_without_a_node": self._fleet.idle},
            )
        self._tell_end(status, [*self.errors, *([failed] if failed else [])])

    def _tell_end(self, status: Status, wrong: list[str]) -> None:
        """Say where the run is and how it ended among Flower's own lines: an app whose phones all failed ends as quietly as others."""
        told = f": {wrong[0]}" if wrong else ""
        told += f", and {len(wrong) - 1} more in manifest.json" if len(wrong) > 1 else ""
        level = logging.WARNING if wrong else logging.INFO
        logging.getLogger("flwr").log(level, "run directory: %s (%s%s)", self.path.absolute(), status, told)

    def _data(self) -> dict[str, Any]:
        """Return what takes the place of a data set: the app's name, and whose phones they are, so that runs can be compared."""
        s = self._fleet.scenario
        told = f"flower app on seed {s.seed}"
        return {"name": told, "digest": hashlib.sha256(told.encode()).hexdigest(), "how": "the app's own", "notes": []}

    def _rounds_csv(self) -> str:
        names = sorted({name for found in self._metrics for name in found})
        text = io.StringIO()
        writer = csv.DictWriter(text, (*ROUND_FIELDS, *(f"{METRIC}{name}" for name in names)), lineterminator="\n")
        writer.writeheader()
        for line, found in zip(self._lines, self._metrics, strict=True):
            writer.writerow({**line, **{f"{METRIC}{name}": found.get(name) for name in names}})
        return text.getvalue()

    def _summary(self, seed: int) -> dict[str, Any]:
        users = max(self._fleet.phones.values(), default=0) + 1
        summary, done = Summary(users, self._fleet.tiers, seed, **accounting(self._fleet.scenario)), 0
        for rows in iter_rows(self.path) if self._rounds else ():
            summary.add(rows)
            done += len(rows)
        methods = summary.methods()
        last: dict[str, float] = {}
        for found in self._metrics:
            last |= found
        for found_method in methods.values():
            found_method["metrics"] = last
        wall_s = time.monotonic() - self._began
        engine = {"wall_s": wall_s, "device_rounds_per_s": done / max(wall_s, 1e-9), "peak_rss_bytes": peak_rss_bytes()}
        return {"methods": methods, "users": users, "devices": self._fleet.size, "engine": engine, "protocol": _PROTOCOL}

    def _devices(self, ids: Ints) -> dict[str, Any]:
        phones = self._fleet.profiles(ids)
        names = ("ram_bytes", "macs_per_s", "down_bytes_per_s", "up_bytes_per_s", "round_trip_s", "j_per_mac", "radio_w")
        budgets = {"memory_budget_bytes": phones.budgets.memory_bytes, "latency_budget_s": phones.budgets.latency_s}
        node = {phone: node for node, phone in self._fleet.phones.items()}
        return {
            "device_id": ids,
            "user_id": ids,
            "node_id": np.array([str(node[i]) for i in ids.tolist()], np.str_),
            "tier": np.array(phones.tier_names)[phones.tier],
            **{name: getattr(phones, name) for name in names},
            **budgets,
        }

    def _write_trips(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {name: np.concatenate([part[name] for part in self._trips]) for name in self._trips[0]}
        table = pa.table({"kind": pa.array(self._kinds), **{name: pa.array(values) for name, values in columns.items()}})
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        atomic_write(self.path / TRIPS, memoryview(buffer.getvalue()))


class Means:
    """Means of an app's metrics over the replies of a round, each counted by its number of examples where it tells one."""

    def __init__(self, examples_key: str) -> None:
        self._key = examples_key
        self._sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))

    def add(self, kind: str, records: Iterable[Mapping[str, Any]]) -> int:
        """Take in one reply's metric records; return how many of their values are not finite and left out."""
        odd = 0
        for record in records:
            weight = record.get(self._key, 1)
            weight = float(weight) if isinstance(weight, int | float) and math.isfinite(weight) and weight >= 0 else 0.0
            for name, value in record.items():
                if name == self._key or not isinstance(value, int | float):
                    continue
                if not math.isfinite(value):
                    odd += 1
                    continue
                sums = self._sums[kind][name]
                sums[0] += weight * float(value)
                sums[1] += weight
        return odd

    def found(self) -> dict[str, float]:
        """Return the means; a name that training and another kind both use is training's with ``train_`` before it."""
        out: dict[str, float] = {}
        for kind in sorted(self._sums, key=lambda kind: kind == "train"):
            for name, (total, weight) in self._sums[kind].items():
                if weight:
                    out[f"{kind}_{name}" if name in out else name] = total / weight
        return out
