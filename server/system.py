"""The run of `protocol.metrics = "none"`: everything but the recommender, for fleets of any size in the memory of a block."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from chordsim.fleet import Fleet, fleet_of
from chordsim.forecast.predict import as_json, beside, forecast
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.quantiles import Quantiles
from chordsim.ledger.rounds import finished
from chordsim.ledger.rows import Rows
from chordsim.progress import Progress
from chordsim.ragged import Ints
from chordsim.scenario.model import Scenario
from chordsim.scenario.text import dump
from chordsim.store import RunDirectory
from server import devices
from server.bindings import Tally
from server.fleet import Sized, bootstraps, play_sizes, sized
from server.manifest import peak_rss_bytes, protocol, started

#: Rounds of more phones leave no rows behind, only their sums: a row of the ledger takes 350 bytes.
MOST_ROWS = 200_000


def run(scenario: Scenario, out: Path | None, progress: Progress) -> Path:
    """Run a scenario in sizes and return its run directory.

    Raises:
        ChordsimError: A user's mistake or a failed run.
    """
    began = time.monotonic()
    with RunDirectory.create(out, name=scenario.name, seed=scenario.seed) as store:
        store.write_scenario(dump(scenario))
        store.write_manifest("running", **started(scenario))
        try:
            fleet = fleet_of(scenario, progress)
            ready = sized(fleet, bootstraps(fleet))
            unknown = [m.spec.name for m in ready if m.needs_of(0, fleet.population.profiles(np.arange(1))) is None]
            keeps = fleet.population.selected <= MOST_ROWS
            store.write_manifest("running", data=_source(fleet), protocol=protocol(scenario), operations_not_known=unknown)
            predicted = forecast(fleet)
            store.write_manifest("running", forecast=as_json(predicted))
            summary = Tally(fleet.n_users if keeps else 1, fleet.population, scenario.seed)
            rounds_began = time.monotonic()
            _play_all(fleet, ready, store, summary, progress, keeps)
            rounds_s, wall_s = time.monotonic() - rounds_began, time.monotonic() - began
            per_method = summary.methods()
            rate = sum(int(m["device_rounds"]) for m in per_method.values()) / max(rounds_s, 1e-9)
            engine = {"device_rounds_per_s": rate, "wall_s": wall_s, "peak_rss_bytes": peak_rss_bytes(), "train_s": 0.0}
            whole = {"methods": per_method, "engine": engine, "protocol": protocol(scenario)}
            whole |= {"users": fleet.n_users, "devices": fleet.population.size}
            store.write_summary({**whole, "forecast": beside(predicted, whole)})
            why = f"rows of more than {MOST_ROWS:,} phones a round are not kept: their sums are in summary.json"
            ledger = {"ledger_sha256": store.ledger_sha256} if keeps else {"ledger": why}
            store.write_manifest("complete", budgets=summary.bindings.report(), **ledger)
        except KeyboardInterrupt:
            store.write_manifest("interrupted")
            raise
        except BaseException as error:
            store.write_manifest("failed", errors=[f"{type(error).__name__}: {error}"])
            raise
        return store.path


def _source(fleet: Fleet) -> dict[str, Any]:
    return {"name": fleet.scenario.data.source, "path": "", "how": "sizes only", "sha256": "", "rows_read": 0, "rows_kept": 0, "notes": []}


def _play_all(fleet: Fleet, ready: list[Sized], store: RunDirectory, summary: Tally, progress: Progress, keeps: bool) -> None:
    rounds = fleet.scenario.rounds.count
    progress.start("rounds", rounds * len(ready))
    ids = np.zeros(0, np.int64)
    for round in range(1, rounds + 1):
        ids = fleet.population.select(round)
        lines = []
        for method in ready:
            began = time.monotonic()
            line = _Line(len(fleet.scenario.population.tiers))
            for rows, round_s in play_sizes(method, fleet, round, ids):
                summary.add(rows if keeps else _nobody(rows))
                line.add(rows, round_s)
                if keeps:
                    line.parts.append(rows)
            if keeps:
                store.write_rows(_joined(line.parts))
            lines.append(line.line(round, method.spec.name))
            progress.advance(1, f"round {round} {method.spec.name}: {ids.size / max(time.monotonic() - began, 1e-9):,.0f} devices/s")
        store.append_rounds(lines)
    progress.done()
    store.write_devices(devices.columns(fleet, ids[:MOST_ROWS]))


class _Line:
    """One line of rounds.csv, gathered block by block."""

    def __init__(self, tiers: int) -> None:
        self.parts: list[Rows] = []
        self._outcomes = np.zeros(len(OUTCOMES), np.int64)
        self._bytes = dict.fromkeys(("down_bytes", "up_bytes", "wasted_bytes"), 0)
        self._times, self._round_s = Quantiles(1), 0.0

    def add(self, rows: Rows, round_s: float) -> None:
        self._outcomes += np.bincount(rows["outcome"], minlength=len(OUTCOMES))
        for name in self._bytes:
            self._bytes[name] += int(rows[name].sum())
        times = rows["total_s"][finished(rows)]
        self._times.add(times, np.zeros(times.size, np.int64))
        self._round_s = max(self._round_s, round_s)

    def line(self, round: int, method: str) -> dict[str, Any]:
        counts = dict(zip(OUTCOMES, self._outcomes.tolist(), strict=True))
        return {
            "round": round, "method": method, "selected": int(self._outcomes.sum()), **counts, "ndcg_10": None, "ndcg_10_all": None,
            **self._bytes, "p50_total_s": self._times.quantiles((0.5,))[0], "round_s": self._round_s,
        }  # fmt: skip


def _nobody(rows: Rows) -> Rows:
    """Return the rows as one user's: nothing is estimated per user without a recommender, so none is told apart."""
    return Rows(rows.method, rows.round, {**rows.values, "user_id": np.zeros(len(rows), np.int64)}, rows.nulls, rows.words)


def _joined(parts: list[Rows]) -> Rows:
    first = parts[0]

    def whole(of: str) -> dict[str, Ints]:
        return {name: np.concatenate([getattr(part, of)[name] for part in parts]) for name in getattr(first, of)}

    return Rows(first.method, first.round, whole("values"), whole("nulls"), first.words)
